# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One interface to TensorRT 8.5 to 11 and TensorRT for RTX: everything that differs between them.

From TensorRT 10 on, and in TensorRT for RTX, networks are strongly typed: the engine has the types
of the graph. In older versions types are only a preference: a flag allows FP16, and each operation
that must stay FP32 is marked. TensorRT 11 no longer has that flag.
"""

import functools
import importlib
import importlib.util
import logging
import warnings
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from typing import Any

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.tensorrt.cuda_errors import (
    TensorRtMissingError,
    cuda_remedy,
    is_cuda_error,
)
from msdepth_ros.inference.model import Tensor

MODULES = ('tensorrt', 'tensorrt_rtx', 'tensorrt_rtx_bindings')
OLDEST = (8, 5)
PRODUCT_LAYERS = ('CONVOLUTION', 'DECONVOLUTION', 'MATRIX_MULTIPLY', 'FULLY_CONNECTED')

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorRt:
    """An imported TensorRT.

    Attributes
    ----------
    module : the Python module.
    flavour : 'tensorrt' or 'tensorrt_rtx'; neither can run the other's plans.
    version : of the module, for example '10.3.0'.
    log : receives TensorRT's messages and keeps the errors.
    """

    module: Any
    flavour: str
    version: str
    log: 'MessageLog'

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT for RTX, which can build for a GPU that is not present."""
        return self.flavour == 'tensorrt_rtx'

    @property
    def title(self) -> str:
        """The product's name and version, as text for users."""
        return f'TensorRT{" for RTX" if self.is_rtx else ""} {self.version}'

    @property
    def strongly_typed(self) -> bool:
        """Whether the engine has the types of the graph."""
        return self.is_rtx or _numbers(self.version) >= (10,)

    def create_network(self, builder: Any) -> Any:
        """Return an empty network definition with an explicit batch axis."""
        trt = self.module
        if self.strongly_typed:
            flag = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        else:
            flag = trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH
        return builder.create_network(1 << int(flag))

    def set_precision(self, config: Any, network: Any, precision: str) -> None:
        """Let the engine compute in the network's types; FP32 is FP32, not TF32."""
        trt = self.module
        if precision == 'fp32':
            config.clear_flag(trt.BuilderFlag.TF32)
        if self.strongly_typed or precision == 'fp32':
            return
        config.set_flag(trt.BuilderFlag.FP16)
        config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
        layers = network_layers(network)
        products = [index for index, layer in enumerate(layers) if is_product(layer)]
        for layer in [*layers[: products[0]], *layers[products[-1] + 1 :]]:
            if layer.type in (trt.LayerType.UNARY, trt.LayerType.ELEMENTWISE):
                layer.precision = trt.DataType.FLOAT

    def attach_timings(self, config: Any, timings: bytes) -> Any:
        """Let a build use and extend a timing cache; keep the result until the build has ended.

        Returns None for TensorRT for RTX, which measures nothing.
        """
        if self.is_rtx:
            return None
        cache = config.create_timing_cache(timings) or config.create_timing_cache(b'')
        config.set_timing_cache(cache, False)
        return cache

    def check_target(self, capability: str) -> None:
        """Check that this TensorRT can build for a compute capability that is not present.

        Raises
        ------
        BackendError
            If TensorRT for RTX does not know it, or this is not TensorRT for RTX.
        """
        if not self.is_rtx:
            raise BackendError(
                f'{self.title} compiles for the GPU of this machine only: build on the robot '
                'itself, or with TensorRT for RTX (pip install tensorrt-rtx-cu13) in a virtual '
                'environment without `tensorrt`, which is used if both are installed'
            )
        targets = self._targets()
        if capability not in targets:
            names = ', '.join(targets)
            raise BackendError(f'{self.title} does not compile for {capability}, only for {names}')

    def set_target(self, config: Any, capability: str) -> None:
        """Build for a compute capability such as 'sm89', which `check_target` accepts."""
        config.num_compute_capabilities = 1
        config.set_compute_capability(self._targets()[capability], 0)

    def check_runs_on(self, capability: str, gpu: str) -> None:
        """Check that engines of this TensorRT can run on a GPU, before one is built.

        Raises
        ------
        BackendError
            If this is TensorRT for RTX, and the GPU's compute capability, such as 'sm90', is
            neither one of its targets nor newer than all of them.
        """
        if not self.is_rtx:
            return
        targets = self._targets()
        newest = max(int(name[2:]) for name in targets if name[2:].isdigit())
        if capability not in targets and int(capability[2:]) < newest:
            raise BackendError(
                f'{self.title} does not run on {gpu}, which is {capability}: it knows '
                f'{", ".join(targets)} and newer ones. Install TensorRT itself: pip install '
                'tensorrt-cu13'
            )

    def target_of(self, capability: str) -> str | None:
        """Return the target to build for on such a GPU; None: TensorRT's default."""
        return capability if self.is_rtx and capability in self._targets() else None

    def _targets(self) -> dict[str, Any]:
        """Return TensorRT for RTX's targets by their compute capability, such as 'sm89'."""
        known = self.module.ComputeCapability.__members__
        return {name.lower(): each for name, each in known.items() if name.startswith('SM')}

    def can_capture(self, context: Any, stream: int) -> bool:
        """Return whether the context's work on a stream can be captured as a CUDA graph."""
        return not self.is_rtx or bool(context.is_stream_capturable(stream))

    def gpu_failed(self) -> bool:
        """Return whether one of TensorRT's errors is about CUDA or memory, not about its input."""
        return any(map(is_cuda_error, self.log.errors))

    def error(self, what: str) -> BackendError:
        """Return an error that says what failed, with TensorRT's first message on it."""
        words = self.log.first() or 'it gave no reason'
        return BackendError(f'{what}: {self.title} says: {words}{cuda_remedy(words)}')


