# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras, lenses, poses, clouds, scans, floor and obstacles: arrays in, arrays out."""
