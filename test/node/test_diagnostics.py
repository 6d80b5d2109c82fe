# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of states that are known beforehand."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip('diagnostic_msgs')

from builtin_interfaces.msg import Time

from msdepth_ros.node.diagnostics import (
    ERROR,
    OK,
    WARN,
    NodeState,
    Thresholds,
    diagnostic_array,
    judge,
)
from msdepth_ros.node.statistics import FrameStatus as Status
from msdepth_ros.node.statistics import Snapshot

BACKEND = SimpleNamespace(
    name='onnxruntime',
    device='CPU',
    precision='int8',
    model=SimpleNamespace(name='eigen2014'),
    details={'origin': 'built now'},
)
RUNNING = NodeState(BACKEND)
GOOD = Snapshot(
    counts={Status.RECEIVED: 900, Status.PUBLISHED: 890, Status.REPLACED: 10},
    recent={Status.RECEIVED: 90, Status.PUBLISHED: 81, Status.REPLACED: 9},
    input_rate=30.0,
    output_rate=27.0,
    input_span=2.97,
    percentiles={'infer': (0.010, 0.0125, 0.020)},
    oldest=0.050,
)
STRICT = Thresholds(min_frequency=25.0, max_age=0.1, max_dropped=0.2)


def test_a_good_stream_is_ok_by_any_threshold_that_it_keeps():
    assert judge(GOOD, RUNNING, Thresholds()) == (OK, 'running')
    assert judge(GOOD, RUNNING, STRICT) == (OK, 'running')


@pytest.mark.parametrize(
    ('state', 'level', 'words', 'engine'),
    [
        (NodeState(), WARN, 'not configured', 'not loaded'),
        (NodeState(last_error='no such file'), ERROR, 'no such file', 'failed'),
        (NodeState(build='tactics, 40%'), WARN, 'tactics, 40%', 'building'),
        (NodeState(BACKEND, last_error='of long ago'), OK, 'running', 'running'),
    ],
)
def test_the_engine(state, level, words, engine):
    found, message = judge(GOOD, state, Thresholds())
    assert found == level
    assert words in message
    assert state.engine == engine


UNUSABLE = {**GOOD.recent, Status.MALFORMED: 3}


@pytest.mark.parametrize(
    ('changes', 'level', 'words'),
    [
        ({'input_rate': 0.0, 'recent': {}}, WARN, 'no images arrive: see the log'),
        # one in three seconds has no rate
        (
            {'input_rate': 0.0, 'recent': {Status.RECEIVED: 1, Status.MALFORMED: 1}},
            WARN,
            'not usable',
        ),
        ({'recent': UNUSABLE}, WARN, '3 images of the last seconds were not usable'),
        ({'recent': UNUSABLE, 'output_rate': 0.0}, ERROR, 'not usable'),
        ({'oldest': 0.101}, ERROR, '0.101 s after its stamp, over 0.1 s'),
        (
            {
                'recent': {
                    Status.RECEIVED: 100,
                    Status.PUBLISHED: 79,
                    Status.STALE: 21,
                }
            },
            WARN,
            '21% of the images dropped',
        ),
        ({'output_rate': 24.9}, WARN, '24.9 Hz, under 25 Hz'),
        ({'output_rate': 0.0}, WARN, '0.0 Hz, under 25 Hz'),
    ],
)
def test_each_trouble_has_its_level_and_message(changes, level, words):
    found, message = judge(replace(GOOD, **changes), RUNNING, STRICT)
    assert found == level
    assert words in message


def test_without_thresholds_slowness_and_drops_are_not_judged():
    slow = replace(
        GOOD,
        oldest=9.0,
        output_rate=0.1,
        recent={Status.RECEIVED: 90, Status.REPLACED: 90},
    )
    assert judge(slow, RUNNING, Thresholds()) == (OK, 'running')


@pytest.mark.parametrize('span', [0.0, 0.07])
def test_the_rate_is_not_judged_before_it_can_be_known(span):
    """Nobody subscribes, or the camera has just begun: two periods of 25 Hz are 80 ms."""
    begun = replace(GOOD, output_rate=0.0, input_span=span)
    assert judge(begun, RUNNING, STRICT) == (OK, 'running')


def test_all_troubles_are_reported_the_worst_first():
    troubles = {
        'oldest': 0.2,
        'output_rate': 1.0,
        'recent': {Status.RECEIVED: 1, Status.STALE: 1},
    }
    for count in range(1, 4):
        for names in itertools.combinations(troubles, count):
            bad = replace(GOOD, **{name: troubles[name] for name in names})
            level, message = judge(bad, RUNNING, STRICT)
            assert message.count('; ') == count - 1
            assert level == (ERROR if 'oldest' in names else WARN)
            assert message.startswith('published') == ('oldest' in names)


def test_the_message_carries_every_figure():
    state = replace(RUNNING, last_error='of long ago', next_model='tiny: loading')
    array = diagnostic_array('/front/msdepth', Time(sec=5), GOOD, state, STRICT)
    assert array.header.stamp.sec == 5
    (status,) = array.status
    assert (status.level, status.name) == (OK, '/front/msdepth: depth')
    assert status.hardware_id == 'CPU'
    assert {value.key: value.value for value in status.values} == {
        'input rate (Hz)': '30.0',
        'output rate (Hz)': '27.0',
        'dropped (%)': '10.0',
        'greatest age (ms)': '50.00',
        'frames received': '900',
        'frames published': '890',
        'frames replaced by a newer image': '10',
        'infer (ms)': '10.00 / 12.50 / 20.00',
        'engine': 'running',
        'model': 'eigen2014',
        'backend': 'onnxruntime',
        'device': 'CPU',
        'precision': 'int8',
        'engine origin': 'built now',
        'next model': 'tiny: loading',
        'last error': 'of long ago',
    }
    building = replace(state, build='tactics, 40%')
    (status,) = diagnostic_array('/msdepth', Time(), GOOD, building, STRICT).status
    values = {value.key: value.value for value in status.values}
    assert (values['engine'], values['engine build']) == ('building', 'tactics, 40%')
