# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every inference runtime offers the estimator."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from msdepth_ros.inference.model import Model


class Backend(ABC):
    """One loaded model on one runtime, with fixed input and output buffers.

    A backend belongs to the thread that made it. Fill `input`, call `run`, read `output`;
    both arrays stay the same for the backend's life and are overwritten by the next frame.

    Attributes
    ----------
    name : the runtime's name, as the parameter `backend` takes it.
    device : what it runs on, for people.
    precision : 'fp32', 'fp16', 'bf16' or 'int8', the arithmetic that is really used.
    input : uint8 [height, width, 3], the network's image.
    output : float32 [height, width], the network's answer, in the model's own quantity.
    details : what else is known of the loaded model, for diagnostics.
    """

    name: str
    device: str
    precision: str
    input: np.ndarray
    output: np.ndarray

    def __init__(self, model: Model) -> None:
        self.model = model
        self.details: dict[str, Any] = {}

    @abstractmethod
    def run(self) -> None:
        """Compute `output` from `input`.

        Raises
        ------
        BackendError
            If the runtime fails.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the runtime's memory; the backend cannot be used afterwards."""
