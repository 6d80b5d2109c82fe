# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says when nothing comes, and the calibration file that stands in for a camera's."""

import contextlib

import pytest
import rclpy
from camera_messages import camera_info, depth_of, points_of, uniform
from oracle import write_depth_model
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from steady_camera import SteadyCamera

from msdepth_ros.node.camera_input import PATIENCE


@pytest.fixture
def plane_model(tmp_path):
    return str(write_depth_model(tmp_path / 'model', lambda x, y: 2.0 + 0 * x, focal=259.4))


def test_silent_topics_are_named_with_publishers_and_the_qos_mismatch(graph, plane_model):
    """Three nodes wait at once: no publisher, one of another type, one of another QoS."""
    with contextlib.ExitStack() as stack:

        def start(name, **parameters):
            topics = [f'/{name}/image', f'/{name}/camera_info']
            node = stack.enter_context(
                graph.depth_node(
                    {'model': plane_model, **parameters},
                    remappings=(f'image:={topics[0]}', f'camera_info:={topics[1]}'),
                    joined=False,
                )
            )
            return (*node, *topics)

        # The publishers are there before the nodes, however long these take to start.
        camera = rclpy.create_node('silent_camera')
        stack.callback(camera.destroy_node)
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        for kind, topic in (
            (CompressedImage, '/foreign/image'),
            (CameraInfo, '/foreign/camera_info'),
            (Image, '/strict/image'),
            (CameraInfo, '/strict/camera_info'),
        ):
            camera.create_publisher(kind, topic, qos)
        nobody = start('nobody')
        foreign = start('foreign')
        override = 'qos_overrides./strict/image.subscription.reliability'
        strict = start('strict', **{override: 'reliable'})

        def line(node, topic):
            found = node[0].wait_for_output(f'nothing came on {topic}')
            assert f'in {PATIENCE:.0f} s' in found
            return found

        for topic in nobody[2:]:
            assert 'nobody publishes it' in line(nobody, topic)
        assert '/strict/image' in line(nobody, nobody[2]), 'topics of the type are named'
        assert 'sensor_msgs/msg/CompressedImage' in line(foreign, foreign[2])
        assert '/silent_camera has sent nothing' in line(foreign, foreign[3])
        told = line(strict, strict[2])
        assert 'QoS' in told
        assert 'reliable' in told.lower()


def test_without_calibration_depth_comes_and_a_late_camera_info_brings_the_cloud(
    graph, plane_model
):
    with graph.depth_node({'model': plane_model}) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        answer = client.ask(uniform(), topics=('depth/image_rect',))  # after the node's patience
        process.wait_for_output(f'nothing came on {client.namespace}/camera_info')
        assert depth_of(answer.depth)[240, 320] == pytest.approx(2.0, abs=1e-4)
        assert not client.received['points']
        assert not client.received['depth/camera_info']
        answer = client.ask(uniform(), camera_info(focal=600.0))
        expected = 2.0 * (600 * 304 / 640) / 259.4
        assert points_of(answer.points)['z'] == pytest.approx(expected, rel=1e-5)


CALIBRATION = """
image_width: 640
image_height: 480
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 310, 0, 500, 250, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [500, 0, 310, 0, 0, 500, 250, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_file_stands_in_for_a_camera_without_one(graph, plane_model, tmp_path):
    file = tmp_path / 'front camera.yaml'
    file.write_text(CALIBRATION)
    with graph.depth_node({'model': plane_model, 'camera_info_url': file.as_uri()}) as (_, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')

        def focal_is(focal):
            return lambda answer: answer.info.k[0] == focal

        zero = camera_info()
        zero.k, zero.p = [0.0] * 9, [0.0] * 12
        answer = client.ask(uniform())
        assert list(answer.info.k) == [500, 0, 310, 0, 500, 250, 0, 0, 1]
        client.ask(uniform(), zero, until=focal_is(500))
        client.ask(uniform(), camera_info(focal=700.0), until=focal_is(700))  # the camera's own
        client.ask(uniform(), zero, until=focal_is(500))


def test_configure_fails_on_a_wrong_calibration_file_and_succeeds_after_it(
    graph, plane_model, tmp_path
):
    good = tmp_path / 'good.yaml'
    good.write_text(CALIBRATION)
    not_one = tmp_path / 'other.yaml'
    not_one.write_text('width: 640\n')
    missing = tmp_path / 'missing.yaml'
    wrong = {
        'missing.yaml': missing.as_uri(),
        'other.yaml': not_one.as_uri(),
        'must be a file:// URL': 'http://camera.local/calibration.yaml',
    }
    parameters = {'model': plane_model, 'camera_info_url': missing.as_uri()}
    with graph.depth_node(parameters, state='unconfigured') as (process, client):
        process.wait_for_output('missing.yaml')
        for words, url in wrong.items():
            assert client.set('camera_info_url', url).successful
            assert not client.change_state('configure')
            process.wait_for_output(words)
            assert client.diagnostics()['level'] == 'ERROR'
        assert client.set('camera_info_url', good.as_uri()).successful
        assert client.change_state('configure')
        assert client.change_state('activate')
        client.collect('depth/camera_info')
        assert client.ask(uniform()).info.k[0] == 500


def test_a_camera_that_stops_and_returns(graph, plane_model):
    with graph.depth_node({'model': plane_model}) as (_, client):
        client.collect('depth/image_rect')
        with SteadyCamera(client, 30):
            client.diagnostics(lambda values: values['level'] == 'OK')
        values = client.diagnostics(lambda values: values['level'] == 'WARN')
        assert values['message'] == 'no images arrive: see the log'
        gone = max(client.received['depth/image_rect'])
        with SteadyCamera(client, 30):
            client.wait_until(lambda: max(client.received['depth/image_rect']) > gone, 'answers')
            client.diagnostics(lambda values: values['level'] == 'OK')


def test_diagnostics_come_while_simulated_time_stands_still(graph, plane_model):
    parameters = {'model': plane_model, 'use_sim_time': True}
    with graph.depth_node(parameters, remappings=('/clock:=clock',)) as (process, client):
        values = client.diagnostics(lambda values: values['level'] == 'WARN')
        assert values['message'] == 'no images arrive: see the log'
        process.wait_for_output(f'nothing came on {client.namespace}/image')
