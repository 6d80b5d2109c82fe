# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the depth node publishes: encodings, headers, QoS, geometry, colours, clouds."""

import cv2
import numpy as np
import pytest
from camera_messages import (
    FRAME,
    HEIGHT,
    WIDTH,
    camera_info,
    compressed,
    depth_of,
    image,
    points_of,
    rgb_of,
    uniform,
)
from oracle import write_depth_model
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

ALL = ('depth/image_rect', 'depth/camera_info', 'depth/image_color', 'points')
LEFT, RIGHT = (200, 100, 50), (40, 160, 90)  # RGB of the two halves of the test image


def metres(red, green, blue):
    """Return what the colour model answers for a colour."""
    return 0.5 + 0.001 * red + 0.003 * green + 0.01 * blue


def halves(left=LEFT, right=RIGHT, dtype=np.uint8):
    """Return [480, 640, channels] pixels whose halves differ."""
    pixels = np.empty((HEIGHT, WIDTH, len(left)), dtype)
    pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :] = left, right
    return pixels


# Network pixel (4i + 5, 4j + 5) of 304x228 is this pixel of 640x480 (the same aspect: no crop).
SCALE = WIDTH / 304
CELL_U = (4 * np.arange(74) + 5.5) * SCALE - 0.5
CELL_V = (4 * np.arange(55) + 5.5) * SCALE - 0.5


@pytest.fixture(scope='module')
def node(graph, color_model):
    parameters = {'model': color_model, 'depth.edge_threshold': 0.0}
    with graph.depth_node(parameters) as (_, client):
        client.collect(*ALL)
        yield client


@pytest.fixture(scope='module')
def answer(node):
    return node.ask(image(halves(), 'rgb8'), camera_info())


# Headers and camera_info.


def test_every_output_has_the_header_of_the_image(answer):
    stamps = {
        (m.header.stamp.sec, m.header.stamp.nanosec, m.header.frame_id)
        for m in (answer.depth, answer.info, answer.color, answer.points)
    }
    assert stamps == {(*divmod(answer.stamp, 10**9), FRAME)}


def test_camera_info_is_of_the_depth_image(answer):
    info, source = answer.info, camera_info()
    assert (info.width, info.height) == (answer.depth.width, answer.depth.height) == (WIDTH, HEIGHT)
    assert list(info.k) == pytest.approx(list(source.k))
    assert list(info.p) == pytest.approx(list(source.p))
    assert list(info.d) == []
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_depth_is_nan_where_the_network_sees_nothing_and_never_0(answer):
    depth = depth_of(answer.depth)
    assert depth.shape == (HEIGHT, WIDTH)
    # A cell answers for half a step around it: network pixels 3 to 299 and 3 to 223.
    first = int(np.ceil(3.5 * SCALE - 0.5))
    last_u, last_v = (int(np.floor(edge * SCALE - 0.5)) for edge in (299.5, 223.5))
    seen = np.zeros(depth.shape, bool)
    seen[first : last_v + 1, first : last_u + 1] = True
    np.testing.assert_array_equal(np.isfinite(depth), seen)
    assert not (depth == 0).any()


def test_color_image_shows_the_depth(answer):
    assert answer.color.encoding == 'bgr8'
    assert (answer.color.width, answer.color.height) == (WIDTH, HEIGHT)
    assert answer.color.step == 3 * WIDTH
    pixels = np.frombuffer(bytes(answer.color.data), np.uint8).reshape(HEIGHT, WIDTH, 3)
    left, right, unseen = pixels[240, 160], pixels[240, 480], pixels[0, 0]
    assert len({tuple(color.tolist()) for color in (left, right, unseen)}) == 3
    assert (pixels[100:400, 50:250] == left).all()


# Encodings.


def _mosaic(pattern, dtype=np.uint8, factor=1):
    """Return a Bayer mosaic of the halves; pattern: colours of the first 2x2 pixels, row-major."""
    pixels = halves().astype(dtype) * factor
    mosaic = np.empty((HEIGHT, WIDTH), dtype)
    for place, color in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        mosaic[rows, columns] = pixels[rows, columns, 'rgb'.index(color)]
    return mosaic


def _yuv():
    """Return Y, U and V planes of the halves (BT.601, limited range, as OpenCV has it)."""
    red, green, blue = np.moveaxis(halves().astype(float), -1, 0)
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    return [np.rint(plane).astype(np.uint8) for plane in (y, u, v)]


