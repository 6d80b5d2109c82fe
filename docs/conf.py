# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documentation site: `make docs`, and rosdoc2 on ROS's own build farm."""

project = 'msdepth_ros'
author = copyright = 'The msdepth_ros authors'
extensions = ['myst_parser']
source_suffix = {'.md': 'markdown'}
root_doc = 'index'
html_theme = 'sphinx_rtd_theme'  # as docs.ros.org has it
html_title = 'msdepth_ros'
myst_heading_anchors = 3
exclude_patterns = ['_build']
