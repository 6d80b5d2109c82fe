# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures TensorRT on this machine's GPU against ONNX Runtime and PyTorch, on the same weights.

`make bench-gpu` runs it. It needs TensorRT and pycuda; PyTorch with CUDA is compared with where
it is installed. What cannot be measured is listed with its reason, never left out.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from gpu_timing import copies, measure
from torch_network import torch_network

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.backends.tensorrt.api import import_tensorrt
from msdepth_ros.inference.backends.tensorrt.backend import TensorRtBackend
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import Model, load_model, model_names

CPU_FRAMES = 50


_reasons: Counter[str] = Counter()


def attempt(results: dict[str, Any], name: str, work: Callable[[], Any]) -> None:
    """Note a measurement's result, or in one line why there is none."""
    try:
        results[name] = work()
        shown = ', '.join(
            f'{key} {value:.4g}' if isinstance(value, float) else f'{key} {value}'
            for key, value in results[name].items()
        )
    except Exception as error:  # of any of the runtimes compared
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
        results[name] = f'not measured: {reason}'
        _reasons[reason] += 1
        shown = 'not measured, as above' if _reasons[reason] > 1 else results[name]
    print(f'  {name}: {shown}', flush=True)


def tensorrt(model: Model, frames: int, precision: str, graph: bool, cache: Path) -> dict[str, Any]:
    """Measure the engine: image in host memory to depth in host memory, no preparation."""
    backend = TensorRtBackend(model, precision, EngineOptions(cache, cuda_graph=graph))
    try:
        if graph and not backend.details['cuda_graph']:
            raise MsdepthError('no CUDA graph could be captured')
        backend.inputs['image'][:] = check_images(*model.input_size)[0]
        facts = {'precision': backend.precision, **backend.details['self_check']}
        for name in ('fp16_by', 'fp16_product_layers', 'product_layers', 'seconds', 'plan_bytes'):
            facts[name] = backend.details[name]
        return {**measure(backend.run, frames), **facts}
    finally:
        backend.close()


def end_to_end(model: Model, frames: int, backend: Backend) -> dict[str, float]:
    """Measure a 640x480 image to metric depth, rectification included."""
    camera = Camera(
        width=640,
        height=480,
        k=(525.0, 0.0, 319.5, 0.0, 525.0, 239.5, 0.0, 0.0, 1.0),
        d=(0.05, -0.1, 0.001, 0.001, 0.0),
        p=(500.0, 0.0, 319.5, 0.0, 0.0, 500.0, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0),
        distortion_model='plumb_bob',
    )
    estimator = DepthEstimator(model, backend)
    image = check_images(640, 480)[0]
    try:
        return measure(lambda: estimator.estimate(image, 'rgb8', camera), frames)
    finally:
        backend.close()


def torch_fp16(model: Model, frames: int, compiled: bool) -> dict[str, Any]:
    """Measure PyTorch in FP16 with the ONNX file's weights, image to depth as above."""
    import torch

    from msdepth_ros.networks.depth_network import normalise

    if not torch.cuda.is_available():
        raise MsdepthError('PyTorch sees no GPU')
    deployed = torch_network(model).cuda()
    network, correction = deployed.network.half(), deployed.correction

    def forward(image: torch.Tensor) -> torch.Tensor:
        return torch.exp(correction(network(normalise(image).half()).float()))

    run = torch.compile(forward, mode='max-autotune') if compiled else forward
    picture = check_images(*model.input_size)[0]
    host = torch.from_numpy(picture[None]).pin_memory()
    depth = torch.empty(1, 1, *model.output_size[::-1]).pin_memory()

    def frame() -> None:
        depth.copy_(run(host.cuda(non_blocking=True)), non_blocking=True)
        torch.cuda.synchronize()

    with torch.inference_mode():
        result: dict[str, Any] = measure(frame, frames)
    reference = OnnxRuntimeBackend(model)
    reference.inputs['image'][:] = picture
    reference.run()
    result['mean_error'] = float(
        np.abs(depth.numpy()[0, 0] / reference.outputs['depth'] - 1).mean()
    )
    reference.close()
    return result


def full_width(folder: Path) -> Model:
    """Return the paper's network at its full width, 71 M weights, which are random."""
    import torch

    from msdepth_ros.networks import create_network
    from msdepth_ros.networks.export import write_model

    torch.manual_seed(0)
    options = {'hidden': 4096}
    network = create_network('eigen2014', options)
    metadata = {'network': {'name': 'eigen2014', **options}}
    return load_model(write_model(network, 'eigen2014_full', folder, (0.3, 10.0), metadata))


