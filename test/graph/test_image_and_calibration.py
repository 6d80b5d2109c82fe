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
# An image's camera_info comes late on a busy machine.
PATIENT = 'from msdepth_ros.node import calibration; calibration.CalibrationSource._PATIENCE = 2.0'


@pytest.fixture(scope='module')
def camera(graph, tmp_path_factory):
    """A node whose depth at the model's own focal length is 2 m."""
    model = write_depth_model(
        tmp_path_factory.mktemp('oracle'), lambda x, y: 2 + 0 * x, focal=FOCAL
    )
    with graph.depth_node({'model': str(model)}, preamble=PATIENT) as (_, client):
        client.collect('depth/image_rect', 'depth/camera_info')
        client.ask(uniform(), camera_info(focal=518))
        yield client


def send(client, message, stamp):
    message.header.stamp = Time(nanoseconds=stamp).to_msg()
    publisher = client.infos if hasattr(message, 'k') else client.images
    publisher.publish(message)


def answered(client, stamp, timeout=10.0):
    """Return whether an image is answered: a busy machine may lose one on the way."""
    topics = ('depth/image_rect', 'depth/camera_info')
    end = time.monotonic() + timeout
    while not all(stamp in client.received[topic] for topic in topics):
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def metres(client, stamp):
    assert answered(client, stamp)
    depth = np.nanmedian(depth_of(client.received['depth/image_rect'][stamp]))
    return float(depth), client.received['depth/camera_info'][stamp].k[0]


@pytest.mark.parametrize('info_first', [True, False])
def test_a_frame_at_which_the_zoom_changes_has_its_own_focal_length(camera, info_first):
    """image_transport's CameraPublisher sends the image first."""
    wrong = 0
    for focal in [518, 518, 518, 518, 1036, 1036, 259, 518, 1036, 518]:
        for _ in range(20):
            now = time.time_ns()
            messages = [uniform(), camera_info(focal=focal)]
            for message in reversed(messages) if info_first else messages:
                send(camera, message, now)
            if answered(camera, now):
                break
        wrong += metres(camera, now) != (pytest.approx(2 * focal / 518, rel=1e-4), focal)
    assert wrong <= 1  # whose camera_info was lost on the way; the calibration changes five times


def test_an_image_whose_own_camera_info_never_comes_takes_the_newest(camera):
    found = 0
    for _ in range(20):
        stamp = time.time_ns()
        send(camera, camera_info(focal=1036), stamp - 10**6)
        send(camera, uniform(), stamp)
        if answered(camera, stamp):
            found += metres(camera, stamp) == (pytest.approx(4, rel=1e-4), 1036)
        if found == 4:
            break
    assert found == 4
