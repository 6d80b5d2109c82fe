# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images after the first get memory that the process has already."""

import os
import platform
import resource
import subprocess
import sys

import pytest

from msdepth_ros.host.memory import _USERS, keep_freed_memory

# Page faults of 40 times three images of 3 MB, which DDS and rclpy hold at once.
PROGRAM = """
import resource, sys
from msdepth_ros.host.memory import keep_freed_memory
if len(sys.argv) > 1:
    assert keep_freed_memory({})
def images():
    held = [bytearray(3_000_000) for _ in range(3)]
images()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    images()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*options):
    environment = {name: text for name, text in os.environ.items() if name not in _USERS}
    run = subprocess.run(
        [sys.executable, '-c', PROGRAM, *options], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_the_kernel_is_asked_once_for_memory_that_is_kept():
    pages = 40 * 3 * 3_000_000 // resource.getpagesize()
    assert faults() > pages / 2
    assert faults('kept') < pages / 20


@pytest.mark.parametrize('name', _USERS)
def test_malloc_stays_as_the_user_has_tuned_it(name):
    assert keep_freed_memory({name: '1'}) is False
