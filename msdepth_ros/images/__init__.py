# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Encodings, decoding, image sources and pictures, without ROS."""
