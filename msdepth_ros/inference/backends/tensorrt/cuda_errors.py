# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to do about the errors that CUDA and TensorRT report."""

import re

from msdepth_ros.errors import RuntimeMissingError

# Words of CUDA's own messages, and what to do about each.
REMEDIES = (
    (
        'Requested size was',
        'free GPU memory (`nvidia-smi` or `tegrastats` shows what uses it), let a build use more '
        'of it (`msdepth build-engine --workspace MB`) or choose a smaller model',
    ),
    ('for Turing .*FP32', 'TensorRT for RTX has FP16 only for sm75: build it in fp16'),
    (
        'out ?of ?memory|memory allocation|memory .*could not be allocated|cudaError 2\\b',
        'free GPU memory (`nvidia-smi` or `tegrastats` shows what uses it) or choose a smaller '
        'model',
    ),
    (
        'no CUDA-capable device|cudaError 100\\b',
        'no NVIDIA GPU is visible; a container needs `--gpus all` (on a Jetson `--runtime nvidia`)',
    ),
    (
        'busy or unavailable|cudaError 46\\b',
        'another program has the GPU for itself (`nvidia-smi` shows it and the compute mode)',
    ),
    (
        'system not yet initialized|cudaError 802\\b',
        'the NVIDIA driver is not ready; on machines with NVSwitch (HGX, DGX) it waits for '
        'nvidia-fabricmanager (`systemctl status nvidia-fabricmanager`)',
    ),
    (
        'driver version is insufficient|cudaError 35\\b|unsupported display driver|'
        'installed CUDA driver|unsupported toolchain|cudaError (?:36|222|803|804)\\b',
        'the NVIDIA driver is missing, or too old for this CUDA: install the driver that it needs',
    ),
    (
        'no kernel image|cudaError 209\\b|not supported by this TensorRT|'
        'unsupported (?:GPU|SM|compute|architecture)',
        'this TensorRT does not know this GPU: install the one made for it',
    ),
    (
        'unspecified launch failure|illegal (?:memory access|address)|launch failed|device lost|'
        '\\bECC\\b|fallen off|cudaError 7[0-9][0-9]\\b',
        'the GPU failed or was lost: the process needs to be started again',
    ),
)


class TensorRtMissingError(RuntimeMissingError):
    """TensorRT or pycuda is not installed on this machine.

    Attributes
    ----------
    need : what is missing and how to install it.
    """

    def __init__(self, need: str) -> None:
        super().__init__(f'{need}, or set the parameter `backend` to onnxruntime')
        self.need = need


def cuda_remedy(words: str) -> str:
    """Return '. What to do' for an error text of CUDA or TensorRT; '' if nothing is known."""
    for pattern, remedy in REMEDIES:
        if re.search(pattern, words, re.IGNORECASE):
            return f'. {remedy[0].upper()}{remedy[1:]}'
    return ''


def is_cuda_error(words: str) -> bool:
    """Return whether an error text of TensorRT is about the GPU, its memory or its driver."""
    return bool(cuda_remedy(words) or re.search(r'\bcu(?:da|dnn|blas)\b', words, re.IGNORECASE))
