# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shared by all tests: a ROS graph of their own, its DDS profile, and data where it is at hand."""

import fcntl
import os
import signal
import tempfile
from pathlib import Path

import pytest
from dds_profile import quick_profile

ROOT = Path(__file__).resolve().parents[1]


def _free_domain() -> tuple[int, object]:
    """Lock a ROS domain that no other test process of this machine uses."""
    for domain in range(1, 102):  # above 101 a domain's ports meet the ephemeral ones
        lock = (Path(tempfile.gettempdir()) / f'msdepth_ros_domain_{domain}.lock').open('w')
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return domain, lock
    raise RuntimeError('all 101 ROS domains are taken by other test runs')


def pytest_configure(config: pytest.Config) -> None:
    """Keep this run's nodes away from every other graph, before anything imports rclpy."""
    # A shell that starts the tests in the background has them, and their processes, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    domain, config.stash[_DOMAIN_LOCK] = _free_domain()
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ['ROS_LOCALHOST_ONLY'] = '1'
    else:
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    # Of a process's nodes the first decides: without the profile, every image to or from any of
    # them would go through 512 KB of shared memory, and be lost now and then.
    config.stash[_PROFILE] = tempfile.TemporaryDirectory(prefix='msdepth_ros_profile_')
    os.environ.update(quick_profile(Path(config.stash[_PROFILE].name)))


_DOMAIN_LOCK = pytest.StashKey[object]()
_PROFILE = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Return the folder with real images: $MSDEPTH_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get('MSDEPTH_DATA', ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip('no real images at hand: set MSDEPTH_DATA to a folder with nyuv2_train/ etc.')
    return folder
