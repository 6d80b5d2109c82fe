# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that cannot be measurements are refused, and the diagnostics say what to do next."""

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.node.measured.hub import MeasuredHub
from msdepth_ros.node.measured.sources import CloudSource, DepthSource, Request, ScanSource

CAMERA = Intrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)
# A scanner at the camera: x forward to z ahead, y left to x right.
FORWARD = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
VALUES = {'metric.max_age': 0.2, 'fixed_frame': 'odom'}
NAN, INF = float('nan'), float('inf')
STAMP = 100 * 10**9


def hub_with(kind, to_camera=FORWARD):
    """Return a hub with one source, and the warnings that it logs."""
    warnings = []
    logger = SimpleNamespace(warning=lambda text, **_: warnings.append(text))
    hub = MeasuredHub(SimpleNamespace(get_logger=lambda: logger))
    frames = SimpleNamespace(to_camera=lambda *_: to_camera, pose=lambda *_: None)
    hub._sources = {kind.name: kind(frames)}
    return hub, warnings


def measured(hub, stamp=STAMP):
    depth = np.full((96, 128), 3.0, np.float32)
    geometry = SimpleNamespace(
        intrinsics=CAMERA, upsampler=SimpleNamespace(shape=(CAMERA.height, CAMERA.width))
    )
    image = np.zeros((1, 1, 3), np.uint8)
    return hub._measure(Request(stamp, 'camera', VALUES, depth, geometry, {}, image))


def hear(hub, message, stamp=STAMP, topic=''):
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    message.header.frame_id = message.header.frame_id or 'sensor'
    next(iter(hub._sources.values())).hear(topic, message)


def scan(**changes):
    message = LaserScan(angle_min=-0.3, angle_increment=0.01, range_min=0.1, range_max=10.0)
    message.ranges = [2.0] * 61
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'angle_min': INF}, 'angle_min inf'),
        ({'angle_min': NAN}, 'angle_min nan'),
        ({'angle_increment': NAN}, 'angle_increment nan'),
        ({'angle_increment': 0.0}, 'angle_increment of 0'),
        ({'angle_increment': -1.0}, '61 ranges with an angle_increment of -1'),
        ({'ranges': [2.0] * 50_000}, '50000 ranges'),
        ({'range_min': 5.0, 'range_max': 1.0}, 'range_min 5 and range_max 1'),
        ({'range_min': NAN}, 'range_min nan'),
        ({'range_max': NAN}, 'range_max nan'),
        ({'range_max': -INF}, 'range_max -inf'),
        ({'ranges': [], 'intensities': [1.0] * 61}, 'no ranges'),
    ],
)
def test_a_scan_of_impossible_numbers_is_refused_and_the_diagnostics_name_them(changes, told):
    hub, warnings = hub_with(ScanSource)
    hear(hub, scan(**changes))
    assert measured(hub) == []
    assert told in hub.trouble
    assert 'correct the settings of its driver' in hub.trouble
    assert told in warnings[0]
    assert 'not usable 1' in hub.report()['measured scan']
    hear(hub, scan(), STAMP + 1)
    assert len(measured(hub, STAMP + 1)) == 1
    assert hub.trouble == ''


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize(
    'changes',
    [
        {'angle_min': 0.3, 'angle_increment': -0.01},
        {'ranges': [2.0] * 31},
        {'ranges': [2.0] * 300},
        {'range_max': INF},
        {'range_max': 0.0},
        {'range_min': -INF},
        {'time_increment': NAN},
        {'scan_time': INF},
        {'angle_max': NAN},
        {'ranges': [NAN, INF, -INF, -1.0] + [2.0] * 57},
    ],
)
def test_the_other_fields_of_a_scan_do_not_matter(changes):
    hub, _ = hub_with(ScanSource)
    hear(hub, scan(**changes))
    (sparse,) = measured(hub)
    assert len(sparse) > 25
    assert np.all((sparse.depth > 1.5) & (sparse.depth <= 2.0))
    assert hub.trouble == ''


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('value', [INF, -INF, NAN, 0.0, -1.0, 1e30, 1e-30])
def test_a_scan_that_measures_nothing_is_no_trouble(value):
    hub, warnings = hub_with(ScanSource)
    hear(hub, scan(ranges=[value] * 61))
    assert measured(hub) == []
    assert hub.trouble == ''
    assert not warnings


