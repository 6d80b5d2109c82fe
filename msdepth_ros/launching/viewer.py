# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of a viewer that a launch file starts."""

from collections.abc import Iterable


def viewer_parameters(host: str, namespaces: Iterable[str]) -> dict[str, str | list[str]]:
    """Return the parameters of a viewer of the depth nodes in these namespaces."""
    nodes = [
        '/'.join(['', *filter(None, namespace.split('/')), 'msdepth']) for namespace in namespaces
    ]
    return {'host': host, 'nodes': nodes}
