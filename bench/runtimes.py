# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The same network on every runtime there is for a CPU, in turns, so that all see the same machine.

make bench-runtimes
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch_network import torch_network

from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.model import DEFAULT_MODEL, Model, load_model

ROUNDS = 5
WARM_UP = 3
OTHER_WEIGHTS = 0.5  # relative difference that no arithmetic explains


class Contender:
    """One runtime with a network loaded, or the reason why it could not be."""

    def __init__(self, make: Callable[[Model, int, str], Callable[[np.ndarray], np.ndarray]]):
        self.make = make
        self.run: Callable[[np.ndarray], np.ndarray] | None = None
        self.times: list[float] = []
        self.words = ''
        self.answer: np.ndarray | None = None

    def load(self, model: Model, threads: int, precision: str) -> None:
        """Load the network; what fails is kept as words."""
        self.attempt(lambda: setattr(self, 'run', self.make(model, threads, precision)))

    def measure(self, image: np.ndarray, threads: int, runs: int) -> None:
        """Run some times more."""
        if self.run is not None:
            self.attempt(lambda: self._measure(image, threads, runs))

    def attempt(self, work: Callable[[], None]) -> None:
        """Do something that may fail in a runtime's own way."""
        try:
            work()
        except Exception as error:  # of any of the runtimes compared
            self.run = None
            self.words = ' '.join(str(error).split())[:160]

    def _measure(self, image: np.ndarray, threads: int, runs: int) -> None:
        assert self.run is not None
        cv2.setNumThreads(threads)
        for _ in range(WARM_UP):
            self.answer = self.run(image)
        for _ in range(runs):
            begin = time.perf_counter()
            self.run(image)
            self.times.append(1e3 * (time.perf_counter() - begin))


def product(name: str) -> Callable[[Model, int, str], Any]:
    """Return what loads a model on one of the product's own backends."""

    def make(model: Model, threads: int, precision: str) -> Any:
        backend = create_backend(model, name, threads, precision)

        def run(image: np.ndarray) -> np.ndarray:
            backend.inputs['image'][:] = image
            backend.run()
            return backend.outputs['depth']

        return run

    return make


def pytorch(model: Model, threads: int, precision: str) -> Any:
    """Load a model in PyTorch, eager."""
    if precision != 'fp32':
        raise ValueError('the int8 network exists as ONNX only')
    import torch

    network = torch_network(model)

    def run(image: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return network(torch.from_numpy(image[None])).numpy()[0, 0]

    return run


def opencv(engine: str) -> Callable[[Model, int, str], Any]:
    """Return what loads a model's file in OpenCV's dnn module; '' is its default engine."""

    def make(model: Model, threads: int, precision: str) -> Any:
        file = model.onnx if precision == 'fp32' or model.int8 is None else model.int8.onnx
        options = [getattr(cv2.dnn, engine)] if engine else []
        network = cv2.dnn.readNetFromONNX(str(file), *options)

        def run(image: np.ndarray) -> np.ndarray:
            network.setInput(image[None], model.input_name)
            return network.forward(model.output_name)[0, 0]

        return run

    return make


CONTENDERS = {
    'ONNX Runtime': product('onnxruntime'),
    'OpenVINO': product('openvino'),
    'PyTorch, eager': pytorch,
    'OpenCV dnn': opencv(''),
    'OpenCV dnn, classic engine': opencv('ENGINE_CLASSIC'),
}


def compare(model: Model, threads: int, precision: str, runs: int) -> dict[str, Contender]:
    """Measure all runtimes in turns."""
    found = {name: Contender(make) for name, make in CONTENDERS.items()}
    image = check_images(*model.input_size)[0]
    for contender in found.values():
        contender.load(model, threads, precision)
    for _ in range(ROUNDS):
        for contender in found.values():
            contender.measure(image, threads, max(1, runs // ROUNDS))
    return found


def exact_answer(model: Model) -> np.ndarray:
    """Return ONNX Runtime's answer in FP32."""
    backend = create_backend(model, 'onnxruntime', 0, 'fp32')
    backend.inputs['image'][:] = check_images(*model.input_size)[0]
    backend.run()
    return backend.outputs['depth'].copy()


def row(name: str, contenders: list[Contender], exact: np.ndarray) -> str:
    """Return a line of the table: a cell for each number of threads, then the difference."""
    cells = []
    for contender in contenders:
        if contender.run is None:
            return f'| {name} | {" | ".join("-" for _ in contenders)} | {contender.words} |'
        cells.append(f'{min(contender.times):.2f} / {np.median(contender.times):.2f}')
    answer = contenders[-1].answer
    assert answer is not None
    difference = np.abs(answer / exact - 1)
    text = f'{difference.mean():.1e}, {difference.max():.1e}'
    if difference.mean() > OTHER_WEIGHTS:
        text = 'not compared: the export changed the weights'
    return f'| {name} | {" | ".join(cells)} | {text} |'


def tables(model: Model, runs: int) -> list[str]:
    """Return the lines of a Markdown table."""
    threads = range(1, len(os.sched_getaffinity(0)) + 1)
    exact = exact_answer(model)
    heads = [f'{count} thread{"s" * (count > 1)}' for count in threads]
    lines = [
        f'{model.name}, ms as minimum / median of {runs} runs; mean and largest difference of the '
        'depths from those of ONNX Runtime in FP32',
        '',
        f'| | {" | ".join(heads)} | relative difference |',
        f'| --- {"| --- " * len(heads)}| --- |',
    ]
    for precision in ('fp32', 'auto') if model.int8 is not None else ('fp32',):
        found = [compare(model, count, precision, runs) for count in threads]
        title = 'FP32' if precision == 'fp32' else 'int8'
        for name in CONTENDERS:
            lines.append(row(f'{title}, {name}', [each[name] for each in found], exact))
    return lines


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--runs', type=int, default=100)
    parser.add_argument('--out', type=Path, help='write the table to this file')
    arguments = parser.parse_args()
    text = '\n'.join(tables(load_model(arguments.model), arguments.runs)) + '\n'
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
