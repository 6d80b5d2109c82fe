# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""camera_player as a camera: what it plays, when, and how it ends."""

import json
import math
import signal

import cv2
import numpy as np
import pytest
from client import nanoseconds

COUNT = 8
CALIBRATION = """
image_width: 64
image_height: 48
camera_matrix: {rows: 3, cols: 3, data: [70, 0, 31, 0, 71, 24, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
"""


def _pictures():
    """Return COUNT small BGR pictures, each of one colour of its own."""
    return [np.full((48, 64, 3), (20 * n, 255 - 20 * n, 40), np.uint8) for n in range(COUNT)]


def _image_folder(folder):
    folder.mkdir(parents=True)
    for number, picture in enumerate(_pictures()):
        assert cv2.imwrite(str(folder / f'{number:02d}.png'), picture)
    return folder


def _dataset(folder):
    _image_folder(folder / 'rgb')
    (folder / 'depth').mkdir()
    (folder / 'camera.yaml').write_text(CALIBRATION)
    return folder


def _video(path, rate=5.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), rate, (64, 48))
    assert writer.isOpened()
    for picture in _pictures():
        writer.write(picture)
    writer.release()
    return path


def _play(graph, path, images, end=None, **parameters):
    """Play until `images` came (all: until the player ends); return images and camera_infos."""
    parameters = {'path': str(path), 'wait_for_subscribers': 1, **parameters}
    with (
        graph.process('demo.camera_player', parameters) as process,
        graph.client(process) as client,
    ):
        client.collect('camera_info', 'image_raw')
        client.wait_until(
            lambda: len(client.received['image_raw']) >= images or not process.running,
            f'{images} images',
        )
        if end is None:
            assert process.wait() == 0, process.output
        else:
            process.end_cleanly(end)
        assert 'Traceback' not in process.output
        return list(client.received['image_raw'].values()), client.received['camera_info']


def _colors(messages):
    for message in messages:
        assert (message.width, message.height, message.encoding) == (64, 48, 'bgr8')
        assert message.header.frame_id == 'camera_optical_frame'
    return [tuple(bytes(message.data[:3])) for message in messages]


def _rate(messages):
    """Return the mean rate, Hz: less than the player's where the machine is held up at the end."""
    stamps = [nanoseconds(message) for message in messages]
    assert stamps == sorted(set(stamps))
    return 1e9 * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def test_an_image_folder_once(graph, tmp_path):
    folder = _image_folder(tmp_path / 'images')
    images, infos = _play(graph, folder, COUNT, loop=False, rate=5)
    assert _colors(images) == [tuple(picture[0, 0].tolist()) for picture in _pictures()]
    assert 0 < _rate(images) < 10
    # No calibration: 60 degrees across are assumed, the centre in the middle.
    for image in images:
        info = infos[nanoseconds(image)]
        assert (info.width, info.height) == (64, 48)
        assert info.header.frame_id == image.header.frame_id
        assert info.k[0] == info.k[4] == pytest.approx(32 / math.tan(math.pi / 6))
        assert (info.k[2], info.k[5]) == (31.5, 23.5)


def test_a_dataset_folder_in_a_loop(graph, tmp_path):
    folder = _dataset(tmp_path / 'dataset')
    images, infos = _play(
        graph, folder, 2 * COUNT + 1, end=signal.SIGINT, rate=5.0, frame_id='front'
    )
    colors = [tuple(bytes(message.data[:3])) for message in images]
    assert colors[:COUNT] == colors[COUNT : 2 * COUNT]
    assert len(set(colors)) == COUNT
    for image in images[: 2 * COUNT]:
        info = infos[nanoseconds(image)]
        assert image.header.frame_id == info.header.frame_id == 'front'
        assert list(info.k) == [70, 0, 31, 0, 71, 24, 0, 0, 1]
        assert list(info.d) == [0.1, 0, 0, 0, 0]
        assert list(info.p) == [70, 0, 31, 0, 0, 71, 24, 0, 0, 0, 1, 0]


def test_a_video_at_its_own_rate(graph, tmp_path):
    video = _video(tmp_path / 'clip.avi')
    images, _ = _play(graph, video, COUNT, loop=False)
    expected = [picture[0, 0].astype(int) for picture in _pictures()]
    np.testing.assert_allclose(_colors(images), expected, atol=6)  # JPEG
    assert 0 < _rate(images) < 10


def test_a_calibration_by_url_replaces_that_of_the_folder(graph, tmp_path):
    folder = _dataset(tmp_path / 'dataset')
    other = tmp_path / 'other.yaml'
    other.write_text(CALIBRATION.replace('70', '90'))
    _, infos = _play(graph, folder, 1, end=signal.SIGTERM, camera_info_url=other.as_uri())
    assert {info.k[0] for info in infos.values()} == {90.0}


