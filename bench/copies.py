# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a frame's bytes are copied between message and network, and what each copy costs.

make bench-copies

Each step is timed alone, between a camera and a subscriber in processes of their own, next to its
floor: the bytes that it must move over the bandwidth with which this machine copies memory.
"""

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from geometry import SceneBackend
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.host.children import end
from msdepth_ros.host.memory import keep_freed_memory
from msdepth_ros.host.transport import transport_environment
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model
from msdepth_ros.node.messages import DepthImage, cloud_msg, image_from_msg, image_msg

SIZES = ((640, 480), (3840, 2160))
IMAGE, DEPTH, CLOUD = 'image', 'depth/image_rect', 'points'
RATE = 20.0  # Hz, of the camera
PATIENCE = 20.0  # seconds
BLOCK = 64 << 20  # bytes; more than any cache holds
_numbers = itertools.count()


@dataclass(frozen=True)
class Step:
    """One step of a frame.

    Attributes
    ----------
    copies : how often its bytes are copied as they are.
    moved : bytes that must be read and written, by these copies or by what is computed.
    time : median in ms.
    """

    name: str
    copies: int
    moved: int
    time: float


def bandwidth() -> float:
    """Return with how many bytes a second memory is copied."""
    source, target = np.ones(BLOCK, np.uint8), np.ones(BLOCK, np.uint8)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - begin)
    return BLOCK / min(times)


def median_of(run: Callable[[], Any], runs: int, pause: float = 0.0) -> float:
    """Return the median time of a call in ms."""
    times = []
    for _ in range(runs):
        time.sleep(pause)
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(times))


@contextlib.contextmanager
def other_process(role: str, namespace: str, size: tuple[int, int]) -> Iterator[None]:
    """Run a camera or a subscriber in a process of its own."""
    command = [sys.executable, __file__, '--role', role, '--namespace', namespace]
    process = subprocess.Popen([*command, '--size', *map(str, size)])
    try:
        yield
    finally:
        end(process)


def await_true(condition: Callable[[], Any], what: str) -> None:
    """Wait for the graph."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f'not within {PATIENCE:.0f} s: {what}')
        time.sleep(0.02)


def receive(node: Node, size: tuple[int, int], runs: int, raw: bool) -> float:
    """Return the median time to take an image that has arrived, in ms."""
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    subscription = node.create_subscription(Image, IMAGE, lambda _: None, qos, raw=raw)
    times: list[float] = []
    end = time.monotonic() + PATIENCE + runs / RATE
    with other_process('camera', node.get_namespace(), size):
        while len(times) < runs:
            time.sleep(0.001)
            begin = time.perf_counter()
            # What the executor does to call back.
            taken = subscription.handle.take_message(Image, raw)
            if taken is not None:
                times.append(time.perf_counter() - begin)
            if time.monotonic() > end:
                raise TimeoutError(f'only {len(times)} images came')
    node.destroy_subscription(subscription)
    return 1e3 * float(np.median(times))


