# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: subscribes to one camera, publishes metric depth and clouds."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Header

from msdepth_ros.errors import CalibrationError, ImageError, MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.stretch import Stretch
from msdepth_ros.images.topic_names import camera_name
from msdepth_ros.inference.backends import Backend
from msdepth_ros.inference.estimator import Align, Settings
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.inference.model import Model
from msdepth_ros.node.calibration import CalibrationSource
from msdepth_ros.node.camera_input import PATIENCE, THROTTLE, CameraInput, ImageMessage
from msdepth_ros.node.diagnostics import NodeState, diagnostic_array
from msdepth_ros.node.header_monitor import age
from msdepth_ros.node.lifecycle import SteadyLifecycleNode
from msdepth_ros.node.measured.hub import MeasuredHub
from msdepth_ros.node.messages import image_from_msg, nanoseconds
from msdepth_ros.node.model_server import ModelServer
from msdepth_ros.node.model_swap import ModelSwap
from msdepth_ros.node.outputs import DepthOutputs
from msdepth_ros.node.parameters import Parameters, estimator_settings
from msdepth_ros.node.process import destroyed_unless_made, run_node
from msdepth_ros.node.scale.kept import KeptScale
from msdepth_ros.node.scale.save import ScaleSaving
from msdepth_ros.node.scale.service import Estimate, ScaleCalibration
from msdepth_ros.node.statistics import FrameStatus, Statistics
from msdepth_ros.node.threads import PublishThread

