# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a built engine depends on."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 2  # increment when the build changes, to invalidate old engines


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine depends on: engines of the same key are interchangeable.

    The workspace is left out: it changes how fast an engine is, not what it computes.

    Attributes
    ----------
    model, model_sha256 : name of the model and SHA-256 of its ONNX file.
    precision : 'fp16' or 'fp32'.
    runtime, version : 'tensorrt' or 'tensorrt_rtx', and its version.
    gpu : name of the GPU; '' for TensorRT for RTX, whose plans run on all GPUs of a capability.
    capability : compute capability, for example 'sm87'.
    inputs, outputs : shapes of the engine's tensors by name.
    format : FORMAT of the program that built it.
    """

    model: str
    model_sha256: str
    precision: str
    runtime: str
    version: str
    gpu: str
    capability: str
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    format: int = FORMAT

    def fields(self) -> dict[str, Any]:
        """Return the key as it is read back from JSON."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields

    def stem(self) -> str:
        """Return the file name without suffix: one per model, precision, runtime and hardware."""
        parts = (self.model, self.precision, self.runtime, self.gpu, self.capability)
        return '-'.join(re.sub(r'[^A-Za-z0-9_.]+', '_', part) for part in parts if part)
