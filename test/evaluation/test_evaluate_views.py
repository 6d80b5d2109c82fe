# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate --measured views`: frames measured by those before them."""

import json

import cv2
import numpy as np
import pytest
from evaluate_command import evaluate
from folders import write_folder
from formats import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, OPTICAL_FRAME, BagWriter
from textured_room import CAMERA, HEIGHT, WIDTH, TexturedRoom, write_walk
from textured_room import walk as poses_of_walk

from msdepth_ros.geometry.rigid import inverse, quaternion, rigid

pytest.importorskip('onnx', reason='the test makes its own model with onnx')


@pytest.fixture(scope='module')
def walk(tmp_path_factory):
    return write_walk(tmp_path_factory.mktemp('views') / 'walk')


def test_views_make_the_depth_of_a_walk_true(walk, model, capsys):
    code, output = evaluate(capsys, walk, '--model', model, '--json', '--measured', 'views')
    result = json.loads(output.out)
    assert code == 0
    views = result['measured']['views']
    assert views['points'] > 40
    assert views['without'] <= 0.2  # the first frames of ten
    assert views['within_5'] > 0.9
    assert views['within_15'] > 0.95
    assert 0 < views['over_sigma'] < 1.4
    assert 0 < views['p50'] <= views['p95']
    assert 0.1 < views['memory'] < 1.2  # MB
    assert result['measured']['per_image']['abs_rel'] < 0.5 * result['per_image']['abs_rel']
    assert 0 <= result['steadiness'] < 0.5


def test_the_table_shows_the_points_and_a_scan_helps_too(walk, model, capsys):
    _, output = evaluate(capsys, walk, '--model', model, '--measured', 'scan,views')
    assert 'with scan,views measured:' in output.out
    assert 'points a frame, none in' in output.out
    assert 'estimated standard deviations' in output.out
    assert 'ms at p95' in output.out
    assert 'scale from frame to frame: 0.' in output.out


def test_a_dataset_without_poses_is_refused(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 2)
    code, output = evaluate(capsys, folder, '--model', model, '--measured', 'views')
    assert code == 2
    assert 'poses.txt is missing' in output.err


def test_frames_of_one_walk_are_not_measured_by_another(tmp_path, walk, model, capsys):
    other = write_walk(tmp_path / 'other', 1)
    arguments = ('--model', model, '--json', '--measured', 'views', '--every', 1)
    _, output = evaluate(capsys, walk, other, *arguments)
    views = json.loads(output.out)['measured']['views']
    assert views['without'] == pytest.approx(3 / 11, abs=1e-3)


def write_tum_walk(path):
    """Write the walk as a sequence of the TUM benchmark."""
    lists = {'rgb': [], 'depth': [], 'groundtruth': []}
    for part in ('rgb', 'depth'):
        (path / part).mkdir(parents=True)
    room = TexturedRoom()
    for index, pose in enumerate(poses_of_walk()[:10]):
        image, depth = room.render(pose)
        at = f'{100 + 0.1 * index:.4f}'
        cv2.imwrite(str(path / 'rgb' / f'{at}.png'), image)
        cv2.imwrite(str(path / 'depth' / f'{at}.png'), (5000 * depth).astype(np.uint16))
        for part in ('rgb', 'depth'):
            lists[part].append(f'{at} {part}/{at}.png')
        lists['groundtruth'].append(' '.join(map(str, (at, *pose[:3, 3], *quaternion(pose)))))
    for name, lines in lists.items():
        (path / f'{name}.txt').write_text('\n'.join(['# a walk', *lines]))
    return path


def write_recorded_walk(path):
    """Record the walk of a robot with a camera 0.5 m above its base, and its odometry."""
    room, start = TexturedRoom(), 1_700_000_000_000_000_000
    above, optical = (0.0, 0.0, 0.5), (-0.5, 0.5, -0.5, 0.5)
    mount = rigid(above, optical)
    with BagWriter(path) as bag:
        bag.static_transform('base_link', OPTICAL_FRAME, above, optical, start)
        for index, pose in enumerate(poses_of_walk()[:10]):
            image, depth = room.render(pose)
            stamp = start + index * 100_000_000
            robot = pose @ inverse(mount)
            bag.odometry('/odom', tuple(robot[:3, 3]), quaternion(robot), stamp)
            bag.camera_info(INFO_TOPIC, WIDTH, HEIGHT, CAMERA.fx, stamp)
            bag.image(COLOR_TOPIC, 'rgb8', np.dstack([image] * 3), stamp)
            bag.image(DEPTH_TOPIC, '16UC1', (1000 * depth).astype(np.uint16), stamp)
    return path


@pytest.mark.parametrize('write', [write_tum_walk, write_recorded_walk], ids=['TUM', 'rosbag2'])
def test_sequences_with_odometry_are_measured_too(write, tmp_path, model, capsys):
    if write is write_recorded_walk:
        pytest.importorskip('rosbags', reason='recordings are read with it')
    path = write(tmp_path / 'walk')
    intrinsics = f'{CAMERA.fx},{CAMERA.fy},{CAMERA.cx},{CAMERA.cy}'
    arguments = ('--model', model, '--json', '--measured', 'views', '--intrinsics', intrinsics)
    code, output = evaluate(capsys, path, *arguments)
    assert code == 0
    result = json.loads(output.out)['measured']
    assert result['views']['points'] > 40
    assert result['views']['within_5'] > 0.9
