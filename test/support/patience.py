# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long tests wait for an event that is certain: it makes no test slower that passes."""

PATIENCE = 300.0  # seconds; a busy machine may need them for what takes one
