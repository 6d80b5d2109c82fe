# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metric depth from one calibrated camera: a ROS 2 node over a ROS-free core."""

__version__ = '0.1.0'
