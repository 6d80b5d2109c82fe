# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files for Nav2 agree with the node, with each other and with what Nav2 knows."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.evaluation.navigation import EDGE_THRESHOLD
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
    'nav2_costmap_2d::StaticLayer': LAYER | {'map_subscribe_transient_local', 'use_maximum'},
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


def test_both_costmaps_have_what_marks_and_what_clears():
    assert set(COSTMAPS) == {'local_costmap', 'global_costmap'}
    assert len(SOURCES) == 4


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
def test_denoising_comes_after_marking_and_before_the_map_and_inflation(costmap):
    plugins = COSTMAPS[costmap]['plugins']
    marking = [name for name in plugins if name in ('voxel_layer', 'obstacle_layer')]
    assert plugins.index(marking[-1]) < plugins.index('denoise_layer')
    assert plugins.index('denoise_layer') < plugins.index('inflation_layer')
    assert plugins[-1] == 'inflation_layer'
    if 'static_layer' in plugins:
        assert plugins.index('denoise_layer') < plugins.index('static_layer')
        assert COSTMAPS[costmap]['static_layer']['use_maximum'] is True


@pytest.mark.parametrize('source', SOURCES)
def test_sources_are_topics_of_the_node(source):
    assert set(source) <= SOURCE
    kind = {output.topic: output.kind for output in OUTPUTS}[source['topic'].removeprefix('/')]
    assert kind.__name__ == source['data_type']


@pytest.mark.parametrize('costmap', COSTMAPS)
def test_what_is_marked_can_be_cleared_and_is_delivered(costmap):
    layer = COSTMAPS[costmap]['voxel_layer']
    sources = [layer[name] for name in layer['observation_sources'].split()]
    (marks,) = [source for source in sources if source['marking']]
    (clears,) = [source for source in sources if source['clearing']]
    assert not marks['clearing']
    assert not clears['marking']
    assert marks['obstacle_max_range'] + 2 * 0.05 < clears['raytrace_max_range']
    assert clears['raytrace_max_range'] == navigation()['points.max_range']
    assert navigation()['points.clamp_range'] is True
    defaults = {parameter.name: parameter.default for parameter in PARAMETERS}
    assert marks['obstacle_max_range'] <= defaults['obstacles.max_range']
    assert marks['max_obstacle_height'] > 0  # Nav2's default for a source is 0: nothing at all
    assert marks['min_obstacle_height'] <= 0  # drops lie on the floor
    assert clears['min_obstacle_height'] < -5  # what Nav2 drops by its height clears nothing
    assert clears['max_obstacle_height'] > 5


@pytest.mark.parametrize('source', SOURCES)
def test_nav2_expects_depth_at_least_once_a_second(source):
    assert 0 < source['expected_update_rate'] <= 1


def test_evaluation_removes_flying_pixels_as_navigation_does():
    assert navigation()['depth.edge_threshold'] == EDGE_THRESHOLD


def test_navigation_yaml_holds_parameters_that_the_node_takes():
    known = {parameter.name: parameter for parameter in PARAMETERS}
    for name, value in navigation().items():
        assert type(value) is type(known[name].default), name
        assert known[name].refusal(value) is None
        assert value != known[name].default, f'{name} is the default anyway'


def test_cameras_of_most_robots_are_within_the_voxels():
    for costmap in COSTMAPS.values():
        layer = costmap['voxel_layer']
        assert layer['z_voxels'] <= 16  # a column is 32 bits, two a voxel
        assert layer['origin_z'] == 0
        assert layer['z_resolution'] * layer['z_voxels'] == pytest.approx(1.6)


# What spatio_temporal_voxel_layer reads (Humble to Kilted).
STVL = {
    'plugin',
    'enabled',
    'voxel_decay',
    'decay_model',
    'voxel_size',
    'track_unknown_space',
    'mark_threshold',
    'update_footprint_enabled',
    'combination_method',
    'origin_z',
    'publish_voxel_map',
    'transform_tolerance',
    'mapping_mode',
    'map_save_duration',
    'observation_sources',
}
STVL_SOURCE = {
    'topic',
    'data_type',
    'marking',
    'clearing',
    'obstacle_range',
    'min_obstacle_height',
    'max_obstacle_height',
    'expected_update_rate',
    'observation_persistence',
    'inf_is_valid',
    'filter',
    'voxel_min_points',
    'clear_after_reading',
    'min_z',
    'max_z',
    'vertical_fov_angle',
    'vertical_fov_padding',
    'horizontal_fov_angle',
    'decay_acceleration',
    'model_type',
    'sensor_frame',
    'enabled',
}


def test_stvl_has_the_same_sources():
    tree = yaml.safe_load((CONFIG / 'nav2_stvl.yaml').read_text())
    costmap = tree['local_costmap']['local_costmap']['ros__parameters']
    layer, other = costmap['stvl_layer'], COSTMAPS['local_costmap']['voxel_layer']
    sources = layer['observation_sources'].split()
    assert sources == other['observation_sources'].split()
    assert set(layer) - set(sources) <= STVL
    for name in sources:
        assert set(layer[name]) <= STVL_SOURCE
        for key in ('topic', 'marking', 'clearing', 'expected_update_rate'):
            assert layer[name][key] == other[name][key]
    obstacles, free = (layer[name] for name in sources)
    assert obstacles['obstacle_range'] == other['obstacles']['obstacle_max_range']
    assert free['max_z'] == other['free']['raytrace_max_range']


def test_the_collision_monitor_reads_the_obstacles():
    tree = yaml.safe_load((CONFIG / 'nav2_collision_monitor.yaml').read_text())
    monitor = tree['collision_monitor']['ros__parameters']
    (name,) = monitor['observation_sources']
    source = monitor[name]
    kind = {output.topic: output.kind for output in OUTPUTS}[source['topic'].removeprefix('/')]
    assert (source['type'], kind.__name__) == ('pointcloud', 'PointCloud2')
    assert source['min_height'] < 0 < source['max_height']
    assert set(source) <= {'type', 'topic', 'min_height', 'max_height', 'enabled'}
