# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Topics and frames as drivers have them: latched, twice, elsewhere, with x forward."""

import pytest
from camera_messages import camera_info, depth_of, uniform
from client import nanoseconds
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
VOLATILE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


# A node that gives a busy machine the time to hear a latched message before it complains.
PATIENT = 'from msdepth_ros.node import camera_input; camera_input.PATIENCE = 10.0'


def test_a_camera_info_that_was_latched_before_the_node_started(graph, color_model):
    with (
        graph.process('demo.camera_player', {'path': '/nowhere'}) as other,
        graph.client(other) as driver,
    ):
        publisher = driver.node.create_publisher(CameraInfo, '/latched/camera_info', LATCHED)
        publisher.publish(camera_info(focal=555.0))
        started = graph.depth_node(
            {'model': color_model},
            remappings=('camera_info:=/latched/camera_info',),
            joined=False,
            preamble=PATIENT,
        )
        with started as (process, client):
            client.collect('depth/camera_info', 'points')
            assert client.ask(uniform()).info.k[0] == 555
            # A volatile one on the same topic is heard as well.
            volatile = driver.node.create_publisher(CameraInfo, '/latched/camera_info', VOLATILE)

            def heard():
                newer = camera_info(focal=444.0)
                newer.header.stamp = driver.node.get_clock().now().to_msg()
                volatile.publish(newer)
                return client.ask(uniform()).info.k[0] == 444

            client.wait_until(heard, 'the node hears it')
            assert 'nothing came on /latched/camera_info' not in process.output
            process.wait_for_output('/latched/camera_info has several publishers (')


def test_two_publishers_of_images_are_reported_once(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.node.create_publisher(Image, 'image', VOLATILE)
        topic = f'{client.namespace}/image'
        line = process.wait_for_output(f'{topic} has several publishers')
        assert line.count(f'{client.namespace}/client') == 2
        process.wait_for_output('nothing came on')
        assert process.output.count('has several publishers') == 1


def test_a_camera_info_that_came_once_and_too_early_is_reported(graph, color_model):
    with graph.depth_node({'model': color_model}, joined=False) as (process, client):
        client.collect('depth/image_rect')
        client.ask(uniform())
        line = process.wait_for_output(f'nothing came on {client.namespace}/camera_info')
        assert 'durability is volatile, so earlier messages are lost' in line


def test_a_driver_is_not_asked_for_what_it_does_not_keep(graph, color_model, capfd):
    """Drivers warn of a subscription that asks for it."""
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/camera_info')
        client.ask(uniform(), camera_info())
        client.diagnostics()
        client.diagnostics()
        assert 'incompatible QoS' not in process.output
    assert 'incompatible QoS' not in ''.join(capfd.readouterr())


@pytest.mark.parametrize('place', ['/elsewhere/cam/image/camera_info', '/beside/cam/camera_info'])
def test_a_camera_info_beside_or_below_the_image_is_found(graph, color_model, place):
    image = f'/{place.split("/")[1]}/cam/image'
    remappings = (f'image:={image}', 'camera_info:=nobody/camera_info')
    started = graph.depth_node({'model': color_model}, remappings=remappings, joined=False)
    with started as (process, client):
        client.collect('depth/camera_info')
        client.infos = client.node.create_publisher(CameraInfo, place, VOLATILE)
        client.images = client.node.create_publisher(Image, image, VOLATILE)
        line = process.wait_for_output(f'camera_info is taken from {place}')
        assert f'nobody publishes {client.namespace}/nobody/camera_info' in line
        assert client.ask(uniform(), camera_info(focal=333.0)).info.k[0] == 333


@pytest.mark.parametrize(
    ('frame', 'optical', 'hint'),
    [
        ('camera_link', '', "for example 'camera_optical_link'"),
        ('robot/front_camera_frame', '', "for example 'robot/front_camera_optical_frame'"),
        ('camera_link', 'camera_optical', ''),
        ('camera_color_optical_frame', '', ''),
        ('camera', '', ''),
    ],
)
def test_the_frame_of_what_is_published(graph, color_model, frame, optical, hint):
    parameters = {'model': color_model, 'optical_frame': optical}
    with graph.depth_node(parameters) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        image = uniform()
        image.header.frame_id = frame
        answer = client.ask(image, camera_info())
        for message in (answer.depth, answer.info, answer.points):
            assert message.header.frame_id == (optical or frame)
            assert nanoseconds(message) == answer.stamp
        for _ in range(3):
            client.ask(image, camera_info())
        assert process.output.count('set the parameter optical_frame') == bool(hint)
        assert hint in process.output


def test_a_whole_number_is_taken_for_a_real_parameter(graph, color_model):
    parameters = {'model': color_model, 'depth.max': 9, 'depth': {'scale': 2}}
    with graph.depth_node(parameters) as (_, client):
        client.collect('depth/image_rect')
        grey = 0.5 + 100 * (0.001 + 0.003 + 0.01)
        answer = client.ask(uniform(), camera_info())
        assert depth_of(answer.depth)[240, 320] == pytest.approx(2 * grey, rel=1e-4)
        assert client.set('depth.scale', 1).successful
        client.ask(
            uniform(),
            camera_info(),
            until=lambda answer: abs(depth_of(answer.depth)[240, 320] - grey) < 1e-3,
        )
        assert client.get('depth.scale') == 1.0
        assert not client.set('depth.scale', 'large').successful
        assert not client.set('depth.scale', 1000).successful
