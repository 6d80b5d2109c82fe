# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered rooms: depth against closed-form numbers, seeds, light, and what is written to disk."""

import math
import random

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip('torch', reason='rendering needs torch')

from msdepth_ros.calibration import read_camera  # noqa: E402
from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.geometry.pinhole import Intrinsics  # noqa: E402
from msdepth_ros.rooms import (  # noqa: E402
    STYLES,
    Film,
    Lighting,
    Pose,
    Scene,
    from_fov,
    illuminate,
    random_pose,
    random_scene,
    render,
)
from msdepth_ros.rooms.geometry import face_of, on_surface  # noqa: E402
from msdepth_ros.rooms.living_room import living_room, walk  # noqa: E402
from msdepth_ros.rooms.materials import Material  # noqa: E402
from msdepth_ros.rooms.output import write_clip  # noqa: E402
from msdepth_ros.rooms.scene import assemble  # noqa: E402
from msdepth_ros.rooms.solids import (  # noqa: E402
    BOX,
    CYLINDER,
    ELLIPSOID,
    Solid,
    box,
    cylinder,
    ellipsoid,
    rotation,
)

pytestmark = pytest.mark.slow

GREY = Material('plaster', (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), contrast=0.0)
FACES = ('-x', '+x', '-y', '+y', '-z', '+z')
SMALL = from_fov(64, 48, 60)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def room(*solids: Solid) -> Scene:
    """Return a room of 6 m x 4 m x 3 m, grey, lit by one lamp at the ceiling."""
    lamp = Material('plaster', (1.0, 1.0, 1.0), emission=8.0)
    solids = (box((3, 2, 2.98), (0.4, 0.4, 0.02), lamp), *solids)
    return assemble((6.0, 4.0, 3.0), dict.fromkeys(FACES, GREY), solids)


def depth_of(scene: Scene, pose: Pose, camera: Intrinsics) -> np.ndarray:
    return render(scene, pose, camera, lighting=dark(scene)).depth.numpy().astype(np.float64)


def dark(scene: Scene) -> Lighting:
    """Return lighting that costs nothing, for tests of depth alone."""
    return illuminate(scene, texels_per_metre=0.1, lamp_samples=1, gather_rays=1, bounces=1)


