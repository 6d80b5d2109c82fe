# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras, grids, clouds and scans: arrays in, arrays out."""
