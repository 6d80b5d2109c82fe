# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate`: known depths through the real estimator give known errors."""

import json

import cv2
import numpy as np
import pytest
from evaluate_command import evaluate
from folders import write_folder

from msdepth_ros.datasets import open_dataset, split_in_blocks
from msdepth_ros.evaluation.evaluation import Procedure
from msdepth_ros.evaluation.evaluation import evaluate as evaluate_model
from msdepth_ros.inference.model import load_model
from msdepth_ros.resources import share_directory
from msdepth_ros.training.config import read_config

pytest.importorskip('onnx', reason='the test makes its own model with onnx')


def test_known_depths_give_known_errors(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 2)  # depths of 1 m and 2 m
    code, output = evaluate(capsys, folder, '--model', model, '--json')
    result = json.loads(output.out)
    assert code == 0
    assert (result['frames'], result['coverage']) == (2, 1.0)
    assert result['pooled']['abs_rel'] == pytest.approx(0.5)
    assert result['pooled']['rmse'] == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert result['per_image']['rmse'] == pytest.approx(0.5)
    assert result['pooled']['delta1'] == 0.5
    assert result['pooled']['scale_invariant'] == 0


def test_median_scaling_and_focal_length(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 2)
    code, output = evaluate(capsys, folder, '--model', model, '--json', '--median-scaling')
    assert code == 0
    assert json.loads(output.out)['pooled']['rmse'] == 0
    code, output = evaluate(
        capsys, folder, '--model', model, '--json', '--intrinsics', '65,65,79.5,59.5'
    )
    assert code == 0
    assert json.loads(output.out)['pooled']['abs_rel'] == pytest.approx(0.25)  # 1 m for 1 m, 2 m


def test_the_table_is_printed(tmp_path, model, capsys):
    code, output = evaluate(capsys, write_folder(tmp_path / 'set', 1), '--model', model)
    assert code == 0
    assert 'abs_rel' in output.out
    assert '1.0000' in output.out
    assert '1 frames' in output.out


def test_eigen_crop_leaves_the_margin_out(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 1)
    depth = np.full((480, 640), 9000, np.uint16)
    depth[45:471, 41:601] = 2000
    cv2.imwrite(str(folder / 'rgb/0000.png'), np.zeros((480, 640, 3), np.uint8))
    cv2.imwrite(str(folder / 'depth/0000.png'), depth)
    common = (folder, '--model', model, '--json', '--intrinsics', '520,520,319.5,239.5')
    _, output = evaluate(capsys, *common, '--crop', 'eigen')
    assert json.loads(output.out)['pooled']['rmse'] == pytest.approx(0, abs=1e-4)
    _, output = evaluate(capsys, *common)
    assert json.loads(output.out)['pooled']['rmse'] > 1


@pytest.mark.slow
@pytest.mark.parametrize('name', ['eigen2014', 'msdepth'])
def test_shipped_table_is_what_is_measured(shared_data, name):
    """The YAML's table, from the frames that its training held out.

    A model whose last stage learned from them too must do better on them than its table says.
    """
    source = read_config(share_directory() / f'config/training/{name}.yaml').data.sources['nyu']
    dataset = open_dataset(shared_data / 'nyuv2_train', source.intrinsics)
    _, held_out = split_in_blocks(len(dataset), source.blocks, source.validation_share)
    model = load_model(name)
    measured = evaluate_model(model, dataset, Procedure(held_out, 'eigen', threads=1)).document()
    table = model.document['measured']
    written = table.get('began_from', table)['nyu']
    assert written['frames'] == measured['frames']
    if 'began_from' in table or model.document['training']['stages'][-1].get('held_out'):
        # other weights than those that were measured answer beyond the range elsewhere
        assert written['coverage'] == pytest.approx(measured['coverage'], abs=1e-3)
        for name in ('abs_rel', 'rmse', 'rmse_log', 'scale_invariant'):
            assert measured['pooled'][name] < 0.97 * written['pooled'][name], name
        assert measured['pooled']['delta1'] > written['pooled']['delta1']
        return
    assert written['coverage'] == measured['coverage']
    for name, value in written['pooled'].items():
        assert measured['pooled'][name] == pytest.approx(value, abs=5e-4), name
