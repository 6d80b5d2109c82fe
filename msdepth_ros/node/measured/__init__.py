# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scans, clouds, depth images, the floor and earlier views as sparse depths of a camera image."""
