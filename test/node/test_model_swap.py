# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The next model is loaded beside the one that serves, on a thread of its own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import oracle
import pytest
from patience import PATIENCE

from msdepth_ros.errors import ModelError
from msdepth_ros.inference import model_host
from msdepth_ros.inference.model_host import ModelChoice
from msdepth_ros.node.model_server import ModelServer
from msdepth_ros.node.model_swap import ModelSwap, SwapCancelledError


class Swapping:
    """A swap that is followed as the node does it."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.built: list[str] = []
        self.swap: ModelSwap[str] = ModelSwap(
            lambda item: None, lambda stage, _: self.built.append(stage), self.changed.set
        )

    def finish(self):
        while True:
            assert self.changed.wait(PATIENCE)
            self.changed.clear()
            if (loaded := self.swap.finish()) is not None or not self.swap.status:
                return loaded


@pytest.fixture
def swapping() -> Iterator[Swapping]:
    swapping = Swapping()
    yield swapping
    swapping.swap.cancel(wait=True)


@pytest.fixture
def choice(tmp_path: Path) -> ModelChoice:
    return ModelChoice(str(oracle.write_color_model(tmp_path)), 'onnxruntime')


class Build:
    """Stands in for create_backend: a build that reports each step and waits to be let go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, self.begun = threading.Semaphore(0), threading.Event()
        self.outcome: BaseException | None = None
        self._create = model_host.create_backend
        monkeypatch.setattr(model_host, 'create_backend', self)

    def __call__(self, *arguments, **options):
        progress = next(each for each in arguments if callable(each))
        try:
            for step in range(3):
                progress('kernels', step / 3)
                self.begun.set()
                assert self.steps.acquire(timeout=PATIENCE)
        except BaseException as error:
            self.outcome = error
            raise
        return self._create(*arguments, **options)


def test_the_next_model_lives_on_a_thread_of_its_own(swapping: Swapping, choice) -> None:
    assert swapping.swap.begin(choice) is None
    server, backend = swapping.finish()
    assert server.host.estimator.backend is backend
    thread = server.worker.call(threading.current_thread)
    assert thread is not threading.current_thread()
    assert swapping.swap.status == ''
    assert swapping.swap.finish() is None  # once
    assert server.close() is None
    assert not thread.is_alive()


def test_its_engine_is_built_in_the_background_and_the_status_shows_the_progress(
    swapping: Swapping, choice, monkeypatch
) -> None:
    build = Build(monkeypatch)
    assert swapping.swap.begin(choice) is None  # returns although the build does not go on
    assert build.begun.wait(PATIENCE)
    assert swapping.swap.status == 'oracle: kernels, 0%'
    assert swapping.swap.finish() is None
    build.steps.release(3)
    server, _ = swapping.finish()
    assert swapping.built == []
    server.host.progress('again', 0.0)  # after a failure, say: now it is the one that serves
    assert swapping.built == ['again']
    server.close()


def test_a_second_one_has_to_wait(swapping: Swapping, choice, monkeypatch) -> None:
    build = Build(monkeypatch)
    swapping.swap.begin(choice)
    assert 'is being loaded' in swapping.swap.begin(choice)
    build.steps.release(6)
    swapping.finish()[0].close()
    assert swapping.swap.begin(choice) is None


def test_a_cancelled_build_stops_and_is_freed(swapping: Swapping, choice, monkeypatch) -> None:
    build = Build(monkeypatch)
    before = threading.active_count()
    swapping.swap.begin(choice)
    assert build.begun.wait(PATIENCE)
    swapping.swap.cancel()
    assert swapping.swap.status == ''
    assert 'is being loaded' in swapping.swap.begin(choice)  # there is no third in memory
    build.steps.release()
    swapping.swap.cancel(wait=True)
    assert isinstance(build.outcome, SwapCancelledError)
    assert swapping.finish() is None
    assert threading.active_count() <= before + 1  # it may be about to end


def test_a_bad_name_is_refused_at_once(swapping: Swapping) -> None:
    assert "no model named 'nobody'" in swapping.swap.begin(ModelChoice('nobody'))
    assert swapping.swap.finish() is None


def test_faults_of_its_files_are_reported_at_the_end(swapping: Swapping, choice) -> None:
    onnx = Path(choice.model).with_suffix('.onnx')
    good = onnx.read_bytes()
    onnx.write_bytes(b'not a network')
    assert swapping.swap.begin(choice) is None
    with pytest.raises(ModelError, match='cannot load'):
        swapping.finish()
    onnx.write_bytes(good)
    swapping.swap.cancel(wait=True)
    assert swapping.swap.begin(choice) is None
    swapping.finish()[0].close()


def test_a_server_gives_back_the_item_that_waited(choice) -> None:
    busy, go_on = threading.Event(), threading.Event()

    def process(item: str) -> None:
        busy.set()
        assert go_on.wait(PATIENCE)

    server: ModelServer[str] = ModelServer(process, lambda stage, fraction: None)
    server.load(choice).result(PATIENCE)
    server.worker.put('at work')
    assert busy.wait(PATIENCE)
    server.worker.put('waits')
    threading.Timer(0.05, go_on.set).start()
    assert server.close() == 'waits'
    assert server.host.estimator is None