_Arrival = tuple[ImageMessage, float]
# Seconds for which the executor's thread sleeps, so that the worker gets Python's interpreter lock
# at once. This saves 0.25 ms per frame at the median (make bench-overhead).
_HEAD_START = 1e-3
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class DepthNode(SteadyLifecycleNode):
    """Publishes the metric depth of one calibrated camera.

    Subscribes to `image` and `camera_info` (CameraInput); publishes depth and the topics made from
    it, with the image's header (DepthOutputs), and `/diagnostics`. The executor's thread only
    stores the newest image. A worker thread estimates its depth; another thread publishes it while
    the worker processes the next image. Only topics with a subscriber are computed.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('msdepth', **node_options)
        self._statistics = Statistics()
        self._server = ModelServer(self._process_safely, self._on_build_progress)
        changed = self.create_guard_condition(self._follow_swap)
        self._swap = ModelSwap(self._process_safely, self._on_build_progress, changed.trigger)
        self._publication = PublishThread()
        self._build = ''
        self._build_logged = 0.0
        self._outputs: DepthOutputs | None = None
        self._last_error = ''
        self._stretch = Stretch()
        with destroyed_unless_made(self):
            self._options = Parameters(self, self._swap.begin, lambda: self._outputs is not None)
            self._input = CameraInput(self, self._options, self._statistics, self._offer)
            self._measured = MeasuredHub(self)
            self._kept_scale = KeptScale(self, self._options)
            self._scale_calibration = ScaleCalibration(
                self, self._options, self._kept_scale, self._estimate_newest, self._follow_demand
            )
            self._scale_saving = ScaleSaving(self, self._options, self._kept_scale)
            self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
            # Steady time: simulated time may stand still, but diagnostics must not.
            self._diagnostics_timer = self.create_timer(
                1.0, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )

    # Lifecycle transitions, on the executor's thread.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and advertise the topics."""
        values = self._options.values
        try:
            name = camera_name(self._input.image_topic)
            self._calibration = CalibrationSource(values['camera_info_url'], name)
            backend = self._server.load(self._options.model_choice()).result()
        except MsdepthError as error:
            self._last_error = str(error)
            self.get_logger().error(str(error))
            return _FAILURE
        except ExternalShutdownException:  # a signal stopped the build of an engine
            return _FAILURE
        finally:
            self._build = ''
        self._outputs = DepthOutputs(self, self._follow_demand)
        self._log_model(backend)
        return _SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera."""
        self._stretch = Stretch()
        assert self._outputs is not None
        self._input.open(self._calibration)
        self._measured.open(self._options.values['metric.sources'], self._outputs.mounts)
        self._follow_demand()
        return super().on_activate(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything after a failed transition; the node is then unconfigured."""
        self._unsubscribe()
        self._free()
        self._last_error = self.transition_error
        return _SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and finish the present frame."""
        self._unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and remove the topics."""
        self._free()
        self._last_error = ''
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        if state.label == 'active':
            self._unsubscribe()
        self._free()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """Free everything and end the worker thread."""
        self._swap.cancel(wait=True)
        self._server.close()
        self._publication.close()
        super().destroy_node()

    def _unsubscribe(self) -> None:
        self._input.close()
        self._server.worker.clear()
        self._publication.wait()
        self._measured.close()

    def _free(self) -> None:
        self._swap.cancel()
        self._server.unload()
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None

    def _on_build_progress(self, stage: str, fraction: float) -> None:
        """Report the progress of an engine's build, on the thread that builds it."""
        if not self.context.ok():
            raise ExternalShutdownException()
        self._build = f'{stage}, {fraction:.0%}'
        now = time.monotonic()
        if now - self._build_logged >= 1.0:
            self._build_logged = now
            self.get_logger().info(f'building the engine: {self._build}', **THROTTLE)
            self._publish_diagnostics()

    def _follow_demand(self) -> None:
        """Subscribe to images while an output has a subscriber, on the executor's thread.

        Until the first image arrives it stays subscribed, so that a silent camera is reported.
        """
        if self._outputs is not None:
            wanted = self._outputs.wanted(self._options.values) or self._scale_calibration.is_busy
            self._input.listen(wanted or not self._input.received or not self._outputs.notifies)

    def _offer(self, message: ImageMessage, arrived: float) -> None:
        """Give an image to the worker, on the executor's thread."""
        if self._outputs is None or not self._outputs.wanted(self._options.values):
            self._statistics.count(FrameStatus.UNWANTED)
        elif self._server.worker.put((message, arrived)):
            self._statistics.count(FrameStatus.REPLACED)
        else:
            time.sleep(_HEAD_START)

    # On the worker's thread; publication may be on its own thread.

    def _process_safely(self, arrival: _Arrival) -> None:
        self._safely(partial(self._process, *arrival))
        self._build = ''  # of an engine that was built after a failure

    def _safely(self, work: Callable[[], None]) -> None:
        """Do some work on a frame; on an error drop the frame, and go on with the next."""
        try:
            work()
        except ImageError as error:
            self._drop(FrameStatus.MALFORMED, error)
        except Exception as error:
            if self.context.ok():  # otherwise the node was shut down during this frame
                self._drop(FrameStatus.FAILED, error)

    def _drop(self, status: str, error: Exception) -> None:
        self._statistics.count(status)
        self._last_error = str(error)
        topic = self._input.image_topic
        text = str(error) if isinstance(error, MsdepthError) else repr(error)
        self.get_logger().warning(f'{topic}: frame dropped: {text}', **THROTTLE)

    def _process(self, message: ImageMessage, arrived: float) -> None:
        started = time.monotonic()
        if self._outputs is None:
            return
        if not self._calibration.announced and started - self._input.since < PATIENCE:
            self._statistics.count(FrameStatus.UNCALIBRATED)
            return
        values = self._options.values  # one snapshot for the whole frame
        frame = self._estimate(message, values, self._measured)
        estimated = time.monotonic()
        stages = {
            'wait': started - arrived,
            'prepare': estimated - started - frame.infer_time,
            'infer': frame.infer_time,
        }
        publish = partial(
            self._publish, self._outputs, frame, message.header, values, stages, estimated
        )
        self._publication.run(partial(self._safely, publish), self._server.worker.waiting)

    def _publish(
        self,
        outputs: DepthOutputs,
        frame: DepthFrame,
        header: Header,
        values: dict[str, Any],
        stages: dict[str, float],
        estimated: float,
    ) -> None:
        outputs.publish(frame, header, values)
        now = time.monotonic()
        stages = {**stages, 'publish': now - estimated}
        seconds = age(header, self.get_clock().now().nanoseconds)
        if seconds is not None:
            stages['age'] = seconds
        self._statistics.published(now, stages)

    def _estimate(
        self, message: ImageMessage, values: dict[str, Any], measured: MeasuredHub | None = None
    ) -> DepthFrame:
        """Return the depth of an image, aligned with the measurements if `measured` is given."""
        image, encoding = image_from_msg(message, self._stretch)
        if note := self._stretch.take_note():
            self.get_logger().info(f'{self._input.image_topic}: {note}')
        settings = estimator_settings(values, self._input.image_topic)
        stamp = message.header.stamp
        align_for = None
        if measured is not None:
            align_for = measured.align_for(nanoseconds(stamp), message.header.frame_id, values)
        estimate = partial(self._estimate_with, image, encoding, settings, align_for)
        camera = self._calibration.of(stamp)
        frame = estimate(camera)
        # The image's own camera_info may arrive later, but is rarely different.
        own = self._calibration.settled(stamp)
        return frame if own == camera else estimate(own)

    def _estimate_with(
        self,
        image: np.ndarray,
        encoding: str,
        settings: Settings,
        align_for: Callable[[Model], Align] | None,
        camera: Camera | None,
    ) -> DepthFrame:
        host = self._server.host
        try:
            return host.estimate(image, encoding, camera, settings, align_for)
        except CalibrationError as error:
            self.get_logger().warning(
                f'{self._input.info_topic}: {error}; until this is right, there is no cloud and '
                'no metric scale',
                **THROTTLE,
            )
            return host.estimate(image, encoding, None, settings, align_for)

    def _estimate_newest(self) -> Estimate:
        """Return the depth of the newest image; call it on any other thread than these two."""
        message = self._input.newest()
        try:
            values = self._options.values
            frame = self._server.worker.call(lambda: self._estimate(message, values))
        finally:
            self._build = ''  # of an engine that was built after a failure
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
        return Estimate(frame, message.header.frame_id, stamp, values['depth.scale'])

    # The next model, on the executor's thread.

    def _follow_swap(self) -> None:
        """Change to the next model when it is loaded; if loading failed, keep the present one."""
        try:
            loaded = self._swap.finish()
        except Exception as error:
            text = str(error) if isinstance(error, MsdepthError) else repr(error)
            self._last_error = f'the model stays as it was: {text}'
            self.get_logger().error(self._last_error)
            choice = self._server.host.choice
            if choice is not None:
                self._options.keep_model(choice.model)
        else:
            if loaded is not None:
                waiting = self._server.close()
                self._server, backend = loaded
                if waiting is not None:
                    self._server.worker.put(waiting)
                self._log_model(backend)
        self._publish_diagnostics()

    def _log_model(self, backend: Backend) -> None:
        self._last_error = ''
        self._kept_scale.apply()
        self.get_logger().info(
            f'model {backend.model.name} on {backend.name} ({backend.device}, '
            f'{backend.precision}), input {"x".join(map(str, backend.model.input_size))}'
        )

    # Diagnostics, on the executor's thread.

    def _watch(self) -> None:
        self._follow_demand()  # a parameter may have enabled or disabled an output
        self._publish_diagnostics()

    def _publish_diagnostics(self) -> None:
        if self._outputs is not None:
            self._outputs.warn_of_shared_topics()
        estimator = self._server.host.estimator
        self._diagnostics.publish(
            diagnostic_array(
                self.get_fully_qualified_name(),
                self.get_clock().now().to_msg(),
                self._statistics.snapshot(),
                NodeState(
                    None if estimator is None else estimator.backend,
                    self._last_error,
                    self._build,
                    self._swap.status,
                    self._input.is_open,
                    self._input.listens,
                    self._measured.report(),
                    self._measured.trouble,
                ),
                self._options.thresholds(),
            )
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    # A frame changes threads; with Python's default of 5 ms the next thread would wait too long.
    sys.setswitchinterval(1e-4)

    def run(node: DepthNode, executor: Executor) -> None:
        if node.get_parameter('autostart').value and node.trigger_configure() == _SUCCESS:
            node.trigger_activate()
        rclpy.spin(node, executor)

    return run_node(DepthNode, run, args)


if __name__ == '__main__':
    sys.exit(main())
