# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The other end of the node's topics and services: a camera driver and a consumer in one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from patience import PATIENCE
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_srvs.srv import Trigger

TYPES = {
    'depth/image_rect': Image,
    'depth/camera_info': CameraInfo,
    'depth/image_color': Image,
    'points': PointCloud2,
    'image_raw': Image,
    'camera_info': CameraInfo,
    'odom': Odometry,
}
ASK_AGAIN = 0.1  # seconds
RESEND = 2.0  # seconds after which an image is taken for lost on the way
# A node discovers a client's services in this order, and what it answers before is lost. So once it
# answers get_state, which is asked again and again, it answers on the others, too.
SERVICES = {
    'change_state': ChangeState,
    'get_parameters': GetParameters,
    'set_parameters': SetParameters,
    'calibrate_scale': Trigger,
    'save_scale': Trigger,
    'get_state': GetState,
}
TRANSITIONS = {'configure': 1, 'cleanup': 2, 'activate': 3, 'deactivate': 4}


def nanoseconds(message: Any) -> int:
    """Return a message's stamp."""
    return Time.from_msg(message.header.stamp).nanoseconds


class Client:
    """Publishes what a camera would and collects what the node answers, by stamp.

    Attributes
    ----------
    received : for each collected topic, its messages by stamp (ns), in the order they came.
    arrival : for each collected topic, time.time_ns() of each stamp's arrival.
    """

    def __init__(
        self, namespace: str, compressed: bool = False, camera_reliable: bool = True
    ) -> None:
        self.namespace = namespace
        self.node = rclpy.create_node('client', namespace=namespace)
        self.received: dict[str, dict[int, Any]] = {}
        self.arrival: dict[str, dict[int, int]] = {}
        self._diagnostics: dict[str, str] | None = None
        self._subscriptions: dict[str, Any] = {}
        self._changed = threading.Condition()
        qos = _qos(reliable=camera_reliable, depth=10)
        kind = CompressedImage if compressed else Image
        self.images = self.node.create_publisher(kind, 'image', qos)
        self.infos = self.node.create_publisher(CameraInfo, 'camera_info', qos)
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, _qos(depth=10)
        )
        self._services = {
            name: self.node.create_client(kind, f'{namespace}/msdepth/{name}')
            for name, kind in SERVICES.items()
        }
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()

    def wait_until(self, true: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """Return the first true answer of a question that messages or the graph may change."""
        end = time.monotonic() + timeout
        while not (answer := true()):  # not under the lock: it may need this client's executor
            if time.monotonic() > end:
                raise AssertionError(f'not within {timeout:.0f} s: {what}')
            with self._changed:
                self._changed.wait(0.02)
        return answer

    # Topics.

    def collect(self, *topics: str, reliable: bool = True, depth: int = 50) -> None:
        """Subscribe to topics of TYPES, from now on."""
        for topic in topics:
            self.received[topic], self.arrival[topic] = {}, {}
            self._subscriptions[topic] = self.node.create_subscription(
                TYPES[topic],
                topic,
                lambda message, topic=topic: self._on_message(topic, message),
                _qos(reliable=reliable, depth=depth),
            )

    def leave(self, topic: str) -> None:
        """Unsubscribe."""
        self.node.destroy_subscription(self._subscriptions.pop(topic))

    def publish(
        self, image: Image | CompressedImage | None, info: CameraInfo | None = None, stamp: int = 0
    ) -> int:
        """Publish camera_info and image under one stamp (ns; 0 = now), which is returned."""
        stamp = stamp or self.node.get_clock().now().nanoseconds
        for publisher, message in ((self.infos, info), (self.images, image)):
            if message is not None:
                message.header.stamp = Time(nanoseconds=stamp).to_msg()
                publisher.publish(message)
        return stamp

    def ask(
        self,
        image: Image | CompressedImage,
        info: CameraInfo | None = None,
        until: Callable[[SimpleNamespace], bool] = lambda answer: True,
        topics: tuple[str, ...] = (),
    ) -> SimpleNamespace:
        """Publish an image again and again until it is answered on all topics (default: collected).

        Returns the messages of one stamp: depth, info, color, points, as far as they are asked for.
        """
        topics = topics or tuple(self.received)
        names = {
            'depth/image_rect': 'depth',
            'depth/camera_info': 'info',
            'depth/image_color': 'color',
            'points': 'points',
        }
        sent: list[int] = []

        def answer() -> SimpleNamespace | None:
            for stamp in reversed(sent):
                if all(stamp in self.received[topic] for topic in topics):
                    found = SimpleNamespace(
                        stamp=stamp, **{names[t]: self.received[t][stamp] for t in topics}
                    )
                    return found if until(found) else None
            return None

        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            sent.append(self.publish(image, info))
            again = time.monotonic() + ASK_AGAIN
            with self._changed:
                while (left := again - time.monotonic()) > 0:
                    if found := answer():
                        return found
                    self._changed.wait(left)
        raise AssertionError(f'no answer to {len(sent)} images on {topics}')

    def answer_to(
        self, image: Image, info: CameraInfo, stamp: int, topic: str = 'depth/image_rect'
    ) -> Any:
        """Publish an image under a stamp until a topic answers it; return that message.

        So images can follow each other by stamps of their own, however fast the machine is.
        """
        found = self.received[topic]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.publish(image, info, stamp)
            again = time.monotonic() + RESEND
            with self._changed:
                while (left := again - time.monotonic()) > 0:
                    if stamp in found:
                        return found[stamp]
                    self._changed.wait(left)
        raise AssertionError(f'the image of {stamp} is not answered on {topic}')

    def diagnostics(
        self, wanted: Callable[[dict[str, str]], Any] = lambda values: True
    ) -> dict[str, str]:
        """Return the node's next diagnostics that are as wanted; 'level' is one of its names."""
        with self._changed:
            self._diagnostics = None
        last: list[dict[str, str]] = []

        def found() -> dict[str, str] | None:
            if self._diagnostics is None:
                return None
            last[:] = [self._diagnostics]
            return self._diagnostics if wanted(self._diagnostics) else None

        try:
            return self.wait_until(found, 'diagnostics as wanted')
        except AssertionError as error:
            raise AssertionError(f'{error}; the last: {last}') from None

    # Services.

    def state(self) -> str:
        """Return the lifecycle state, '' while the node does not tell."""
        if not self._services['get_state'].service_is_ready():
            return ''
        # A node that has not discovered this client yet answers into the void: ask again.
        answer = self._answer('get_state', GetState.Request(), timeout=1.0)
        return answer.current_state.label if answer else ''

    def change_state(self, transition: str) -> bool:
        """Ask for a transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[transition]
        return self._call('change_state', request).success

    def get(self, name: str) -> Any:
        """Return a parameter's value."""
        response = self._call('get_parameters', GetParameters.Request(names=[name]))
        return rclpy.parameter.parameter_value_to_python(response.values[0])

    def set(self, name: str, value: Any) -> SetParametersResult:
        """Set a parameter."""
        message = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[message])
        return self._call('set_parameters', request).results[0]

    @contextmanager
    def parameters(self, values: dict[str, Any]) -> Iterator[None]:
        """Set parameters for the length of a block."""
        before = {name: self.get(name) for name in values}
        for name, value in values.items():
            result = self.set(name, value)
            assert result.successful, result.reason
        yield
        for name, value in before.items():
            assert self.set(name, value).successful

    def trigger(self, name: str) -> Trigger.Response:
        """Call a service that takes nothing."""
        return self._call(name, Trigger.Request())

    def start(self, name: str) -> Future:
        """Call a service that takes nothing, without waiting for its answer."""
        return self._services[name].call_async(Trigger.Request())

    def _call(self, name: str, request: Any) -> Any:
        assert self._services[name].wait_for_service(PATIENCE), f'no service {name} of the node'
        answer = self._answer(name, request, PATIENCE)
        assert answer is not None, f'service {name} does not answer'
        return answer

    def _answer(self, name: str, request: Any, timeout: float) -> Any:
        done = threading.Event()
        future = self._services[name].call_async(request)
        future.add_done_callback(lambda _: done.set())
        return future.result() if done.wait(timeout) else None

    # On the executor's thread.

    def _on_message(self, topic: str, message: Any) -> None:
        now = time.time_ns()
        with self._changed:
            self.received[topic][nanoseconds(message)] = message
            self.arrival[topic].setdefault(nanoseconds(message), now)
            self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{self.namespace}/msdepth: depth':
                values = {item.key: item.value for item in status.values}
                level = {
                    DiagnosticStatus.OK: 'OK',
                    DiagnosticStatus.WARN: 'WARN',
                    DiagnosticStatus.ERROR: 'ERROR',
                }[status.level]
                with self._changed:
                    self._diagnostics = {**values, 'level': level, 'message': status.message}
                    self._changed.notify_all()


def _qos(reliable: bool = True, depth: int = 1) -> QoSProfile:
    kinds = {True: ReliabilityPolicy.RELIABLE, False: ReliabilityPolicy.BEST_EFFORT}
    return QoSProfile(depth=depth, reliability=kinds[reliable])
