# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the product layer by layer: the engine, the estimator, the running node."""
