# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A shipped model as the PyTorch network that it was exported from."""

from dataclasses import fields
from typing import Any

from msdepth_ros.inference.model import Model


def torch_network(model: Model) -> Any:
    """Return the model in PyTorch, float32, as `export.Deployed`: the ONNX file's own weights."""
    from msdepth_ros.networks import create_network
    from msdepth_ros.networks.correction import Correction
    from msdepth_ros.networks.export import Deployed, weights_of

    options = dict(model.document['network'])
    network = create_network(options.pop('name'), options).folded()
    # The export leaves equal biases out but for one: those of a network that is not trained, zero.
    network.load_state_dict(weights_of(model.onnx), strict=False)
    known = model.document.get('correction', {})
    terms = {field.name: known[field.name] for field in fields(Correction) if field.name in known}
    network.correction = Correction(**terms)
    return Deployed(network).eval()
