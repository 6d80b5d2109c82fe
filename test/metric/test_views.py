# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0

import functools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from textured_room import CAMERA, HEIGHT, WIDTH, TexturedRoom, pose_at, walk

from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.metric.sweep import PoseNoise
from msdepth_ros.metric.views import Views

CELLS = Grid(WIDTH // 2, HEIGHT // 2, (0.5, 0.5), (2.0, 2.0))


def predicted(depth, off=1.4):
    """A network's ln(depth) on its cells: of another scale, and bent across the image."""
    small = cv2.resize(depth, (CELLS.width, CELLS.height), interpolation=cv2.INTER_AREA)
    bend = np.linspace(-0.15, 0.15, CELLS.width, dtype=np.float32)
    return np.log(small * np.float32(off)) + bend


def measured(views, image, depth, pose, camera=CAMERA):
    prediction = predicted(depth)
    return views.measure(image, CAMERA, prediction, CAMERA.sampled(CELLS), camera, pose)


def errors(points, depth):
    """Return ln(measured / true)."""
    u, v = np.rint(points.u).astype(int), np.rint(points.v).astype(int)
    return np.log(points.depth / depth[v, u])


@pytest.fixture(scope='module')
def shots():
    """A room whose images are rendered once."""
    room = TexturedRoom()

    @functools.cache
    def rendered(pose):
        return room.render(np.frombuffer(pose).reshape(4, 4))

    return SimpleNamespace(render=lambda pose, box_at=0.0: rendered(pose.tobytes()))


def walked(room, poses, told=None, noise=None, change=lambda index, image: image, box_step=0.0):
    """Walk through a room; return the errors, sigmas and how many points each image gave."""
    views = Views(noise)
    all_errors, sigmas, counts = [], [], []
    for index, pose in enumerate(poses):
        image, depth = room.render(pose, box_at=index * box_step)
        points = measured(views, change(index, image), depth, (told or poses)[index])
        all_errors.append(errors(points, depth))
        sigmas.append(points.sigma)
        counts.append(len(points))
    return np.concatenate(all_errors), np.concatenate(sigmas), counts


def wrong(found):
    """Return the share of points that are off by more than 15 %."""
    return np.mean(np.abs(np.expm1(found)) > 0.15)


def test_points_of_a_walk_are_within_3_percent():
    found, _, counts = walked(TexturedRoom(), walk())
    assert counts[0] == 0
    assert np.median(counts[4:]) > 60
    assert np.median(np.abs(np.expm1(found))) < 0.03
    assert wrong(found) < 0.03


def test_no_more_than_the_promised_sigma():
    found, sigma, _ = walked(TexturedRoom(), walk())
    assert np.percentile(np.abs(found) / sigma, 68) < 1


def turned(pose, angles, way):
    """Return a pose turned by a rotation vector about its own axes, and moved."""
    told = pose.copy()
    told[:3, :3] = pose[:3, :3] @ cv2.Rodrigues(np.asarray(angles, float))[0]
    told[:3, 3] += way
    return told


@pytest.mark.parametrize(
    'noise',
    [
        PoseNoise(0.01, 0.0, 0.0),
        PoseNoise(0.015, 0.0, 0.0),
        PoseNoise(0.0, 0.003, 0.0),
        PoseNoise(0.0, 0.005, 0.0),
        PoseNoise(0.007, 0.003, 0.0),
    ],
    ids=str,
)
def test_known_noise_of_poses_gives_the_promised_sigma(noise, shots):
    rng = np.random.default_rng(1)
    found, sigmas = [], []
    for _ in range(3):
        told = [
            turned(pose, rng.normal(0, noise.rotation, 3), rng.normal(0, noise.translation, 3))
            for pose in walk()
        ]
        error, sigma, _ = walked(shots, walk(), told, noise)
        found.append(error)
        sigmas.append(sigma)
    scores = np.abs(np.concatenate(found)) / np.concatenate(sigmas)
    assert len(scores) > 1000
    assert 0.7 < np.percentile(scores, 68) < 1.4, np.percentile(scores, [50, 68, 95])


def test_rotation_alone_gives_no_points():
    views, room = Views(), TexturedRoom()
    for yaw in np.linspace(0, 0.8, 12):
        image, depth = room.render(pose_at(0, 0, 0, yaw))
        assert len(measured(views, image, depth, pose_at(0, 0, 0, yaw))) == 0
    assert views.reason == 'no motion'


def test_an_image_that_changes_while_the_odometry_stands_gives_no_points():
    views, room, poses = Views(), TexturedRoom(), walk()
    for index, pose in enumerate(poses):
        image, depth = room.render(pose)
        points = measured(views, image, depth, poses[min(index, 8)])
        if index >= 10:
            assert len(points) == 0
            assert 'odometry stands' in views.reason


@pytest.mark.parametrize('noise', [0, 2], ids=['same', 'noisy'])
def test_odometry_that_moves_while_the_image_stands_gives_no_points(noise, shots):
    rng = np.random.default_rng(0)
    views, poses = Views(), walk()
    for index, pose in enumerate(poses):
        image, depth = shots.render(poses[min(index, 8)])
        image = (image + rng.normal(0, noise, image.shape)).clip(0, 255).astype(np.uint8)
        points = measured(views, image, depth, pose)
        if index >= 9:
            assert len(points) == 0
            assert views.reason == 'odometry moves, image stands'


def test_a_camera_that_stops_goes_on_measuring():
    views, room, poses = Views(), TexturedRoom(), walk()
    for index in range(14):
        image, depth = room.render(poses[min(index, 8)])
        points = measured(views, image, depth, poses[min(index, 8)])
    assert len(points) > 40
    assert np.median(np.abs(errors(points, depth))) < 0.03


def exposure(index, image):
    return cv2.convertScaleAbs(
        image, alpha=(1.0, 0.5, 1.3)[index % 3], beta=(0, 30, -20)[index % 3]
    )


def blur(index, image):
    return cv2.blur(image, (5, 1)) if index % 2 else image


def noisy(index, image):
    noise = np.random.default_rng(index).normal(0, 8, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ('room', 'options', 'bound'),
    [
        (TexturedRoom(), {'change': exposure}, 0.05),
        (TexturedRoom(), {'change': blur}, 0.05),
        (TexturedRoom(), {'change': noisy}, 0.05),
        (TexturedRoom(), {'box_step': 0.05}, 0.1),
        (TexturedRoom(repeated=0.2), {}, 0.1),
        (TexturedRoom(mirror=0.5), {}, 0.1),
    ],
    ids=['exposure', 'blur', 'noise', 'moving thing', 'repeated texture', 'reflections'],
)
def test_few_points_are_wrong_in_bad_light_and_among_what_misleads(room, options, bound):
    found, _, counts = walked(room, walk(), **options)
    assert np.median(counts[4:]) > 15
    assert wrong(found) < bound
    assert np.median(np.abs(found)) < 0.04


def test_poses_of_another_place_give_hardly_any_points():
    rng = np.random.default_rng(3)
    told = [pose_at(*rng.uniform(-0.3, 0.3, 3), *rng.uniform(-0.2, 0.2, 2)) for _ in walk()]
    _, _, counts = walked(TexturedRoom(), walk(), told)
    assert np.mean(counts) < 8


def test_odometry_that_is_late_gives_no_points(shots):
    late = [walk()[0], *walk()[:-1]]
    assert not any(walked(shots, walk(), late)[2])


@pytest.mark.parametrize('lie', [0.5, 0.9, 1.1, 2.0])
def test_a_wrong_scale_of_odometry_makes_depths_wrong_by_as_much_and_no_more(lie, shots):
    told = [pose.copy() for pose in walk()]
    for pose in told:
        pose[:3, 3] *= lie
    found, _, _ = walked(shots, walk(), told)
    assert np.median(found) == pytest.approx(np.log(lie), abs=0.02)
    assert np.mean(np.abs(found - np.log(lie)) > 0.15) < 0.03


def test_the_uncertainty_of_the_odometrys_scale_is_shared_by_all_points(shots):
    sure, unsure = Views(PoseNoise(share=0.0)), Views(PoseNoise(share=0.05))
    for pose in walk()[:4]:
        image, depth = shots.render(pose)
        points, same = (measured(views, image, depth, pose) for views in (sure, unsure))
    assert (points.shared, same.shared) == (0.0, 0.05)
    assert len(points) > 40
    assert np.array_equal(points.sigma, same.sigma)


@pytest.mark.parametrize(
    ('yaw', 'bound'), [(0.0, 0.03), (0.0005, 0.06), (0.0017, 0.14)], ids=['walk', 'slow', 'fast']
)
def test_odometry_that_drifts_does_bounded_harm(yaw, bound, shots):
    """A random walk of 2 mm and 0.03 degrees a step of 7 cm, and a yaw that drifts.

    Per metre of way the yaw drifts by 0, 0.4 and 1.3 degrees; parallax of that much is taken for
    depth: 1.3 degrees at 3 m for 7 %, more along the way.
    """
    rng = np.random.default_rng(0)
    told, drift = [], np.eye(4)
    for pose in walk():
        angles = np.array([0, yaw, 0]) + rng.normal(0, 0.0005, 3)
        drift = drift @ turned(np.eye(4), angles, rng.normal(0, 0.002, 3))
        told.append(drift @ pose)
    found, _, counts = walked(shots, walk(), told)
    assert np.median(counts[2:]) > 60
    assert np.median(np.abs(found)) < bound
    last = found[-sum(counts[-4:]) :]
    assert np.median(np.abs(last)) < 1.3 * bound  # it does not pile up


def test_all_sizes_of_images_give_the_same_points():
    room, poses = TexturedRoom(), walk()
    small, large = Views(), Views()
    larger = CAMERA.resized(1024, 768)
    for pose in poses[:8]:
        image, depth = room.render(pose)
        points = measured(small, image, depth, pose)
        full = cv2.resize(image, (1024, 768), interpolation=cv2.INTER_NEAREST)
        same = large.measure(
            np.dstack([full] * 3), larger, predicted(depth), CAMERA.sampled(CELLS), larger, pose
        )
    assert len(same) > 40
    assert (
        np.median(np.abs(np.sort(points.depth)[: len(same)] - np.sort(same.depth)[: len(points)]))
        < 0.1
    )
    assert same.u.max() > 900


def test_memory_is_bounded_and_a_cleared_store_is_empty():
    views, room = Views(), TexturedRoom()
    for step in range(24):
        pose = pose_at(-1.0 + 0.07 * step, 0, 0)
        image, depth = room.render(pose)
        points = measured(views, image, depth, pose)
    assert views.memory <= 1.2e6
    assert len(points) > 40
    views.clear()
    assert len(measured(views, image, depth, pose)) == 0
    assert views.reason == 'no earlier view'


def test_pixels_are_those_of_the_camera_that_is_asked_for():
    views, room, poses = Views(), TexturedRoom(), walk()
    camera = Intrinsics(640, 480, 300.0, 310.0, 330.0, 235.0)
    for pose in poses[:8]:
        image, depth = room.render(pose)
        points = measured(views, image, depth, pose, camera)
    u = (points.u - camera.cx) / camera.fx * CAMERA.fx + CAMERA.cx
    v = (points.v - camera.cy) / camera.fy * CAMERA.fy + CAMERA.cy
    true = depth[np.rint(v).astype(int), np.rint(u).astype(int)]
    assert np.median(np.abs(np.log(points.depth / true))) < 0.03


def test_cells_without_a_prediction_get_no_points():
    views, room, poses = Views(), TexturedRoom(), walk()
    for pose in poses[:8]:
        image, depth = room.render(pose)
        prediction = predicted(depth)
        prediction[:, :64] = np.nan
        cells = CAMERA.sampled(CELLS)
        points = views.measure(image, CAMERA, prediction, cells, CAMERA, pose)
    assert len(points) > 15
    assert points.u.min() > 126


def test_without_a_prediction_in_metres_all_depths_are_tried():
    views, room, poses = Views(), TexturedRoom(), walk()
    for pose in poses[:8]:
        image, depth = room.render(pose)
        points = views.measure(image, CAMERA, None, CAMERA, CAMERA, pose)
    assert len(points) > 30
    assert np.median(np.abs(errors(points, depth))) < 0.03
    assert wrong(errors(points, depth)) < 0.05
