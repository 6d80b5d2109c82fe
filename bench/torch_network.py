# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A shipped model as the PyTorch network that it was exported from."""

from typing import Any

import numpy as np

from msdepth_ros.model import Model


def torch_network(model: Model) -> Any:
    """Return the network in PyTorch, float32, with the weights of the ONNX file."""
    import onnx
    import torch

    from msdepth_ros.networks import create_network

    options = dict(model.document['network'])
    network = create_network(options.pop('name'), options)
    stored = onnx.load_model_from_string(model.read_onnx()).graph.initializer
    arrays = {i.name.removesuffix('_half'): onnx.numpy_helper.to_array(i) for i in stored}
    weights = {
        key: torch.from_numpy(arrays[f'network.{key}'].astype(np.float32))
        for key in network.state_dict()
        if f'network.{key}' in arrays
    }
    network.load_state_dict(weights, strict=False)
    return network.eval()
