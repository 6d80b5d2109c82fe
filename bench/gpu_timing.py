# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times calls, and the way of an image to the GPU and of its depth back alone."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
from msdepth_ros.inference.model import Model

WARM_UP = 30


def measure(run: Callable[[], Any], frames: int) -> dict[str, float]:
    """Return p50, p95 and p99 of a call's time and the share of a core it takes; milliseconds."""
    for _ in range(WARM_UP):
        run()
    times = np.empty(frames)
    cpu, start = time.process_time(), time.perf_counter()
    for index in range(frames):
        begin = time.perf_counter()
        run()
        times[index] = time.perf_counter() - begin
    busy = (time.process_time() - cpu) / (time.perf_counter() - start)
    p50, p95, p99 = np.percentile(1e3 * times, (50, 95, 99))
    return {'p50': float(p50), 'p95': float(p95), 'p99': float(p99), 'cpu': busy}


def copies(model: Model, frames: int, graph: bool) -> dict[str, float]:
    """Measure the way to the GPU and back alone: what the engine's time cannot fall below.

    It needs no TensorRT, so it also shows whether pycuda, its stream and graphs work here.
    """
    cuda = CudaDevice()
    captured = None
    try:
        with cuda.current():
            (in_width, in_height), (out_width, out_height) = model.input_size, model.output_size
            image = cuda.host_array((in_height, in_width, 3), np.uint8)
            depth = cuda.host_array((out_height, out_width), np.float32)
            on_gpu = cuda.device_memory(max(image.nbytes, depth.nbytes))

            def enqueue() -> None:
                cuda.upload(on_gpu, image)
                cuda.download(depth, on_gpu)

            enqueue()
            cuda.wait()
            captured = cuda.capture(enqueue) if graph else None
            if graph and captured is None:
                raise MsdepthError('no CUDA graph could be captured')
            launch = enqueue if captured is None else captured.launch

            def run() -> None:
                launch()
                cuda.wait()

            image[:] = check_images(in_width, in_height)[0]
            result = measure(run, frames)
            sent, returned = image.view(np.uint8).ravel(), depth.view(np.uint8).ravel()
            count = min(sent.size, returned.size)
            if not np.array_equal(sent[:count], returned[:count]):
                raise MsdepthError('what came back is not what was sent')
            return result
    finally:
        with cuda.current():
            if captured is not None:
                captured.close()
            on_gpu = image = depth = None
        cuda.close()