def _packed_yuv(y_first):
    y, u, v = _yuv()
    chroma = np.where(np.arange(WIDTH) % 2 == 0, u, v)
    return np.stack([y, chroma] if y_first else [chroma, y], -1)


def _semi_planar(first):
    y, u, v = _yuv()
    small = {'u': u[::2, ::2], 'v': v[::2, ::2]}
    second = 'v' if first == 'u' else 'u'
    chroma = np.stack([small[first], small[second]], -1).reshape(HEIGHT // 2, WIDTH)
    message = image(y, f'nv{12 if first == "u" else 21}')
    message.data.frombytes(chroma.tobytes())
    return message


def _sixteen_bit(order, byteorder='<'):
    chosen = halves()[..., list(order)].astype(f'{byteorder}u2') * 256 + 17
    return chosen.astype(f'{byteorder}u2')


def _with_alpha(order):
    colors = _sixteen_bit(order)
    return np.concatenate([colors, np.full((*colors.shape[:2], 1), 65535, '<u2')], -1)


def _nv24():
    y, u, v = _yuv()
    message = image(y, 'nv24')
    message.data.frombytes(np.stack([u, v], -1).tobytes())
    return message


ALPHA = 255
RGBA = halves((*LEFT, ALPHA), (*RIGHT, ALPHA))
COLORED = {
    'rgb8': lambda: image(halves(), 'rgb8'),
    'rgb8, rows padded': lambda: image(halves(), 'rgb8', pad=12),
    'bgr8': lambda: image(halves()[..., ::-1], 'bgr8'),
    'rgba8': lambda: image(RGBA, 'rgba8'),
    'bgra8': lambda: image(RGBA[..., [2, 1, 0, 3]], 'bgra8'),
    '8UC3': lambda: image(halves()[..., ::-1], '8UC3'),
    '8UC4': lambda: image(RGBA[..., [2, 1, 0, 3]], '8UC4'),
    'rgb16': lambda: image(_sixteen_bit((0, 1, 2)), 'rgb16'),
    'bgr16': lambda: image(_sixteen_bit((2, 1, 0)), 'bgr16'),
    'rgb16, big endian': lambda: image(_sixteen_bit((0, 1, 2), '>'), 'rgb16', big_endian=True),
    'rgba16': lambda: image(_with_alpha((0, 1, 2)), 'rgba16'),
    'bgra16': lambda: image(_with_alpha((2, 1, 0)), 'bgra16'),
    'bayer_rggb8': lambda: image(_mosaic('rggb'), 'bayer_rggb8'),
    'bayer_bggr8': lambda: image(_mosaic('bggr'), 'bayer_bggr8'),
    'bayer_gbrg8': lambda: image(_mosaic('gbrg'), 'bayer_gbrg8'),
    'bayer_grbg8': lambda: image(_mosaic('grbg'), 'bayer_grbg8'),
    'bayer_rggb16': lambda: image(_mosaic('rggb', np.uint16, 256), 'bayer_rggb16'),
    'bayer_bggr16': lambda: image(_mosaic('bggr', np.uint16, 256), 'bayer_bggr16'),
    'bayer_gbrg16': lambda: image(_mosaic('gbrg', np.uint16, 256), 'bayer_gbrg16'),
    'bayer_grbg16': lambda: image(_mosaic('grbg', np.uint16, 256), 'bayer_grbg16'),
    'yuv422': lambda: image(_packed_yuv(y_first=False), 'yuv422'),
    'uyvy': lambda: image(_packed_yuv(y_first=False), 'uyvy'),
    'yuv422_yuy2': lambda: image(_packed_yuv(y_first=True), 'yuv422_yuy2'),
    'yuyv': lambda: image(_packed_yuv(y_first=True), 'yuyv'),
    'nv12': lambda: _semi_planar('u'),
    'nv21': lambda: _semi_planar('v'),
    'nv24': lambda: _nv24(),
}
GREY_LEFT, GREY_RIGHT = 60, 120
GREY = {
    'mono8': lambda: image(halves((GREY_LEFT,), (GREY_RIGHT,)), 'mono8'),
    '8UC1': lambda: image(halves((GREY_LEFT,), (GREY_RIGHT,)), '8UC1'),
    'mono16': lambda: image(
        halves((GREY_LEFT * 256 + 3,), (GREY_RIGHT * 256,), np.uint16), 'mono16'
    ),
    'mono16, big endian': lambda: image(
        halves((GREY_LEFT * 256 + 3,), (GREY_RIGHT * 256,), '>u2'), 'mono16', big_endian=True
    ),
}


def _assert_halves(message, left, right, tolerance):
    depth = depth_of(message)
    np.testing.assert_allclose(depth[10:465, 10:312], left, atol=tolerance)
    np.testing.assert_allclose(depth[10:465, 328:625], right, atol=tolerance)


@pytest.mark.parametrize('name', COLORED)
def test_color_encoding(node, name):
    answer = node.ask(COLORED[name](), camera_info())
    # YUV is rounded: 2 levels of blue are 0.02 m.
    tolerance = 0.045 if any(kind in name for kind in ('yuv', 'yuy', 'uyvy', 'nv')) else 1e-4
    _assert_halves(answer.depth, metres(*LEFT), metres(*RIGHT), tolerance)


@pytest.mark.parametrize('name', GREY)
def test_grey_encoding(node, name):
    answer = node.ask(GREY[name](), camera_info())
    _assert_halves(answer.depth, metres(*[GREY_LEFT] * 3), metres(*[GREY_RIGHT] * 3), 1e-4)


def test_compressed_transport(graph, color_model):
    parameters = {
        'model': color_model,
        'depth.edge_threshold': 0.0,
        'image_transport': 'compressed',
    }
    png = cv2.imencode('.png', halves()[..., ::-1])[1].tobytes()
    jpeg = cv2.imencode('.jpg', halves()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    damaged = (jpeg[:40], b'\xff\xd8' + bytes(2000), b'', b'no image at all')
    with graph.depth_node(parameters, compressed=True) as (process, client):
        client.collect('depth/image_rect', 'points')
        answer = client.ask(compressed(png, 'rgb8; png compressed bgr8'), camera_info())
        _assert_halves(answer.depth, metres(*LEFT), metres(*RIGHT), 1e-4)
        answer = client.ask(compressed(jpeg, 'rgb8; jpeg compressed bgr8'), camera_info())
        _assert_halves(answer.depth, metres(*LEFT), metres(*RIGHT), 0.045)
        for number, data in enumerate(damaged, start=1):
            message = compressed(data, 'jpeg')
            client.diagnostics(
                lambda values, message=message, number=number: (
                    client.publish(message, camera_info())
                    and int(values.get('frames malformed', 0)) >= number
                )
            )
            client.ask(compressed(jpeg, 'jpeg'), camera_info())
        process.wait_for_output('/image: frame dropped: ')


# QoS.


@pytest.mark.parametrize('reliable', [True, False], ids=['reliable', 'best effort'])
def test_subscribers_and_cameras_of_both_kinds(graph, node, reliable):
    """A second client of the same node, all its ends of one kind."""
    from client import Client

    client = Client(node.namespace, camera_reliable=reliable)
    try:
        client.collect(*ALL, reliable=reliable)
        client.ask(uniform(), camera_info())
    finally:
        client.close()


def _endpoints(client, topic, what):
    endpoints = getattr(client.node, f'get_{what}_info_by_topic')(f'{client.namespace}/{topic}')
    return [endpoint for endpoint in endpoints if endpoint.node_name == 'msdepth']


def test_publishers_are_reliable_and_volatile(node):
    for topic in ALL:
        (endpoint,) = _endpoints(node, topic, 'publishers')
        assert endpoint.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert endpoint.qos_profile.durability == DurabilityPolicy.VOLATILE


def test_subscriptions_are_best_effort(node):
    for topic in ('image', 'camera_info'):
        (endpoint,) = _endpoints(node, topic, 'subscriptions')
        assert endpoint.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_qos_overrides(graph, color_model):
    probe = '/depth_node_qos'
    parameters = {
        'model': color_model,
        f'qos_overrides.{probe}/points.publisher.reliability': 'best_effort',
        f'qos_overrides.{probe}/image.subscription.reliability': 'reliable',
    }
    remappings = (f'points:={probe}/points', f'image:={probe}/image')
    with graph.depth_node(parameters, remappings=remappings, joined=False) as (_, client):
        for topic, what, expected in (
            ('points', 'publishers', ReliabilityPolicy.BEST_EFFORT),
            ('image', 'subscriptions', ReliabilityPolicy.RELIABLE),
        ):
            infos = getattr(client.node, f'get_{what}_info_by_topic')
            (endpoint,) = client.wait_until(
                lambda infos=infos, topic=topic: infos(f'{probe}/{topic}'), f'{topic} is there'
            )
            assert endpoint.qos_profile.reliability == expected


# Geometry and clouds.


def test_organised_cloud_is_the_grid_of_the_network(answer):
    points = points_of(answer.points)
    assert points.shape == (55, 74)
    assert points.dtype.names == ('x', 'y', 'z', 'rgb')
    z = points['z']
    np.testing.assert_allclose(z[:, :36], metres(*LEFT), atol=1e-4)
    np.testing.assert_allclose(z[:, 38:], metres(*RIGHT), atol=1e-4)
    slopes_x = (CELL_U - (WIDTH - 1) / 2) / 600
    slopes_y = (CELL_V - (HEIGHT - 1) / 2) / 600
    np.testing.assert_allclose(points['x'], z * slopes_x, atol=1e-5)
    np.testing.assert_allclose(points['y'], z * slopes_y[:, None], atol=1e-5)


def test_points_have_the_colors_of_the_image(answer):
    colors = rgb_of(points_of(answer.points))
    assert (colors[:, :36] == LEFT).all()
    assert (colors[:, 38:] == RIGHT).all()


def _between_cells(u, v):
    return (CELL_U[0] < u) & (u < CELL_U[-1]) & (CELL_V[0] < v) & (v < CELL_V[-1])


def test_depth_image_and_cloud_agree_by_the_pinhole_relation(graph, tmp_path):
    """A tilted plane: every point of both lies on it, each by its own camera_info."""
    normal, distance, focal = np.array([0.2, -0.3, 1.0]), 2.4, 500.0
    center = (330.0, 228.0)

    def plane(x, y):
        u, v = (x + 0.5) * SCALE - 0.5, (y + 0.5) * SCALE - 0.5
        ray = (u - center[0]) / focal * normal[0] + (v - center[1]) / focal * normal[1] + normal[2]
        return distance / ray

    model = write_depth_model(tmp_path, plane)
    info = camera_info(focal=focal, center=center)
    with graph.depth_node({'model': str(model)}) as (_, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        answer = client.ask(uniform(), info)
        points = points_of(answer.points)
        on_plane = sum(n * points[axis] for n, axis in zip(normal, 'xyz', strict=True))
        np.testing.assert_allclose(on_plane, distance, atol=1e-5)
        for resolution, tolerance in (('camera', 1e-3), ('network', 1e-5)):
            with client.parameters({'depth.resolution': resolution}):
                answer = client.ask(
                    uniform(),
                    info,
                    until=lambda a, r=resolution: (a.depth.width == 74) == (r[0] == 'n'),
                )
            depth = depth_of(answer.depth)
            k = np.reshape(answer.info.k, (3, 3))
            assert (answer.info.height, answer.info.width) == depth.shape
            v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
            x, y = (u - k[0, 2]) / k[0, 0] * depth, (v - k[1, 2]) / k[1, 1] * depth
            # Between the outermost cells' centres; beyond them it extrapolates.
            inside = depth.shape == (55, 74) or _between_cells(u, v)
            valid = np.isfinite(depth) & inside
            assert valid.mean() > 0.9
            found = (normal[0] * x + normal[1] * y + normal[2] * depth)[valid]
            np.testing.assert_allclose(found, distance, atol=tolerance)
        np.testing.assert_allclose(depth, points['z'], atol=1e-6)


@pytest.mark.parametrize(
    ('rectify', 'distorted', 'matrix'),
    [('auto', True, 'P'), ('on', False, 'P'), ('off', True, 'P'), ('auto', False, 'K')],
)
def test_camera_info_is_of_the_rectified_image(node, rectify, distorted, matrix):
    """P describes images that are or become rectified; K those taken as they are."""
    info = camera_info(focal=600.0)
    info.p[0] = info.p[5] = 550.0
    info.d = [-0.1, 0.01, 0.0, 0.0, 0.0] if distorted else [0.0] * 5
    focal = {'K': 600.0, 'P': 550.0}[matrix]
    with node.parameters({'rectify': rectify}):
        answer = node.ask(uniform(), info, until=lambda a: a.info.k[0] == focal)
    assert list(answer.info.d) == []
    points = points_of(answer.points)
    slopes = (CELL_U - (WIDTH - 1) / 2) / focal
    valid = np.isfinite(points['z'])
    assert valid.mean() > 0.9
    expected = np.broadcast_to(slopes, valid.shape)[valid]
    np.testing.assert_allclose((points['x'] / points['z'])[valid], expected, atol=1e-5)


def test_network_resolution(node):
    with node.parameters({'depth.resolution': 'network'}):
        answer = node.ask(
            image(halves(), 'rgb8'), camera_info(), until=lambda a: a.depth.width == 74
        )
    assert (answer.info.width, answer.info.height) == (74, 55)
    assert (answer.color.width, answer.color.height) == (74, 55)
    step = 4 * SCALE
    expected = [600 / step, 0, (319.5 - CELL_U[0]) / step]
    expected += [0, 600 / step, (239.5 - CELL_V[0]) / step, 0, 0, 1]
    assert list(answer.info.k) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(depth_of(answer.depth), points_of(answer.points)['z'])


def test_stride_takes_every_nth_point(node, answer):
    every = points_of(answer.points)
    with node.parameters({'points.stride': 3}):
        strided = node.ask(
            image(halves(), 'rgb8'), camera_info(), until=lambda a: a.points.width == 25
        )
    points = points_of(strided.points)
    assert points.shape == (19, 25)
    for axis in 'xyz':
        np.testing.assert_allclose(points[axis], every[axis][::3, ::3], atol=1e-5)
    assert (rgb_of(points) == rgb_of(every)[::3, ::3]).all()


def test_cloud_without_color(node):
    with node.parameters({'points.color': False}):
        answer = node.ask(
            image(halves(), 'rgb8'), camera_info(), until=lambda a: len(a.points.fields) == 3
        )
    assert points_of(answer.points).dtype.names == ('x', 'y', 'z')


def test_invalid_points_are_nan_and_a_dense_cloud_leaves_them_out(node):
    """depth.max lies between the two halves: the farther one becomes invalid."""
    near, far = sorted((metres(*LEFT), metres(*RIGHT)))
    limits = {'depth.max': (near + far) / 2}
    with node.parameters(limits):
        answer = node.ask(
            image(halves(), 'rgb8'), camera_info(), until=lambda a: not a.points.is_dense
        )
        points = points_of(answer.points)
        valid = np.isfinite(points['z'])
        assert 0.4 < valid.mean() < 0.6
        assert np.isnan(points['x'][~valid]).all()
        assert np.isnan(points['y'][~valid]).all()
        assert np.isfinite(points['x'][valid]).all()
        depth = depth_of(answer.depth)
        assert not (depth == 0).any()
        assert np.nanmax(depth) <= limits['depth.max']
        with node.parameters({'points.organized': False}):
            dense = node.ask(
                image(halves(), 'rgb8'), camera_info(), until=lambda a: a.points.height == 1
            )
    assert dense.points.is_dense
    kept = points_of(dense.points)[0]
    assert len(kept) == valid.sum()
    np.testing.assert_array_equal(kept['z'], points['z'][valid])
    np.testing.assert_array_equal(kept['x'], points['x'][valid])


def test_an_organised_cloud_is_dense_where_every_point_is_valid(node):
    whole = node.ask(uniform(), camera_info())  # one colour, one depth
    assert np.isfinite(points_of(whole.points)['z']).all()
    assert whole.points.is_dense
    cut = image(halves(), 'rgb8')
    part = {'depth.max': 1.5}
    with node.parameters(part):
        holed = node.ask(cut, camera_info(), until=lambda a: not a.points.is_dense)
    assert not np.isfinite(points_of(holed.points)['z']).all()


def test_focal_length_scales_the_depth(graph, tmp_path):
    """The same pixels, taken with a wider lens, are nearer: z * f / f0, in network pixels."""
    model = write_depth_model(tmp_path, lambda x, y: 2.0 + 0 * x, focal=259.4)
    with graph.depth_node({'model': str(model)}) as (_, client):
        client.collect('depth/image_rect', 'points')
        for focal in (400.0, 800.0):
            expected = 2.0 * (focal * 304 / WIDTH) / 259.4
            answer = client.ask(
                uniform(),
                camera_info(focal=focal),
                until=lambda a, e=expected: abs(np.nanmean(depth_of(a.depth)) - e) < 1e-3,
            )
            np.testing.assert_allclose(points_of(answer.points)['z'], expected, rtol=1e-5)
