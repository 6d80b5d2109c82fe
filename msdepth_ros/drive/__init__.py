# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot that crosses rendered rooms with its camera's depth alone.

Its images are rendered (`rooms`). Depth comes from the estimator that runs on a robot, the clouds
are those that the node publishes, and the costmap is computed as in Nav2 (`navigation`).
"""
