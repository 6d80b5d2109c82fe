# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer is told the full names of the nodes that a launch file starts."""

from msdepth_ros.launching.viewer import viewer_parameters


def test_nodes_are_named_in_full_however_the_namespace_is_typed():
    parameters = viewer_parameters('0.0.0.0', ['', 'front', '/rear/', '/a/b'])
    nodes = ['/msdepth', '/front/msdepth', '/rear/msdepth', '/a/b/msdepth']
    assert parameters == {'host': '0.0.0.0', 'nodes': nodes}
