# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer BAG --out BAG`: depth of a recording as a recording of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from formats import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, OPTICAL_FRAME, BagWriter, write_bag
from oracle import write_color_model, write_depth_model
from patience import PATIENCE

from msdepth_ros.cli import main
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import load_model

pytest.importorskip('rosbags', reason='recordings are read and written with it')

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_000_000_000_000_000
STEP = 100_000_000
F0 = 250.0
DEPTH, INFO, POINTS = '/depth/image_rect', '/depth/camera_info', '/points'


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return write_depth_model(tmp_path_factory.mktemp('model'), lambda x, y: 1 + x / 100, focal=F0)


@pytest.fixture
def infer(capfd, model):
    """Run `msdepth infer` in this process."""

    def run(bag, out, *options):
        capfd.readouterr()
        code = main(['infer', *map(str, (bag, '--out', out, '--model', model, *options))])
        return subprocess.CompletedProcess(bag, code, *capfd.readouterr())

    return run


def image(index, width=160, height=120):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def record(path, count=12, storage='mcap', compression='none', focal=lambda i: 150.0, **options):
    with BagWriter(path, storage, compression, **options) as bag:
        for i in range(count):
            ns = START + i * STEP
            bag.image(COLOR_TOPIC, 'rgb8', image(i), ns)
            bag.camera_info(INFO_TOPIC, 160, 120, focal(i), ns)  # after its image, as drivers do
    return path


def read(path):
    """Return the messages of a recording: {topic: [(received, message)]}, in its order."""
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    found = {}
    with Reader(path) as reader:
        for connection, received, data in reader.messages():
            message = types.deserialize_cdr(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((received, message))
        assert reader.message_count == sum(map(len, found.values()))
        assert reader.duration == max(t for each in found.values() for t, _ in each) + 1 - min(
            t for each in found.values() for t, _ in each
        )
    return found


def stamps(messages):
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for _, m in messages]


@pytest.mark.parametrize(
    ('storage', 'compression', 'processes'),
    [
        ('mcap', 'none', 1),
        ('mcap', 'storage', 2),
        ('mcap', 'message', 1),
        ('mcap', 'file', 1),
        ('sqlite3', 'none', 1),
        ('sqlite3', 'file', 1),
    ],
)
def test_each_image_gets_depth_camera_info_and_cloud(
    tmp_path, infer, model, storage, compression, processes
):
    count = 20
    bag = record(tmp_path / 'bag', count, storage, compression)
    result = infer(bag, tmp_path / 'out', '--processes', processes)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ''
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'out']
    kinds = {path.suffix for path in (tmp_path / 'out').iterdir()}
    assert kinds == {'.yaml', '.mcap' if storage == 'mcap' else '.db3'}
    found = read(tmp_path / 'out')
    assert set(found) == {DEPTH, INFO, POINTS}
    expected = [START + i * STEP for i in range(count)]
    for messages in found.values():
        assert stamps(messages) == expected
        assert [received for received, _ in messages] == [ns + 3_000_000 for ns in expected]
        assert {message.header.frame_id for _, message in messages} == {OPTICAL_FRAME}
    loaded = load_model(model)
    estimator = DepthEstimator(loaded, create_backend(loaded, 'onnxruntime'))
    camera = Camera.pinhole(160, 120, 150.0, 150.0, 79.5, 59.5)
    for index in (0, count - 1):
        frame = estimator.estimate(image(index), 'rgb8', camera)
        depth, info, points = (found[topic][index][1] for topic in (DEPTH, INFO, POINTS))
        assert (depth.width, depth.height, depth.step, depth.encoding) == (160, 120, 640, '32FC1')
        values = depth.data.view(np.float32).reshape(120, 160)
        np.testing.assert_array_equal(values, frame.full_depth())
        assert np.isfinite(values).mean() > 0.8
        assert list(info.k) == [150, 0, 79.5, 0, 150, 59.5, 0, 0, 1]
        assert list(info.p) == [150, 0, 79.5, 0, 0, 150, 59.5, 0, 0, 0, 1, 0]
        assert (info.width, info.height, len(info.d)) == (160, 120, 0)
        assert [field.name for field in points.fields] == ['x', 'y', 'z', 'rgb']
        assert (points.point_step, points.row_step) == (16, 16 * points.width)
        cloud = points.data.view(np.float32).reshape(points.height, points.width, 4)
        np.testing.assert_array_equal(cloud[..., 2], frame.depth)


