# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""With the shipped files nothing stays that is gone, and nothing is marked that is not there.

The scenes of test_costmap.py, through the shipped parameters of the node and of Nav2. The depth is
exact; what a network makes of it is measured by `msdepth evaluate --navigation`.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml
from ray_cast import CAMERA, CELLS, Mounted, depth_of, wall

from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.obstacle_cloud import ObstacleCloud, ObstacleOptions, free_points
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.navigation.costmap import Costmap, Sighting
from msdepth_ros.navigation.layers import Cells

CONFIG = Path(__file__).resolve().parents[2] / 'config'
COSTMAPS = {
    name: tree[name]['ros__parameters']
    for name, tree in yaml.safe_load((CONFIG / 'nav2_costmap.yaml').read_text()).items()
}
NODE = yaml.safe_load((CONFIG / 'navigation.yaml').read_text())['/**']['ros__parameters']
BOX = (2.0, 2.4, -0.2, 0.2, 0.0, 0.5)
MOUNTS = [
    Mounted(0.2),
    Mounted(0.35, 0.1),
    Mounted(1.0, 0.3),
    Mounted(1.5, 0.45),
]


def seen(mounted, boxes, camera=CAMERA, cells=CELLS, scale=1.0, floor=True):
    """Return what the topics `points` and `obstacles` say of a scene."""
    grid = camera.sampled(cells)
    depth = (scale * depth_of(mounted, boxes, grid, floor)).astype(np.float32)
    beyond = depth > 10
    depth[beyond] = np.nan
    remove_flying_pixels(depth, NODE['depth']['edge_threshold'])
    points = NODE['points']
    assert points['clamp_range']
    size = points['voxel_size']
    up = mounted.rotation.T @ [0.0, 0.0, 1.0]
    options = ObstacleOptions(memory=0.0, voxel_size=size)
    clouds = {
        'points': free_points(depth, grid, points['max_range'], size, beyond),
        'obstacles': ObstacleCloud().points(depth, grid, mounted.height, up, 0.0, options, beyond),
    }
    place = mounted.position, mounted.rotation
    return {topic: Sighting(*place, cloud) for topic, cloud in clouds.items()}


def watch(name, mounted, *scenes, size=10.0, static=None, **options):
    """Show a costmap the scenes; return it and what is lethal at the end."""
    watched = Costmap(COSTMAPS[name], Cells.around(0, 0, size), static)
    for boxes in scenes:
        sightings = seen(mounted, boxes, **options)
        lethal = watched.update(sightings)
    return watched, lethal


def near(watched, lethal, x_from, x_to):
    x = watched.cells.centers(*np.nonzero(lethal))[0]
    return int(((x > x_from) & (x < x_to)).sum())


def test_both_costmaps_see_alike():
    local, everywhere = (COSTMAPS[name]['voxel_layer'] for name in COSTMAPS)
    assert local == everywhere


@pytest.mark.parametrize('mounted', [*MOUNTS, Mounted(0.35), Mounted(0.6, 0.2)])
def test_a_box_is_marked_and_nothing_else(mounted):
    watched, lethal = watch('local_costmap', mounted, [wall(3.5), BOX])
    places = np.stack(watched.cells.centers(*np.nonzero(lethal)), axis=1)
    assert near(watched, lethal, 1.95, 2.45) >= 8
    on_box = (abs(places[:, 0] - 2.2) < 0.26) & (abs(places[:, 1]) < 0.26)
    on_wall = abs(places[:, 0] - 3.5) < 0.06
    assert (on_box | on_wall).all()
    front = np.unique(places[on_box][:, 1].round(6))
    np.testing.assert_allclose(front[abs(front) < 0.2], np.arange(-0.175, 0.2, 0.05), atol=1e-6)


@pytest.mark.parametrize('mounted', MOUNTS)
@pytest.mark.parametrize('behind', [[wall(3.5)], [wall(6)], [wall(8)], []])
def test_what_is_gone_is_cleared(mounted, behind):
    gone = [
        BOX,
        (2.0, 2.4, -0.25, 0.25, 0.0, 1.7),  # a person
        (1.5, 1.6, -0.3, 0.3, 0.1, 0.6),  # a wrong moment
        (1.2, 1.5, -0.2, 0.2, 0.0, 0.1),  # something low
    ]
    scenes = [scene for thing in gone for scene in ([*behind, thing], behind)]
    watched = Costmap(COSTMAPS['local_costmap'], Cells.around(0, 0, 10))
    for number, boxes in enumerate(scenes):
        lethal = watched.update(seen(mounted, boxes))
        assert not watched.blind
        if number % 2:
            assert near(watched, lethal, 0, 3.3) == 0
            assert behind == [wall(3.5)] or lethal.sum() == 0
        else:
            assert near(watched, lethal, 0, 3.3) > 0


@pytest.mark.parametrize('size', [3.0, 5.0])
def test_a_small_costmap_is_cleared_too(size):
    box, mounted = (1.0, 1.3, -0.25, 0.25, 0.0, 0.5), Mounted(0.35, 0.1)
    for behind in ([wall(3.5)], [wall(8)], []):
        _, lethal = watch('local_costmap', mounted, [*behind, box], behind, size=size)
        assert lethal.sum() == 0


@pytest.mark.parametrize('mounted', MOUNTS)
def test_open_floor_is_free(mounted):
    wide = Intrinsics(640, 480, 554.0, 554.0, 319.5, 239.5)
    assert watch('local_costmap', mounted, [])[1].sum() == 0
    cells = Grid(128, 96, (2.0, 2.0), (5.0, 5.0))
    assert watch('local_costmap', mounted, [], camera=wide, cells=cells)[1].sum() == 0


@pytest.mark.parametrize('scale', [0.7, 0.87, 0.95, 1.05, 1.15])
def test_open_floor_is_free_although_the_depth_is_wrong(scale):
    for mounted in (Mounted(0.35, 0.1), Mounted(0.7, 0.2)):
        assert watch('local_costmap', mounted, [], scale=scale)[1].sum() == 0


@pytest.mark.parametrize('x', [1.0, 2.0, 3.0])
@pytest.mark.parametrize('width', [0.04, 0.06])
def test_a_thin_pole_stays(x, width):
    pole = (x, x + width, 0.3 - width, 0.3, 0.0, 1.0)
    watched, lethal = watch('local_costmap', Mounted(0.35), [wall(3.5), pole])
    assert near(watched, lethal, 0, 3.2) >= 1


def test_lone_cells_of_the_map_stay():
    static = np.zeros((200, 200), bool)
    static[[160, 140, 100], [160, 120, 140]] = True
    _, lethal = watch('global_costmap', Mounted(0.35), [], static=static)
    np.testing.assert_array_equal(lethal, static)


@pytest.mark.parametrize('mounted', MOUNTS[:3])
def test_a_staircase_down_is_an_obstacle(mounted):
    steps = [(1.5 + 0.3 * k, 1.8 + 0.3 * k, -9, 9, -9, -0.17 * (k + 1)) for k in range(8)]
    watched, lethal = watch('local_costmap', mounted, steps, floor=lambda x, y: x < 1.5)
    places = np.stack(watched.cells.centers(*np.nonzero(lethal)), axis=1)
    assert len(places) > 50
    assert 1.3 < places[:, 0].min() < 2.2
    left = watched.update(seen(mounted, []))
    assert left.sum() < 0.015 * lethal.sum()  # Nav2's rays run through whole voxels
    for nod in (-0.02, 0.02):
        left = watched.update(seen(Mounted(mounted.height, mounted.pitch + nod), []))
    assert left.sum() == 0
