# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of a process's environment, before the first node is created.

ROS 2 would end the process, or print long messages, about what is found here. This module does not
import rclpy, which ends the process if its middleware is missing.
"""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.transport import PROFILE_VARIABLES

SHARED_MEMORY = Path('/dev/shm')
_ROS = ('rclpy', 'ament_index_python', 'rpyutils', 'rosidl_parser', 'std_srvs')
_LARGEST_DOMAIN = 232  # DDS's ports of larger ones would exceed 65535


def check_middleware(environment: Mapping[str, str]) -> None:
    """Check that the middleware named by RMW_IMPLEMENTATION is installed.

    Raises
    ------
    MsdepthError
        If it is not.
    """
    name = environment.get('RMW_IMPLEMENTATION', '')
    folders = [Path(each) for each in environment.get('LD_LIBRARY_PATH', '').split(os.pathsep)]
    folders += [Path(e) / 'lib' for e in environment.get('AMENT_PREFIX_PATH', '').split(os.pathsep)]
    there = {
        path.name.removeprefix('lib').removesuffix('.so')
        for folder in folders
        if folder.is_absolute() and folder.is_dir()
        for path in folder.glob('librmw_*_cpp.so')
        if '__' not in path.name and 'shared' not in path.name
    }
    if name and there and name not in there:
        package = f'ros-{environment.get("ROS_DISTRO", "DISTRO")}-{name.replace("_", "-")}'
        raise MsdepthError(
            f'RMW_IMPLEMENTATION is {name}, which is not installed (there is '
            f'{", ".join(sorted(there))}): `apt install {package}`, or unset RMW_IMPLEMENTATION'
        )


def check_environment(environment: Mapping[str, str]) -> None:
    """Check that a node can be created in this environment.

    Raises
    ------
    MsdepthError
        If it cannot.
    """
    check_middleware(environment)
    check_domain(environment)


def missing_module(name: str, python: str) -> str:
    """Return what to do about a module that an executable's Python does not find.

    Parameters
    ----------
    name : name of the module.
    python : path of that Python: the one with which colcon or pip ran.
    """
    if name.split('.')[0] in _ROS or name.split('.')[0].endswith(('_msgs', '_interfaces')):
        return f'{name} is not found by {python}: source ROS 2 first (/opt/ros/DISTRO/setup.bash)'
    return (
        f'{name} is not found by {python}, with which this was built: install it there, or build '
        'again with the Python of an environment that has it (python3 -m colcon build)'
    )


def check_domain(environment: Mapping[str, str]) -> None:
    """Check ROS_DOMAIN_ID.

    Raises
    ------
    MsdepthError
        If it is not a valid domain.
    """
    text = environment.get('ROS_DOMAIN_ID', '')
    if text and not (text.isascii() and text.isdigit() and int(text) <= _LARGEST_DOMAIN):
        raise MsdepthError(
            f"ROS_DOMAIN_ID is '{text}' but must be a number from 0 to {_LARGEST_DOMAIN}, best "
            'below 102, and the same on all machines of the robot'
        )


def log_folder_problem(environment: Mapping[str, str]) -> str:
    """Return why ROS 2 cannot write a log file, '' if it can.

    The folder is $ROS_LOG_DIR, else $ROS_HOME/log, else ~/.ros/log.
    """
    home = environment.get('HOME', '')
    if environment.get('ROS_LOG_DIR'):
        folder = environment['ROS_LOG_DIR']
    elif environment.get('ROS_HOME'):
        folder = f'{environment["ROS_HOME"]}/log'
    elif home:
        folder = f'{home}/.ros/log'
    else:
        return 'HOME is not set'
    path = Path(home + folder[1:] if folder.startswith('~') and home else folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f'{path} cannot be created ({error.strerror})'
    return '' if os.access(path, os.W_OK) else f'{path} is not writable'


def shared_memory_problem(environment: Mapping[str, str], folder: Path = SHARED_MEMORY) -> str:
    """Return a warning if shared memory is too small for Fast DDS's profile, '' if it is not.

    Fast DDS itself changes to UDP with three lines that do not name the cause.
    """
    profile = next((environment[n] for n in PROFILE_VARIABLES if environment.get(n)), None)
    if (
        profile is None
        or environment.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp').find('fast') < 0
    ):
        return ''
    try:
        tree = ElementTree.parse(profile)
        sizes = [int(each.text or 0) for each in tree.iter() if each.tag.endswith('}segment_size')]
        status = os.statvfs(folder)
    except (OSError, ValueError, ElementTree.ParseError):
        return ''  # Fast DDS reports errors in its profile
    free, wanted = status.f_bavail * status.f_frsize, max(sizes, default=0)
    if free > wanted:
        return ''
    return (
        f'{folder} has {free >> 20} MB left, but {profile} needs {wanted >> 20} MB: images go '
        'by UDP, and large ones get lost; start the container with --shm-size=1g or --ipc=host'
    )