def bench(model: Model, frames: int, cache: Path) -> dict[str, Any]:
    """Return all measurements of one model."""
    results: dict[str, Any] = {}
    for precision in ('fp16', 'fp32'):
        for graph in (True, False):
            name = f'TensorRT {precision}, {"CUDA graph" if graph else "plain enqueue"}'
            attempt(results, name, partial(tensorrt, model, frames, precision, graph, cache))
    attempt(
        results,
        'TensorRT fp16, 640x480 to metric depth',
        lambda: end_to_end(model, frames, TensorRtBackend(model, 'fp16', EngineOptions(cache))),
    )
    for graph in (True, False):
        name = f'copies alone, {"CUDA graph" if graph else "plain enqueue"}'
        attempt(results, name, partial(copies, model, frames, graph))
    attempt(results, 'PyTorch eager FP16', partial(torch_fp16, model, frames, False))
    attempt(results, 'torch.compile FP16', partial(torch_fp16, model, frames, True))
    cpu = min(frames, CPU_FRAMES)
    attempt(results, 'ONNX Runtime CPU', partial(cpu_run, model, cpu))
    attempt(
        results,
        'ONNX Runtime CPU, 640x480 to metric depth',
        lambda: end_to_end(model, cpu, OnnxRuntimeBackend(model)),
    )
    results['compared'] = compare(results)
    for line in results['compared']:
        print(f'  {line}')
    return results


def compare(results: dict[str, Any]) -> list[str]:
    """Say how many times faster the FP16 engine is than each other way, by the medians."""
    fastest = results['TensorRT fp16, CUDA graph']
    if not isinstance(fastest, dict):
        fastest = results['TensorRT fp16, plain enqueue']
    if not isinstance(fastest, dict):
        return ['TensorRT was not measured, so there is nothing to compare with']
    lines = []
    for name in (
        *('TensorRT fp16, plain enqueue', 'TensorRT fp32, CUDA graph', 'PyTorch eager FP16'),
        *('torch.compile FP16', 'ONNX Runtime CPU'),
    ):
        other = results[name]
        if other is fastest:
            lines.append('no CUDA graph was measured: its gain is not known')
        elif isinstance(other, dict):
            lines.append(f'{other["p50"] / fastest["p50"]:.2f} times as fast as {name}')
        else:
            lines.append(f'not compared with {name}, which was not measured')
    return lines


def cpu_run(model: Model, frames: int) -> dict[str, float]:
    """Measure ONNX Runtime on all cores."""
    backend = OnnxRuntimeBackend(model)
    try:
        backend.inputs['image'][:] = check_images(*model.input_size)[0]
        return measure(backend.run, frames)
    finally:
        backend.close()


def environment() -> dict[str, Any]:
    """Return what the numbers hold for; each part that is missing says why."""
    facts: dict[str, Any] = {
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
        'machine': platform.machine(),
        'python': platform.python_version(),
    }
    try:
        device = CudaDevice()
        facts['gpu'] = f'{device.name} ({device.capability})'
        facts['driver'] = f'CUDA {device.driver}'
        device.close()
    except MsdepthError as error:
        facts['gpu'] = f'none: {error}'
    try:
        facts['tensorrt'] = import_tensorrt().title
    except MsdepthError as error:
        facts['tensorrt'] = f'none: {error}'
    facts['onnxruntime'] = onnxruntime.__version__
    try:
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
        facts['pytorch'] = f'{torch.__version__}, {gpu}'
    except ImportError as error:
        facts['pytorch'] = f'none: {error}'
    return facts


def main() -> int:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', nargs='+', help='names or YAML paths (default: all shipped)')
    parser.add_argument('--frames', type=int, default=1000)
    parser.add_argument('--out', type=Path, help='JSON file')
    args = parser.parse_args()
    document: dict[str, Any] = {'environment': environment(), 'milliseconds': {}}
    print(json.dumps(document['environment'], indent=2))
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / 'engines'
        for name in args.model or model_names():
            print(name)
            document['milliseconds'][name] = bench(load_model(name), args.frames, cache)
        if not args.model:
            print('eigen2014 at full width')
            try:
                full = full_width(Path(folder))
            except Exception as error:  # no PyTorch, or no onnx
                document['milliseconds']['eigen2014_full'] = f'not measured: {error}'
                print(f'  not measured: {error}')
            else:
                document['milliseconds']['eigen2014_full'] = bench(full, args.frames, cache)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(document, indent=2) + '\n')
        print(f'written: {args.out}')
    measured = any(
        isinstance(result, dict)
        for model in document['milliseconds'].values()
        if isinstance(model, dict)
        for name, result in model.items()
        if name.startswith('TensorRT')
    )
    if not measured:
        print('TensorRT was not measured: see the reasons above', file=sys.stderr)
    return 0 if measured else 1


if __name__ == '__main__':
    sys.exit(main())