def slopes(camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Return X / Z and Y / Z of each pixel, from the pinhole formula."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    return (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy


def test_depth_of_floor_ceiling_and_walls_is_exact():
    camera = Intrinsics(80, 60, 55.0, 58.0, 37.3, 31.1)
    depth = depth_of(room(), Pose.look((1.0, 1.5, 1.2), yaw=0.0), camera)
    x, y = slopes(camera)  # looking along world x: right is -y, down is -z
    end = np.full_like(x, 5.0)
    floor = np.where(y > 0, 1.2 / np.maximum(y, 1e-9), np.inf)
    ceiling = np.where(y < 0, 1.8 / np.maximum(-y, 1e-9), np.inf)
    right = np.where(x > 0, 1.5 / np.maximum(x, 1e-9), np.inf)
    left = np.where(x < 0, 2.5 / np.maximum(-x, 1e-9), np.inf)
    truth = np.minimum.reduce([end, floor, ceiling, right, left])
    lamp = np.minimum(ceiling, truth) == ceiling  # the lamp hangs 4 cm below the ceiling
    np.testing.assert_allclose(depth[~lamp], truth[~lamp], atol=1e-4)
    for surface in (end, floor, right, left):
        assert ((surface == truth) & ~lamp).sum() > 20


def test_depth_of_the_floor_seen_by_a_pitched_camera_is_exact():
    pitch, height = math.radians(-35), 0.3
    camera = from_fov(48, 36, 50)
    depth = depth_of(room(), Pose.look((2.0, 2.0, height), yaw=0.7, pitch=pitch), camera)
    _, y = slopes(camera)
    down = y * math.cos(pitch) - math.sin(pitch)  # fall of a ray for each metre of depth
    floor = height / np.where(down > 0.2, down, np.nan)
    seen = np.isfinite(floor)
    assert seen.mean() > 0.9
    np.testing.assert_allclose(depth[seen], floor[seen], atol=1e-4)


def test_depth_of_a_box_a_ball_and_a_cylinder_is_exact():
    camera = Intrinsics(101, 81, 90.0, 90.0, 50.0, 40.0)
    solids = (
        box((3.0, 2.0, 1.5), (0.25, 0.4, 0.3), GREY),
        ellipsoid((3.0, 3.2, 1.5), (0.3, 0.3, 0.3), GREY),
        cylinder((3.0, 0.8, 1.5), 0.2, 0.5, GREY),
    )
    depth = depth_of(room(*solids), Pose.look((1.0, 2.0, 1.5), yaw=0.0), camera)
    x, y = slopes(camera)
    # Near face of the box: the plane 1.75 m ahead, where |X| < 0.4 and |Y| < 0.3.
    front = (np.abs(x * 1.75) < 0.39) & (np.abs(y * 1.75) < 0.29)
    np.testing.assert_allclose(depth[front], 1.75, atol=1e-4)
    # The ball around (-1.2, 0, 2) in the camera, the cylinder's axis at X = 1.2, Z = 2.
    for a, b, c, limit in (
        (x**2 + y**2 + 1, 2 - 1.2 * x, 1.2**2 + 4 - 0.3**2, np.full_like(x, np.inf)),
        (x**2 + 1, 2 + 1.2 * x, 1.2**2 + 4 - 0.2**2, np.full_like(x, 0.49)),
    ):
        inside = b * b - a * c
        near = (b - np.sqrt(np.maximum(inside, 0))) / a
        on = (inside > 1e-2) & (np.abs(y * near) < limit)
        assert on.sum() > 30
        np.testing.assert_allclose(depth[on], near[on], atol=1e-4)


def test_depth_of_a_turned_box_is_that_of_its_planes():
    turn = rotation(yaw=0.5, pitch=0.3, roll=-0.4)
    half, center = np.array([0.4, 0.3, 0.5]), np.array([3.0, 2.0, 1.5])
    camera = from_fov(61, 51, 40)
    depth = depth_of(
        room(box(tuple(center), tuple(half), GREY, turn)), Pose.look((1.0, 2.0, 1.5), 0.0), camera
    )
    x, y = slopes(camera)
    points = np.stack([depth, -x * depth, -y * depth], -1) + np.array([1.0, 2.0, 1.5]) - center
    local = points @ np.array(turn)  # the inverse of a rotation is its transpose
    reach = (np.abs(local) / half).max(-1)
    on = depth < 2.6
    assert on.sum() > 200
    np.testing.assert_allclose(reach[on], 1.0, atol=1e-3)


def test_the_taper_gives_the_width_of_a_cone_frustum():
    camera = Intrinsics(201, 201, 200.0, 200.0, 100.0, 100.0)
    scene = room(cylinder((3.0, 2.0, 1.5), 0.4, 0.5, GREY, taper=0.5))
    depth = depth_of(scene, Pose.look((1.0, 2.0, 1.5), 0.0), camera)
    widths = (depth < 2.2).sum(1)
    # Silhouette of a circle of radius r at 2 m: X / Z = r / sqrt(4 - r^2).
    for row, radius in ((75, 0.26), (100, 0.3), (125, 0.34)):
        height = (100 - row) / 200 * math.sqrt(4 - radius**2)
        radius = 0.3 - 0.2 * height
        slope = radius / math.sqrt(4 - radius**2)
        assert widths[row] == pytest.approx(2 * slope * 200, abs=2)


@pytest.mark.parametrize('shape', [BOX, CYLINDER, ELLIPSOID])
def test_face_of_undoes_on_surface(shape):
    face = torch.arange(6).repeat_interleave(25)
    grid = torch.linspace(-0.9, 0.9, 5)
    place = torch.cartesian_prod(grid, grid).repeat(6, 1)
    if shape == CYLINDER:
        place = torch.where((face >= 4)[:, None], place * 0.6, place)  # within the round end
    shapes = torch.full((150,), shape)
    unit = on_surface(face, place, shapes, torch.zeros(150))
    again, where = face_of(unit, shapes == CYLINDER)
    assert torch.equal(face, again)
    torch.testing.assert_close(where, place, atol=1e-5, rtol=0)


@pytest.mark.parametrize('style', STYLES)
def test_random_rooms_are_finite_and_follow_the_seed(style):
    def frame(seed):
        rng = random.Random(seed)
        scene = random_scene(rng, style)
        pose = random_pose(scene, rng, SMALL, style)
        lighting = illuminate(scene, texels_per_metre=1, lamp_samples=1, gather_rays=2)
        film = Film.random(rng)
        return scene, pose, render(scene, pose, SMALL, lighting=lighting, film=film, samples=2)

    (scene, pose, first), (_, _, again), (_, _, other) = frame(5), frame(5), frame(6)
    assert torch.equal(first.rgb, again.rgb)
    assert torch.equal(first.depth, again.depth)
    assert not torch.equal(first.depth, other.depth)
    assert first.rgb.shape == (48, 64, 3)
    assert first.rgb.dtype == torch.uint8
    assert first.depth.dtype == torch.float32
    assert torch.isfinite(first.depth).all()
    assert first.depth.min() > 0
    assert first.depth.max() <= math.dist((0, 0, 0), scene.size)
    assert first.rgb.float().std() > 4
    for k in range(3):
        assert 0 < pose.position[k] < scene.size[k]


def test_each_style_has_its_camera_height_and_distances():
    def poses(style):
        rng = random.Random(3)
        for _ in range(4):
            scene = random_scene(rng, style)
            pose = random_pose(scene, rng, SMALL, style)
            yield pose, depth_of(scene, pose, SMALL)

    assert all(0.1 <= float(pose.position[2]) <= 0.4 for pose, _ in poses('robot'))
    assert np.median([np.median(depth) for _, depth in poses('desk')]) < 1.6
    assert all(depth.min() > 0.2 for _, depth in poses('room'))


def test_a_wider_lens_sees_the_same_depth_along_the_axis():
    scene, pose = room(), Pose.look((1.0, 2.0, 1.5), 0.0)
    for degrees in (45, 95):
        camera = from_fov(65, 49, degrees)
        assert camera.fx == pytest.approx(32.5 / math.tan(math.radians(degrees / 2)))
        assert depth_of(scene, pose, camera)[24, 32] == pytest.approx(5.0, abs=1e-4)


def test_roll_turns_the_image():
    camera = from_fov(65, 65, 70)
    above = box((4.0, 2.0, 2.5), (0.1, 0.1, 0.3), GREY)  # above the axis

    def seen(roll):
        pose = Pose.look((1.0, 2.0, 1.5), 0.0, roll=roll)
        return depth_of(room(above), pose, camera) < depth_of(room(), pose, camera) - 0.01

    upright, rolled = seen(0.0), seen(math.pi / 2)
    assert upright[:32].sum() > 20
    assert upright[32:].sum() == 0
    np.testing.assert_array_equal(rolled, np.rot90(upright, 1))


def test_light_falls_off_casts_shadows_and_bounces():
    plate = box((3.0, 2.0, 1.0), (0.8, 0.8, 0.02), GREY)
    scene = room(plate)
    options = {'texels_per_metre': 3, 'lamp_samples': 9, 'gather_rays': 24}
    direct = illuminate(scene, **options, bounces=0)
    full = illuminate(scene, **options, bounces=3)
    shell = torch.zeros(3, dtype=torch.int64)
    # On the floor: under the plate, near it in the light, in a far corner.
    unit = torch.tensor([[0.0, 0.0, -1.0], [0.5, 0.0, -1.0], [0.95, 0.9, -1.0]])
    shadow, lit, corner = direct.at(shell, unit).mean(1).tolist()
    assert shadow < 0.05 * lit
    assert corner < lit
    brighter = full.at(shell, unit).mean(1) - direct.at(shell, unit).mean(1)
    assert (brighter > 0).all()


def test_direct_light_is_that_of_the_inverse_square_law():
    lamp = Material('plaster', (1.0, 1.0, 1.0), emission=50.0)
    scene = assemble(
        (6.0, 4.0, 3.0), dict.fromkeys(FACES, GREY), [box((3, 2, 2.99), (0.05, 0.05, 0.01), lamp)]
    )
    light = illuminate(scene, texels_per_metre=8, lamp_samples=4, bounces=0)
    got = light.at(torch.tensor([0]), torch.tensor([[0.0, 0.0, -1.0]]))[0, 0]
    # Radiance 50 of an area of 0.01 m2 at 2.98 m, both facing: E / pi = L A / (pi d^2).
    assert float(got) == pytest.approx(50 * 0.01 / math.pi / 2.98**2, rel=0.05)


def test_command_writes_a_dataset(tmp_path, capsys):
    out = tmp_path / 'rooms'
    command = ['render', '--out', str(out), '--count', '3', '--seed', '4', '--views', '2']
    assert main([*command, '--width', '64', '--height', '48', '--fov', '70', '--samples', '1']) == 0
    assert '3 frames' in capsys.readouterr().out
    names = sorted(path.stem for path in (out / 'rgb').glob('*.jpg'))
    assert names == sorted(path.stem for path in (out / 'depth').glob('*.png'))
    assert len(names) == 3
    for name in names:
        assert cv2.imread(str(out / 'rgb' / f'{name}.jpg')).shape == (48, 64, 3)
        depth = cv2.imread(str(out / 'depth' / f'{name}.png'), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16
        assert depth.shape == (48, 64)
        assert depth.min() > 0
        assert depth.max() < 20000
    camera = yaml.safe_load((out / 'camera.yaml').read_text())
    assert (camera['image_width'], camera['image_height']) == (64, 48)
    fx, _, cx, _, fy, cy, *_ = camera['camera_matrix']['data']
    assert fx == pytest.approx(32 / math.tan(math.radians(35)))
    assert (fy, cx, cy) == (fx, 31.5, 23.5)


@pytest.mark.parametrize(
    ('extra', 'words'),
    [
        (['--fov', '190'], '--fov is 190'),
        (['--count', '0'], '--count is 0'),
        (['--width', '0'], '--width is 0'),
        (['--device', 'cuda'], 'sees no GPU'),
    ],
)
def test_the_command_refuses_senseless_values(tmp_path, capsys, extra, words):
    if extra[-1] == 'cuda' and torch.cuda.is_available():
        pytest.skip('there is a GPU here')
    assert main(['render', '--out', str(tmp_path / 'x'), *extra]) == 2
    assert words in capsys.readouterr().err


def test_the_walk_avoids_furniture_and_goes_back_the_same_way():
    scene = living_room()
    for phase in (0.0, 0.2, 0.35, 0.5):
        there, back = walk(phase), walk(1 - phase)
        torch.testing.assert_close(there.position, back.position, atol=1e-5, rtol=0)
        torch.testing.assert_close(there.rotation, back.rotation, atol=1e-5, rtol=0)
        depth = depth_of(scene, there, SMALL)
        assert depth.min() > 0.8
        assert 1.5 < np.median(depth) < 5


def test_a_clip_is_written_with_its_calibration(tmp_path):
    pytest.importorskip('av', reason='writing a video needs PyAV')
    frames = [np.full((48, 64, 3), 20 + 20 * k, np.uint8) for k in range(6)]
    assert write_clip(tmp_path / 'clip.mp4', frames, SMALL) == 6
    video = cv2.VideoCapture(str(tmp_path / 'clip.mp4'))
    assert video.get(cv2.CAP_PROP_FPS) == 30
    means = []
    while (read := video.read())[0]:
        means.append(read[1].mean())
    np.testing.assert_allclose(means, [20 + 20 * k for k in range(6)], atol=4)
    camera = read_camera(tmp_path / 'clip.yaml')
    assert camera.rectified_intrinsics().fx == pytest.approx(SMALL.fx)


@pytest.mark.gpu
def test_gpu_and_cpu_render_the_same():
    if not torch.cuda.is_available():
        pytest.skip('PyTorch sees no GPU')
    rng = random.Random(1)
    scene = random_scene(rng)
    pose = random_pose(scene, rng, SMALL)
    lighting = illuminate(scene, texels_per_metre=1)
    on_cpu = render(scene, pose, SMALL, lighting=lighting)
    scene = scene.to('cuda')
    on_gpu = render(scene, pose, SMALL, lighting=illuminate(scene, texels_per_metre=1))
    close = (on_cpu.depth - on_gpu.depth.cpu()).abs() < 1e-3
    assert close.float().mean() > 0.995