def test_the_metadata_is_what_ros2_bag_reads(tmp_path, infer):
    import yaml

    bag = record(tmp_path / 'bag', 20)
    assert infer(bag, tmp_path / 'out').returncode == 0
    text = (tmp_path / 'out' / 'metadata.yaml').read_text()
    information = yaml.safe_load(text)['rosbag2_bagfile_information']
    files = information['files']
    assert [file['path'] for file in files] == information['relative_file_paths']
    assert all((tmp_path / 'out' / file['path']).is_file() for file in files)
    assert len(files) > 1
    assert sum(file['message_count'] for file in files) == information['message_count'] == 60
    begins = [file['starting_time']['nanoseconds_since_epoch'] for file in files]
    assert begins == sorted(begins)
    assert information['starting_time']['nanoseconds_since_epoch'] == begins[0]
    assert information['duration']['nanoseconds'] == 19 * STEP
    assert [topic['message_count'] for topic in information['topics_with_message_count']] == [
        20
    ] * 3


def test_an_image_goes_with_the_camera_info_of_its_own_stamp(tmp_path, infer):
    bag = record(tmp_path / 'bag', 20, focal=lambda i: 150.0 if i < 11 else 300.0)
    assert infer(bag, tmp_path / 'out').returncode == 0
    focals = [message.k[0] for _, message in read(tmp_path / 'out')[INFO]]
    assert focals == [150.0] * 11 + [300.0] * 9


def test_a_camera_info_that_comes_once(tmp_path, infer):
    for late in (False, True):
        path = tmp_path / f'bag{late}'
        with BagWriter(path) as bag:
            for i in range(12):
                bag.image(COLOR_TOPIC, 'rgb8', image(i), START + i * STEP)
                if i == 8 * late:
                    bag.camera_info(INFO_TOPIC, 160, 120, 170.0, START + i * STEP + 5)
        assert infer(path, tmp_path / f'out{late}').returncode == 0
        infos = read(tmp_path / f'out{late}')[INFO]
        assert [message.k[0] for _, message in infos] == [170.0] * 12