class MessageLog:
    """Passes TensorRT's messages to Python's logging, and keeps the errors of each step."""

    def __init__(self, trt: Any) -> None:
        self.errors: list[str] = []
        levels = {
            trt.ILogger.INTERNAL_ERROR: logging.WARNING,
            trt.ILogger.ERROR: logging.WARNING,
            trt.ILogger.WARNING: logging.INFO,
        }
        outer = self

        class Bridge(trt.ILogger):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                level = levels.get(severity, logging.DEBUG)
                text = ' '.join(message.split())
                if level == logging.WARNING:
                    outer.errors.append(text)
                _logger.log(min(level, logging.INFO), 'TensorRT: %s', text)

        self.bridge = Bridge()

    def clear(self) -> None:
        """Forget the errors, before a new step."""
        self.errors.clear()

    def first(self, words: str = '') -> str:
        """Return the first error with these words, as later errors follow from it; '' = none."""
        return next((error for error in self.errors if words in error), '')


@functools.cache
def import_tensorrt() -> TensorRt:
    """Return TensorRT, else TensorRT for RTX.

    Raises
    ------
    TensorRtMissingError
        If neither is installed.
    BackendError
        If the one that is installed is too old or does not load.
    """
    for name in MODULES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', DeprecationWarning)
                module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                continue
            raise BackendError(f'the Python module {name} does not load: {error}') from error
        except (ImportError, OSError) as error:
            raise BackendError(
                f'the Python module {name} does not load: {" ".join(str(error).split())}. Install '
                "TensorRT's libraries and its Python module in the same version"
            ) from error
        if not hasattr(module, '__version__'):
            continue  # an empty folder, as Docker creates for a mount without a source
        version = str(module.__version__)
        flavour = 'tensorrt_rtx' if name.startswith('tensorrt_rtx') else 'tensorrt'
        if flavour == 'tensorrt' and _numbers(version) < OLDEST:
            raise BackendError(f'TensorRT {version} is too old: install 8.5 or later')
        return TensorRt(module, flavour, version, MessageLog(module))
    raise _missing()


def check_installed() -> None:
    """Check, without importing it, that TensorRT is installed.

    Raises
    ------
    TensorRtMissingError
        If it is not.
    """
    if not any(spec.origin for spec in _specs()):  # a mere folder has none
        raise _missing()


def _specs() -> list[ModuleSpec]:
    return [spec for spec in map(importlib.util.find_spec, MODULES) if spec is not None]


def _missing() -> TensorRtMissingError:
    places = [spec.origin or ' '.join(spec.submodule_search_locations or ()) for spec in _specs()]
    empty = f' ({", ".join(places)} is an empty folder)' if places else ''
    return TensorRtMissingError(
        f'TensorRT is not installed for this Python{empty}: see docs/jetson.md'
    )


def is_product(layer: Any) -> bool:
    """Return whether a layer is a convolution or a matrix product."""
    return layer.type.name in PRODUCT_LAYERS


def network_layers(network: Any) -> list[Any]:
    """Return a network's layers."""
    return [network.get_layer(index) for index in range(network.num_layers)]


def layer_tensors(layer: Any) -> list[Any]:
    """Return a layer's input and output tensors, without optional ones that are absent."""
    tensors = [layer.get_input(index) for index in range(layer.num_inputs)]
    tensors += [layer.get_output(index) for index in range(layer.num_outputs)]
    return [tensor for tensor in tensors if tensor is not None]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split('.')[:2] if part.isdigit())


def tensor_type(module: Any, tensor: Tensor) -> Any:
    """Return TensorRT's type of a model's tensor."""
    kinds = {'uint8': module.DataType.UINT8, 'float32': module.DataType.FLOAT}
    return kinds[tensor.dtype]
