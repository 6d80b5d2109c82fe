# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An executable of the package as an operating-system process of its own, its log at hand."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


class RosProcess:
    """`msdepth_ros.<module>.main` in a namespace, with parameters."""

    def __init__(
        self,
        module: str,
        namespace: str,
        folder: Path,
        parameters: dict[str, Any],
        remappings: tuple[str, ...] = (),
        preamble: str = '',
    ) -> None:
        """Start it; `preamble` is Python code that the process runs first."""
        folder.mkdir(parents=True, exist_ok=True)
        params_file = folder / 'parameters.yaml'
        params_file.write_text(yaml.safe_dump({'/**': {'ros__parameters': parameters}}))
        command = [
            sys.executable,
            '-c',
            f'{preamble}\nimport sys; from msdepth_ros.{module} import main; sys.exit(main())',
            '--ros-args',
            *('-r', f'__ns:={namespace}'),
            *(word for remapping in remappings for word in ('-r', remapping)),
            *(('--params-file', str(params_file)) if parameters else ()),
        ]
        self.namespace = namespace
        self._log = folder / 'log.txt'
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
        """End the process, come what may."""
        self._process.kill()
        self._process.wait()
