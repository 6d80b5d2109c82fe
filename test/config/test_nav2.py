# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files for Nav2 agree with the node, with each other and with what Nav2 knows."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.node.outputs import OUTPUTS
from msdepth_ros.node.parameters import PARAMETERS

CONFIG = Path(__file__).resolve().parents[2] / 'config'
# What Nav2 reads (nav2_costmap_2d of Humble to Kilted): an unknown name would be ignored silently.
LAYER = {'plugin', 'enabled'}
OBSTACLES = LAYER | {
    'footprint_clearing_enabled',
    'min_obstacle_height',
    'max_obstacle_height',
    'combination_method',
    'observation_sources',
    'tf_filter_tolerance',
}
LAYERS = {
    'nav2_costmap_2d::ObstacleLayer': OBSTACLES,
    'nav2_costmap_2d::VoxelLayer': OBSTACLES
    | {
        'publish_voxel_map',
        'origin_z',
        'z_resolution',
        'z_voxels',
        'unknown_threshold',
        'mark_threshold',
    },
    'nav2_costmap_2d::DenoiseLayer': LAYER | {'minimal_group_size', 'group_connectivity_type'},
}
SOURCE = {
    'topic',
    'sensor_frame',
    'observation_persistence',
    'expected_update_rate',
    'data_type',
    'min_obstacle_height',
    'max_obstacle_height',
    'inf_is_valid',
    'marking',
    'clearing',
    'obstacle_max_range',
    'obstacle_min_range',
    'raytrace_max_range',
    'raytrace_min_range',
}
COSTMAPS = {
    name: tree[name]['ros__parameters']
    for name, tree in yaml.safe_load((CONFIG / 'nav2_costmap.yaml').read_text()).items()
}
SOURCES = [
    pytest.param(layer[source], id=f'{costmap}-{source}')
    for costmap, parameters in COSTMAPS.items()
    for layer in parameters.values()
    if isinstance(layer, dict)
    for source in layer.get('observation_sources', '').split()
]


def navigation():
    """Return the flat parameters of navigation.yaml."""
    tree = yaml.safe_load((CONFIG / 'navigation.yaml').read_text())['/**']['ros__parameters']
    return {
        f'{group}.{name}': value for group, values in tree.items() for name, value in values.items()
    }


def test_both_costmaps_have_a_source():
    assert set(COSTMAPS) == {'local_costmap', 'global_costmap'}
    assert len(SOURCES) == 2


@pytest.mark.parametrize('costmap', COSTMAPS)
def test_layers_are_known_to_nav2(costmap):
    for name, layer in COSTMAPS[costmap].items():
        if name == 'plugins':
            continue
        assert name in COSTMAPS[costmap]['plugins']
        sources = set(layer.get('observation_sources', '').split())
        assert sources <= set(layer)
        assert set(layer) - sources <= LAYERS[layer['plugin']]


@pytest.mark.parametrize('costmap', COSTMAPS)
def test_denoising_comes_after_marking_and_before_inflation(costmap):
    plugins = COSTMAPS[costmap]['plugins']
    marking = [name for name in plugins if name in ('voxel_layer', 'obstacle_layer')]
    assert plugins.index(marking[-1]) < plugins.index('denoise_layer')
    assert plugins.index('denoise_layer') < plugins.index('inflation_layer')
    assert plugins[-1] == 'inflation_layer'


@pytest.mark.parametrize('source', SOURCES)
def test_sources_are_topics_of_the_node(source):
    assert set(source) <= SOURCE
    kind = {output.topic: output.kind for output in OUTPUTS}[source['topic'].removeprefix('/')]
    assert kind.__name__ == source['data_type']


@pytest.mark.parametrize('source', SOURCES)
def test_what_is_marked_can_be_cleared_and_is_delivered(source):
    assert source['marking'] is source['clearing'] is True
    assert source['obstacle_max_range'] <= source['raytrace_max_range']
    topic = source['topic'].removeprefix('/')
    limit = {'points': 'points.max_range', 'scan': 'scan.range_max'}[topic]
    assert source['obstacle_max_range'] <= navigation()[limit]
    assert source['raytrace_max_range'] <= navigation()[limit]
    assert source['max_obstacle_height'] > 0  # Nav2's default for a source is 0: nothing at all


@pytest.mark.parametrize('source', SOURCES)
def test_the_robot_stops_when_depth_does(source):
    assert 0 < source['expected_update_rate'] <= 1


def test_navigation_yaml_holds_parameters_that_the_node_takes():
    known = {parameter.name: parameter for parameter in PARAMETERS}
    for name, value in navigation().items():
        assert type(value) is type(known[name].default), name
        assert known[name].refusal(value) is None
        assert value != known[name].default, f'{name} is the default anyway'


def test_voxels_are_those_of_the_costmap():
    voxel_layer = COSTMAPS['local_costmap']['voxel_layer']
    assert navigation()['points.voxel_size'] == voxel_layer['z_resolution']
    assert voxel_layer['z_voxels'] <= 16  # a column is 32 bits, two a voxel
