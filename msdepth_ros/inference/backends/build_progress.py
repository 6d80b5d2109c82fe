# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follows an engine's build: its progress in one number, and a way to stop it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msdepth_ros.inference.backends.engine_options import Progress

BEAT = 1.0  # seconds between two signs of life
BEATS_PER_LINE = 10  # of the log

_logger = logging.getLogger(__name__)


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """Turns TensorRT's nested phases into one growing fraction.

    It is thread-safe: TensorRT calls it from threads of its own.

    Attributes
    ----------
    fraction : from 0 to 1, never falling.
    stage : the innermost phase at work.
    error : the exception by which `report` asked to stop, or None.
    """

    def __init__(self, report: Progress | None = None) -> None:
        self.fraction = 0.0
        self.stage = ''
        self.error: BaseException | None = None
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.RLock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Take note that a phase of so many steps began inside another one."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(steps, 1))
            self.update(name)

    def step(self, name: str, step: int) -> bool:
        """Take note that a step (from 0) is done; return whether to go on."""
        with self._lock:
            phase = self._phases.get(name)
            if phase is not None:
                phase.done = min(step + 1, phase.steps)
            return self.update(name)

    def finish(self, name: str) -> None:
        """Take note that a phase ended."""
        with self._lock:
            self._phases.pop(name, None)

    def update(self, stage: str, fraction: float | None = None) -> bool:
        """Report a stage; return whether to go on."""
        with self._lock:
            self.stage = stage
            reached = self._reached(stage) if fraction is None else fraction
            self.fraction = min(max(self.fraction, reached), 1.0)
            if self._report is not None and self.error is None:
                try:
                    self._report(stage, self.fraction)
                except BaseException as error:  # must not pass through TensorRT's C++
                    self.error = error
            return self.error is None

    def repeat(self) -> None:
        """Report the last stage once more: TensorRT before 10 tells nothing while it builds."""
        with self._lock:
            self.update(self.stage, self.fraction)

    def _reached(self, name: str) -> float:
        """Return the fraction of the whole build that is done, seen from a phase."""
        inner, seen = 0.0, set()
        phase = self._phases.get(name)
        while phase is not None and name not in seen:
            seen.add(name)
            inner = min((phase.done + inner) / phase.steps, 1.0)
            name = phase.parent or ''
            phase = self._phases.get(name)
        return inner

    def monitor(self, trt: Any) -> Any:
        """Return this as a TensorRT IProgressMonitor (from TensorRT 10 on)."""
        progress = self

        class Monitor(trt.IProgressMonitor):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                trt.IProgressMonitor.__init__(self)

            def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
                progress.start(phase_name, parent_phase, num_steps)

            def step_complete(self, phase_name: str, step: int) -> bool:
                return progress.step(phase_name, step)

            def phase_finish(self, phase_name: str) -> None:
                progress.finish(phase_name)

        return Monitor()


@contextmanager
def heartbeat(progress: BuildProgress, what: str) -> Iterator[None]:
    """Tell every second, and log every ten, that work goes on: else who waits stops the program."""
    ended = threading.Event()
    began = time.monotonic()

    def beat() -> None:
        beats = 0
        while not ended.wait(BEAT):
            progress.repeat()
            beats += 1
            if beats % BEATS_PER_LINE:
                continue
            seconds = time.monotonic() - began
            if progress.fraction > 0:
                _logger.info(
                    '%s: %.0f s so far, %.0f %% (%s)',
                    what,
                    seconds,
                    100 * progress.fraction,
                    progress.stage,
                )
            else:
                _logger.info('%s: %.0f s so far, please wait', what, seconds)

    thread = threading.Thread(target=beat, name='engine heartbeat', daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class BuildStoppedError(Exception):
    """The user stopped a build."""


def run_interruptibly(work: Callable[[Progress], Any], report: Progress | None = None) -> Any:
    """Run a build so that Ctrl-C ends it cleanly, and return or raise what it does.

    `work` gets the progress function to build with and runs on a thread of its own: Python
    handles signals between two of its own instructions on the main thread, and a build is one
    long instruction. On KeyboardInterrupt the build is stopped at its next step (TensorRT before
    10 has no such steps: then it is left to end with the process) and the exception goes on.
    """
    stop, ended = threading.Event(), threading.Event()
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def progress(stage: str, fraction: float) -> None:
        if stop.is_set():
            raise BuildStoppedError('the build was stopped')
        if report is not None:
            report(stage, fraction)

    def target() -> None:
        try:
            outcome.append(work(progress))
        except BaseException as error:
            failure.append(error)
        finally:
            ended.set()

    # Not Thread.join: interrupted, it takes the thread for ended (Python before 3.13).
    threading.Thread(target=target, name='engine build', daemon=True).start()
    try:
        while not ended.wait(0.1):
            pass
    except KeyboardInterrupt:
        stop.set()
        ended.wait(30.0)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
