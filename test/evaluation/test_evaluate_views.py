# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate --measured views`: frames measured by those before them."""

import json

import pytest
from evaluate_command import evaluate
from folders import write_folder
from textured_room import write_walk

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
    assert 0.3 < views['memory'] < 1.2  # MB: eight views of 256x192
    assert result['measured']['per_image']['abs_rel'] < 0.5 * result['per_image']['abs_rel']
    assert 0 <= result['steadiness'] < 0.5


def test_the_table_tells_of_the_points_and_a_scan_helps_too(walk, model, capsys):
    _, output = evaluate(capsys, walk, '--model', model, '--measured', 'scan,views')
    assert 'with scan,views measured:' in output.out
    assert 'points a frame, none in' in output.out
    assert 'promised standard deviations' in output.out
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
