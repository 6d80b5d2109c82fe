# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which raw camera pixel the network sees where, against OpenCV's point functions.

The images are sine waves over raw columns or rows, a quarter of a period apart: from what arrives
in the network's input, the raw pixel that was seen there follows to a few hundredths of a pixel.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from oracle import write_depth_model

from msdepth_ros.errors import ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.encodings import ENCODINGS
from msdepth_ros.inference.fit import FITS
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import load_model

INPUT_WIDTH, INPUT_HEIGHT = 304, 228
LENSES = {
    'none': ('plumb_bob', ()),
    'plumb_bob': ('plumb_bob', (-0.28, 0.09, 0.0012, -0.0008, 0.0)),
    'rational_polynomial': (
        'rational_polynomial',
        (0.1, -0.05, 0.0004, 0.0003, 0.01, 0.3, -0.02, 0.005),
    ),
    'equidistant': ('equidistant', (0.02, -0.01, 0.004, -0.001)),
}
SIZES = [(320, 240), (640, 480), (641, 479), (480, 640), (1280, 720), (1920, 1080), (3840, 2160)]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    return load_model(write_depth_model(folder, lambda x, y: np.ones_like(x)))


def make_camera(size, lens, rotation=(0.0, 0.0, 0.0)):
    """Return a camera of about 70 degrees, off centre, whose P differs from its K."""
    width, height = size
    focal = 0.72 * max(size)
    name, d = LENSES[lens]
    k = (focal, 0, 0.51 * width, 0, 1.01 * focal, 0.48 * height, 0, 0, 1)
    p = (0.95 * focal, 0, 0.5 * width, 0, 0, 0.93 * focal, 0.5 * height, 0, 0, 0, 1, 0)
    r = cv2.Rodrigues(np.array(rotation))[0].ravel()
    k, p, r = (tuple(float(number) for number in matrix) for matrix in (k, p, r))
    return Camera(width, height, k, d, name, r, p)


def raw_pixels(camera, u, v):
    """Project the rays of pixels of P's image into the raw image, by the lens model."""
    p = np.array(camera.p).reshape(3, 4)
    rays = np.stack([(u - p[0, 2]) / p[0, 0], (v - p[1, 2]) / p[1, 1], np.ones_like(u)], axis=-1)
    rays = rays.reshape(-1, 1, 3) @ np.array(camera.r).reshape(3, 3)  # R^-1 = R^T, from the left
    k, d, zero = np.array(camera.k).reshape(3, 3), np.array(camera.d), np.zeros(3)
    if camera.distortion_model == 'equidistant':
        points = cv2.fisheye.projectPoints(rays, zero, zero, k, d)[0]
    else:
        points = cv2.projectPoints(rays, zero, zero, k, d if d.size else None)[0]
    return points.reshape(*u.shape, 2)


