# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks that the tensors of an ONNX file are those that the model's YAML names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msdepth_ros.errors import ModelError
from msdepth_ros.inference.model import Model, Tensor


@dataclass(frozen=True)
class FoundTensor:
    """A tensor as a runtime reports it.

    Attributes
    ----------
    kind : ONNX's name of its type: 'uint8', 'float', ...
    shape : its sizes; one that is not an int is free.
    """

    kind: str
    shape: list[Any]


_KINDS = {'uint8': 'uint8', 'float32': 'float'}


def check_tensors(
    model: Model, inputs: Mapping[str, FoundTensor], outputs: Mapping[str, FoundTensor]
) -> None:
    """Check a file's tensors, by name, against the model's YAML.

    Raises
    ------
    ModelError
        If one is missing or has another type or shape, or an input is not in the YAML.
    """
    _check_all(model, 'inputs', inputs, model.inputs)
    _check_all(model, 'outputs', outputs, model.outputs)


def _check_all(
    model: Model, key: str, found: Mapping[str, FoundTensor], wanted: dict[str, Tensor]
) -> None:
    for tensor in wanted.values():
        _check(model, tensor, found)
    unknown = set(found) - {tensor.name for tensor in wanted.values()}
    if unknown and key == 'inputs':
        raise ModelError(
            f'model {model.name}: the ONNX file has the inputs {", ".join(found)}, the YAML does '
            f'not name {", ".join(sorted(unknown))}: name it under the key `inputs`, or make it a '
            'constant'
        )


def _check(model: Model, wanted: Tensor, tensors: Mapping[str, FoundTensor]) -> None:
    name, kind, shape = wanted.name, _KINDS[wanted.dtype], wanted.shape
    if name not in tensors:
        raise ModelError(
            f"model {model.name}: the ONNX file has no tensor named '{name}', only "
            f'{", ".join(tensors)}: correct its name in the YAML'
        )
    tensor = tensors[name]
    fits = len(tensor.shape) == len(shape) and all(
        not isinstance(have, int) or have == want
        for have, want in zip(tensor.shape, shape, strict=True)
    )
    if not fits or tensor.kind != kind:
        raise ModelError(
            f"model {model.name}: tensor '{name}' is tensor({tensor.kind}) {tensor.shape}, the "
            f'YAML needs tensor({kind}) {list(shape)}'
        )
