# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outputs for a radio link: named and encoded as image_transport does it."""

import client as client_module
import numpy as np
import pytest
from camera_messages import HEIGHT, WIDTH, camera_info, depth_of, image
from sensor_msgs.msg import CompressedImage, Image

from msdepth_ros.datasets.bag_images import color_image, depth_image

DEPTH, COLOR, RGB = 'depth/image_rect', 'depth/image_color', 'rgb/image_rect_color'
COMPRESSED = {
    f'{DEPTH}/compressedDepth': '32FC1; compressedDepth png',
    f'{COLOR}/compressed': 'bgr8; jpeg compressed bgr8',
    f'{RGB}/compressed': 'rgb8; jpeg compressed bgr8',
}
client_module.TYPES.update({**dict.fromkeys(COMPRESSED, CompressedImage), RGB: Image})


@pytest.fixture(scope='module')
def messages(graph, color_model):
    """Return what the node answers one image with, raw and compressed."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :] = (200, 100, 50), (40, 160, 90)
    picture, sent = image(pixels, 'rgb8'), []
    topics = (DEPTH, COLOR, RGB, *COMPRESSED)
    with graph.depth_node({'model': color_model, 'depth.edge_threshold': 0.0}) as (_, client):
        client.collect(*topics)

        def answered():
            sent.append(client.publish(picture, camera_info()))
            for stamp in sent:
                if all(stamp in client.received[topic] for topic in topics):
                    return {topic: client.received[topic][stamp] for topic in topics}
            return None

        yield client.wait_until(answered, 'an answer on all topics')


@pytest.mark.parametrize(('topic', 'kind'), COMPRESSED.items())
def test_they_carry_the_images_header_and_their_format(messages, topic, kind):
    assert messages[topic].header == messages[DEPTH].header
    assert messages[topic].format == kind


def test_the_depth_is_the_raw_topics(messages):
    raw = depth_of(messages[DEPTH])
    back = depth_image(messages[f'{DEPTH}/compressedDepth'], None)
    valid = np.isfinite(raw)
    np.testing.assert_array_equal(back > 0, valid)
    np.testing.assert_allclose(back[valid], raw[valid], rtol=0.016)


@pytest.mark.parametrize('topic', [COLOR, RGB])
def test_a_picture_is_the_raw_topics(messages, topic):
    raw, back = color_image(messages[topic]), color_image(messages[f'{topic}/compressed'])
    assert back.shape == raw.shape
    assert np.abs(raw.astype(int) - back).mean() < 2


def test_they_take_a_small_part_of_the_bytes(messages):
    for topic in (DEPTH, COLOR, RGB):
        transport = 'compressedDepth' if topic == DEPTH else 'compressed'
        assert len(messages[f'{topic}/{transport}'].data) < len(messages[topic].data) / 20
