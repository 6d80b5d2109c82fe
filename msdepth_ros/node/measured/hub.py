# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The measurements of the depth node: subscriptions, alignment of frames, reports."""

import collections
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.estimator import Align
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.inference.model import Model
from msdepth_ros.metric.metres import Aligned, Metres
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.views import NO_EARLIER, NO_MATCH, NO_MOTION
from msdepth_ros.node.measured.sources import (
    CloudSource,
    DepthSource,
    FloorSource,
    Request,
    ScanSource,
    Source,
    UnusableError,
    enough,
)
from msdepth_ros.node.measured.transforms import Transforms
from msdepth_ros.node.measured.views_source import ViewsSource
from msdepth_ros.node.mounts import Mounts

THROTTLE = {'throttle_duration_sec': 30.0}
_INCONSISTENT = 0.5  # share of disagreeing measurements, over many frames, for a warning
_MEMORY = 0.05  # weight of a new frame in that share
_INCREDIBLE = 3.0  # standard deviations of the model's own scale
# Usual causes, which are not logged.
_QUIET = ('nothing came', 'in doubt', 'not in view', 'no mount', NO_EARLIER, NO_MOTION, NO_MATCH)


# All sources but the floor, which needs the camera's mount alone.
_OF_TOPICS: dict[str, Callable[[Transforms], Source]] = {
    kind.name: kind for kind in (ScanSource, CloudSource, DepthSource, ViewsSource)
}
SOURCES = (FloorSource.name, *_OF_TOPICS)  # names in metric.sources


