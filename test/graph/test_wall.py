# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A known wall through the running node: every lens, readout, fit, and sizes from 320 to 3840.

test/test_geometry.py takes all their combinations through the estimator.
"""

import numpy as np
import pytest
from camera_messages import FRAME, depth_of, image, points_of
from oracle import write_depth_model
from sensor_msgs.msg import CameraInfo
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
