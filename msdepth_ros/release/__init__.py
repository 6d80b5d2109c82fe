# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From trainings to a model file that ships."""
