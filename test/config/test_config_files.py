# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped configuration files agree with the code and with each other."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import yaml

from msdepth_ros.calibration import read_camera

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'config'


def _flat(tree, prefix=''):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', value


def test_depth_yaml_holds_every_parameter_with_its_default():
    parameters = pytest.importorskip('msdepth_ros.node.parameter_table').PARAMETERS
    file = yaml.safe_load((CONFIG / 'depth.yaml').read_text())
    assert list(file) == ['/**']
    given = dict(_flat(file['/**']['ros__parameters']))
    declared = {parameter.name: parameter.default for parameter in parameters}
    assert given == declared
    assert {n: type(v) for n, v in given.items()} == {n: type(v) for n, v in declared.items()}


def test_depth_yaml_notes_when_a_parameter_may_change():
    module = pytest.importorskip('msdepth_ros.node.parameter_table')
    notes = {
        module.ALWAYS: '',
        module.UNCONFIGURED: 'unconfigured',
        module.AT_START: 'only at start',
    }
    comments, name = {}, ''
    for line in (CONFIG / 'depth.yaml').read_text().split('ros__parameters:')[1].splitlines():
        code, _, comment = line.partition('#')
        if ':' in code:
            name = code.partition(':')[0].strip()
            comments[name] = comment
        elif name and comment and '---' not in comment:
            comments[name] += comment
    for parameter in module.PARAMETERS:
        comment = comments[parameter.name.rpartition('.')[2]]
        assert len(comment.split()) >= 3, f'{parameter.name} has no comment'
        note = comment.partition('[')[2].partition(']')[0]
        assert note == notes[parameter.changes], parameter.name


def test_camera_yaml_is_a_calibration():
    camera = read_camera(CONFIG / 'camera.yaml')
    assert (camera.width, camera.height) == (640, 480)
    horizontal = np.degrees(2 * np.arctan(camera.width / 2 / camera.k[0]))
    assert 59 < horizontal < 61
    assert camera.distorted


def test_rviz_shows_what_the_node_publishes():
    manager = yaml.safe_load((CONFIG / 'depth.rviz').read_text())['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == 'camera_optical_frame'
    displays = {
        display.get('Topic', {}).get('Value', display['Name']): display
        for display in manager['Displays']
    }
    classes = {topic: display['Class'] for topic, display in displays.items()}
    assert classes.pop('TF') == 'rviz_default_plugins/TF'
    assert {topic: name for topic, name in classes.items() if not topic.startswith('Grid')} == {
        'image': 'rviz_default_plugins/Image',
        'depth/image_rect': 'rviz_default_plugins/Image',
        'points': 'rviz_default_plugins/PointCloud2',
    }
    for display in displays.values():
        assert display['Enabled'] is True
        if 'Topic' in display:
            assert display['Topic']['Reliability Policy'] == 'Best Effort'


def test_versions_agree():
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    version = manifest.findtext('version')
    assert f"version='{version}'" in (ROOT / 'setup.py').read_text()
    assert f"__version__ = '{version}'" in (ROOT / 'msdepth_ros' / '__init__.py').read_text()


def _imported_packages():
    for path in (*ROOT.glob('msdepth_ros/**/*.py'), *ROOT.glob('launch/*.py')):
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ('import', 'from'):
                yield words[1].partition('.')[0]


def test_every_import_on_the_robot_is_declared():
    """package.xml names every ROS package and rosdep key behind an import."""
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    declared = {element.text for element in manifest.findall('exec_depend')}
    keys = {
        'cv2': 'python3-opencv',
        'numpy': 'python3-numpy',
        'onnxruntime': 'python3-onnxruntime-pip',
        'tqdm': 'python3-tqdm',
        'yaml': 'python3-yaml',
    }
    ros = ('rclpy', 'launch', 'launch_ros', 'ament_index_python', 'tf2_ros')
    needed = set()
    for name in _imported_packages():
        if name in ros or name.endswith(('_msgs', '_srvs', '_interfaces')):
            needed.add(name)
        elif name in keys:
            needed.add(keys[name])
    assert {'rclpy', 'sensor_msgs', 'launch_ros', 'python3-numpy', 'python3-opencv'} <= needed
    assert needed <= declared
