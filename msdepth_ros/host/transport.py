# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS settings with which no camera images are lost."""

from collections.abc import Mapping

from msdepth_ros.resources import share_directory

# Fast DDS 2 (Humble, Jazzy) reads the first, Fast DDS 3 (Kilted and later) the second.
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables that make Fast DDS use `config/fastdds.xml`.

    Both ends of a topic need them, before the process creates its first node.

    Parameters
    ----------
    environment : the present environment, usually `os.environ`.

    Returns
    -------
    The variables to add; {} if the user has set a profile already.
    """
    if any(environment.get(name) for name in PROFILE_VARIABLES):
        return {}
    profile = str(share_directory() / 'config' / 'fastdds.xml')
    return dict.fromkeys(PROFILE_VARIABLES, profile)