def window_of(fit, size):
    """Return the camera rectangle and the network rectangle, as the documentation defines them."""
    width, height = size
    if fit == 'stretch':
        return (0, 0, width, height), (0, 0, INPUT_WIDTH, INPUT_HEIGHT)
    scale = (max if fit == 'crop' else min)(INPUT_WIDTH / width, INPUT_HEIGHT / height)
    if fit == 'crop':
        w, h = round(INPUT_WIDTH / scale), round(INPUT_HEIGHT / scale)
        return ((width - w) // 2, (height - h) // 2, w, h), (0, 0, INPUT_WIDTH, INPUT_HEIGHT)
    w, h = round(width * scale), round(height * scale)
    return (0, 0, width, height), ((INPUT_WIDTH - w) // 2, (INPUT_HEIGHT - h) // 2, w, h)


def rectified_pixels(fit, size):
    """Return the target rectangle and, for its pixels, u and v in the rectified camera image."""
    (x, y, w, h), target = window_of(fit, size)
    u = x + (np.arange(target[2]) + 0.5) * w / target[2] - 0.5
    v = y + (np.arange(target[3]) + 0.5) * h / target[3] - 0.5
    return target, np.meshgrid(u, v)


def seen_coordinate(input_map, size, axis, period, target):
    """Return the raw column (axis 0) or row (1), modulo `period`, seen by each target pixel."""
    width, height = size
    position = np.arange(size[axis]) * (2 * np.pi / period)
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    left, top, w, h = target
    waves = []
    for shift in (0, np.pi / 2, np.pi, -np.pi / 2):
        line = np.rint(128 + 120 * np.cos(position - shift)).astype(np.uint8)
        image = np.broadcast_to(line if axis == 0 else line[:, None], (height, width))
        input_map.apply(np.ascontiguousarray(image), 'mono8', network_input)
        waves.append(network_input[top : top + h, left : left + w, 0].astype(np.float64))
    phase = np.arctan2(waves[1] - waves[3], waves[0] - waves[2])
    return phase * period / (2 * np.pi)


CASES = [
    *((size, lens, 'crop') for size in SIZES for lens in LENSES),
    *((size, 'plumb_bob', fit) for size in SIZES for fit in ('pad', 'stretch')),
]


@pytest.mark.parametrize(('size', 'lens', 'fit'), CASES)
def test_each_network_pixel_sees_the_raw_pixel_of_its_ray(size, lens, fit, model):
    camera = make_camera(size, lens)
    input_map = InputMap(model, size, camera, rectify=True, fit=fit)
    target, (u, v) = rectified_pixels(fit, size)
    expected = raw_pixels(camera, u, v)
    step = max(u[0, 1] - u[0, 0], v[1, 0] - v[0, 0])
    period = 8 * step
    inside = np.all((expected > 2 * step) & (expected < np.array(size) - 1 - 2 * step), axis=-1)
    assert inside.mean() > 0.7
    for axis in (0, 1):
        seen = seen_coordinate(input_map, size, axis, period, target)
        error = (seen - expected[..., axis] + period / 2) % period - period / 2
        # in pixels of the network; remap knows 1/32 of a pixel of the (halved) image that it reads
        assert np.abs(error[inside]).max() < 0.05 * max(1, step)
        assert abs(error[inside].mean()) < 0.01 * max(1, step)


@pytest.mark.parametrize('lens', LENSES)
def test_rectification_honours_r(lens, model):
    """The rectified image of a stereo camera is turned against the raw one."""
    camera = make_camera((640, 480), lens, rotation=(0.03, -0.05, 0.02))
    input_map = InputMap(model, (640, 480), camera, rectify=True)
    target, (u, v) = rectified_pixels('crop', (640, 480))
    expected = raw_pixels(camera, u, v)
    inside = np.all((expected > 4) & (expected < (635, 475)), axis=-1)
    for axis in (0, 1):
        seen = seen_coordinate(input_map, (640, 480), axis, 17.0, target)
        error = (seen - expected[..., axis] + 8.5) % 17 - 8.5
        assert np.abs(error[inside]).max() < 0.05 * 640 / 304


@pytest.mark.parametrize(('rectified', 'name'), [(True, 'p'), (False, 'k')])
def test_without_rectification_the_image_is_taken_as_it_is(rectified, name, model):
    camera = make_camera((640, 480), 'plumb_bob')
    input_map = InputMap(model, (640, 480), camera, rectified=rectified)
    target, (u, _) = rectified_pixels('crop', (640, 480))
    seen = seen_coordinate(input_map, (640, 480), 0, 17.0, target)
    inside = (u > 4) & (u < 635)
    assert np.abs((seen - u + 8.5) % 17 - 8.5)[inside].max() < 0.05 * 640 / 304
    matrix = getattr(camera, name)
    assert (input_map.intrinsics.fx, input_map.intrinsics.cx) == (matrix[0], matrix[2])


@pytest.mark.parametrize('lens', ['plumb_bob', 'rational_polynomial', 'equidistant'])
def test_rays_agree_with_undistort_points(lens, model):
    """Raw pixels that OpenCV undistorts are mapped back to themselves."""
    camera = make_camera((640, 480), lens)
    intrinsics = InputMap(model, (640, 480), camera, rectify=True).intrinsics
    raw = np.stack(np.meshgrid(np.arange(20.0, 620, 30), np.arange(20.0, 460, 30)), axis=-1)
    k, d = np.array(camera.k).reshape(3, 3), np.array(camera.d)
    points = raw.reshape(-1, 1, 2)
    if lens == 'equidistant':
        rays = cv2.fisheye.undistortPoints(points, k, d).reshape(-1, 2)
    else:  # iterated to the end, which OpenCV 4 offers under another name
        undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
        ending = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
        rays = undistort(points, k, d, R=np.eye(3), P=np.eye(3), criteria=ending).reshape(-1, 2)
    u = rays[:, 0] * intrinsics.fx + intrinsics.cx
    v = rays[:, 1] * intrinsics.fy + intrinsics.cy
    np.testing.assert_allclose(raw_pixels(camera, u, v), raw.reshape(-1, 2), atol=0.05)


# --- what is not seen ------------------------------------------------------------------------


def test_padding_is_black_and_its_cells_are_unseen(model):
    network_input = np.full((INPUT_HEIGHT, INPUT_WIDTH, 3), 77, np.uint8)
    input_map = InputMap(model, (640, 240), fit='pad')  # 304 x 114 in the middle
    input_map.apply(np.full((240, 640), 200, np.uint8), 'mono8', network_input)
    assert (network_input[57 : 57 + 114] == 200).all()
    assert (network_input[:57] == 0).all()
    assert (network_input[57 + 114 :] == 0).all()
    centres = 5 + 4 * np.arange(55)
    seen = (centres >= 57) & (centres < 57 + 114)
    np.testing.assert_array_equal(input_map.seen, np.repeat(seen[:, None], 74, axis=1))


@pytest.mark.parametrize('size', [*SIZES, (160, 120), (333, 250), (647, 487), (1283, 967)])
@pytest.mark.parametrize('fit', FITS)
def test_a_white_image_is_white_up_to_its_borders(size, fit, model):
    """Neither enlarging nor halving may blend the outside in."""
    target = window_of(fit, size)[1]
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    InputMap(model, size, fit=fit).apply(np.full(size[::-1], 255, np.uint8), 'mono8', network_input)
    left, top, w, h = target
    assert network_input[top : top + h, left : left + w].min() == 255
    assert np.count_nonzero(network_input) == 3 * w * h


@pytest.mark.parametrize('lens', ['none', 'plumb_bob', 'equidistant'])
def test_cells_whose_ray_misses_the_raw_image_are_unseen(lens, model):
    camera = make_camera((640, 480), lens)
    p = (300.0, 0, 320, 0, 0, 300, 240, 0, 0, 0, 1, 0)  # wider than the lens
    camera = replace(camera, p=p)
    input_map = InputMap(model, (640, 480), camera, rectify=True)
    i, j = np.meshgrid(5 + 4 * np.arange(74), 5 + 4 * np.arange(55))
    raw = raw_pixels(camera, (i + 0.5) * 640 / 304 - 0.5, (j + 0.5) * 480 / 228 - 0.5)
    distance = np.minimum(raw + 0.5, np.array((639.5, 479.5)) - raw).min(axis=-1)  # of the border
    assert (distance < -1).sum() > 100
    assert not input_map.seen[distance < -0.1].any()
    assert input_map.seen[distance > 0.1].all()


@pytest.mark.parametrize(
    ('lens', 'd', 'fold'),
    [
        # theta or radius at which r (1 + k1 r^2) turns back: 1 / sqrt(-3 k1)
        ('plumb_bob', (-0.35, 0, 0, 0, 0), 0.976),
        ('plumb_bob', (-1.2, 0, 0, 0, 0), 0.527),
        ('equidistant', (-0.3, 0, 0, 0), np.tan(1.054)),
        ('rational_polynomial', (-0.1, 0, 0, 0, 0, 0.5, 0, 0), None),
    ],
)
def test_cells_beyond_the_fold_of_a_lens_polynomial_are_unseen(lens, d, fold, model):
    """Past its turning point a polynomial maps rays back into the image: that is no view."""
    focal = 80.0
    k = (focal, 0, 319.5, 0, focal, 239.5, 0, 0, 1)
    p = (focal, 0, 319.5, 0, 0, focal, 239.5, 0, 0, 0, 1, 0)
    input_map = InputMap(model, (640, 480), Camera(640, 480, k, d, lens, p=p), rectify=True)
    i, j = np.meshgrid(5 + 4 * np.arange(74), 5 + 4 * np.arange(55))
    u, v = (i + 0.5) * 640 / 304 - 0.5, (j + 0.5) * 480 / 228 - 0.5
    radius = np.hypot(u - 319.5, v - 239.5) / focal
    if fold is None:  # r (1 + k1 r^2) / (1 + k4 r^2) turns back where its derivative is 0
        r = np.linspace(0, 10, 100001)
        fold = r[1 + np.argmax(np.diff(r * (1 + d[0] * r**2) / (1 + d[5] * r**2)) <= 0)]
    cell = 4 * 640 / 304 / focal
    assert input_map.seen[radius < fold - cell].all()
    assert not input_map.seen[radius > fold + cell].any()


# --- encodings, strides, buffers -------------------------------------------------------------


@pytest.mark.parametrize('channels', ['rgb', 'bgr'])
@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('size', [(64, 48), (1280, 720)])
def test_every_encoding_arrives_in_the_order_of_the_model(encoding, channels, fit, size, model):
    model = replace(model, channels=channels)
    color = {'r': 200, 'g': 120, 'b': 30, 'a': 99}
    width, height = size
    if encoding == 'mono8':
        color = dict.fromkeys('rgb', 77)
        image = np.full((height, width), 77, np.uint8)
    else:
        order = encoding.removesuffix('8')
        image = np.empty((height, width, len(order)), np.uint8)
        image[:] = [color[channel] for channel in order]
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    InputMap(model, size, fit=fit).apply(image, encoding, network_input)
    left, top, w, h = window_of(fit, size)[1]
    inner = network_input[top + 3 : top + h - 3, left + 3 : left + w - 3]
    assert (inner == [color[channel] for channel in channels]).all()


@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('size', [(101, 77), (640, 480)])
def test_padded_and_packed_rows_give_the_same(encoding, size, model):
    width, height = size
    channels = 1 if encoding == 'mono8' else len(encoding) - 1
    rng = np.random.default_rng(0)
    buffer = rng.integers(0, 256, (height, width * channels + 13), np.uint8)
    shape, strides = (height, width, channels), (buffer.shape[1], channels, 1)
    padded = np.ndarray(shape, np.uint8, buffer, strides=strides)
    padded = padded[..., 0] if encoding == 'mono8' else padded
    padded.flags.writeable = False
    packed, strided = (np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8) for _ in range(2))
    input_map = InputMap(model, size)
    input_map.apply(np.ascontiguousarray(padded), encoding, packed)
    input_map.apply(padded, encoding, strided)
    np.testing.assert_array_equal(packed, strided)
    assert packed.std() > 10


def test_the_encoding_may_change_between_two_images(model):
    input_map = InputMap(model, (1280, 960))
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    for encoding, shape in (('mono8', ()), ('rgb8', (3,)), ('bgra8', (4,)), ('mono8', ())):
        input_map.apply(np.full((960, 1280, *shape), 90, np.uint8), encoding, network_input)
        assert (network_input == 90).all()


@pytest.mark.parametrize(
    ('image', 'encoding'),
    [
        (np.zeros((48, 64, 3), np.uint8), 'mono8'),
        (np.zeros((48, 64), np.uint8), 'rgb8'),
        (np.zeros((48, 64, 4), np.uint8), 'bgr8'),
        (np.zeros((64, 48, 3), np.uint8), 'bgr8'),
        (np.zeros((48, 64, 3), np.uint16), 'bgr8'),
        (np.zeros((48, 64, 3), np.uint8), 'rgb16'),
    ],
)
def test_an_image_that_is_not_of_its_encoding_is_refused(image, encoding, model):
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    with pytest.raises(ImageError, match=encoding):
        InputMap(model, (64, 48)).apply(image, encoding, network_input)


def test_large_images_are_averaged_not_sampled(model):
    """A fine checkerboard seen from afar is grey."""
    board = (np.indices((2160, 3840)).sum(axis=0) % 2 * 255).astype(np.uint8)
    network_input = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    InputMap(model, (3840, 2160)).apply(board, 'mono8', network_input)
    assert np.abs(network_input.astype(int) - 127).max() <= 2


# --- focal length ----------------------------------------------------------------------------


@pytest.mark.parametrize('fit', FITS)
def test_focal_length_in_network_pixels(fit, model):
    camera = Camera.pinhole(1920, 1080, 1400.0, 1300.0, 959.5, 539.5)
    (_, _, w, h), (_, _, width, height) = window_of(fit, (1920, 1080))
    expected = np.sqrt(1400 * width / w * 1300 * height / h)
    assert InputMap(model, (1920, 1080), camera, fit=fit).network_intrinsics.focal == pytest.approx(
        expected
    )


def test_without_calibration_there_are_no_intrinsics(model):
    input_map = InputMap(model, (640, 480))
    assert input_map.intrinsics is None
    assert input_map.network_intrinsics is None
    assert input_map.seen.all()


def test_the_fold_of_a_lens_is_about_its_own_axis_not_that_of_the_rectified_image(model):
    k = (80.0, 0, 319.5, 0, 80.0, 239.5, 0, 0, 1)
    p = (80.0, 0, 319.5, 0, 0, 80.0, 239.5, 0, 0, 0, 1, 0)
    r = cv2.Rodrigues(np.array([0.0, 0.4, 0.0]))[0]
    flat = tuple(float(number) for number in r.ravel())
    camera = Camera(640, 480, k, (-0.35, 0, 0, 0, 0), 'plumb_bob', flat, p)
    input_map = InputMap(model, (640, 480), camera, rectify=True)
    i, j = np.meshgrid(5 + 4 * np.arange(74), 5 + 4 * np.arange(55))
    u, v = (i + 0.5) * 640 / 304 - 0.5, (j + 0.5) * 480 / 228 - 0.5
    rays = np.stack([(u - 319.5) / 80, (v - 239.5) / 80, np.ones_like(u)], axis=-1)
    x, y, z = np.moveaxis(np.linalg.solve(r, rays[..., None])[..., 0], -1, 0)  # in the raw camera
    angle, fold = np.arctan2(np.hypot(x, y), z), np.arctan(0.976)
    assert input_map.seen[angle < fold - 0.05].all()
    assert not input_map.seen[angle > fold + 0.05].any()
    assert input_map.seen.sum() > 200
