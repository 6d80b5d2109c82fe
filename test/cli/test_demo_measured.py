# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's scanner is simulated from the clip's true depth; the demo shows before and after."""

import numpy as np
import pytest

from msdepth_ros.calibration import read_camera
from msdepth_ros.demo.measured import HEIGHT, PITCH, ClipDepth
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.metric.sensors import project, scan_points

pytest.importorskip('rclpy', reason='the demo needs ROS 2')
from msdepth_ros.node.measured.transforms import pose_matrix


@pytest.fixture(scope='module')
def truth():
    camera = read_camera(DEFAULT_CLIP.with_suffix('.yaml'))
    return ClipDepth(DEFAULT_CLIP, camera.rectified_intrinsics()), camera.rectified_intrinsics()


def test_every_frame_of_the_clip_has_a_true_depth(truth):
    depths, intrinsics = truth
    assert len(depths._order) == len(ImageSource(DEFAULT_CLIP))
    depth = depths.frame(100)
    assert depth.shape == (intrinsics.height, intrinsics.width)
    assert 0.5 < depth.min() < depth.max() < 8


@pytest.mark.parametrize('number', [0, 60, 239])
def test_the_scan_lies_on_the_true_depth(truth, number):
    depths, intrinsics = truth
    ranges, first, step = depths.ranges(number)
    points, _ = scan_points(ranges, first, step, 0.1, 12.0)
    camera = pose_matrix(CameraPose(0, 0, HEIGHT, 0, PITCH, 0), optical=True)
    scanner = pose_matrix(CameraPose(0, 0, HEIGHT, 0, 0, 0), optical=False)
    sparse = project(points, np.linalg.inv(camera) @ scanner, intrinsics, 'scan')
    assert len(sparse) > 80
    true = depths.frame(number)[np.rint(sparse.v).astype(int), np.rint(sparse.u).astype(int)]
    assert np.median(np.abs(sparse.depth / true - 1)) < 0.02


def test_a_clip_without_true_depth_is_refused(truth, tmp_path):
    with pytest.raises(MsdepthError, match='--measured'):
        ClipDepth(tmp_path / 'walk.mp4', truth[1])
