# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 in, a rosbag2 of depth out, without ROS."""
