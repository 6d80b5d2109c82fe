# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rendered room, photographed through lenses: what is wrong in depth is the network's alone.

The raw image and its depth are made with OpenCV's undistortPoints and the renderer's rays, pixel
by pixel; the product sees the raw image and the calibration.
"""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from oracle import COLOR_OFFSET, COLOR_WEIGHTS, write_color_model, write_depth_model
from truth import CELLS_X, CELLS_Y, LENSES, Fit, raw_pixels, rays, undistorted

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator, Settings
from msdepth_ros.inference.model import load_model, model_names

pytestmark = pytest.mark.slow

torch = pytest.importorskip('torch', reason='rendering needs torch')

SIZE = (640, 480)
IDEAL = (520.0, 525.0, 322.0, 236.0)  # fx, fy, cx, cy of P: the rectified image
WIDE = Intrinsics(1280, 960, 720.0, 720.0, 639.5, 479.5)  # sees all that the raw image sees
CELL = 4 * 640 / 304  # camera pixels


@pytest.fixture(scope='module')
def room():
    """Return images of the rectified and of a wider pinhole camera, and the truth along rays."""
    from msdepth_ros.rooms import Film, illuminate
    from msdepth_ros.rooms.geometry import trace
    from msdepth_ros.rooms.living_room import living_room, walk
    from msdepth_ros.rooms.render import render_radiance

    torch.set_num_threads(1)
    scene, pose, film = living_room(), walk(0.2), Film(vignette=0)
    lighting = illuminate(scene)
    light, depth = render_radiance(scene, pose, Intrinsics(*SIZE, *IDEAL), lighting)
    wide_light, _ = render_radiance(scene, pose, WIDE, lighting)
    gain = film.gain(light)

    def depth_along(directions):
        """Return the exact depth of rays [N, 3] with Z = 1."""
        world = torch.from_numpy(directions).float() @ pose.rotation.T
        return trace(scene.primitives, pose.position[None], world)[0].numpy()

    return SimpleNamespace(
        image=film.develop(light, gain).numpy(),
        depth=depth.numpy(),
        wide=film.develop(wide_light, gain).numpy(),
        depth_along=depth_along,
    )


@pytest.fixture(scope='module', params=[lens for lens in LENSES if lens != 'none'])
def raw(room, request):
    """Return a camera with a lens, its raw image of the room, and the exact depth of its pixels."""
    name, d = LENSES[request.param]
    fx, fy, cx, cy = IDEAL
    k = (470.0, 0.0, 330.0, 0.0, 475.0, 232.0, 0.0, 0.0, 1.0)
    camera = Camera(*SIZE, k, d, name, p=(fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0))
    v, u = np.indices(SIZE[::-1])
    directions = undistorted(camera, np.stack([u.ravel(), v.ravel()], axis=-1))
    x = WIDE.fx * directions[:, 0] + WIDE.cx
    y = WIDE.fy * directions[:, 1] + WIDE.cy
    maps = (axis.reshape(SIZE[::-1]).astype(np.float32) for axis in (x, y))
    image = cv2.remap(room.wide, *maps, cv2.INTER_CUBIC)
    depth = room.depth_along(directions).reshape(SIZE[::-1])
    return SimpleNamespace(camera=camera, image=image, depth=depth)


def estimator_of(model, **settings):
    model = load_model(model)
    return DepthEstimator(model, create_backend(model, 'onnxruntime', 1), Settings(**settings))


def rays_of_cells():
    u, v = Fit('crop', SIZE).camera_pixels(*np.meshgrid(CELLS_X, CELLS_Y))
    return rays(IDEAL, u, v).reshape(-1, 3)


def flat(depth, margin):
    """Return pixels around which, as far as the margin, 1 / depth is that of one plane."""
    inverse = 1 / depth.astype(np.float64)
    bent = np.abs(cv2.Laplacian(inverse, cv2.CV_64F)) > 2e-6
    bent[[0, -1]] = bent[:, [0, -1]] = True  # who knows what is beyond the border
    size = 2 * int(np.ceil(margin)) + 1
    return cv2.dilate(bent.astype(np.uint8), np.ones((size, size))) == 0


def test_depth_painted_on_the_raw_image_is_read_where_the_room_has_it(room, raw, tmp_path):
    """A network without error: colours code the depth, and its cells answer what they see."""
    scale = 0.6  # the code ends at 4 m
    left = raw.depth * scale - COLOR_OFFSET
    code = np.zeros((*left.shape, 3), np.uint8)
    for channel in (2, 1, 0):  # the coarsest first; the finest is rounded, not cut off
        digit = left / COLOR_WEIGHTS[channel]
        digit = np.rint(digit) if channel == 0 else np.floor(digit)
        code[..., channel] = digit.clip(0, 255)
        left = left - COLOR_WEIGHTS[channel] * code[..., channel]
    assert np.abs(left).max() < 0.001
    estimator = estimator_of(write_color_model(tmp_path), scale=1 / scale, edge_threshold=0.0)
    frame = estimator.estimate(code, 'rgb8', raw.camera)

    # Colours are rounded when they are halved and when they are mapped (quarters: half of them up,
    # by 1/8 on average); the code decodes linearly.
    level = COLOR_WEIGHTS.sum() / scale
    truth = room.depth_along(rays_of_cells()).reshape(frame.depth.shape)
    u, v = Fit('crop', SIZE).camera_pixels(CELLS_X, CELLS_Y)
    plain = flat(room.depth, 4)[np.rint(v).astype(int)[:, None], np.rint(u).astype(int)]
    assert plain.mean() > 0.5
    error = frame.depth - truth
    assert np.abs(error[plain]).max() < level
    assert abs(error[plain].mean()) < level / 4

    # The rectified colour image shows each pixel the depth of its own ray.
    decoded = (COLOR_OFFSET + frame.rectified_image()[0] @ COLOR_WEIGHTS) / scale
    v, u = np.indices(room.depth.shape)
    place = raw_pixels(raw.camera, rays(IDEAL, u, v).reshape(-1, 3)).reshape(*u.shape, 2)
    seen = np.all((place >= 0) & (place <= np.array(SIZE) - 1), axis=-1)
    assert seen.mean() > 0.95
    error = (decoded - room.depth)[flat(room.depth, 4) & seen]
    assert np.abs(error).max() < level / 2 + 0.005
    assert abs(error.mean()) < level / 8


def test_exact_depth_at_the_cells_gives_the_room_back(room, raw, tmp_path):
    """On planes within a millimetre; elsewhere between what the cells around hold."""
    table = room.depth_along(rays_of_cells()).reshape(55, 74)
    path = write_depth_model(tmp_path, lambda x, y: table)
    frame = estimator_of(path).estimate(raw.image, 'rgb8', raw.camera)
    full = frame.full_depth()
    known = np.isfinite(full)
    plain = flat(room.depth, 1.5 * CELL) & known
    assert plain.mean() > 0.2
    assert np.abs(full - room.depth)[plain].max() < 0.001
    error = np.abs(full / room.depth - 1)[known]
    assert (error < 0.01).mean() > 0.75
    i = frame.camera_intrinsics
    assert (i.fx, i.fy, i.cx, i.cy) == IDEAL


@pytest.mark.skipif('eigen2014' not in model_names(), reason='engines/ holds no eigen2014')
def test_the_network_predicts_as_if_the_camera_had_no_lens(room, raw):
    """The ideal camera's image and the rectified raw one: the same depth but for resampling."""
    estimator = estimator_of('eigen2014', edge_threshold=0.0)
    ideal = estimator.estimate(room.image, 'rgb8', Camera.pinhole(*SIZE, *IDEAL))
    through_lens = estimator.estimate(raw.image, 'rgb8', raw.camera)
    valid = np.isfinite(ideal.depth) & np.isfinite(through_lens.depth)
    assert valid.mean() > 0.99
    change = np.abs(through_lens.depth / ideal.depth - 1)[valid]
    assert np.median(change) < 0.02
    assert change.max() < 0.05  # resampling, and a network of 8 bits

    off = Settings(rectify='off', edge_threshold=0.0)
    as_it_is = estimator.estimate(raw.image, 'rgb8', raw.camera, off)
    ignored = np.abs(as_it_is.depth / ideal.depth - 1)[valid & np.isfinite(as_it_is.depth)]
    assert np.median(ignored) > 0.1, 'the lens bends too little'
