# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The DDS settings under which camera images arrive whole."""

from collections.abc import Mapping

from msdepth_ros.resources import share_directory

# Fast DDS 2 (Humble, Jazzy) reads the first, Fast DDS 3 (Kilted and later) the second.
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make Fast DDS use `config/fastdds.xml`.

    Both ends of a topic need them, and they count only before a process joins the graph.

    Parameters
    ----------
    environment : mapping
        The environment so far, usually `os.environ`.

    Returns
    -------
    dict
        What to add to it; empty where the user has chosen a profile already.
    """
    if any(environment.get(name) for name in PROFILE_VARIABLES):
        return {}
    profile = str(share_directory() / 'config' / 'fastdds.xml')
    return dict.fromkeys(PROFILE_VARIABLES, profile)
