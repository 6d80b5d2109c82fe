# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of all inference runtimes."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from msdepth_ros.inference.model import Model


class Backend(ABC):
    """One loaded model on one runtime, with fixed input and output buffers.

    A backend belongs to the thread that created it. Fill `inputs`, call `run`, read `outputs`. The
    arrays stay the same objects and are overwritten by the next frame.

    Attributes
    ----------
    model : that is loaded.
    name : of the runtime, as in the parameter `backend`.
    device : it runs on, as text for users.
    precision : 'fp32', 'fp16', 'bf16' or 'int8', the arithmetic that is really used.
    inputs : arrays by role, as Model.inputs: 'image' is uint8 [height, width, 3].
    outputs : arrays by role, as Model.outputs: 'depth' is float32 [height, width], in the model's
        own quantity; further ones have the same shape.
    details : more about the loaded model, for diagnostics.
    """

    name: str
    device: str
    precision: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    def __init__(self, model: Model) -> None:
        self.model = model
        self.details: dict[str, Any] = {}

    @abstractmethod
    def run(self) -> None:
        """Compute `outputs` from `inputs`.

        Raises
        ------
        BackendError
            If the runtime fails.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the runtime's memory; the backend cannot be used afterwards."""


def without_units(array: np.ndarray) -> np.ndarray:
    """Return a view of a tensor's buffer without its leading axes of length 1."""
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return array
