# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long tests wait for what comes in any case: it makes no test that passes slower."""

PATIENCE = 150.0  # seconds; a busy machine may need them for what takes one
