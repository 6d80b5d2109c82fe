# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate --measured`: what a sensor would have measured makes the errors small."""

import json

import numpy as np
import pytest
from evaluate_command import evaluate
from folders import write_folder

from msdepth_ros.datasets.base import Frame
from msdepth_ros.datasets.folder import DatasetFolder
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.measurements import (
    Measured,
    simulated_points,
    simulated_scan,
    true_mount,
)
from msdepth_ros.geometry.pinhole import Intrinsics

pytest.importorskip('onnx', reason='the test makes its own model with onnx')


@pytest.mark.parametrize('what', ['scan', 'points:20', 'points:300', 'scan,points:20'])
def test_measurements_make_the_depth_true(tmp_path, model, capsys, what):
    folder = write_folder(tmp_path / 'set', 2)  # depths of 1 m and 2 m
    code, output = evaluate(capsys, folder, '--model', model, '--json', '--measured', what)
    result = json.loads(output.out)
    assert code == 0
    assert result['per_image']['abs_rel'] == pytest.approx(0.5, abs=0.01)
    assert result['measured']['what'] == what
    assert result['measured']['per_image']['abs_rel'] < 0.06
    assert len(result['measured']['reliability']['promised']) == 10


def test_the_table_shows_what_was_measured(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 1)
    _, output = evaluate(capsys, folder, '--model', model, '--measured', 'scan')
    assert 'with scan measured:' in output.out
    assert 'promised' in output.out


@pytest.mark.parametrize('what', ['laser', 'points:', 'points:0', 'points:x', 'scan;floor'])
def test_what_is_not_known_is_refused(tmp_path, model, capsys, what):
    folder = write_folder(tmp_path / 'set', 1)
    with pytest.raises(MsdepthError, match='--measured'):
        Measured.parse(what)
    code, output = evaluate(capsys, folder, '--model', model, '--measured', what)
    assert code == 2
    assert '--measured' in output.err


def test_simulated_sensors_have_the_noise_and_the_outliers_that_are_promised(tmp_path):
    frame = DatasetFolder(write_folder(tmp_path / 'set', 1))[0]
    scan = simulated_scan(frame, np.random.default_rng(0))
    assert 100 < len(scan) <= frame.intrinsics.width
    assert np.unique(scan.v).tolist() == [60.0]  # the row of the optical axis, 59.5
    points = simulated_points(frame, 5000, np.random.default_rng(0))
    off = np.log(points.depth)  # the truth is 1 m
    wrong = np.abs(off) > 0.2
    assert 0.02 < wrong.mean() < 0.04
    assert np.std(off[~wrong]) == pytest.approx(0.02, abs=0.003)


def test_the_mount_is_found_in_the_true_depth(tmp_path):
    intrinsics = Intrinsics(160, 120, 130.0, 130.0, 79.5, 59.5)
    pitch, height = 0.35, 0.62
    _, y = intrinsics.ray_slopes()
    falling = y * np.cos(pitch) + np.sin(pitch)
    with np.errstate(divide='ignore'):
        rows = np.where(falling > 0.05, height / falling, 0)
    depth = np.tile(rows[:, None], (1, 160)).astype(np.float32)
    frame = Frame('floor', np.zeros((120, 160, 3), np.uint8), depth, intrinsics)
    mount = true_mount(frame, np.random.default_rng(0))
    assert mount.height == pytest.approx(height, abs=0.05)
    assert mount.up == pytest.approx([0, -np.cos(pitch), -np.sin(pitch)], abs=0.08)
