# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""config/depth.rviz uses classes that RViz 2 has, for topics that have the right type."""

from pathlib import Path

import pytest
import yaml
from sensor_msgs.msg import Image

from msdepth_ros.node.outputs import OUTPUTS

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / 'config' / 'depth.rviz').read_text())
MANAGER = CONFIG['Visualization Manager']
# The plugins that rviz_common and rviz_default_plugins export, by kind.
PANELS = {'Displays', 'Help', 'Selection', 'Time', 'Tool Properties', 'Transformation', 'Views'}
DISPLAYS = {
    'Axes',
    'Camera',
    'DepthCloud',
    'Effort',
    'FluidPressure',
    'Grid',
    'GridCells',
    'Illuminance',
    'Image',
    'InteractiveMarkers',
    'LaserScan',
    'Map',
    'Marker',
    'MarkerArray',
    'Odometry',
    'Path',
    'PointCloud',
    'PointCloud2',
    'PointStamped',
    'Polygon',
    'Pose',
    'PoseArray',
    'PoseWithCovariance',
    'Range',
    'RelativeHumidity',
    'RobotModel',
    'TF',
    'Temperature',
    'TwistStamped',
    'Wrench',
}
TOOLS = {
    'FocusCamera',
    'Interact',
    'Measure',
    'MoveCamera',
    'PublishPoint',
    'Select',
    'SetGoal',
    'SetInitialPose',
}
VIEWS = {'FPS', 'FrameAligned', 'Orbit', 'ThirdPersonFollower', 'TopDownOrtho', 'XYOrbit'}
QOS = {
    'Depth': None,
    'Durability Policy': {'Volatile', 'Transient Local', 'System Default'},
    'Filter size': None,
    'History Policy': {'Keep Last', 'Keep All', 'System Default'},
    'Reliability Policy': {'Reliable', 'Best Effort', 'System Default'},
    'Value': None,
}


def names(entries, package='rviz_default_plugins'):
    """Return the classes of entries, which must all be of one package."""
    classes = [entry['Class'].partition('/') for entry in entries]
    assert {prefix for prefix, _, _ in classes} == {package}
    return {name for _, _, name in classes}


def test_every_class_is_one_of_rviz():
    assert names(CONFIG['Panels'], 'rviz_common') <= PANELS
    assert names(MANAGER['Displays']) <= DISPLAYS
    assert names(MANAGER['Tools']) <= TOOLS
    assert names([MANAGER['Views']['Current']]) <= VIEWS
    assert names([MANAGER['Transformation']['Current']]) <= {'TF', 'Identity'}


@pytest.mark.parametrize(
    'display',
    [pytest.param(d, id=d['Name']) for d in MANAGER['Displays'] if 'Topic' in d],
)
def test_topics_have_the_type_that_the_display_shows(display):
    topic = display['Topic']['Value']
    kind = (
        Image if topic == 'image' else {output.topic: output.kind for output in OUTPUTS}[topic]
    )  # the node's own input, remapped
    assert display['Class'] == f'rviz_default_plugins/{kind.__name__}'
    for key, value in display['Topic'].items():
        assert QOS[key] is None or value in QOS[key], key


def test_the_cloud_is_drawn_by_the_fields_it_has():
    (cloud,) = (d for d in MANAGER['Displays'] if d['Class'].endswith('PointCloud2'))
    assert (cloud['Position Transformer'], cloud['Color Transformer']) == ('XYZ', 'RGB8')
    assert cloud['Style'] in ('Points', 'Squares', 'Flat Squares', 'Spheres', 'Boxes', 'Tiles')


def test_every_dock_in_the_window_is_a_panel_or_an_image():
    docks = set(CONFIG['Window Geometry']) - {'Height', 'Width', 'X', 'Y', 'QMainWindow State'}
    panels = {panel['Name'] for panel in CONFIG['Panels']}
    images = {d['Name'] for d in MANAGER['Displays'] if d['Class'].endswith('/Image')}
    assert docks - {'Hide Left Dock', 'Hide Right Dock'} <= panels | images
