# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A page for any browser that shows what a depth node sees, and sets its parameters."""
