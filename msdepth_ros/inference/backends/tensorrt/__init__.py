# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA TensorRT: its engines built, kept and run, and the GPU that they run on."""
