# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A graph as on a robot: a camera, a depth node and a monitor in separate processes."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, PointCloud2

from msdepth_ros.benchmark.camera import READY, stamp_of
from msdepth_ros.benchmark.usage import Usage
from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.children import last_line, node_command, running
from msdepth_ros.host.memory import keep_freed_memory
from msdepth_ros.host.transport import PROFILE_VARIABLES, transport_environment

DEPTH, POINTS = 'depth/image_rect', 'points'
DEPTH_NODE = ('-m', 'msdepth_ros.node.depth_node')
_START_LIMIT = 120.0  # seconds; a TensorRT engine may have to be built first
_LAST_DEPTH = 1.0  # seconds to wait for the depth of the last images
_FIRST_DEPTH = 60.0  # seconds to wait for the depth of any image, on a machine held up
_WARM_UP = 15  # images
_numbers = itertools.count()  # for namespaces, so that rigs do not disturb each other


@dataclass(frozen=True)
class Run:
    """The messages of a run; all times are nanoseconds of this machine's clock.

    Attributes
    ----------
    sent : stamps of the images.
    received : for each topic, the time of arrival by stamp.
    usage : metrics of usage.Usage.
    """

    sent: list[int]
    received: Mapping[str, dict[int, int]]
    usage: dict[str, Any]


class Monitor(Node):
    """Subscribes to depth and points like a consumer, on its own thread.

    It measures only when messages arrive: it takes them as bytes, into memory that the process
    keeps, and the node has no services.
    """

    def __init__(self, namespace: str, consumes: bool = True) -> None:
        keep_freed_memory()
        super().__init__(
            'benchmark_monitor',
            namespace=namespace,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self.received: dict[str, dict[int, int]] = {DEPTH: {}, POINTS: {}}
        self.diagnostics: dict[str, str] = {}
        self.error = ''
        for topic, kind in ((DEPTH, Image), (POINTS, PointCloud2)) if consumes else ():
            self.create_subscription(kind, topic, self._note(topic), QoSProfile(depth=10), raw=True)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether both topics are published."""
        return all(self.count_publishers(topic) for topic in self.received)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._thread.join()
        self.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):  # after a signal
            self._executor.spin()

    def _note(self, topic: str) -> Callable[[bytes], None]:
        arrivals = self.received[topic]

        def note(message: bytes) -> None:
            arrivals[stamp_of(message)] = time.time_ns()

        return note

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(self.get_namespace()):
                self.diagnostics = {item.key: item.value for item in status.values}
                self.error = status.message if status.level == DiagnosticStatus.ERROR else ''


def _wait(true: Callable[[], bool], seconds: float) -> bool:
    """Return whether something becomes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


class Rig:
    """Runs a node between a camera and a monitor during a `with` block.

    If it also starts rclpy (in the main thread), SIGTERM ends the block with a KeyboardInterrupt,
    like SIGINT.

    Attributes
    ----------
    pid : process id of the node.
    output : output of the node, after the block.
    monitor : receives its messages.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        size: tuple[int, int] = (640, 480),
        program: Sequence[str] = DEPTH_NODE,
        consumes: bool = True,
        profile: bool = True,
    ) -> None:
        """Prepare; the processes start with the `with` block.

        Parameters
        ----------
        parameters : parameters of the node, by name.
        size : (width, height) of the images.
        program : as for children.node_command.
        consumes : whether the monitor subscribes to depth and points; otherwise the node computes
            nothing.
        profile : whether all processes use config/fastdds.xml (or the user's profile), or none; it
            has an effect only for the first rig of this process.
        """
        self._parameters, self._size, self._program = parameters, size, program
        self._consumes, self._profile = consumes, profile
        self._exits = contextlib.ExitStack()
        self.output = ''

    def __enter__(self) -> 'Rig':
        with contextlib.ExitStack() as exits:
            self._start(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def run(self, rate: float, seconds: float) -> Run:
        """Play images at a rate (Hz) for some seconds and collect the messages of the node.

        Raises
        ------
        MsdepthError
            If the camera's process ended, or the node answered no image at all.
        """
        for arrivals in self.monitor.received.values():
            arrivals.clear()
        with Usage(self.pid) as usage:
            sent = self._ask({'rate': rate, 'frames': max(3, round(rate * seconds))})
        received = self.monitor.received
        if self._consumes:
            _wait(lambda: sent[-1] in received[POINTS], _LAST_DEPTH)
            topics = (DEPTH, POINTS)
            if not _wait(
                lambda: not any(received[topic].keys().isdisjoint(sent) for topic in topics),
                _FIRST_DEPTH,
            ):
                raise MsdepthError(f'the node answered no image: {last_line(self._log)}')
        return Run(sent, {topic: dict(times) for topic, times in received.items()}, usage.metrics)

    def diagnostics(self) -> dict[str, str]:
        """Return the next values of the node in /diagnostics, {} if none arrive."""
        self.monitor.diagnostics = {}
        _wait(lambda: bool(self.monitor.diagnostics), 2.5)  # they are published once a second
        return self.monitor.diagnostics

    def _start(self, exits: contextlib.ExitStack) -> None:
        # Fast DDS reads these when a process creates its first node, here and in the children.
        if self._profile:
            os.environ.update(transport_environment(os.environ))
        else:
            for name in PROFILE_VARIABLES:
                os.environ.pop(name, None)
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        namespace = f'/msdepth_benchmark_{os.getpid()}_{next(_numbers)}'
        if not rclpy.ok():
            # On SIGTERM rclpy's handlers would end the graph, but not the code that waits for it.
            rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
            exits.callback(rclpy.try_shutdown)
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)
            exits.callback(signal.signal, signal.SIGTERM, before)
        self.monitor = Monitor(namespace, self._consumes)
        exits.callback(self.monitor.close)
        self._log = folder / 'node.log'
        exits.callback(self._keep_output)
        command = node_command(self._program, namespace, self._parameters)
        node = exits.enter_context(running(command, self._log))
        self.pid = node.pid
        self._node = node
        camera = [sys.executable, '-m', 'msdepth_ros.benchmark.camera', namespace]
        self._camera = subprocess.Popen(
            [*camera, *map(str, self._size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        exits.callback(self._end_camera)
        self._await_node()
        if self._reply() != READY:
            raise MsdepthError(f'the node does not subscribe to images: {last_line(self._log)}')
        self.run(30.0, _WARM_UP / 30)

    def _await_node(self) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while not self.monitor.ready:
            if self._node.poll() is not None:
                raise MsdepthError(f'the node ended: {last_line(self._log)}')
            if self.monitor.error:
                raise MsdepthError(self.monitor.error)
            if time.monotonic() > deadline:
                raise MsdepthError(
                    f'the node did not start in {_START_LIMIT:.0f} s: {last_line(self._log)}'
                )
            time.sleep(0.05)

    def _keep_output(self) -> None:
        if self._log.exists():
            self.output = self._log.read_text(errors='replace')

    def _end_camera(self) -> None:
        try:
            self._camera.communicate(timeout=_LAST_DEPTH)  # it ends with its stdin
        except subprocess.TimeoutExpired:
            self._camera.kill()
            self._camera.communicate()

    def _ask(self, request: dict[str, Any]) -> list[int]:
        assert self._camera.stdin is not None
        self._camera.stdin.write(json.dumps(request) + '\n')
        self._camera.stdin.flush()
        return self._reply()

    def _reply(self) -> Any:
        assert self._camera.stdout is not None
        line = self._camera.stdout.readline()
        if not line:
            raise MsdepthError("the benchmark's camera ended")
        return json.loads(line)
