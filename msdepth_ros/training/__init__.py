# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of depth networks: views, batches, stages, teachers, checkpoints."""
