# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of one stamp become one frame."""

from types import SimpleNamespace

import numpy as np
import pytest

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.viewer.frame import (
    CONFIDENCE,
    DEPTH,
    IMAGE,
    INFO,
    MEASUREMENTS,
    POINTS,
    SCAN,
    FrameJoiner,
    ViewedFrame,
)

ALL = (DEPTH, INFO, IMAGE, POINTS)


def message(stamp, **fields):
    """Return a message with a stamp in milliseconds."""
    seconds, rest = divmod(stamp, 1000)
    stamp = SimpleNamespace(sec=seconds, nanosec=rest * 10**6)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id='camera'), **fields)


@pytest.fixture
def joined():
    """Return (frames that were handed on, what takes messages)."""
    frames = []
    joiner = FrameJoiner(frames.append)

    def add(stamp, *topics):
        for topic in topics:
            joiner.add(topic, message(stamp))

    return frames, add


def stamps(frames):
    return [frame.stamp // 10**6 for frame in frames]


def test_a_frame_comes_as_soon_as_all_of_it_has(joined):
    frames, add = joined
    add(100, IMAGE, POINTS, INFO)
    assert not frames
    add(100, DEPTH)
    assert stamps(frames) == [100]
    assert set(frames[0].messages) == set(ALL)


def test_messages_of_two_frames_may_overtake_each_other(joined):
    frames, add = joined
    add(100, DEPTH, INFO, IMAGE)
    add(200, IMAGE, DEPTH)
    add(100, POINTS)
    add(200, POINTS, INFO)
    assert stamps(frames) == [100, 200]


def test_a_message_that_never_comes_is_no_longer_waited_for(joined):
    """Without calibration there is neither camera_info nor a cloud."""
    frames, add = joined
    for stamp in (100, 200, 300):
        add(stamp, DEPTH, IMAGE)
    assert stamps(frames) == [100, 300]
    add(400, DEPTH, IMAGE)
    assert stamps(frames)[-1] == 400
    add(500, DEPTH, IMAGE)
    assert stamps(frames)[-1] == 500


def test_a_topic_that_begins_later_is_waited_for_from_then_on(joined):
    frames, add = joined
    add(100, *ALL)
    add(100, SCAN)
    assert SCAN in frames[0].messages
    add(200, *ALL)
    assert stamps(frames) == [100]
    add(200, SCAN)
    assert stamps(frames) == [100, 200]


def test_a_frame_without_its_depth_is_none(joined):
    frames, add = joined
    for stamp in (100, 200, 300, 400):
        add(stamp, IMAGE, INFO, POINTS)
    assert not frames


def test_late_messages_are_left_out_and_a_clock_that_went_back_is_followed(joined):
    frames, add = joined
    add(5000, *ALL)
    add(4900, *ALL)
    assert stamps(frames) == [5000]
    add(1000, *ALL)
    assert stamps(frames) == [5000, 1000]


def test_few_messages_are_kept():
    joiner = FrameJoiner(lambda frame: None)
    for stamp in range(1000):
        joiner.add(SCAN, message(stamp))
    assert len(joiner._waiting) <= 3


# Arrays.


def image_message(pixels, encoding):
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).tobytes()
    return message(
        1,
        encoding=encoding,
        height=height,
        width=width,
        step=len(data) // height,
        data=data,
        is_bigendian=False,
    )


def cloud_message(points, fields):
    data = np.ascontiguousarray(points, np.float32)
    return message(
        1,
        fields=[SimpleNamespace(name=name, offset=4 * i) for i, name in enumerate(fields)],
        point_step=4 * len(fields),
        data=data.tobytes(),
        is_bigendian=False,
    )


def test_the_image_is_bgr_whatever_its_encoding():
    red = np.full((2, 3, 3), (255, 0, 0), np.uint8)
    frame = ViewedFrame(1, {IMAGE: image_message(red, 'rgb8')})
    assert (frame.image == (0, 0, 255)).all()
    frame = ViewedFrame(1, {IMAGE: image_message(red[..., 0], 'mono8')})
    assert (frame.image == 255).all()
    assert ViewedFrame(1).image is None


def test_depth_and_confidence_are_metres_and_shares():
    values = np.array([[0.5, np.nan]], np.float32)
    frame = ViewedFrame(1, {topic: image_message(values, '32FC1') for topic in (DEPTH, CONFIDENCE)})
    np.testing.assert_array_equal(frame.depth, values)
    np.testing.assert_array_equal(frame.confidence, values)
    assert ViewedFrame(1).confidence is None


def test_the_cloud_is_its_valid_points_with_their_colours():
    depth = np.array([[1.0, np.nan, 2.0]], np.float32)
    colors = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], np.uint8)
    points = point_cloud(depth, Intrinsics(3, 1, 2.0, 2.0, 1.0, 0.0), colors)
    xyz, rgb = ViewedFrame(1, {POINTS: cloud_message(points, ['x', 'y', 'z', 'rgb'])}).cloud
    np.testing.assert_array_equal(xyz, points[0, [0, 2], :3])
    np.testing.assert_array_equal(rgb, colors[0, [0, 2]])


def test_a_cloud_without_colours_is_grey():
    xyz, rgb = ViewedFrame(1, {POINTS: cloud_message(np.ones((4, 3)), 'xyz')}).cloud
    assert xyz.shape == rgb.shape == (4, 3)
    assert len(ViewedFrame(1).cloud[0]) == 0


def test_measurements_are_those_used_and_those_not():
    points = np.array([[0, 0, 1, 1], [0, 0, 2, 0], [0, 0, 3, 1]], np.float32)
    frame = ViewedFrame(1, {MEASUREMENTS: cloud_message(points, ['x', 'y', 'z', 'used'])})
    used, rejected = frame.measurements
    assert used[:, 2].tolist() == [1, 3]
    assert rejected[:, 2].tolist() == [2]
    assert [len(part) for part in ViewedFrame(1).measurements] == [0, 0]


def test_the_scan_is_its_valid_beams():
    scan = message(
        1, angle_min=-0.1, angle_increment=0.1, range_min=0.5, range_max=5.0,
        ranges=[1.0, float('inf'), 2.0],
    )  # fmt: skip
    points, frame_id = ViewedFrame(1, {SCAN: scan}).scan
    assert frame_id == 'camera'
    expected = [[np.cos(0.1), -np.sin(0.1), 0], [2 * np.cos(0.1), 2 * np.sin(0.1), 0]]
    np.testing.assert_allclose(points, expected, rtol=1e-6)
