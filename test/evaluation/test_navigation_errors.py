# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate --navigation`: obstacles found and missed, and those that are none."""

import json

import cv2
import numpy as np
import pytest
from oracle import write_depth_model
from ray_cast import CAMERA, Mounted, depth_of, wall

from msdepth_ros.cli import main
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Grid

MOUNTED = Mounted(0.6, 0.35)
CRATE = (1.5, 1.8, -0.3, 0.3, 0.0, 0.25)
TABLE = (2.0, 2.6, 0.5, 1.2, 0.6, 0.7)  # a robot 0.3 m high drives under it


def write_scene(folder, *boxes):
    """Write a dataset of one frame; return its folder."""
    for name in ('rgb', 'depth'):
        (folder / name).mkdir(parents=True)
    depth = depth_of(MOUNTED, boxes, CAMERA)
    millimetres = np.where(depth < 10, depth * 1000, 0).round().astype(np.uint16)
    cv2.imwrite(str(folder / 'depth' / '0000.png'), millimetres)
    image = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
    cv2.imwrite(str(folder / 'rgb' / '0000.png'), image)
    c = CAMERA
    camera = Camera.pinhole(c.width, c.height, c.fx, c.fy, c.cx, c.cy)
    (folder / 'camera.yaml').write_text(camera.to_yaml('ray_cast'))
    return folder


def write_model(folder, *boxes, scale=1.0):
    """Write a model that predicts the depth of a scene."""
    grid = CAMERA.sampled(Grid(74, 55, (5.0, 5.0), (4.0, 4.0)))
    depth = scale * depth_of(MOUNTED, boxes, grid)
    return write_depth_model(folder, lambda x, y: depth, depth_range=(0.2, 10.0))


def evaluate(capsys, data, model, *arguments):
    words = ['evaluate', data, '--model', model, '--threads', '1', '--navigation', *arguments]
    code = main([str(word) for word in words])
    return code, capsys.readouterr().out


def errors(capsys, data, model, *arguments):
    code, text = evaluate(capsys, data, model, '--json', *arguments)
    assert code == 0
    return json.loads(text)


@pytest.fixture
def data(tmp_path):
    return write_scene(tmp_path / 'data', CRATE, TABLE, wall(5.0))


def test_true_depth_finds_all_true_cells_and_no_false_ones(tmp_path, data, capsys):
    result = errors(capsys, data, write_model(tmp_path / 'model', CRATE, TABLE, wall(5.0)))
    found = result['navigation']
    assert (found['frames'], found['floorless']) == (1, 0)
    assert found['all']['true_cells'] > 12
    assert found['all']['recall'] > 0.95
    assert found['all']['false_cells'] == 0
    crate = next(band for band in found['bands'] if band['near'] == 1.0)
    assert crate['true_cells'] > 12
    nothing = found['bands'][0]
    assert (nothing['true_cells'], nothing['recall']) == (0, None)


def test_missed_obstacles_lower_the_recall(tmp_path, data, capsys):
    found = errors(capsys, data, write_model(tmp_path / 'model', wall(5.0)))['navigation']
    assert found['all']['recall'] < 0.1
    assert found['all']['false_cells'] == 0


def test_an_obstacle_that_is_not_there_is_false_cells_at_its_distance(tmp_path, data, capsys):
    phantom = (2.6, 2.9, -1.0, -0.6, 0.0, 0.4)
    model = write_model(tmp_path / 'model', CRATE, TABLE, phantom, wall(5.0))
    found = errors(capsys, data, model)['navigation']
    assert found['all']['recall'] > 0.95
    assert found['all']['false_cells'] >= 8
    by_distance = {band['near']: band['false_cells'] for band in found['bands']}
    assert by_distance[2.0] + by_distance[3.0] == found['all']['false_cells']
    assert (found['median_false'], found['worst_false']) == (found['all']['false_cells'],) * 2


def test_an_obstacle_in_one_frame_only_is_not_marked(tmp_path, data, capsys):
    for name in ('rgb', 'depth'):  # a clip of three equal frames
        for number in (1, 2):
            copied = data / name / f'000{number}.png'
            copied.write_bytes((data / name / '0000.png').read_bytes())
    model = write_model(tmp_path / 'model', CRATE, TABLE, wall(5.0))
    found = errors(capsys, data, model)['navigation']
    assert found['frames'] == 3
    assert found['all']['recall'] > 0.95
    assert found['steady']['recall'] == pytest.approx(found['all']['recall'] * 2 / 3, abs=0.02)


def test_a_measurement_mends_a_wrong_scale(tmp_path, data, capsys):
    model = write_model(tmp_path / 'model', CRATE, TABLE, wall(5.0), scale=1.6)
    result = errors(capsys, data, model, '--measured', 'points:100')
    assert result['navigation']['all']['recall'] < 0.4
    assert result['measured']['navigation']['all']['recall'] > 0.8


def test_the_table_is_for_people(tmp_path, data, capsys):
    model = write_model(tmp_path / 'model', CRATE, TABLE, wall(5.0))
    _, text = evaluate(capsys, data, model, '--measured', 'scan')
    assert text.count('obstacles of a robot 0.3 m high') == 2
    assert 'with scan measured: obstacles of a robot' in text
    assert '3 to 4 m' in text


def test_the_mount_may_be_named_where_no_floor_is_seen(tmp_path, capsys):
    data = write_scene(tmp_path / 'data', wall(0.5))
    model = write_model(tmp_path / 'model', wall(0.5))
    _, text = evaluate(capsys, data, model)
    assert 'no floor is found in any frame: give the mount with --camera-height' in text
    mount = ('--camera-height', '0.6', '--camera-pitch', '0.35')
    found = errors(capsys, data, model, *mount)['navigation']
    assert (found['frames'], found['all']['false_cells']) == (1, 0)
    assert found['all']['recall'] > 0.9
