# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch arguments for measured depth."""

from collections.abc import Mapping

_TOPICS = {'measured_scan': 'scan', 'measured_points': 'points', 'measured_depth': 'depth'}
_BY_DEFAULT = 'floor'


def metric_sources(given: Mapping[str, str]) -> list[str]:
    """Return the parameter metric.sources; [] = not given, params_file decides.

    A given topic adds its source to metric_sources, or to the default.

    Parameters
    ----------
    given : the arguments metric_sources, measured_scan, measured_points and measured_depth.
    """
    named = [source for argument, source in _TOPICS.items() if given[argument]]
    words = given['metric_sources'].replace(',', ' ').split()
    if not words and named:
        words = [_BY_DEFAULT]
    return words + [source for source in named if source not in words]


def measured_remappings(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the remappings of the given topics.

    The camera_info of measured_depth is in the namespace of that topic.
    """
    remappings = [
        (f'measured/{source}', given[argument])
        for argument, source in _TOPICS.items()
        if given[argument]
    ]
    if given['measured_depth']:
        folder, slash, _ = given['measured_depth'].rpartition('/')
        remappings.append(('measured/camera_info', f'{folder}{slash}camera_info'))
    return remappings
