# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' PyTorch network has the ONNX file's weights, merged ones included."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.model import load_model
from msdepth_ros.networks import create_network
from msdepth_ros.networks.correction import Correction
from msdepth_ros.networks.export import write_model

BENCH = Path(__file__).resolve().parents[2] / 'bench'


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'options'), [('eigen2014', {'hidden': 8}), ('msdepth', {})])
def test_it_computes_the_same_as_onnx_runtime(tmp_path, name, options):
    torch.manual_seed(0)
    network = create_network(name, options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    line = Correction(slope=1.1, offset=-0.2, spread=0.3)
    network.correction = line
    metadata = {'network': {'name': name, **options}, 'correction': vars(line)}
    path = write_model(network.eval(), name, tmp_path, (0.3, 10.0), metadata)
    model = load_model(path)
    image = check_images(*model.input_size)[0]
    backend = create_backend(model, 'onnxruntime', 1, 'fp32')
    backend.inputs['image'][:] = image
    backend.run()
    found = runpy.run_path(str(BENCH / 'torch_network.py'))['torch_network'](model)
    with torch.inference_mode():
        depth = found(torch.from_numpy(image[None])).numpy()[0, 0]
    assert backend.outputs['depth'].std() > 1e-3 * backend.outputs['depth'].mean()
    np.testing.assert_allclose(depth, backend.outputs['depth'], rtol=1e-4)
    backend.close()
