# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter `openvino_device`, on a machine without a GPU that OpenVINO sees."""

import pytest

openvino = pytest.importorskip('openvino', reason='OpenVINO is not installed')

pytestmark = pytest.mark.skipif(
    'GPU' in ' '.join(openvino.Core().available_devices), reason='this machine has such a GPU'
)


def test_a_missing_device_is_refused_in_one_line_and_the_next_choice_runs(graph, color_model):
    parameters = {'model': color_model, 'backend': 'openvino', 'openvino_device': 'GPU'}
    with graph.depth_node(parameters, state='unconfigured') as (process, client):
        process.wait_for_output('OpenVINO finds no GPU on this machine, only CPU')
        assert client.diagnostics()['level'] == 'ERROR'
        result = client.set('openvino_device', 'TPU')
        assert not result.successful
        assert 'CPU, GPU, NPU, AUTO' in result.reason
        assert client.set('openvino_device', 'AUTO').successful
        assert client.change_state('configure')
        values = client.diagnostics(lambda values: values['level'] != 'ERROR')
        assert (values['backend'], values['device']) == ('openvino', 'CPU')
