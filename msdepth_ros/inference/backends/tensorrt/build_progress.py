# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The progress of an engine's build as one number, and a way to stop it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msdepth_ros.inference.backends.tensorrt.engine_options import Progress

BEAT = 1.0  # seconds between two reports
BEATS_PER_LINE = 10  # reports for each line of the log

_logger = logging.getLogger(__name__)


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """Converts TensorRT's nested phases to one fraction.

    It is thread-safe: TensorRT calls it from its own threads.

    Attributes
    ----------
    fraction : done, from 0 to 1; it never decreases.
    stage : the innermost phase that is running.
    error : the exception with which `report` stopped the build, or None.
    """

    def __init__(self, report: Progress | None = None) -> None:
        self.fraction = 0.0
        self.stage = ''
        self.error: BaseException | None = None
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.RLock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Record the start of a phase of `steps` steps, inside another one if it has a parent."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(steps, 1))
            self.update(name)

    def step(self, name: str, step: int) -> bool:
        """Record that a step (counted from 0) is done; return whether to continue."""
        with self._lock:
            phase = self._phases.get(name)
            if phase is not None:
                phase.done = min(step + 1, phase.steps)
            return self.update(name)

    def finish(self, name: str) -> None:
        """Record the end of a phase."""
        with self._lock:
            self._phases.pop(name, None)

    def update(self, stage: str, fraction: float | None = None) -> bool:
        """Report a stage; return whether to continue."""
        with self._lock:
            self.stage = stage
            reached = self._reached(stage) if fraction is None else fraction
            self.fraction = min(max(self.fraction, reached), 1.0)
            if self._report is not None and self.error is None:
                try:
                    self._report(stage, self.fraction)
                except BaseException as error:  # it must not pass through TensorRT's C++ code
                    self.error = error
            return self.error is None

    def repeat(self) -> None:
        """Report the last stage again: TensorRT before 10 reports nothing during a build."""
        with self._lock:
            self.update(self.stage, self.fraction)

    def _reached(self, name: str) -> float:
        """Return the fraction of the whole build that is done, computed from one phase."""
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
    """Report progress every second, and log it every ten, so that users do not stop the program."""
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
    """Run a build so that Ctrl-C stops it cleanly.

    The build runs on a thread of its own, as Python handles no signals on the main thread during
    one long C++ call. On KeyboardInterrupt the build is stopped at its next step and the exception
    is raised again. (TensorRT before 10 has no steps: its build ends with the process.)

    Parameters
    ----------
    work : the build; it is called with the progress function to use.
    report : called with the progress.

    Returns
    -------
    What `work` returns; an exception that it raises is raised again.
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

    # Not Thread.join: after an interrupt it treats the thread as ended (Python before 3.13).
    thread = threading.Thread(target=target, name='engine build', daemon=True)
    try:
        thread.start()
        while not ended.wait(0.1):
            pass
    except KeyboardInterrupt:
        stop.set()
        ended.wait(30.0)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
