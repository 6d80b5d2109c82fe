# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Known scenes through the running node: every lens, readout, fit, and sizes from 320 to 3840.

test/geometry/test_geometry.py takes all their combinations through the estimator.
"""

import cv2
import numpy as np
import pytest
from camera_messages import FRAME, depth_of, image, points_of, rgb_of
from client import nanoseconds
from oracle import COLOR_OFFSET, COLOR_WEIGHTS, write_depth_model
from sensor_msgs.msg import CameraInfo, Image
from truth import (
    CELLS_X,
    CELLS_Y,
    Fit,
    camera_of,
    matrix_of,
    off_wall,
    rays,
    wall_bound,
    wall_depth,
)

CASES = [
    ((320, 240), 'none', 'binning', 'crop'),
    ((640, 480), 'plumb_bob', 'roi', 'pad'),
    ((480, 640), 'rational_polynomial', 'roi and binning', 'stretch'),
    ((1280, 720), 'equidistant', 'roi and binning', 'crop'),
    ((1920, 1080), 'plumb_bob', 'binning', 'stretch'),
    ((3840, 2160), 'equidistant', 'whole', 'pad'),
]
TOLERANCE = 1e-4  # metres


def message_of(camera):
    """Return a calibration as its driver publishes it."""
    message = CameraInfo(width=camera.width, height=camera.height, k=camera.k, d=camera.d)
    message.distortion_model, message.r, message.p = camera.distortion_model, camera.r, camera.p
    message.binning_x, message.binning_y = camera.binning
    x, y, width, height = camera.roi
    message.roi.x_offset, message.roi.y_offset = x, y
    message.roi.width, message.roi.height = width, height
    message.header.frame_id = FRAME
    return message


def points_by_formula(answer):
    """Return the depth image's points [H, W, 3] as depth_image_proc computes them, and its K."""
    k = np.reshape(answer.info.k, (3, 3))
    matrix = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    assert (answer.info.width, answer.info.height) == (answer.depth.width, answer.depth.height)
    assert list(answer.info.p) == [*k[0], 0, *k[1], 0, 0, 0, 1, 0]
    z = depth_of(answer.depth)
    v, u = np.indices(z.shape)
    return rays(matrix, u, v) * z[..., None], matrix


