# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a moving camera sees twice makes the node's depth true, its poses told by odometry or TF."""

import time
from contextlib import contextmanager

import numpy as np
import pytest
import yaml
from camera_messages import FRAME, camera_info, depth_of, image
from nav_msgs.msg import Odometry
from oracle import write_depth_model
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from textured_room import CAMERA, HEIGHT, WIDTH, TexturedRoom, pose_at

from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.geometry.rigid import inverse, rigid
from msdepth_ros.node.messages import odometry_msg

PERIOD = 0.08  # seconds between images, by their stamps
MOUNT = '0.2 0.1 0.4 0 0.1 0.3'
ROOM = TexturedRoom()
# There and back: sideways and ahead, looking about.
WALK = [
    (-0.5 + 0.9 * s, 0.0, 0.5 * s, 0.15 * np.sin(5 * s), 0.1)
    for s in [*np.linspace(0, 1, 12), *np.linspace(1, 0, 12)[1:-1]]
]
POSES = [pose_at(*place) for place in WALK]
SHOTS = [ROOM.render(pose) for pose in POSES]


class Walker:
    """Walks about with a camera; publishes odometry and images.

    Each step is taken once the image of the one before is answered: all time goes by stamps.
    """

    def __init__(self, client, robot_frame, to_robot, topic):
        self.client, self.robot_frame, self.to_robot = client, robot_frame, to_robot
        self.odometry = client.node.create_publisher(Odometry, topic, 10)
        self.strips = client.node.create_publisher(Image, 'measured/depth', 10)
        client.collect('depth/image_rect')
        self.step = 0
        self.stamp = client.node.get_clock().now().nanoseconds
        self.shots = SHOTS

    def walk(self, steps, told=lambda step: POSES[step], offset=0.0, by=1, strip=False):
        """Take some steps; return the mean relative error of each depth.

        `told` gives the pose that odometry tells at a step, `offset` seconds later than it is;
        `by` 0 it stands; with `strip` a depth camera measures a few rows of each image.
        """
        errors = []
        info = camera_info(WIDTH, HEIGHT, CAMERA.fx, (CAMERA.cx, CAMERA.cy))
        period = round(1e9 * PERIOD)
        places = [
            ((self.step + by * i) % len(POSES), self.stamp + period * i)
            for i in range(1, steps + 1)
        ]
        for i, (self.step, self.stamp) in enumerate(places):
            # The next pose is told before this image is answered, so that it is known in time.
            for step, stamp in places[i + 1 if i else 0 : i + 2]:
                self.tell(told(step), stamp + round(1e9 * offset))
            picture, truth = self.shots[self.step]
            if strip:
                self.tell_strip(truth)
            time.sleep(0.01)  # so that it comes before the image, mostly
            depth = depth_of(self.client.answer_to(image(picture, 'mono8'), info, self.stamp))
            errors.append(np.nanmean(np.abs(depth / truth - 1)))
        return errors

    def tell(self, pose, stamp):
        header = Header(stamp=Time(nanoseconds=stamp).to_msg(), frame_id=self.robot_frame)
        self.odometry.publish(odometry_msg(pose @ self.to_robot, header))

    def tell_strip(self, depth):
        rows = np.abs(np.arange(HEIGHT) - HEIGHT // 2)[:, None] < 4
        noise = np.random.default_rng(self.step).normal(0, 0.005, depth.shape)
        message = image((depth * np.exp(noise) * rows).astype(np.float32), '32FC1')
        message.header.stamp = Time(nanoseconds=self.stamp).to_msg()
        self.strips.publish(message)

    def settle(self, told=lambda step: POSES[step]):
        self.client.wait_until(self.odometry.get_subscription_count, 'the node hears odometry')
        self.walk(2, told)

    def cause(self, text):
        return self.client.diagnostics(lambda values: text in values['measured views'])


@pytest.fixture
def walker(graph, tmp_path):
    """Return a function that runs a node and gives a Walker."""

    @contextmanager
    def run(
        robot_frame=FRAME,
        to_robot=None,
        preamble='',
        topic='odom',
        changes=None,
        told=lambda step: POSES[step],
        shots=SHOTS,
        predicted=4.5,
        **parameters,
    ):
        path = write_depth_model(tmp_path / 'model', lambda x, y: predicted + 0 * x)
        if changes:
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
        values = {'model': str(path), 'metric.sources': ['views'], **parameters}
        with graph.depth_node(values, preamble=preamble) as (_, client):
            to_robot = np.eye(4) if to_robot is None else to_robot
            walker = Walker(client, robot_frame, to_robot, topic)
            walker.shots = shots
            walker.settle(told)
            yield walker

    return run


def test_walking_makes_the_depth_metric_and_standing_keeps_it(walker):
    with walker() as camera:
        errors = camera.walk(20)
        assert np.median(errors[-10:]) < 0.1  # alone 0.5 and more
        values = camera.cause('used')
        assert values['metres'] == 'measured'
        assert np.median(camera.walk(8, by=0)[-4:]) < 0.2


def test_the_mount_is_read_from_camera_pose(walker):
    pose = CameraPose.parse(MOUNT)
    camera_to_base = rigid((pose.x, pose.y, pose.z), pose.optical_rotation())
    with walker('base_link', inverse(camera_to_base), camera_pose=MOUNT) as camera:
        assert np.median(camera.walk(20)[-10:]) < 0.1


def test_a_robot_whose_mount_is_not_known_measures_nothing(walker):
    with walker('base_link') as camera:
        camera.walk(6)
        assert camera.cause('no mount')['metres'] == 'predicted'


def test_odometry_of_another_clock_late_odometry_and_constant_odometry(walker):
    with walker() as camera:
        before = camera.walk(4, offset=-3600.0)
        assert min(before) > 0.3
        assert camera.cause('another clock')['metres'] == 'predicted'
    with walker() as camera:
        camera.walk(6, offset=-0.3)
        assert camera.cause('odometry late')
    with walker(**{'metric.hold': 60.0}) as camera:
        camera.walk(14)
        camera.walk(8, told=lambda step: POSES[3])
        assert camera.cause('odometry stands')


def test_depth_stays_right_after_a_jump_of_the_odometry(walker):
    away = pose_at(30.0, 5.0, 0.0, 1.0)
    with walker() as camera:
        camera.walk(16)
        errors = camera.walk(16, told=lambda step: away @ POSES[step])
        assert np.median(errors) < 0.1
        assert max(errors) < 0.3


def test_odometry_without_a_valid_pose_is_ignored(walker):
    with walker() as camera:
        broken = Odometry(child_frame_id=FRAME)
        broken.pose.pose.position.x = float('nan')
        camera.odometry.publish(broken)
        assert np.median(camera.walk(20)[-10:]) < 0.1


def test_odometry_that_becomes_no_pose_and_one_of_another_frame_are_reported(walker):
    with walker() as camera:
        camera.walk(8)
        nowhere = np.full((4, 4), np.nan)
        camera.walk(6, told=lambda step: nowhere)
        camera.cause('odometry is no pose')
        camera.robot_frame = 'base_footprint'
        camera.walk(6)
        camera.cause('no mount')


def test_a_wrong_scale_of_odometry_is_reported_and_corrected_by_a_depth_camera_beside_it(walker):
    # Along a wall, at one distance: there a flat prediction is right in shape.
    ways = [*np.linspace(-0.6, 0.6, 12), *np.linspace(0.6, -0.6, 12)[1:-1]]
    poses = [pose_at(x, 0.0, 3.0) for x in ways]

    def told(step):
        pose = poses[step].copy()
        pose[:3, 3] *= 1.25
        return pose

    shots = [ROOM.render(pose) for pose in poses]
    sources = {'metric.sources': ['views', 'depth']}
    with walker(told=told, shots=shots, predicted=1.8, **sources) as camera:
        errors = camera.walk(20, told, strip=True)
        assert np.median(errors[-5:]) < 0.05
        values = camera.cause('off by 1.2')
        off = float(values['measured views'].split('off by ')[1].split()[0])
        assert off == pytest.approx(1.25, rel=0.05)
        assert 'check the odometry' in values['message']
        errors = camera.walk(8, told)  # what was learned stays
        assert np.median(errors[-4:]) < 0.05


FAKE_TF = f"""
import sys, types
module = types.ModuleType('tf2_ros')
class Buffer:
    def lookup_transform(self, target, source, time):
        at = time.to_msg()
        known = [pose for pose in poses if not time.nanoseconds or pose.header.stamp == at]
        if (target, source) != ('map', {FRAME!r}) or not known:
            raise RuntimeError('not known')
        return known[-1]
class TransformListener:
    def __init__(self, buffer, node):
        from nav_msgs.msg import Odometry
        self.node = node
        self.subscription = node.create_subscription(Odometry, 'odom_in_tf', hear, 10)
    def unregister(self):
        self.node.destroy_subscription(self.subscription)
poses = []
def hear(message):
    transform = types.SimpleNamespace(
        translation=message.pose.pose.position, rotation=message.pose.pose.orientation)
    poses.append(types.SimpleNamespace(header=message.header, transform=transform))
module.Buffer, module.TransformListener = Buffer, TransformListener
sys.modules['tf2_ros'] = module
"""


def test_poses_come_from_tf_without_messages_on_odom(walker):
    with walker(preamble=FAKE_TF, topic='odom_in_tf', fixed_frame='map') as camera:
        assert np.median(camera.walk(20)[-10:]) < 0.1


def test_a_model_of_depth_up_to_a_factor_gets_its_metres_from_views(walker):
    with walker(changes={'metric': 'scale'}) as camera:
        assert np.median(camera.walk(20)[-10:]) < 0.15
