# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The encodings that a network reads without a conversion first."""

# Channel order of the encodings that are read without a copy, as OpenCV's conversions name it.
ORDERS = {'rgb8': 'RGB', 'bgr8': 'BGR', 'rgba8': 'RGBA', 'bgra8': 'BGRA', 'mono8': 'GRAY'}
ENCODINGS = tuple(ORDERS)
