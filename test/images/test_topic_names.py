# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of images from the name of their topic."""

import pytest

from msdepth_ros.images.topic_names import camera_name, names_rectified_images, unread_transport


@pytest.mark.parametrize(
    ('topic', 'rectified'),
    [
        ('/cam/image_rect', True),
        ('/cam/image_rect_color/compressed', True),
        ('/camera/depth/image_rect_raw', True),
        ('/cam/image_raw', False),
        ('/rectangle/image/compressed', False),
        ('/cam/image_direct', False),
        ('/cam/image_unrect', False),
        ('/direct/image_raw', False),
        ('/camera/rgb/rectified/image', True),
        ('/left/image_rect/compressed', True),
        ('/rectified/left/image', False),
        ('image', False),
        ('image_rect', True),
    ],
)
def test_rectified_by_its_name(topic, rectified):
    assert names_rectified_images(topic) == rectified


@pytest.mark.parametrize(
    ('topic', 'name'),
    [
        ('/front/image_raw', 'front'),
        ('/robot/front/image_raw/compressed', 'front'),
        ('/image', ''),
        ('image', ''),
    ],
)
def test_the_name_of_a_camera_is_its_namespace(topic, name):
    assert camera_name(topic) == name


@pytest.mark.parametrize(
    ('topic', 'words'),
    [
        (
            '/front/image_raw/theora',
            'in/theora:=/front/image_raw/theora -r out:=',
        ),
        ('/front/image_raw/ffmpeg', 'in/ffmpeg:='),
        ('/front/image_raw/zstd', 'in/zstd:='),
        ('/front/image_raw/h264', 'in/ffmpeg:='),
        ('/front/image_raw/H265', 'in/ffmpeg:='),
        ('/depth/image/compressedDepth', 'remap `image` to the topic of the colour camera'),
    ],
)
def test_a_topic_that_cannot_be_read_is_known_by_its_name(topic, words):
    assert words in unread_transport(topic)


@pytest.mark.parametrize(
    'topic', ['/front/image_raw', '/front/image/compressed', 'image', '/theora/image_raw', '/video']
)
def test_other_topics_can_be_read(topic):
    assert unread_transport(topic) == ''
