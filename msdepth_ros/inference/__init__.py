# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image to metric depth: the model, the input map, the estimator, the backends."""