@pytest.mark.parametrize(
    ('size', 'lens', 'readout', 'fit'), CASES, ids=[f'{case[0][0]}x{case[0][1]}' for case in CASES]
)
def test_depth_cloud_and_camera_info_of_a_wall(graph, size, lens, readout, fit, tmp_path):
    camera = camera_of(size, lens, readout)
    matrix = matrix_of(camera, rectified=lens != 'none')
    placed = Fit(fit, size)
    model = write_depth_model(
        tmp_path, lambda x, y: wall_depth(matrix, *placed.camera_pixels(x, y))
    )
    picture, info = image(np.zeros(size[::-1], np.uint8), 'mono8'), message_of(camera)
    with graph.depth_node({'model': str(model), 'fit': fit}) as (_, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points', depth=2)
        whole = client.ask(picture, info)
        with client.parameters({'depth.resolution': 'network', 'points.stride': 3}):
            small = client.ask(picture, info, until=lambda a: a.points.width == 25)

    cloud = np.stack([points_of(whole.points)[axis] for axis in 'xyz'], axis=-1)
    valid = np.isfinite(cloud[..., 2])
    assert valid.sum() > 700
    assert off_wall(cloud[valid]).max() < TOLERANCE
    u, v = placed.camera_pixels(*np.meshgrid(CELLS_X, CELLS_Y))
    np.testing.assert_allclose(cloud, rays(matrix, u, v) * cloud[..., 2:], atol=1e-5)

    points, k = points_by_formula(whole)
    assert points.shape == (size[1], size[0], 3)
    assert k == pytest.approx(matrix)
    v, u = np.nonzero(np.isfinite(points[..., 2]))
    points = points[v, u]
    assert len(points) > 0.2 * size[0] * size[1]
    bound, _ = wall_bound(valid, matrix, placed, u, v, points[:, 2])
    assert (off_wall(points) < TOLERANCE + bound).all()

    points, _ = points_by_formula(small)
    np.testing.assert_allclose(points, cloud, atol=1e-5)
    strided = np.stack([points_of(small.points)[axis] for axis in 'xyz'], axis=-1)
    np.testing.assert_allclose(strided, cloud[::3, ::3], atol=1e-6)


def waves():
    """Return a smooth colour image [480, 640, 3] whose colours differ from place to place."""
    v, u = np.indices((480, 640))
    red, green = 120 + 80 * np.sin(u / 40), 120 + 80 * np.sin(v / 30)
    return np.stack([red, green, 80 + 60 * np.sin((u + v) / 50)], axis=-1).round().astype(np.uint8)


def painted_depth(colors):
    """Return what the colour model answers for colours [..., 3]."""
    return COLOR_OFFSET + colors @ COLOR_WEIGHTS


def sampled(values, u, v):
    """Return values [H, W, 3] at pixels between the grid's, linearly interpolated."""
    maps = np.asarray(u, np.float32), np.asarray(v, np.float32)
    return cv2.remap(values.astype(np.float32), *maps, cv2.INTER_LINEAR)


def test_rectified_colours_lie_on_the_depth_of_a_distorted_camera(graph, color_model):
    """As depth_image_proc's xyzrgb node takes them: one size, stamp and K, pixel for pixel."""
    camera = camera_of((640, 480), 'plumb_bob')
    parameters = {'model': color_model, 'depth.edge_threshold': 0.0}
    with graph.depth_node(parameters) as (_, client):
        client.collect('depth/image_rect', 'points')
        colors, infos = {}, {}
        for kind, topic, kept in (
            (Image, 'rgb/image_rect_color', colors),
            (CameraInfo, 'rgb/camera_info', infos),
        ):
            client.node.create_subscription(
                kind,
                topic,
                lambda message, kept=kept: kept.update({nanoseconds(message): message}),
                10,
            )
        answer = client.ask(
            image(waves(), 'rgb8'),
            message_of(camera),
            until=lambda a: a.stamp in colors and a.stamp in infos,
        )
    color, info = colors[answer.stamp], infos[answer.stamp]
    assert color.header == info.header == answer.depth.header
    assert (color.width, color.height, color.encoding) == (640, 480, 'rgb8')
    fx, fy, cx, cy = matrix_of(camera, rectified=True)
    assert list(info.k) == pytest.approx([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    pixels = np.frombuffer(bytes(color.data), np.uint8).reshape(480, 640, 3)
    # The colour beneath each cell's centre is what the network answered there, and what its point
    # is painted with. Images are averaged on their way to the network: 4 levels of 255.
    u, v = Fit('crop', (640, 480)).camera_pixels(*np.meshgrid(CELLS_X, CELLS_Y))
    beneath = sampled(pixels, u, v)
    points = points_of(answer.points)
    valid = np.isfinite(points['z'])
    assert valid.mean() > 0.9
    assert np.abs(rgb_of(points).astype(int) - beneath)[valid].max() < 4
    assert np.abs(points['z'] - painted_depth(beneath))[valid].max() < 4 * COLOR_WEIGHTS.sum()


def test_images_of_a_rectified_topic_are_not_rectified_again(graph, color_model):
    """By its name: image_rect... holds P's images, whatever D says of the raw ones."""
    camera = camera_of((640, 480), 'plumb_bob')
    parameters = {'model': color_model, 'depth.edge_threshold': 0.0}
    remappings = ('image:=image_rect_color',)
    with graph.depth_node(parameters, remappings=remappings, joined=False) as (_, client):
        client.images = client.node.create_publisher(Image, 'image_rect_color', 10)
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        answer = client.ask(image(waves(), 'rgb8'), message_of(camera))
    fx, fy, cx, cy = matrix_of(camera, rectified=True)
    assert list(answer.info.k) == pytest.approx([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    u, v = Fit('crop', (640, 480)).camera_pixels(*np.meshgrid(CELLS_X, CELLS_Y))
    points = points_of(answer.points)
    assert np.isfinite(points['z']).all()
    assert np.abs(rgb_of(points).astype(int) - sampled(waves(), u, v)).max() < 4
    np.testing.assert_allclose(points['x'] / points['z'], (u - cx) / fx, atol=1e-5)
