# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the name of an image topic says about its images."""

import os
import re

_TRANSPORTS = ('compressed', 'compressedDepth')
_VIDEOS = {  # words for video codecs and transports, and the image_transport that decodes them
    'ffmpeg': 'ffmpeg', 'h264': 'ffmpeg', 'x264': 'ffmpeg', 'avc': 'ffmpeg', 'h265': 'ffmpeg',
    'x265': 'ffmpeg', 'hevc': 'ffmpeg', 'av1': 'ffmpeg', 'vp8': 'ffmpeg', 'vp9': 'ffmpeg',
    'mpeg4': 'ffmpeg', 'libx264': 'ffmpeg', 'libx265': 'ffmpeg', 'foxglove': 'foxglove',
    'theora': 'theora', 'zstd': 'zstd', 'draco': 'draco', 'rvl': 'rvl', 'video': 'ffmpeg',
}  # fmt: skip


def without_transport(topic: str) -> str:
    """Return an image topic's name without image_transport's last level."""
    for transport in _TRANSPORTS:
        topic = topic.removesuffix(f'/{transport}')
    return topic


def names_rectified_images(topic: str) -> bool:
    """Return whether an image topic is named like rectified images in image_pipeline.

    Its own name or its namespace has the word rect or rectified: image_rect, image_rect_color,
    image_rect_raw, rectified/image; but not image_direct.
    """
    levels = without_transport(topic).split('/')[-2:]
    return any(not {'rect', 'rectified'}.isdisjoint(level.split('_')) for level in levels)


def camera_name(topic: str) -> str:
    """Return the camera's name in its image topic, as `front` in /robot/front/image_raw, or ''."""
    return without_transport(topic).rpartition('/')[0].rpartition('/')[2]


def video_in(text: str) -> str:
    """Return the codec in a message's format or in a topic's last level; '' = none."""
    for word in re.split(r'[^a-z0-9]+', text.lower().replace('.', '')):
        if word in _VIDEOS and word != 'video':
            return word
    return ''


def unread_transport(topic: str) -> str:
    """Return what to do about an image topic whose name says that it cannot be read, or ''."""
    base, _, last = topic.rpartition('/')
    if last == 'compressedDepth':
        return (
            f'{topic} carries depth images: remap `image` to the topic of the colour camera, such '
            f'as {base}/compressed with image_transport:=compressed'
        )
    codec = video_in(last) if last.lower() in _VIDEOS else ''
    return republish_advice(codec, base) if codec else ''


def republish_advice(codec: str, topic: str = 'IMAGE_TOPIC') -> str:
    """Return a message: a codec is not supported, and which command decodes it to images.

    Parameters
    ----------
    codec : a key of _VIDEOS.
    topic : of the images, without the transport's level.
    """
    transport = _VIDEOS.get(codec, 'ffmpeg')
    if os.environ.get('ROS_DISTRO') == 'humble':
        how = f'{transport} raw --ros-args'
    else:
        how = f'--ros-args -p in_transport:={transport} -p out_transport:=raw'
    return (
        f'{codec} is not supported: run `ros2 run image_transport republish {how} '
        f'-r in/{transport}:={topic}/{transport} -r out:={topic}_decoded` (with the package '
        f'{transport}_image_transport), and remap `image` to {topic}_decoded'
    )
