# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Launch arguments that name what is measured."""

import pytest

from msdepth_ros.launching.measured import measured_remappings, metric_sources


def arguments(**given):
    names = ('metric_sources', 'measured_scan', 'measured_points', 'measured_depth')
    return {name: given.get(name, '') for name in names}


@pytest.mark.parametrize(
    ('given', 'sources'),
    [
        ({}, []),
        ({'metric_sources': 'none'}, ['none']),
        ({'metric_sources': 'scan, views'}, ['scan', 'views']),
        ({'measured_scan': '/scan'}, ['floor', 'scan']),
        ({'measured_scan': '/scan', 'metric_sources': 'scan'}, ['scan']),
        ({'measured_points': '/lidar', 'measured_depth': '/d/image'}, ['floor', 'points', 'depth']),
        ({'measured_depth': '/d/image', 'metric_sources': 'views'}, ['views', 'depth']),
    ],
)
def test_naming_a_topic_adds_its_source(given, sources):
    assert metric_sources(arguments(**given)) == sources


@pytest.mark.parametrize(
    ('topic', 'info'),
    [
        ('/camera/depth/image_rect', '/camera/depth/camera_info'),
        ('depth/image', 'depth/camera_info'),
        ('/depth', '/camera_info'),
    ],
)
def test_a_depths_camera_info_lies_beside_it(topic, info):
    given = arguments(measured_depth=topic, measured_scan='/scan')
    assert measured_remappings(given) == [
        ('measured/scan', '/scan'),
        ('measured/depth', topic),
        ('measured/camera_info', info),
    ]
