# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Functions that the launch files share; each launch file declares its own arguments."""
