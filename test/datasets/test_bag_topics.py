# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of well-known cameras' recordings are meant."""

import pytest

from msdepth_ros.datasets import DatasetError, Topics
from msdepth_ros.datasets.bag_topics import ChosenTopics, choose_topics

REALSENSE = {
    '/camera/camera/color/image_raw': 'rgb8',
    '/camera/camera/color/image_raw/compressed': 'rgb8; jpeg compressed bgr8',
    '/camera/camera/infra1/image_rect_raw': 'mono8',
    '/camera/camera/depth/image_rect_raw': '16UC1',
    '/camera/camera/aligned_depth_to_color/image_raw': '16UC1',
    '/camera/camera/aligned_depth_to_color/image_raw/compressedDepth': '16UC1; compressedDepth png',
}
GAZEBO = {'/depth_camera/image_raw': 'rgb8', '/depth_camera/depth/image_raw': '32FC1'}
ZED = {
    '/zed/zed_node/left/image_rect_color': 'bgra8',
    '/zed/zed_node/depth/depth_registered': '32FC1',
    '/zed/zed_node/confidence/confidence_map': '32FC1',
}


@pytest.mark.parametrize(
    ('images', 'image', 'depth'),
    [
        (REALSENSE, 'color/image_raw', 'aligned_depth_to_color/image_raw'),
        (GAZEBO, '/depth_camera/image_raw', '/depth_camera/depth/image_raw'),
        (ZED, 'left/image_rect_color', 'depth/depth_registered'),
        ({'/cam/image/compressed': 'jpeg', '/cam/depth': 'mono16'}, 'compressed', 'depth'),
    ],
)
def test_cameras(images, image, depth):
    chosen = choose_topics(Topics(), images, ['/other/camera_info'], False, 'bag')
    assert chosen.image.endswith(image)
    assert chosen.depth.endswith(depth)
    assert chosen.camera_info == '/other/camera_info'  # the only one


@pytest.mark.parametrize('image', ['/cam/image', '/cam/image/compressed'])
def test_camera_info_is_beside_the_image(image):
    infos = ['/cam/depth/camera_info', '/cam/camera_info']
    images = {image: 'rgb8', '/cam/depth/image': '16UC1'}
    for calibrated in (False, True):
        chosen = choose_topics(Topics(), images, infos, calibrated, 'bag')
        assert chosen == ChosenTopics(image, '/cam/depth/image', '/cam/camera_info')


def test_no_camera_info_is_needed_where_the_intrinsics_are_given():
    assert choose_topics(Topics(), GAZEBO, [], True, 'bag').camera_info is None
    with pytest.raises(DatasetError, match='bag has no camera_info topic: record'):
        choose_topics(Topics(), GAZEBO, [], False, 'bag')
    with pytest.raises(DatasetError, match='has several camera_info topics'):
        choose_topics(Topics(), GAZEBO, ['/a/camera_info', '/b/camera_info'], False, 'bag')


def test_a_recording_of_something_else():
    with pytest.raises(DatasetError, match=r'no image topic.*there are none'):
        choose_topics(Topics(), {}, [], True, 'bag')
    with pytest.raises(DatasetError, match='no depth topic: record colour, the depth aligned'):
        choose_topics(Topics(), {'/cam/image': 'rgb8'}, [], True, 'bag')
