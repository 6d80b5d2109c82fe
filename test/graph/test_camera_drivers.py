# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What real drivers and calibration tools hand over, through the running node."""

import calibration_files as files
import cv2
import numpy as np
import pytest
from camera_messages import FRAME, HEIGHT, WIDTH, camera_info, compressed, depth_of, image, uniform
from oracle import COLOR_OFFSET
from sensor_msgs.msg import Image

RGB = (100, 60, 160)
Y, U, V = 93, 164, 130  # of that colour, ITU-R BT.601
GREY = 83
CENTRE = (HEIGHT // 2, WIDTH // 2)


def metres(red, green, blue):
    """Return what the colour model answers."""
    return COLOR_OFFSET + 0.001 * red + 0.003 * green + 0.01 * blue


COLOR = metres(*RGB)


@pytest.fixture(scope='module')
def node(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        client.ask(uniform(), camera_info())
        yield process, client


@pytest.fixture(scope='module')
def compressed_node(graph, color_model):
    parameters = {'model': color_model, 'image_transport': 'compressed'}
    with graph.depth_node(parameters, compressed=True) as (process, client):
        client.collect('depth/image_rect')
        yield process, client


def _raw(encoding, data, step):
    message = Image(height=HEIGHT, width=WIDTH, encoding=encoding, step=step)
    message.data.frombytes(data)
    message.header.frame_id = FRAME
    return message


def _planar(order, across, down):
    chroma = (HEIGHT // down) * (WIDTH // across)
    values = {'u': U, 'v': V}
    luma = bytes([Y]) * (HEIGHT * WIDTH)
    if ' ' in order:
        return luma + b''.join(bytes([values[c]]) * chroma for c in order.split())
    return luma + bytes(values[c] for c in order) * chroma


def _mosaic(pattern, dtype, shift):
    values = dict(zip('rgb', RGB))
    tile = np.array([values[letter] for letter in pattern]).reshape(2, 2)
    return (np.tile(tile, (HEIGHT // 2, WIDTH // 2)).astype(dtype) << shift).tobytes()


def _sixteen(values):
    rows = np.tile(np.asarray(values, np.uint16), (HEIGHT, WIDTH)).reshape(HEIGHT, WIDTH, -1)
    rows = rows << 8
    rows[:9] = 0
    rows[9:18] = 65535  # the whole range is used
    return rows.tobytes()


DRIVERS = {
    'step 0': lambda: (_raw('rgb8', bytes(RGB) * (WIDTH * HEIGHT), 0), COLOR),
    'RGB8': lambda: (_raw('RGB8', bytes(RGB) * (WIDTH * HEIGHT), 3 * WIDTH), COLOR),
    'nv12, step of the luma': lambda: (_raw('nv12', _planar('uv', 2, 2), WIDTH), COLOR),
    'NV12, step of all bytes': lambda: (_raw('NV12', _planar('uv', 2, 2), 3 * WIDTH // 2), COLOR),
    'nv21, step 0': lambda: (_raw('nv21', _planar('vu', 2, 2), 0), COLOR),
    'I420': lambda: (_raw('I420', _planar('u v', 2, 2), WIDTH), COLOR),
    'YUV420 of depthai': lambda: (_raw('YUV420', _planar('u v', 2, 2), 3 * WIDTH // 2), COLOR),
    'yv12': lambda: (_raw('yv12', _planar('v u', 2, 2), 2 * WIDTH), COLOR),
    'nv16': lambda: (_raw('nv16', _planar('uv', 2, 1), WIDTH), COLOR),
    'nv24': lambda: (_raw('nv24', _planar('uv', 1, 1), WIDTH), COLOR),
    'yuyv': lambda: (_raw('yuyv', bytes([Y, U, Y, V]) * (WIDTH * HEIGHT // 2), 2 * WIDTH), COLOR),
    'UYVY': lambda: (_raw('UYVY', bytes([U, Y, V, Y]) * (WIDTH * HEIGHT // 2), 2 * WIDTH), COLOR),
    'BayerRG8': lambda: (_raw('BayerRG8', _mosaic('rggb', '<u1', 0), WIDTH), COLOR),
    'bayer_gbrg8': lambda: (_raw('bayer_gbrg8', _mosaic('gbrg', '<u1', 0), 0), COLOR),
    'rgb16': lambda: (_raw('rgb16', _sixteen(RGB), 6 * WIDTH), COLOR),
    'mono16': lambda: (_raw('mono16', _sixteen([GREY]), 2 * WIDTH), metres(GREY, GREY, GREY)),
}


@pytest.mark.parametrize('name', DRIVERS)
def test_an_image_as_a_driver_sends_it_is_answered(node, name):
    _, client = node
    message, expected = DRIVERS[name]()
    client.ask(
        message,
        camera_info(),
        until=lambda a: abs(float(depth_of(a.depth)[CENTRE]) - expected) < 0.08,
    )


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_a_depth_image_on_the_colour_topic_is_named(node, encoding):
    _, client = node
    size = 2 if encoding == '16UC1' else 4
    message = _raw(encoding, bytes(size * WIDTH * HEIGHT), size * WIDTH)

    def told(values):
        client.publish(message, camera_info())
        return f"'{encoding}' is for depth images" in values['last error']

    assert 'colour camera' in client.diagnostics(told)['last error']
    client.ask(uniform(), camera_info())


def test_a_thermal_camera_of_14_bits_is_stretched_steadily_and_that_is_logged_once(node):
    process, client = node
    rows, columns = np.indices((HEIGHT, WIDTH))
    noise = np.random.default_rng(0)
    depths = []
    for _ in range(6):
        values = 7500 + 700 * (rows + columns) / (HEIGHT + WIDTH) + noise.normal(0, 3, rows.shape)
        message = image(values.astype(np.uint16), 'mono16')
        depths.append(depth_of(client.ask(message, camera_info()).depth)[CENTRE])
    line = process.wait_for_output('shown as black to white')
    assert 'of 65535' in line
    assert np.ptp(depths[1:]) < 0.05
    assert metres(90, 90, 90) < np.mean(depths) < metres(165, 165, 165)
    assert process.output.count('shown as black to white') == 1


# --- calibrations ----------------------------------------------------------------------------

ROUND = [0.01, -0.01, 0.0, 0.0, 0.0]
MESSAGES = {
    'Orbbec: plumb_bob of 8, the last 0': ('plumb_bob', [*ROUND, 0.0, 0.0, 0.0]),
    'plumb_bob of 12, the last 0': ('plumb_bob', [*ROUND, *[0.0] * 7]),
    'RealSense: equidistant of 5, the last 0': ('equidistant', [0.01, 0.0, 0.0, 0.0, 0.0]),
    'plumb_bob of 8, none 0': ('plumb_bob', [0.001] * 8),
    'radtan': ('radtan', ROUND[:4]),
    'no name': ('', ROUND),
    'none': ('none', []),
    'kannala_brandt4': ('kannala_brandt4', [0.01, 0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize('name', MESSAGES)
def test_a_lens_by_what_its_coefficients_say(node, name):
    _, client = node
    info = camera_info(focal=601.0 + list(MESSAGES).index(name))
    info.distortion_model, info.d = MESSAGES[name]
    answer = client.ask(uniform(), info, until=lambda a: a.info.k[0] == info.k[0])
    assert answer.points.width > 0


def test_a_rectified_camera_has_a_p_and_no_k(node):
    _, client = node
    info = camera_info(focal=650.0)
    info.k = [0.0] * 9
    answer = client.ask(uniform(), info, until=lambda a: a.info.k[0] == 650.0)
    assert answer.info.width == WIDTH


def test_a_calibration_without_a_size_is_of_the_images(node):
    _, client = node
    info = camera_info(focal=651.0)
    info.width = info.height = 0
    answer = client.ask(uniform(), info, until=lambda a: a.info.k[0] == 651.0)
    assert (answer.info.width, answer.info.height) == (WIDTH, HEIGHT)


def test_an_implausible_calibration_is_used_and_reported_once(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info')
        gazebo = camera_info(focal=277.0, center=(160.5, 120.5))
        answers = [client.ask(uniform(), gazebo) for _ in range(3)]
        assert all(answer.info.k[0] == 277.0 for answer in answers)
        line = process.wait_for_output('another image size, 322x242')
        assert f'{client.namespace}/camera_info: ' in line
        assert '640x480, K fx 277 fy 277 cx 160.5 cy 120.5' in line
        assert process.output.count('another image size') == 1


def test_calibration_files_of_other_tools(graph, color_model, tmp_path, monkeypatch):
    """One process reads them one after the other, by a URL as camera_info_manager has it."""
    monkeypatch.setenv('ROS_HOME', str(tmp_path))
    (tmp_path / 'camera_info').mkdir()
    with graph.depth_node({'model': color_model, 'rectify': 'off'}) as (process, client):
        name = client.namespace.strip('/')
        client.collect('depth/camera_info')
        for tool in ('camchain.yaml', 'opencv.yml', 'opencv_bare.xml', 'ost.txt', 'rosbridge.json'):
            file = files.write(tmp_path, tool)
            file.rename(tmp_path / 'camera_info' / f'{name}{file.suffix}')
            assert client.change_state('deactivate')
            assert client.change_state('cleanup')
            url = f'file://${{ROS_HOME}}/camera_info/${{NAME}}{file.suffix}'
            assert client.set('camera_info_url', url).successful
            assert client.change_state('configure'), process.output
            assert client.change_state('activate')
            client.wait_until(client.images.get_subscription_count, 'the node listens')
            answer = client.ask(uniform())
            focal = files.P[0] if tool in files.WITH_P else files.FX
            assert answer.info.k[0] == pytest.approx(focal)
        assert client.change_state('deactivate')
        assert client.change_state('cleanup')
        bad = tmp_path / 'camera.mat'
        bad.write_bytes(files.FOREIGN['camera.mat'][0])
        assert client.set('camera_info_url', str(bad)).successful
        assert not client.change_state('configure')
        line = process.wait_for_output('MATLAB .mat file')
        assert 'jsonencode' in line


# --- compressed ------------------------------------------------------------------------------

PICTURE = np.full((HEIGHT, WIDTH, 3), RGB[::-1], np.uint8)
JPEG = cv2.imencode('.jpg', PICTURE, (cv2.IMWRITE_JPEG_QUALITY, 98))[1].tobytes()
NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
BAYER = np.frombuffer(_mosaic('rggb', '<u1', 0), np.uint8).reshape(HEIGHT, WIDTH)
GOOD = {
    'stale bytes behind it': (JPEG + bytes(range(256)) * 9000, 'jpeg', COLOR),
    'no end mark': (JPEG[:-2], 'jpeg', COLOR),
    'red and blue in the other place': (JPEG, 'rgb8; jpeg compressed rgb8', metres(*RGB[::-1])),
    'WebP': (cv2.imencode('.webp', PICTURE)[1].tobytes(), 'webp', COLOR),
    'TIFF': (cv2.imencode('.tiff', PICTURE)[1].tobytes(), 'tiff', COLOR),
    'a Bayer mosaic': (
        cv2.imencode('.png', BAYER)[1].tobytes(), 'bayer_rggb8; png compressed ', COLOR,
    ),
}  # fmt: skip
REFUSED = {
    'half a JPEG': (cv2.imencode('.jpg', NOISE)[1].tobytes()[:200_000], 'jpeg', 'truncated'),
    'half a PNG': (cv2.imencode('.png', NOISE)[1].tobytes()[:400_000], 'png', 'truncated'),
    'compressedDepth': (JPEG, '16UC1; compressedDepth png', 'remap `image`'),
    'h264': (b'\0\0\0\1\x67abc', 'h264', 'ros2 run image_transport republish'),
    'zstd': (b'\x28\xb5\x2f\xfdabc', 'rgb8; zstd', 'ros2 run image_transport republish'),
}


@pytest.mark.parametrize('name', GOOD)
def test_a_compressed_image_as_a_driver_sends_it_is_answered(compressed_node, name):
    _, client = compressed_node
    data, kind, expected = GOOD[name]
    client.ask(
        compressed(data, kind),
        camera_info(),
        until=lambda a: abs(float(depth_of(a.depth)[CENTRE]) - expected) < 0.08,
    )


@pytest.mark.parametrize('name', REFUSED)
def test_a_compressed_image_that_cannot_be_read_is_named(compressed_node, name):
    _, client = compressed_node
    data, kind, words = REFUSED[name]

    def told(values):
        client.publish(compressed(data, kind), camera_info())
        return words in values['last error']

    client.diagnostics(told)
    client.ask(compressed(JPEG, 'jpeg'), camera_info())


def test_a_video_topic_is_reported_before_the_first_message(graph, color_model):
    remapped = ('image:=front/image_raw/theora',)
    with graph.depth_node({'model': color_model}, remappings=remapped, joined=False) as (
        process,
        _,
    ):
        line = process.wait_for_output('ros2 run image_transport republish')
        assert '/front/image_raw/theora' in line


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'sec': 0}, 'a stamp of 0'),
        ({'sec': 1000}, "days behind this node's clock"),
        ({'frame_id': ''}, 'have an empty frame_id'),
        ({'frame_id': '/camera'}, 'begins with a slash'),
    ],
)
def test_depth_comes_for_any_header_and_one_warning(graph, color_model, changes, words):
    with graph.depth_node({'model': color_model, 'max_image_age': 0.0}) as (process, client):
        client.collect('depth/image_rect', 'points')
        message, info = uniform(), camera_info()
        for each in (message, info):
            each.header.frame_id = changes.get('frame_id', FRAME)
            each.header.stamp = client.node.get_clock().now().to_msg()
            if 'sec' in changes:
                each.header.stamp.sec, each.header.stamp.nanosec = changes['sec'], 0
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec

        def answered():
            client.infos.publish(info)
            client.images.publish(message)
            return stamp in client.received['points']

        client.wait_until(answered, 'depth comes')
        client.wait_until(answered, 'and again')
        assert client.received['depth/image_rect'][stamp].header == message.header
        process.wait_for_output(words)
        assert process.output.count(words) == 1
        values = client.diagnostics(lambda values: float(values['output rate (Hz)']) >= 0)
        assert float(values['greatest age (ms)']) < 1e9
        assert client.get('depth.scale') == 1.0
        assert process.running


BROKEN = """
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.scale import kept
refuse = Parameters._on_set
def broken(self, changes):
    if any(change.name == 'depth.max' for change in changes):
        raise ZeroDivisionError('broken parameter')
    return refuse(self, changes)
Parameters._on_set = broken
def keep(*arguments):
    raise ZeroDivisionError('broken scale')
kept.KeptScale.keep = keep
"""


def test_an_exception_in_a_service_does_not_end_the_node(graph, color_model):
    with graph.depth_node({'model': color_model}, preamble=BROKEN) as (process, client):
        client.collect('depth/image_rect')
        result = client.set('depth.max', 5.0)
        assert not result.successful
        assert 'broken parameter' in result.reason
        answer = client.trigger('save_scale')
        assert not answer.success
        assert 'broken scale' in answer.message
        client.ask(uniform(), camera_info())
        assert process.running