class MeasuredHub:
    """Owns the sources in `metric.sources`.

    Messages arrive on the executor's thread. `align_for` and the function that it returns run
    on the worker's thread.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sources: dict[str, Source] = {}
        self._subscriptions: list[Subscription] = []
        self._transforms: Transforms | None = None
        self._metres: Metres | None = None
        self._model: Model | None = None
        self._last: Aligned | None = None
        self._ages: dict[str, float] = {}
        self._rejected: dict[tuple[str, str], int] = collections.Counter()
        self._disagreeing: dict[str, float] = {}
        self._unused: dict[str, str] = {}

    def open(self, names: list[str], mounts: Mounts) -> None:
        """Subscribe to the topics of these sources."""
        self._metres = self._last = None
        self._rejected.clear()
        self._disagreeing.clear()
        self._unused.clear()
        if set(names) & set(_OF_TOPICS):
            self._transforms = Transforms(self._node)
            self._sources = {
                name: kind(self._transforms) for name, kind in _OF_TOPICS.items() if name in names
            }
        if FloorSource.name in names:
            self._sources[FloorSource.name] = FloorSource(mounts)
        overrides = QoSOverridingOptions.with_default_policies()
        for source in self._sources.values():
            qos = QoSProfile(depth=source.queue, reliability=ReliabilityPolicy.BEST_EFFORT)
            for topic, kind in source.topics.items():
                hear = partial(source.hear, topic)
                self._subscriptions.append(
                    self._node.create_subscription(
                        kind, topic, hear, qos, qos_overriding_options=overrides
                    )
                )

    def close(self) -> None:
        """Unsubscribe."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None
        self._sources = {}

    def align_for(self, stamp: int, frame: str, values: dict[str, Any]) -> Callable[[Model], Align]:
        """Return a function of the model; its result aligns an image's depth with measurements.

        Parameters
        ----------
        stamp : stamp of the image, ns.
        frame : frame_id of the image.
        values : values of the node's parameters.
        """

        def align_for_model(model: Model) -> Align:
            metres = self._metres_of(model, values['metric.hold'])
            metric = model.metric == 'metric'

            def align(
                depth: np.ndarray,
                geometry: FrameGeometry,
                outputs: Mapping[str, np.ndarray],
                image: np.ndarray,
            ) -> Aligned | None:
                request = Request(stamp, frame, values, depth, geometry, outputs, image, metric)
                sparse = self._measure(request)
                aligned = metres.align(depth, geometry.cells, sparse, stamp * 1e-9)
                self._learn(aligned, model)
                return aligned

            return align

        return align_for_model

    def _metres_of(self, model: Model, hold: float) -> Metres:
        if self._metres is None or self._model is not model:
            self._metres, self._model = Metres(model.prior, model.metric, hold), model
        self._metres.hold = hold
        return self._metres

    def _measure(self, request: Request) -> list[SparseDepth]:
        found = []
        for name, source in self._sources.items():
            try:
                sparse, age = source.measure(request)
                sparse = enough(sparse)
            except UnusableError as error:
                self._refuse(name, error.cause, error.advice)
                continue
            except MsdepthError as error:
                self._refuse(name, 'not usable', str(error))
                continue
            self._unused[name] = ''
            self._ages[name] = age
            found.append(_faded(sparse, age / request.values['metric.max_age']))
        return found

    def _refuse(self, name: str, cause: str, advice: str) -> None:
        """Remember why a source is not used, and log it if there is something to do."""
        self._rejected[name, cause] += 1
        self._unused[name] = advice and f'measured {name} is not used: {advice}'
        if advice and cause not in _QUIET:
            self._node.get_logger().warning(self._unused[name], **THROTTLE)

    def _learn(self, aligned: Aligned | None, model: Model) -> None:
        """Remember which measurements were used or rejected, for diagnostics."""
        self._last = aligned
        if aligned is None and model.metric != 'metric':
            self._node.get_logger().warning(
                f'no depth: {model.name} knows it only up to '
                f'{"a factor" if model.metric == "scale" else "a factor and a shift"}, and nothing '
                'is measured: set metric.sources, and the mount or TF (docs/metres.md)',
                **THROTTLE,
            )
        if aligned is None:
            return
        for (name, cause), count in aligned.rejected.items():
            self._rejected[name, cause] += count
        for name in self._sources:
            bad = sum(n for (source, _), n in aligned.rejected.items() if source == name)
            all_of_it = bad + aligned.used.get(name, 0)
            if all_of_it:
                before = self._disagreeing.get(name, 0.0)
                self._disagreeing[name] = before + _MEMORY * (bad / all_of_it - before)

    @property
    def trouble(self) -> str:
        """What is wrong with the sources; '' = nothing."""
        return '; '.join(filter(None, [self._doubt(), *list(self._unused.values())]))

    def _doubt(self) -> str:
        """Return what is wrong with what was measured; '' = nothing."""
        wrong = [name for name, share in self._disagreeing.items() if share > _INCONSISTENT]
        if wrong:
            return (
                f'measured {", ".join(wrong)} differs from the depth by more than the usual errors '
                'of a network: check its mount, its clock and its topic'
            )
        last, model = self._last, self._model
        if model is None:
            return ''
        if last is None:
            if model.metric == 'metric':
                return ''
            return f'no depth: nothing is measured, and {model.name} alone gives no metres'
        for name, offset in last.offsets.items():
            if offset.beyond:
                return (
                    f'measured {name} is off by a factor of {math.exp(offset.scale.mean):.2f} from '
                    'the other sources, and corrected by it: check the odometry and the mounts'
                )
        if model.metric == 'metric' and abs(last.scale.mean) > _INCREDIBLE * model.prior.sg:
            factor = math.exp(last.scale.mean)
            return (
                f'the measurements change the depths of {model.name} by a factor of {factor:.2f}; '
                'such a large error of the model is very unlikely: check the odometry, the mounts '
                'and the calibration'
            )
        return ''

    def report(self) -> dict[str, str]:
        """Return lines for diagnostics."""
        last = self._last
        lines = {'metres': 'measured' if last is not None and last.measured else 'predicted'}
        if last is not None:
            factor, spread = math.exp(last.scale.mean), math.sqrt(last.scale.variance)
            lines['metric factor'] = f'{factor:.3f} +- {factor * spread:.3f}'
        for name, source in self._sources.items():
            parts = [f'{last.used.get(name, 0) if last is not None else 0} used']
            if name in self._ages and source.aged:
                parts[0] += f', {1e3 * self._ages[name]:.0f} ms from the image'
            if last is not None and name in last.offsets:
                offset = last.offsets[name].scale
                factor, spread = math.exp(offset.mean), math.sqrt(offset.variance)
                parts.append(f'off by {factor:.3f} +- {factor * spread:.3f}')
            parts += [
                f'{cause} {count}'
                for (of, cause), count in sorted(self._rejected.items())
                if of == name
            ]
            lines[f'measured {name}'] = '; '.join(parts)
        return lines


def _faded(sparse: SparseDepth, age: float) -> SparseDepth:
    """Return measurements with less weight the older they are; `age` 1 is the oldest allowed.

    So a source that stops fades out instead of ending from one frame to the next.
    """
    return replace(sparse, sigma=sparse.sigma / np.float32(math.sqrt(max(1 - age**4, 1e-3))))
