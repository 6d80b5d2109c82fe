# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`depth.scale`: the services that measure and save it, and its file."""
