# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs `msdepth evaluate` in the process of the test."""

from msdepth_ros.cli import main


def evaluate(capsys, *arguments):
    """Return the exit code of the command, and what it printed (`out`, `err`)."""
    code = main(['evaluate', '--threads', '1', *map(str, arguments)])
    return code, capsys.readouterr()
