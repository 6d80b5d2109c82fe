# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera player and a recorder: a graph to try the node with."""