def steps(size: tuple[int, int], runs: int) -> list[Step]:
    """Measure all steps for images of (width, height)."""
    node = rclpy.create_node('copies', namespace=f'/copies_{os.getpid()}_{next(_numbers)}')
    width, height = size
    model = load_model(DEFAULT_MODEL)
    estimator = DepthEstimator(model, SceneBackend(model))
    camera = Camera.pinhole(width, height, 0.8 * width, 0.8 * width, width / 2, height / 2)
    message = camera_image(size)
    pixels, encoding = image_from_msg(message)
    frame = estimator.estimate(pixels, encoding, camera)
    assert frame.intrinsics is not None
    depth = DepthImage(width, height)
    frame.full_depth(depth.pixels)
    points = point_cloud(frame.depth, frame.intrinsics, frame.colors())
    cloud = cloud_msg(points, Header())
    serialised = bytes(serialize_message(depth.message))
    depths = node.create_publisher(Image, DEPTH, QoSProfile(depth=1))
    clouds = node.create_publisher(PointCloud2, CLOUD, QoSProfile(depth=1))

    def sending(publisher: Publisher, what: Any) -> float:
        return median_of(lambda: publisher.publish(what), runs, pause=0.02)

    image_size, depth_size = pixels.nbytes, depth.pixels.nbytes
    unheard = sending(depths, depth.message)
    with other_process('subscriber', node.get_namespace(), size):
        await_true(
            lambda: depths.get_subscription_count() and clouds.get_subscription_count(),
            'somebody subscribes',
        )
        heard, heard_raw = sending(depths, depth.message), sending(depths, serialised)
        heard_cloud = sending(clouds, cloud)
    found = [
        Step('take the image as a message', 2, 2 * image_size, receive(node, size, runs, False)),
        Step('(take it as bytes)', 2, 2 * image_size, receive(node, size, runs, True)),
        Step('view its pixels', 0, 0, median_of(lambda: image_from_msg(message), runs)),
        Step(
            'map them into the network, validate its answer',
            0,
            image_size,
            median_of(lambda: estimator.estimate(pixels, encoding, camera), runs),
        ),
        Step(
            "upsample into the message's own data",
            0,
            depth_size,
            median_of(lambda: frame.full_depth(depth.pixels), runs),
        ),
        Step('serialise the depth', 2, 2 * depth_size, unheard),
        Step('the same, and hand it to the transport', 3, 3 * depth_size, heard),
        Step('(hand over bytes that are serialised already)', 2, 2 * depth_size, heard_raw),
        Step(
            'make the cloud and its message',
            1,
            2 * points.nbytes,
            median_of(
                lambda: cloud_msg(point_cloud(frame.depth, frame.intrinsics, None), Header()), runs
            ),
        ),
        Step('publish the cloud', 3, 3 * points.nbytes, heard_cloud),
    ]
    node.destroy_node()
    return found


def camera_image(size: tuple[int, int]) -> Image:
    """Return an rgb8 image of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return image_msg(pixels, 'rgb8', Header(frame_id='camera_optical_frame'))


def table(sizes: tuple[tuple[int, int], ...], runs: int) -> str:
    """Return a Markdown table."""
    speed = bandwidth()
    names = ['x'.join(map(str, size)) for size in sizes]
    lines = [
        f'Memory is copied at {1e-9 * speed:.1f} GB/s; median of {runs} runs in ms / floor in ms:',
        '',
        f'| step | copies | {" | ".join(names)} |',
        '| --- ' * (2 + len(sizes)) + '|',
    ]
    for row in zip(*(steps(size, runs) for size in sizes), strict=True):
        cells = [f'{step.time:.2f} / {1e3 * step.moved / speed:.2f}' for step in row]
        lines.append(f'| {row[0].name} | {row[0].copies} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def play_camera(namespace: str, size: tuple[int, int]) -> None:
    """Publish images until SIGINT."""
    node = rclpy.create_node('camera', namespace=namespace)
    publisher = node.create_publisher(Image, IMAGE, QoSProfile(depth=1))
    image = bytes(serialize_message(camera_image(size)))
    node.create_timer(1 / RATE, lambda: publisher.publish(image))
    spin(node)


def play_subscriber(namespace: str) -> None:
    """Receive depth and cloud until SIGINT."""
    node = rclpy.create_node('subscriber', namespace=namespace)
    node.create_subscription(Image, DEPTH, lambda _: None, QoSProfile(depth=1), raw=True)
    node.create_subscription(PointCloud2, CLOUD, lambda _: None, QoSProfile(depth=1), raw=True)
    spin(node)


def spin(node: Node) -> None:
    """Run a node until SIGINT, and leave no shared memory behind."""
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()


def main() -> int:
    """Print the table, or play one of the other processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=60)
    parser.add_argument('--out', type=Path, help='write the table to this file')
    parser.add_argument(
        '--as-it-comes', action='store_true', help="leave glibc's malloc as it comes"
    )
    parser.add_argument('--role', choices=('camera', 'subscriber'), help=argparse.SUPPRESS)
    parser.add_argument('--namespace', help=argparse.SUPPRESS)
    parser.add_argument('--size', type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.as_it_comes:
        keep_freed_memory()  # as the node does
    # Fast DDS reads these when the first node of a process is made.
    os.environ.update(transport_environment(os.environ))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    rclpy.init(args=[])
    if arguments.role == 'camera':
        play_camera(arguments.namespace, tuple(arguments.size))
    elif arguments.role == 'subscriber':
        play_subscriber(arguments.namespace)
    else:
        text = table(SIZES, arguments.runs)
        print(text, end='')
        if arguments.out:
            arguments.out.write_text(text, encoding='utf-8')
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
