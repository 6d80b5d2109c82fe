# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metric depth from one calibrated camera: a ROS 2 node over a ROS-free core."""

import os

__version__ = '0.1.0'

# ONNX Runtime (1.32, for one) keeps a device id below ~/.cache and sends usage to its makers,
# unless this is set before it is imported.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')

# NumPy's OpenBLAS reads this when it is imported. Our matrices are small: its threads would wait
# for each other, and keep a core busy that the network or the middleware needs.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
