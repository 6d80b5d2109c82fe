# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer that a launch file starts beside depth nodes."""

from collections.abc import Iterable


def viewer_parameters(host: str, namespaces: Iterable[str]) -> dict[str, str | list[str]]:
    """Return the viewer's parameters for the depth nodes in these namespaces."""
    nodes = [
        '/'.join(['', *filter(None, namespace.split('/')), 'msdepth']) for namespace in namespaces
    ]
    return {'host': host, 'nodes': nodes}
