# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of a running node, once a second, and by the thresholds that are set."""

import time

import pytest
from steady_camera import SLOW_NETWORK, SteadyCamera


@pytest.fixture(scope='module')
def overrun(graph, color_model):
    """A node whose camera, at 60 Hz, is faster than its network."""
    with graph.depth_node({'model': color_model}, preamble=SLOW_NETWORK) as (_, client):
        client.collect('depth/image_rect')
        with SteadyCamera(client):
            client.diagnostics(lambda values: float(values['output rate (Hz)']) > 0)
            yield client


def test_it_comes_once_a_second_with_every_figure(overrun):
    overrun.diagnostics()
    begin = time.monotonic()
    for _ in range(3):
        values = overrun.diagnostics()
    assert time.monotonic() - begin > 1.8  # longer on a machine that is held up
    for name in ('wait', 'prepare', 'infer', 'publish', 'age'):
        p50, p95, p99 = map(float, values[f'{name} (ms)'].split(' / '))
        assert 0 <= p50 <= p95 <= p99
    assert float(values['input rate (Hz)']) > float(values['output rate (Hz)']) > 0
    assert float(values['dropped (%)']) > 0
    assert values['model'] == 'oracle'
    assert values['backend'] == 'onnxruntime'
    assert values['device'] == 'CPU'
    assert values['engine'] == 'running'
    assert values['last error'] == ''
    assert (values['level'], values['message']) == ('OK', 'running')


@pytest.mark.parametrize(
    ('name', 'value', 'level', 'words'),
    [
        ('diagnostics.min_frequency', 1000.0, 'WARN', 'under 1000 Hz'),
        ('diagnostics.max_age', 0.001, 'ERROR', 'over 0.001 s'),
        ('diagnostics.max_dropped', 0.01, 'WARN', 'of the images dropped, over 1%'),
    ],
)
def test_a_crossed_threshold_is_reported(overrun, name, value, level, words):
    with overrun.parameters({name: value}):
        values = overrun.diagnostics(lambda values: values['level'] != 'OK')
        assert values['level'] == level
        assert words in values['message']
    overrun.diagnostics(lambda values: values['level'] == 'OK')
