# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An executable of the package as an operating-system process of its own, its log at hand."""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
# Half of the time until a node runs goes into imports: a server does them once, and forks.
_GOOD_END = 30.0  # seconds for it; what hangs is killed
_SERVER = multiprocessing.get_context('forkserver')
_SERVER.set_forkserver_preload(['msdepth_ros.node.depth_node', 'msdepth_ros.demo.camera_player'])


class RosProcess:
    """`msdepth_ros.<module>.main` in a namespace, with parameters.

    It is a fork of a process that has imported the package; `fresh` starts Python anew, as on a
    robot, and so does a preamble.
    """

    def __init__(
        self,
        module: str,
        namespace: str,
        folder: Path,
        parameters: dict[str, Any],
        remappings: tuple[str, ...] = (),
        preamble: str = '',
        fresh: bool = False,
    ) -> None:
        """Start it; `preamble` is Python code that the process runs first."""
        folder.mkdir(parents=True, exist_ok=True)
        params_file = folder / 'parameters.yaml'
        params_file.write_text(yaml.safe_dump({'/**': {'ros__parameters': parameters}}))
        arguments = [
            '--ros-args',
            *('-r', f'__ns:={namespace}'),
            *(word for remapping in remappings for word in ('-r', remapping)),
            *(('--params-file', str(params_file)) if parameters else ()),
        ]
        self.namespace = namespace
        self._log = folder / 'log.txt'
        self._log.touch()
        self._process: subprocess.Popen[bytes] | _Fork
        if not (fresh or preamble):
            self._process = _Fork(module, arguments, self._log)
            return
        program = f'import sys; from msdepth_ros.{module} import main; sys.exit(main())'
        command = [sys.executable, '-c', f'{preamble}\n{program}', *arguments]
        with self._log.open('w') as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def output(self) -> str:
        """Return what the process wrote so far, stdout and stderr."""
        return self._log.read_text(errors='replace')

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def wait_for_output(self, text: str, timeout: float = PATIENCE) -> str:
        """Return the first line of the output that holds a text, as soon as it is there."""
        end = time.monotonic() + timeout
        while True:
            running = self.running
            for line in self.output.splitlines():
                if text in line:
                    return line
            if not running or time.monotonic() > end:
                raise AssertionError(f'no line with {text!r} in:\n{self.output}')
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return the exit code once the process has ended."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'did not end; its output:\n{self.output}') from None

    def end_cleanly(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal and check that the process ends as a good one does."""
        self.send(number)
        code = self.wait()
        assert code == 0, f'exit code {code}; output:\n{self.output}'
        assert 'Traceback' not in self.output, self.output

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End the process, come what may; as a good one ends, if it can.

        Of a process that is killed, Fast DDS's shared memory stays. A later process may get the
        same port there, and those that run may then not find it.
        """
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.send(signal.SIGINT)
            self.send(signal.SIGCONT)  # it may be stopped
            self._process.wait(_GOOD_END)
        self.kill()


class _Fork:
    """A fork of the server that runs `msdepth_ros.<module>.main`, used as a `Popen`."""

    def __init__(self, module: str, arguments: list[str], log: Path) -> None:
        self._process = _SERVER.Process(
            target=_run, args=(module, arguments, dict(os.environ), log)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired('a fork', timeout or 0.0)
        return code


def _run(module: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
    """Be that program: its environment, folder, output and arguments, and an end like its own."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.argv = ['-c', *arguments]
    code = importlib.import_module(f'msdepth_ros.{module}').main()
    # multiprocessing would leave out what Python and C++ do at the end of a process.
    ctypes.pythonapi.Py_Exit(code)