def test_compressed_images(tmp_path, infer):
    grey = np.full((120, 160, 3), 90, np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(3):
            data = cv2.imencode('.jpg', grey)[1].tobytes()
            bag.camera_info('/cam/camera_info', 160, 120, 150.0, START + i * STEP)
            bag.compressed(
                '/cam/image_raw/compressed', 'rgb8; jpeg compressed bgr8', data, START + i * STEP
            )
    assert infer(tmp_path / 'bag', tmp_path / 'out').returncode == 0
    assert len(read(tmp_path / 'out')[POINTS]) == 3


def test_a_thermal_camera_is_stretched_without_flicker(tmp_path, capfd):
    """Its depth by a model of grey levels: a hot spot that comes and goes does not change it."""
    model = write_color_model(tmp_path / 'model')
    scene = np.tile(np.linspace(7000, 8500, 160), (120, 1)).astype(np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(8):
            hot = scene.copy()
            hot[10:40, 10:40] = 9000 + 1500 * (i % 2)
            bag.camera_info('/thermal/camera_info', 160, 120, 150.0, START + i * STEP)
            bag.image('/thermal/image_raw', 'mono16', hot, START + i * STEP)
    out = tmp_path / 'out'
    assert main(['infer', str(tmp_path / 'bag'), '--out', str(out), '--model', str(model)]) == 0
    capfd.readouterr()
    depths = [message.data.view(np.float32).reshape(120, 160) for _, message in read(out)[DEPTH]]
    center = np.array([depth[80, ::10] for depth in depths])
    assert np.ptp(center[0][np.isfinite(center[0])]) > 0.5  # the scene is not flat
    assert np.nanmax(np.abs(np.diff(center, axis=0))) < 0.2


def test_a_recording_without_calibration(tmp_path, infer):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.image('/image', 'rgb8', image(0), START)
    result = infer(tmp_path / 'bag', tmp_path / 'out')
    assert result.returncode == 0
    assert 'no camera_info' in result.stdout
    assert set(read(tmp_path / 'out')) == {DEPTH}
    (tmp_path / 'camera.yaml').write_text(Camera.pinhole(160, 120, 150, 150, 80, 60).to_yaml())
    result = infer(tmp_path / 'bag', tmp_path / 'two', '--camera-info', tmp_path / 'camera.yaml')
    assert result.returncode == 0
    assert result.stdout == ''
    assert len(read(tmp_path / 'two')[INFO]) == 1


def test_the_topic_is_the_cameras_or_the_one_that_is_named(tmp_path, infer):
    bag = write_bag(tmp_path / 'bag')  # colour, depth, camera_info
    assert infer(bag, tmp_path / 'out').returncode == 0
    assert len(read(tmp_path / 'out')[DEPTH]) == 3
    with BagWriter(tmp_path / 'two') as both:
        for name, focal in (('front', 150.0), ('back', 220.0)):
            both.image(f'/{name}/image_raw', 'rgb8', image(0), START)
            both.camera_info(f'/{name}/camera_info', 160, 120, focal, START)
    result = infer(tmp_path / 'two', tmp_path / 'none')
    assert result.returncode == 2
    assert re.search(r'several image topics.*/front/image_raw.*--image-topic', result.stderr)
    assert not (tmp_path / 'none').exists()
    options = ('--image-topic', '/back/image_raw')
    assert infer(tmp_path / 'two', tmp_path / 'one', *options).returncode == 0
    assert read(tmp_path / 'one')[INFO][0][1].k[0] == 220.0
    result = infer(bag, tmp_path / 'three', '--image-topic', DEPTH_TOPIC)
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1


@pytest.mark.parametrize('received', [lambda n: 0, lambda n: 5 + n, lambda n: (99 - n) * 10**15])
def test_times_of_reception_that_are_implausible(tmp_path, infer, received):
    bag = record(tmp_path / 'bag', 20, received=received)
    result = infer(bag, tmp_path / 'out')
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('implausible') == 1
    found = read(tmp_path / 'out')
    for topic in (DEPTH, INFO, POINTS):
        assert stamps(found[topic]) == [START + i * STEP for i in range(20)]
        assert [received for received, _ in found[topic]] == stamps(found[topic])


def test_unusable_images_are_reported_once_and_the_others_processed(tmp_path, infer):
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(30):
            ns = START + i * STEP
            bag.camera_info(INFO_TOPIC, 160, 120, 150.0, ns)
            if i % 10:
                bag.image(COLOR_TOPIC, 'rgb8', image(i), ns)
            else:
                bag.image(COLOR_TOPIC, 'rgb8', image(i, 120, 160), ns)  # not of this calibration
    result = infer(tmp_path / 'bag', tmp_path / 'out')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert '120x160' in result.stderr
    assert '(3 images)' in result.stderr
    assert len(read(tmp_path / 'out')[DEPTH]) == 27


def test_a_recording_of_which_nothing_can_be_used(tmp_path, infer):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 160, 120, 150.0, START)
        bag.image(COLOR_TOPIC, 'rgb8', image(0, 120, 160), START)
    result = infer(tmp_path / 'bag', tmp_path / 'out')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['bag']


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_recording_that_was_cut_off(tmp_path, infer, storage):
    bag = record(tmp_path / 'bag', 40, storage)
    file = next(path for path in bag.iterdir() if path.name != 'metadata.yaml')
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    (bag / 'metadata.yaml').unlink()
    result = infer(bag, tmp_path / 'out')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1, result.stderr
    if storage == 'mcap':
        assert 'was cut off' in result.stderr
        assert 5 < len(read(tmp_path / 'out')[DEPTH]) < 27


MISTAKES = [
    (('--format', 'npy'), '--format'),
    (('--processes', '0'), '--processes'),
    (('--camera-height', '1'), '--camera-height'),
    (('--backend', 'abacus'), 'abacus'),
    (('--camera-info', 'none.yaml'), 'none.yaml'),
    (('--image-topic', '/none'), '/none'),
]


@pytest.mark.parametrize(('options', 'word'), MISTAKES)
def test_mistakes_end_with_one_line_and_exit_code_2(tmp_path, infer, options, word):
    result = infer(record(tmp_path / 'bag', 2), tmp_path / 'out', *options)
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert word in result.stderr


def test_an_existing_recording_is_not_overwritten(tmp_path, infer):
    bag = record(tmp_path / 'bag', 2)
    before = {path.name: path.read_bytes() for path in bag.iterdir()}
    for out in (bag, tmp_path):
        result = infer(bag, out)
        assert result.returncode == 2
        assert 'exists already' in result.stderr
    assert {path.name: path.read_bytes() for path in bag.iterdir()} == before


@pytest.mark.parametrize(
    ('processes', 'end'),
    [(1, signal.SIGINT), pytest.param(2, signal.SIGKILL, marks=pytest.mark.slow)],
)
def test_an_interrupted_recording_is_finished(tmp_path, infer, model, processes, end):
    """Kill it between two parts; the same command then computes the others, and no other job."""
    count = 60
    bag, out = record(tmp_path / 'bag', count), tmp_path / 'out'
    parts = tmp_path / 'out.incomplete'
    code = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'
    command = [sys.executable, '-c', code, 'infer', bag, '--out', out, '--model', model]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    process = subprocess.Popen(
        [*map(str, command), '--processes', str(processes)], env=environment, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + PATIENCE
    while not (parts / 'part_00001').is_dir():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
    process.send_signal(end)
    _, error = process.communicate(timeout=PATIENCE)
    if (tmp_path / 'out').exists():
        pytest.skip('it ended before it was interrupted')
    assert process.returncode == (130 if end == signal.SIGINT else -end)
    assert b'Traceback' not in error
    # The first part is not written again.
    times = (parts / 'part_00000' / 'part_00000.begun.mcap').stat().st_mtime_ns
    result = infer(bag, out, '--precision', 'fp32')
    assert result.returncode == 2
    assert 'another job' in result.stderr
    result = infer(bag, out, '--processes', processes)
    assert result.returncode == 0, result.stderr
    assert (out / 'out_0.mcap').stat().st_mtime_ns == times
    assert stamps(read(out)[DEPTH]) == [START + i * STEP for i in range(count)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'out']
