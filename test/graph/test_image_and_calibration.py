# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An image is scaled by its own camera_info, whichever of the two comes first."""

import time

import numpy as np
import pytest
from camera_messages import camera_info, depth_of, uniform
from oracle import write_depth_model
from rclpy.time import Time

FOCAL = 518.0 * 304 / 640  # of the model, in network pixels


@pytest.fixture(scope='module')
def camera(graph, tmp_path_factory):
    """A node whose depth at the model's own focal length is 2 m."""
    model = write_depth_model(
        tmp_path_factory.mktemp('oracle'), lambda x, y: 2 + 0 * x, focal=FOCAL
    )
    with graph.depth_node({'model': str(model)}) as (_, client):
        client.collect('depth/image_rect', 'depth/camera_info')
        client.ask(uniform(), camera_info(focal=518))
        yield client


def send(client, message, stamp):
    message.header.stamp = Time(nanoseconds=stamp).to_msg()
    publisher = client.infos if hasattr(message, 'k') else client.images
    publisher.publish(message)


def metres(client, stamp):
    topics = ('depth/image_rect', 'depth/camera_info')
    client.wait_until(lambda: all(stamp in client.received[topic] for topic in topics), 'an answer')
    depth = np.nanmedian(depth_of(client.received['depth/image_rect'][stamp]))
    return float(depth), client.received['depth/camera_info'][stamp].k[0]


@pytest.mark.parametrize('info_first', [True, False])
def test_a_frame_at_which_the_zoom_changes_has_its_own_focal_length(camera, info_first):
    """image_transport's CameraPublisher sends the image first."""
    stamp = time.time_ns()
    for number, focal in enumerate([518, 518, 518, 518, 1036, 1036, 259, 518]):
        now = stamp + number * 10**7
        messages = [uniform(), camera_info(focal=focal)]
        for message in reversed(messages) if info_first else messages:
            send(camera, message, now)
        assert metres(camera, now) == (pytest.approx(2 * focal / 518, rel=1e-4), focal)


def test_an_image_whose_own_camera_info_never_comes_takes_the_newest(camera):
    stamp = time.time_ns()
    send(camera, camera_info(focal=1036), stamp - 10**6)
    for number in range(5):
        send(camera, uniform(), stamp + number)
        assert metres(camera, stamp + number) == (pytest.approx(4, rel=1e-4), 1036)
