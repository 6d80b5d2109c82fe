# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A real colcon build, and launch files run from it as a user's shell would."""

import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = Path(__file__).with_name('ros2_launch.py')
# Stands in for an executable of a package that is not installed: notes how it was called.
RECORDER = """\
#!{python}
import os, pathlib, signal, sys
for suffix in ('.args', f'.{{os.getpid()}}.args'):  # of the last call, and of each
    pathlib.Path(__file__).with_suffix(suffix).write_text('\\n'.join(sys.argv[1:]))
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
signal.pause()
"""


@dataclass
class Workspace:
    """A colcon workspace in a temporary folder that the package has been built in."""

    folder: Path

    @property
    def install(self) -> Path:
        return self.folder / 'install'

    @property
    def prefix(self) -> Path:
        return self.install / 'msdepth_ros'

    @property
    def share(self) -> Path:
        return self.prefix / 'share' / 'msdepth_ros'

    def command(self, *words: str) -> list[str]:
        """Wrap a command so that it runs in a shell that has sourced the workspace."""
        setup = shlex.quote(str(self.install / 'setup.bash'))
        stubs = shlex.quote(str(self.folder / 'stubs'))
        script = f'source {setup}; export AMENT_PREFIX_PATH={stubs}:$AMENT_PREFIX_PATH; '
        return ['bash', '-c', f'{script} exec {shlex.join(words)}']

    def run(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command in the sourced workspace to its end."""
        command = self.command(*words)
        return subprocess.run(command, text=True, capture_output=True, timeout=120, **options)

    def add_recorder(self, package: str, executable: str) -> Path:
        """Add a package with one recording executable; return the file its arguments go to."""
        stubs = self.folder / 'stubs'
        index = stubs / 'share' / 'ament_index' / 'resource_index' / 'packages'
        index.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        file = stubs / 'lib' / package / executable
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(RECORDER.format(python=sys.executable))
        file.chmod(0o755)
        arguments = file.with_suffix('.args')
        arguments.unlink(missing_ok=True)
        return arguments


@dataclass
class Launched:
    """A launch file that is running."""

    process: subprocess.Popen[str]
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors='replace')

    def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until the condition holds; fail with the launch's output if it does not."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail(f'the launch file did not get there:\n{self.output()}')
            time.sleep(0.05)

    def interrupt(self, seconds: float = 20) -> int:
        """Press Ctrl-C as a terminal does, to the whole process group; return the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            pytest.fail(f'still running {seconds} s after Ctrl-C:\n{self.output()}')


Launch = Callable[..., Launched]


@pytest.fixture(scope='session')
def colcon() -> list[str]:
    """Return the command of colcon under this Python, which the executables then run under too."""
    if importlib.util.find_spec('colcon') is None:
        pytest.fail('colcon is missing: apt install python3-colcon-common-extensions, or pip')
    return [sys.executable, '-m', 'colcon']


@pytest.fixture(scope='session')
def workspace(colcon: list[str], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Build the package with colcon, away from the source tree."""
    folder = tmp_path_factory.mktemp('workspace')
    command = [*colcon, '--log-base', str(folder / 'log'), 'build', '--paths', str(ROOT)]
    command += ['--build-base', str(folder / 'build'), '--install-base', str(folder / 'install')]
    built = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return Workspace(folder)


@pytest.fixture
def launch(workspace: Workspace, tmp_path: Path) -> Iterator[Launch]:
    """Return a function that starts an installed launch file with arguments."""
    running: list[Launched] = []

    def start(file: str, *arguments: str, **environment: str) -> Launched:
        if shutil.which('ros2'):
            words = ['ros2', 'launch', 'msdepth_ros', file, *arguments]
        else:
            path = str(workspace.share / 'launch' / file)
            words = [sys.executable, str(LAUNCHER), path, *arguments]
        log = tmp_path / f'launch_{len(running)}.log'
        with log.open('w') as stream:
            process = subprocess.Popen(
                workspace.command(*words),
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                cwd=tmp_path,
                env={
                    **os.environ,
                    'PYTHONUNBUFFERED': '1',
                    'ROS_LOG_DIR': str(tmp_path / 'ros_log'),
                    **environment,
                },
            )
        running.append(Launched(process, log))
        return running[-1]

    yield start
    for launched in running:
        if launched.process.poll() is None:
            os.killpg(launched.process.pid, signal.SIGKILL)
            launched.process.wait()
