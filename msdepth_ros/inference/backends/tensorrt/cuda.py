# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU through pycuda: context, stream, memory, and CUDA graphs if they can be captured.

The context is the device's primary context, which TensorRT uses, too. It is current only while it
is used, on the thread that opened the device.
"""

import ctypes
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError, cuda_remedy

LIBRARY = 'libcuda.so.1'  # the driver's

_logger = logging.getLogger(__name__)


class CudaDevice:
    """The first visible GPU (see CUDA_VISIBLE_DEVICES), with one stream.

    Attributes
    ----------
    name : of the GPU.
    capability : its compute capability, for example 'sm87'.
    driver : the CUDA version that the driver supports, for example '13.0'.

    Raises
    ------
    TensorRtMissingError
        If pycuda is not installed.
    BackendError
        If there is no driver or no GPU; the message says what to do.
    """

    def __init__(self) -> None:
        self._cuda = _import_pycuda()
        self._context: Any = None
        with self._translated('the GPU cannot be used'):
            self._cuda.init()
            if self._cuda.Device.count() == 0:
                raise BackendError(f'no GPU is visible{cuda_remedy("no CUDA-capable device")}')
            device = self._cuda.Device(0)
            self.name: str = device.name()
            self.capability = 'sm{}{}'.format(*device.compute_capability())
            version = self._cuda.get_driver_version()
            self.driver = f'{version // 1000}.{version % 1000 // 10}'
            self._context = device.retain_primary_context()
        self._stream: Any = None
        self._done: Any = None
        try:
            with self.current():
                flags = self._cuda.event_flags
                self._stream = self._cuda.Stream()
                # Waiting for this event sleeps; waiting for the stream would use a whole core.
                self._done = self._cuda.Event(int(flags.BLOCKING_SYNC) | int(flags.DISABLE_TIMING))
        except BaseException:
            self.close()
            raise

    @property
    def stream(self) -> int:
        """The stream's handle, for TensorRT."""
        return int(self._stream.handle)

    @contextmanager
    def current(self, what: str = 'the GPU failed') -> Iterator[None]:
        """Make the context current on this thread.

        Raises
        ------
        BackendError
            For a CUDA error in the block; its message begins with `what`.
        """
        with self._translated(what):
            self._context.push()
            try:
                yield
            finally:
                self._cuda.Context.pop()

    def host_array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return a page-locked array of zeros, which the GPU copies directly."""
        array: np.ndarray = self._cuda.pagelocked_empty(shape, dtype)
        array.fill(0)
        return array

    def device_memory(self, nbytes: int) -> Any:
        """Return GPU memory; int() of it is its address. It is freed with the object."""
        return self._cuda.mem_alloc(nbytes)

    def upload(self, memory: Any, array: np.ndarray) -> None:
        """Enqueue a copy of an array of `host_array` to the GPU."""
        self._cuda.memcpy_htod_async(int(memory), array, self._stream)

    def download(self, array: np.ndarray, memory: Any) -> None:
        """Enqueue a copy from the GPU to an array of `host_array`."""
        self._cuda.memcpy_dtoh_async(array, int(memory), self._stream)

    def wait(self) -> None:
        """Sleep until everything that was enqueued is done."""
        self._done.record(self._stream)
        self._done.synchronize()

    def capture(self, enqueue: Callable[[], None]) -> 'CudaGraph | None':
        """Capture what `enqueue` enqueues as a graph; return None, and log why, if that fails.

        `enqueue` must have run once before, so that nothing is initialised during the capture.
        """
        try:
            return CudaGraph(self.stream, enqueue)
        except Exception as error:  # of cuda-bindings, which differ between its versions
            _logger.info('no CUDA graph is used, so each frame takes a little longer: %s', error)
            # A capture that failed can leave the stream unusable.
            self._stream = self._cuda.Stream()
            return None

    def close(self) -> None:
        """Free the stream and release the context; first delete all objects created here."""
        if self._context is None:
            return
        with suppress(BackendError), self.current():
            self._stream = self._done = None
        before = _driver_context()
        with suppress(Exception):  # the context may be lost
            self._context.detach()
        if _driver_context() != before:  # pycuda's detach pushes it and does not pop it
            ctypes.CDLL(LIBRARY).cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        self._context = None

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._cuda.Error as error:
            words = ' '.join(str(error).split())
            raise BackendError(f'{what}: {words}{cuda_remedy(words)}') from error


class CudaGraph:
    """A frame's work, captured once and launched with one call.

    pycuda has no graphs; the Python package cuda-bindings has, for the same stream and context.

    Raises
    ------
    BackendError
        If cuda-bindings is not installed, or the capture fails.
    """

    def __init__(self, stream: int, enqueue: Callable[[], None]) -> None:
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise BackendError('for graphs, `pip install cuda-bindings`') from error
        self._driver = driver
        self._stream = driver.CUstream(stream)
        self._executable: Any = None
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call(driver.cuStreamBeginCapture(self._stream, mode))
        try:
            enqueue()
        finally:
            result = driver.cuStreamEndCapture(self._stream)
        (graph,) = self._call(result)
        try:
            (self._executable,) = self._call(driver.cuGraphInstantiate(graph, 0))
        finally:
            driver.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueue the graph on its stream."""
        self._call(self._driver.cuGraphLaunch(self._executable, self._stream))

    def close(self) -> None:
        """Free the graph."""
        if self._executable is not None:
            self._driver.cuGraphExecDestroy(self._executable)
            self._executable = None

    def _call(self, result: tuple[Any, ...]) -> tuple[Any, ...]:
        code, *values = result
        if code != self._driver.CUresult.CUDA_SUCCESS:
            raise BackendError(f'CUDA graph: {code.name}{cuda_remedy(code.name.replace("_", " "))}')
        return tuple(values)


def _driver_context() -> int | None:
    """Return the driver's current context of this thread; None if there is none or no driver."""
    context = ctypes.c_void_p()
    with suppress(OSError):
        ctypes.CDLL(LIBRARY).cuCtxGetCurrent(ctypes.byref(context))
    return context.value


def _import_pycuda() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # the error says the same
            import pycuda.driver
    except ModuleNotFoundError as error:
        missing = (error.name or 'pycuda').partition('.')[0]
        if missing != 'pycuda':
            raise BackendError(
                f'pycuda does not load: the Python package {missing}, which it needs, is not '
                f'installed: run `pip install {missing}`'
            ) from error
        raise TensorRtMissingError(
            'the Python package pycuda is not installed: run `pip install pycuda` (this compiles '
            'it and needs the CUDA toolkit)'
        ) from error
    except ImportError as error:
        words = ' '.join(str(error).split())
        driver = 'libcuda' in words or 'undefined symbol: cu' in words
        raise BackendError(
            f'pycuda does not load: {words}'
            + (cuda_remedy('driver version is insufficient') if driver else '')
        ) from error
    return pycuda.driver
