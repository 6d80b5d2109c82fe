# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the name of a topic says of its images."""

_TRANSPORTS = ('compressed', 'compressedDepth')


def without_transport(topic: str) -> str:
    """Return an image topic's name without image_transport's last level."""
    for transport in _TRANSPORTS:
        topic = topic.removesuffix(f'/{transport}')
    return topic


def names_rectified_images(topic: str) -> bool:
    """Return whether an image topic is called as image_pipeline calls rectified images.

    Its own name or its namespace has a word for it: as image_rect, image_rect_color,
    image_rect_raw, rectified/image; not as image_direct.
    """
    levels = without_transport(topic).split('/')[-2:]
    return any(not {'rect', 'rectified'}.isdisjoint(level.split('_')) for level in levels)


def camera_name(topic: str) -> str:
    """Return the camera's name by its image topic, '' where it has none: /robot/front/image_raw."""
    return without_transport(topic).rpartition('/')[0].rpartition('/')[2]
