# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the network alone takes on the CPU, by runtime, precision and number of threads.

make bench-network
"""

import argparse
import os
import time
from itertools import product

import numpy as np

from msdepth_ros.backends import create_backend
from msdepth_ros.model import load_model


def main() -> None:
    """Print a line for each runtime, precision and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='eigen2014')
    parser.add_argument('--runs', type=int, default=200)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    print(f'{model.name}; ms as minimum / median of {arguments.runs} runs')
    threads = range(1, len(os.sched_getaffinity(0)) + 1)
    for precision, count, name in product(('fp32', 'fp16'), threads, ('onnxruntime', 'openvino')):
        backend = create_backend(model, name, count, precision)
        backend.input[:] = np.random.default_rng(0).integers(0, 256, backend.input.shape)
        times = []
        for _ in range(arguments.runs):
            start = time.perf_counter()
            backend.run()
            times.append(1e3 * (time.perf_counter() - start))
        spent = f'{min(times):6.2f} / {np.median(times):6.2f}'
        print(f'{name:11s}  {backend.precision:4s}  {count} threads  {spent}', flush=True)
        backend.close()


if __name__ == '__main__':
    main()
