# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training configurations: those that ship are valid, and mistakes are named."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.training.config import Stage, from_document, read_config

SHIPPED = sorted(Path(__file__).parents[2].glob('config/training/*.yaml'))
SOURCE = {'folders': ['a'], 'description': 'none', 'licence': 'none'}
STAGE = {'trains': 'coarse', 'images': 10, 'rate': 1}
SMALL = {
    'name': 'small',
    'network': {'hidden': 8},
    'data': {'sources': {'a': SOURCE}},
    'stages': [STAGE],
}


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path):
    config = read_config(path)
    assert config.name == path.stem
    assert config.stages


def test_values_and_defaults():
    config = from_document(SMALL, 'small.yaml')
    assert config.stages == (Stage('coarse', 10, 1.0),)
    assert isinstance(config.stages[0].rate, float)
    assert config.data.sources['a'].folders == ('a',)
    assert config.data.sources['a'].intrinsics is None


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'sedd': 1}, "has no key 'sedd'"),
        ({'seed': 'one'}, 'seed is .* must be of type int'),
        ({'seed': True}, 'seed is True'),
        ({'bfloat16': 1}, 'bfloat16 is 1 but must be of type bool'),
        ({'stages': {}}, 'stages must be a list'),
        ({'stages': [{**STAGE, 'weights': {'a': -1}}]}, 'weights is'),
        ({'stages': [{**STAGE, 'weights': {'a': 'b'}}]}, 'weights: a is'),
        ({'stages': [{'trains': 'coarse'}]}, r"stages\[0\] lacks the key 'images'"),
        ({'depth_range': [1]}, 'depth_range must be a list of 2'),
        ({'data': None}, 'data must be a mapping'),
        ({'data': {'sources': {}}}, 'sources is .* a mapping of at least one entry'),
        ({'data': {'sources': {'a': {**SOURCE, 'folders': 'a'}}}}, 'a: folders must be a list'),
        ({'augmentation': {'zoom': ['a', 2]}}, r'zoom\[0\] is'),
        ({'stages': []}, 'stages is .* a list of at least one'),
        ({'seed': -1}, 'seed is -1 but must be 0 or more'),
        ({'averaging': 1.0}, 'averaging is 1.0 but must be at least 0 and below 1'),
        ({'stages': [{**STAGE, 'optimiser': 'sgd'}]}, "has no key 'optimiser'"),
        ({'stages': [{**STAGE, 'zoom': {'a': [1.2, 1.0]}}]}, 'zoom is'),
        # values that are well formed, and make no sense
        ({'depth_range': [10, 0.3]}, 'depth_range is .* 0 < nearest < farthest'),
        ({'depth_range': [0, 10]}, 'depth_range is'),
        ({'depth_range': [1, float('inf')]}, 'depth_range is'),
        ({'depth_range': [float('nan'), 10]}, 'depth_range is'),
        ({'augmentation': {'zoom': [0, 1]}}, r'zoom is \[0.0, 1.0\] but must be'),
        ({'augmentation': {'zoom': [1.5, 1]}}, 'zoom is'),
        ({'augmentation': {'tilt': 30}}, 'tilt is 30.0 but must be from 0 to 20 degrees'),
        ({'augmentation': {'tilt': -1}}, 'tilt is'),
        ({'augmentation': {'rotation': 181}}, 'rotation is'),
        ({'augmentation': {'erase': 1.1}}, 'erase is'),
        ({'augmentation': {'noise': -1}}, 'noise is'),
        ({'augmentation': {'colour': 1}}, 'colour is'),
        ({'stages': [{**STAGE, 'zoom': {'a': [0, 1]}}]}, 'zoom is'),
        ({'stages': [{**STAGE, 'warm_up': 10}]}, 'warm_up is 10 but must be .* less than images'),
        ({'stages': [{**STAGE, 'warm_up': -1}]}, 'warm_up is'),
        ({'stages': [{**STAGE, 'weight_decay': -1}]}, 'weight_decay is'),
        ({'stages': [{**STAGE, 'pretrained_rate': 2}]}, 'pretrained_rate is'),
        ({'stages': [{**STAGE, 'depth_weight': -1, 'distillation': 1}]}, 'depth_weight is'),
        ({'validate_every': 0}, 'validate_every is'),
        ({'data': {'sources': {'a': {**SOURCE, 'camera_height': [2, 1]}}}}, 'camera_height is'),
        ({'stages': [{**STAGE, 'averaging': -1}]}, 'averaging is -1.0'),
        ({'stages': [{**STAGE, 'held_out': -1}]}, 'held_out is -1'),
        ({'stages': [{**STAGE, 'batch': 0}]}, r'stages\[0\]: batch is 0 but must be 1 or more'),
        ({'stages': [{**STAGE, 'depth_weight': 0}]}, 'depth_weight is 0.0 but'),
        ({'data': {'sources': {'a': {**SOURCE, 'blocks': 0}}}}, 'a: blocks is 0 but must be 1'),
        ({'data': {'sources': {'a': {**SOURCE, 'validation_share': 1}}}}, 'validation_share is 1'),
        ({'loss': {'scale_weight': 1.5}}, 'scale_weight is 1.5 but must be from 0 to 1'),
        ({'loss': {'absolute_weight': -1}}, 'absolute_weight is -1.0'),
        ({'loss': {'gradient_weight': float('nan')}}, 'gradient_weight is nan'),
        ({'stages': [{**STAGE, 'rate': float('inf')}]}, 'rate is inf'),
        ({'stages': [{**STAGE, 'distillation': float('inf')}]}, 'distillation is inf'),
        ({'stages': [{**STAGE, 'weights': {'a': float('inf')}}]}, 'weights is'),
        ({'data': {'sources': {'a': {**SOURCE, 'weight': float('inf')}}}}, 'a: weight is inf'),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(MsdepthError, match=message):
        from_document({**SMALL, **change}, 'small.yaml')


@pytest.mark.parametrize('text', ['', '- 1', 'a: [', None])
def test_unreadable_files(tmp_path, text):
    path = tmp_path / 'bad.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(MsdepthError, match=r'bad\.yaml'):
        read_config(path)


def test_missing_key_is_named():
    lacking = yaml.safe_load(yaml.safe_dump(SMALL))
    del lacking['data']['sources']['a']['licence']
    with pytest.raises(MsdepthError, match="sources: a lacks the key 'licence'"):
        from_document(lacking, 'small.yaml')
