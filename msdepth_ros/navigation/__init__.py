# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nav2's costmap layers in NumPy, and a planner, for tests and measurements.

A robot runs Nav2's own C++ code and needs nothing of this.
"""
