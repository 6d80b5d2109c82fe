# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth measured at some pixels, and a network's depth aligned with it: neither ROS nor torch."""
