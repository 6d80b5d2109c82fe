# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot that crosses rendered rooms by the depth of its camera alone: the loop closed.

What it sees is rendered (`rooms`), turned into depth by the estimator that runs on a robot, into
the clouds that the node publishes, and into a costmap as Nav2 makes it (`navigation`).
"""
