# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a planner makes of depth: the costmap layers of Nav2 in NumPy, for tests and measurements.

The robot itself runs Nav2's own C++; nothing here is needed on it.
"""
