# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A shipped model as the PyTorch network that it was exported from."""

from typing import Any

import numpy as np

from msdepth_ros.model import Model


def torch_network(model: Model) -> Any:
    """Return the model in PyTorch, float32, as `export.Deployed`: the ONNX file's own weights.

    The export merges each batch normalisation into the convolution before it; so it is here.
    """
    import onnx
    import torch
    from torch import nn

    from msdepth_ros.networks import create_network
    from msdepth_ros.networks.export import Correction, Deployed

    options = dict(model.document['network'])
    network = create_network(options.pop('name'), options)
    graph = onnx.load_model_from_string(model.read_onnx()).graph
    stored = {
        tensor.name.removesuffix('_half'): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in graph.initializer
    }
    named = {name.removeprefix('network.'): values for name, values in stored.items()}
    known = network.state_dict().keys()
    network.load_state_dict({key: named[key] for key in known if key in named}, strict=False)
    nameless = []
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and f'{path}.weight' not in named:
            nameless.append(module)
        elif isinstance(module, nn.Conv2d) and module.bias is None and f'{path}.bias' in named:
            module.bias = nn.Parameter(named[f'{path}.bias'])
    merged = [
        node
        for node in graph.node
        if node.op_type == 'Conv' and not node.input[1].startswith('network.')
    ]
    for module, node in zip(nameless, merged, strict=True):  # both in the order of computation
        module.weight = nn.Parameter(stored[node.input[1]])
        if len(node.input) > 2:
            module.bias = nn.Parameter(stored[node.input[2]])
    if not any(node.op_type == 'BatchNormalization' for node in graph.node):
        _remove_normalisation(network)
    line = model.document.get('correction')
    correction = Correction(line['slope'], line['offset']) if line else Correction()
    return Deployed(network, correction).eval()


def _remove_normalisation(module: Any) -> None:
    from torch import nn

    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            _remove_normalisation(child)
