# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's error table and what else is measured of a model, without torch."""
