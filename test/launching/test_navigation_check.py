# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Costmaps that do not fit the camera are reported before the robot drives."""

import copy
from pathlib import Path

import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.launching.navigation_check import costmap_warnings, read_costmaps

SHIPPED = read_costmaps(Path(__file__).resolve().parents[2] / 'config' / 'nav2_costmap.yaml')
SCAN = {
    'topic': '/scan',
    'data_type': 'LaserScan',
    'obstacle_max_range': 4.0,
}


def pose(height, pitch=0.0):
    return CameraPose(0.2, 0.0, height, 0.0, pitch, 0.0)


@pytest.mark.parametrize('height', [0.1, 0.35, 0.8, 1.2, 1.59])
def test_the_shipped_costmaps_fit(height):
    assert costmap_warnings(SHIPPED, '', pose(height, 0.1)) == []
    assert costmap_warnings(SHIPPED, '/', None) == []


@pytest.mark.parametrize(('height', 'step'), [(1.6, 0.15), (1.65, 0.15), (2.5, 0.2), (3.1, 0.2)])
def test_a_camera_above_the_voxels_is_reported_with_the_remedy(height, step):
    warnings = costmap_warnings(SHIPPED, '', pose(height, 0.3))
    assert len(warnings) == 2
    assert all(f'z_resolution: {step:.2f}' in text and f'{height:g} m' in text for text in warnings)
    mended = copy.deepcopy(SHIPPED)
    for costmap in mended.values():
        costmap['voxel_layer']['z_resolution'] = step
    assert costmap_warnings(mended, '', pose(height, 0.3)) == []


def test_a_camera_below_the_voxels_is_reported():
    costmaps = copy.deepcopy(SHIPPED)
    costmaps['local_costmap']['voxel_layer']['origin_z'] = 0.3
    (text,) = costmap_warnings(costmaps, '', pose(0.2))
    assert 'local_costmap: voxel_layer' in text
    assert 'origin_z to at most 0.2' in text


@pytest.mark.parametrize(('pitch', 'told'), [(0.0, 0), (0.05, 0), (0.1, 1), (-0.2, 0)])
def test_a_pitch_that_puts_the_floor_into_the_scan_is_reported(pitch, told):
    layer = {
        'plugin': 'nav2_costmap_2d::ObstacleLayer',
        'observation_sources': 'scan',
        'scan': SCAN,
    }
    costmaps = {'global_costmap': {'plugins': ['obstacle_layer'], 'obstacle_layer': layer}}
    warnings = costmap_warnings(costmaps, '', pose(0.35, pitch))
    assert len(warnings) == told
    assert all('3.49 m ahead' in text for text in warnings)


def test_costmaps_of_other_topics_are_reported():
    (text,) = costmap_warnings(SHIPPED, 'front', pose(0.35))
    assert '/front/obstacles, /front/points' in text
    costmaps = copy.deepcopy(SHIPPED)
    for costmap in costmaps.values():
        costmap['voxel_layer']['obstacles']['topic'] = '/front/obstacles'
    assert costmap_warnings(costmaps, '/front', pose(0.35)) == []


@pytest.mark.parametrize('text', ['', '[1, 2]', 'local_costmap: 3', 'local_costmap: {x: {}}'])
def test_a_file_without_costmaps_gives_no_warning(tmp_path, text):
    (tmp_path / 'nav2.yaml').write_text(text)
    assert costmap_warnings(read_costmaps(tmp_path / 'nav2.yaml'), '', pose(3.0)) == []


def test_a_file_that_is_no_yaml_is_an_error(tmp_path):
    (tmp_path / 'nav2.yaml').write_text('a: [')
    with pytest.raises(MsdepthError, match=r'cannot read .*nav2\.yaml'):
        read_costmaps(tmp_path / 'nav2.yaml')
