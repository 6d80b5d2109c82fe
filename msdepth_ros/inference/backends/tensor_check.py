# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the tensors of an ONNX file are those that the model's YAML names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msdepth_ros.errors import ModelError
from msdepth_ros.inference.model import Model


@dataclass(frozen=True)
class Tensor:
    """A tensor as a runtime found it.

    Attributes
    ----------
    kind : its type in ONNX's words: 'uint8', 'float', ...
    shape : its sizes; what is not an int is free.
    """

    kind: str
    shape: list[Any]


def input_shape(model: Model) -> tuple[int, ...]:
    """Return the shape of a model's image: (1, height, width, 3)."""
    width, height = model.input_size
    return 1, height, width, 3


def output_shape(model: Model) -> tuple[int, ...]:
    """Return the shape of a model's answer: (1, 1, height, width)."""
    width, height = model.output_size
    return 1, 1, height, width


def check_tensors(
    model: Model, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> None:
    """Raise ModelError unless the file's tensors, by name, fit the model's YAML."""
    _check(model, model.input_name, inputs, 'uint8', input_shape(model))
    if len(inputs) > 1:
        raise ModelError(
            f'model {model.name}: the ONNX file has the inputs {", ".join(inputs)}, but a '
            'depth model has one, the image: make the others constants'
        )
    _check(model, model.output_name, outputs, 'float', output_shape(model))


def _check(
    model: Model, name: str, tensors: Mapping[str, Tensor], kind: str, shape: tuple[int, ...]
) -> None:
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
