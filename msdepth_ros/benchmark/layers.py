# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The measured layers: the engine, the estimator that uses it, the node that uses both."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msdepth_ros.benchmark.machine import model_facts
from msdepth_ros.benchmark.metrics import TOLERATED_LOSS, latencies, loss, performance
from msdepth_ros.benchmark.timing import measure, summary
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.sources import guessed_camera
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import DEFAULT_MODEL, Model, load_model

if TYPE_CHECKING:
    from msdepth_ros.benchmark.rig import Rig, Run

LAYERS = ('engine', 'estimator', 'node')
RATES = (10.0, 30.0, 60.0)  # Hz, the fixed ones of ros2_benchmark
_LENS = (0.05, -0.1, 0.001, 0.001, 0.0)  # distortion, so that images are rectified
_PEAK_STEPS = 6  # halvings of the interval in the search for the peak rate
_BACK_OFF = 0.95  # factor on a peak rate that could not be confirmed, for the next try
_TRIES = 5


@dataclass(frozen=True)
class Setup:
    """The setup of a benchmark.

    Attributes
    ----------
    model, backend, precision, threads : as the node's parameters.
    size : (width, height) of the camera's images.
    seconds : duration of each measurement.
    rates : fixed rates for the node, Hz.
    """

    model: str = DEFAULT_MODEL
    backend: str = 'auto'
    precision: str = 'auto'
    threads: int = 0
    size: tuple[int, int] = (640, 480)
    seconds: float = 5.0
    rates: tuple[float, ...] = field(default=RATES)

    def load(self) -> tuple[Model, Backend]:
        """Load the model.

        Raises
        ------
        ModelError, BackendError
            If that fails.
        """
        model = load_model(self.model)
        return model, create_backend(model, self.backend, self.threads, self.precision)


def measure_engine(setup: Setup) -> dict[str, Any]:
    """Measure the network alone: from its input buffer to its output buffer."""
    _, backend = setup.load()
    try:
        backend.inputs['image'][:] = check_images(*backend.model.input_size)[0]
        return {**model_facts(backend), 'milliseconds': measure(backend.run, setup.seconds)}
    finally:
        backend.close()


def measure_estimator(setup: Setup) -> dict[str, Any]:
    """Measure from an image in memory to metric depth of the same size, with rectification."""
    model, backend = setup.load()
    width, height = setup.size
    pinhole = guessed_camera(width, height)
    camera = Camera(width, height, pinhole.k, _LENS, 'plumb_bob', p=pinhole.p)
    image = check_images(width, height)[0]
    estimator = DepthEstimator(model, backend)
    depth = estimator.estimate(image, 'bgr8', camera).full_depth()
    network: list[float] = []

    def estimate() -> None:
        frame = estimator.estimate(image, 'bgr8', camera)
        frame.full_depth(depth)
        network.append(frame.infer_time)

    try:
        times = measure(estimate, setup.seconds)
        facts = model_facts(backend)
        return {**facts, 'milliseconds': times, 'network': summary(network)}
    finally:
        backend.close()


def measure_node(setup: Setup) -> dict[str, Any]:
    """Measure the running node, from an image's stamp to its depth in another process.

    Returns
    -------
    ros2_benchmark's metrics at the peak rate (the highest with less than 5 % of the frames missed),
    and those at fixed rates as '30.0fps' etc.

    Raises
    ------
    MsdepthError
        If ROS 2 is not installed or the node does not run.
    """
    result: dict[str, Any] = {}
    for rate in setup.rates:
        result[f'{rate:.1f}fps'] = measure_rate(setup, rate)
    return {**measure_peak(setup), **result}


def measure_rate(setup: Setup, rate: float, **options: Any) -> dict[str, Any]:
    """Measure a node at one rate (Hz); `options` are passed to the Rig."""
    from msdepth_ros.benchmark.rig import Rig

    with Rig(_parameters(setup), setup.size, **options) as rig:
        return _metrics(rig, rig.run(rate, setup.seconds))


def measure_peak(setup: Setup) -> dict[str, Any]:
    """Search the peak rate by bisection, as ros2_benchmark does, and measure the node there."""
    from msdepth_ros.benchmark.rig import DEPTH, Rig

    _, backend = setup.load()
    try:
        fastest = 1e3 / measure(backend.run, 0.5)['min']
    finally:
        backend.close()
    with Rig(_parameters(setup), setup.size) as rig:
        low, high = 0.0, fastest
        for _ in range(_PEAK_STEPS):
            rate = (low + high) / 2
            run = rig.run(rate, setup.seconds / 2)
            if loss(run.sent, run.received[DEPTH]) < TOLERATED_LOSS:
                low = rate
            else:
                high = rate
        rate = low or high
        for _ in range(_TRIES):
            run = rig.run(rate, setup.seconds)
            if loss(run.sent, run.received[DEPTH]) < TOLERATED_LOSS:
                break
            rate *= _BACK_OFF
        return _metrics(rig, run)


def _metrics(rig: 'Rig', run: 'Run') -> dict[str, Any]:
    from msdepth_ros.benchmark.rig import DEPTH

    infer = rig.diagnostics().get('infer (ms)')  # p50 / p95 / p99 of the last frames
    return {
        **performance(run.sent, run.received[DEPTH]),
        **run.usage,
        'latency': {topic: latencies(run.sent, times) for topic, times in run.received.items()},
        'network': {'p50': float(infer.split(' / ')[0]) if infer else None},
    }


def _parameters(setup: Setup) -> dict[str, Any]:
    names = ('model', 'backend', 'precision', 'threads')
    return {name: getattr(setup, name) for name in names}
