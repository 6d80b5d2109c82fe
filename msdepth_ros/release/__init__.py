# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a model file to ship from one or several trainings."""
