# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of this package as child processes, without a launch system."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_PATIENCE = 10  # seconds in which a process must end


def node_command(
    program: Sequence[str],
    namespace: str,
    parameters: Mapping[str, Any],
    remappings: Sequence[str] = (),
) -> list[str]:
    """Return the command line of a node.

    Parameters
    ----------
    program : arguments of the Python interpreter, such as ('-m', 'msdepth_ros.node.depth_node').
    namespace : namespace of the node.
    parameters : values by name; an empty text keeps the node's default.
    remappings : in the form 'from:=to'.
    """
    command = [sys.executable, *program, '--ros-args', '-r', f'__ns:={namespace}']
    for remapping in remappings:
        command += ['-r', remapping]
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text:
            command += ['-p', f'{name}:={text}']
    return command


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends, then interrupt it; write its output to `log`."""
    with log.open('wb') as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a process and wait for its end; kill it if that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(log: Path) -> str:
    """Return the last line of a process's output, or a hint to the log file if there is none."""
    lines = log.read_text(errors='replace').strip().splitlines()
    return lines[-1] if lines else f'see {log}'