@pytest.mark.parametrize('name', ['room.mp4'])
def test_the_shipped_clip(graph, name):
    from msdepth_ros.images.sources import DEFAULT_CLIP

    if not DEFAULT_CLIP.is_file():
        pytest.skip(f'{name} is not there: render it with `msdepth render`')
    images, infos = _play(graph, '', 5, end=signal.SIGINT)
    assert DEFAULT_CLIP.name == name
    assert {(image.width, image.height) for image in images} == {(640, 480)}
    assert len(infos) >= 5
    assert np.std(np.frombuffer(bytes(images[0].data), np.uint8)) > 10, 'a picture is on it'


def test_damaged_images_among_others_are_skipped(graph, tmp_path):
    folder = _image_folder(tmp_path / 'images')
    for name in ('00.png', '05.png'):
        (folder / name).write_bytes(b'not a picture')
    images, _ = _play(graph, folder, COUNT - 2, rate=20.0, loop=False)
    assert [image.data[0] for image in images] == [20 * n for n in range(COUNT) if n not in (0, 5)]


def _damaged(folder):
    _image_folder(folder)
    for path in folder.iterdir():
        path.write_bytes(b'not a picture')
    return folder


def _no_video(folder):
    folder.mkdir()
    (folder / 'clip.mp4').write_bytes(b'not a video' * 100)
    return folder / 'clip.mp4'


def _empty(folder):
    folder.mkdir()
    return folder


ERRORS = {
    'nothing there': (lambda folder: folder / 'missing', {}, 'does not exist'),
    'empty folder': (_empty, {}, 'no images'),
    'no video': (_no_video, {}, 'not an image or a video'),
    'damaged pictures': (_damaged, {}, 'is not an image'),
    'rate below 0': (_image_folder, {'rate': -1.0}, 'rate'),
    'rate of another type': (_image_folder, {'rate': 'fast'}, 'rate'),
    'calibration missing': (
        _image_folder,
        {'camera_info_url': 'file:///no/such/camera.yaml'},
        '/no/such/camera.yaml',
    ),
}


def test_errors_end_with_exit_code_2_and_one_line(graph, tmp_path):
    """All of them at once: a process each."""
    import contextlib

    with contextlib.ExitStack() as stack:
        started = {}
        for number, (name, (make, parameters, _)) in enumerate(ERRORS.items()):
            path = make(tmp_path / str(number))
            process = graph.process('demo.camera_player', {'path': str(path), **parameters})
            started[name] = stack.enter_context(process)
        for name, process in started.items():
            assert process.wait() == 2, f'{name}: {process.output}'
            lines = [
                line
                for line in process.output.splitlines()
                if line.strip() and '[WARN]' not in line
            ]
            assert len(lines) == 1, f'{name}: {process.output}'
            assert ERRORS[name][2] in lines[0]


def test_a_folder_with_poses_is_a_camera_that_moves(graph, tmp_path):
    folder = _dataset(tmp_path / 'dataset')
    (folder / 'camera.yaml').unlink()
    camera = {'fx': 70.0, 'fy': 71.0, 'cx': 31.0, 'cy': 24.0, 'width': 64, 'height': 48}
    (folder / 'camera.json').write_text(json.dumps(camera))
    # A quarter turn about z: the camera's x is the world's y.
    poses = [f'{number:02d} 0 -1 0 {0.1 * number} 1 0 0 2 0 0 1 3' for number in range(1, COUNT)]
    (folder / 'poses.txt').write_text('\n'.join(poses))
    parameters = {'path': str(folder), 'wait_for_subscribers': 1, 'rate': 20.0, 'loop': False}
    with (
        graph.process('demo.camera_player', parameters) as process,
        graph.client(process) as client,
    ):
        client.collect('odom', 'camera_info', 'image_raw')
        client.wait_until(lambda: not process.running, 'the last image')
    images, odometry = client.received['image_raw'], client.received['odom']
    assert client.received['camera_info'][min(images)].k[0] == 70
    stamps = sorted(images)
    assert stamps[0] not in odometry  # image 00 has no pose
    for number, stamp in enumerate(stamps):
        if number:
            message = odometry[stamp]
            assert message.header.frame_id == 'odom'
            assert message.child_frame_id == images[stamp].header.frame_id
            position, turn = message.pose.pose.position, message.pose.pose.orientation
            assert (position.x, position.y, position.z) == pytest.approx((0.1 * number, 2, 3))
            assert (turn.x, turn.y) == pytest.approx((0, 0), abs=1e-9)
            assert (turn.z, turn.w) == pytest.approx((math.sqrt(0.5),) * 2)