@pytest.mark.parametrize(
    ('late', 'told'), [(0.5, '0.50 s after'), (-5.0, '5.00 s before'), (-100.0, '100.00 s before')]
)
def test_a_clock_that_is_off_is_reported_in_seconds(late, told):
    hub, warnings = hub_with(ScanSource)
    hear(hub, scan(), STAMP + round(late * 1e9))
    assert measured(hub) == []
    assert told in hub.trouble
    assert 'synchronise the clocks' in hub.trouble
    assert told in warnings[0]


def test_a_topic_on_which_nothing_comes_and_an_unknown_place_are_reported():
    hub, warnings = hub_with(ScanSource, to_camera=None)
    assert measured(hub) == []
    assert 'nothing comes on measured/scan: remap it' in hub.trouble
    assert not warnings  # a sensor may start late
    hear(hub, scan())
    assert measured(hub) == []
    assert "where 'sensor' is: publish TF from it to 'camera', or set" in hub.trouble
    assert 'measured.scan_pose' in warnings[0]


def cloud(depth, fields='xyz'):
    points = np.zeros((50, len(fields)), np.float32)
    points[:, fields.find('z')] = depth
    message = PointCloud2(
        height=1, width=50, point_step=4 * len(fields), row_step=200 * len(fields)
    )
    message.fields = [
        PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
        for place, name in enumerate(fields)
    ]
    message.data.frombytes(points.tobytes())
    return message


@pytest.mark.parametrize(
    ('message', 'told'),
    [
        (cloud(2000.0), 'correct their unit'),
        (cloud(2.0, 'xz'), 'publish it with these'),
        (PointCloud2(), 'publish it with these'),
    ],
)
def test_clouds_in_other_units_or_without_points_are_refused(message, told):
    hub, _ = hub_with(CloudSource, np.eye(4))
    hear(hub, message)
    assert measured(hub) == []
    assert told in hub.trouble


def depth_image(depth, encoding='32FC1', frame='sensor'):
    kind = np.float32 if encoding == '32FC1' else np.uint16
    message = Image(height=240, width=320, encoding=encoding, step=320 * np.dtype(kind).itemsize)
    message.data.frombytes(np.broadcast_to(depth, (240, 320)).astype(kind).tobytes())
    message.header.frame_id = frame
    return message


@pytest.mark.parametrize(
    ('message', 'told'),
    [
        (depth_image(2.0), "frame_id 'sensor' is not that of the image"),
        (depth_image(0.002, frame='camera'), 'correct their unit'),
        (Image(encoding='rgb8'), "'rgb8' is not supported: use one of 16UC1"),
    ],
)
def test_depth_images_that_cannot_be_used_are_refused(message, told):
    hub, _ = hub_with(DepthSource)
    hear(hub, message)
    assert measured(hub) == []
    assert told in hub.trouble


def test_a_slope_in_a_depth_image_does_not_hide_itself():
    """Its pixels are dense: only what lies behind the very next ones is hidden."""
    hub, _ = hub_with(DepthSource, np.eye(4))
    info = CameraInfo(height=240, width=320, k=[300.0, 0.0, 159.5, 0.0, 300.0, 119.5, 0, 0, 1.0])
    hear(hub, info)
    depth = 2.0 * np.exp(0.01 * np.arange(240))[:, None]
    hear(hub, depth_image(depth))
    (sparse,) = measured(hub)
    assert len(sparse) > 0.95 * (240 // 2) * (320 // 2)


def test_a_third_of_a_scan_that_reads_half_costs_no_other_beam():
    hub, _ = hub_with(ScanSource)
    message = scan()
    message.ranges[::3] = type(message.ranges)('f', [1.0] * 21)
    hear(hub, message)
    (sparse,) = measured(hub)
    assert len(sparse) == 61
    assert np.median(sparse.depth) > 1.9
