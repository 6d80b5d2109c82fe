# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training: views, batches, the loop, teachers, checkpoints."""
