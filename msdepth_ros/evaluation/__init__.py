# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a model: the paper's error table and more. Needs no torch."""
