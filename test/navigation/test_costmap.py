# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The costmap in NumPy gives the numbers that Nav2 itself gave, on the same scenes.

Nav2 Jazzy 1.3.13, its own C++, with a node whose depth was exact and with the parameters below: the
first ones of this package, which did not clear what was gone. A scene here may lie on the border of
a cell where it did not lie there, hence a few cells of slack in the largest counts.
"""

import numpy as np
import pytest
import yaml
from ray_cast import CAMERA, CELLS, Mounted, depth_of, wall

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import dense_points, limit_range, point_cloud, voxel_downsample
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.geometry.scan import laser_scan
from msdepth_ros.geometry.upsampling import Upsampler
from msdepth_ros.navigation.costmap import Costmap, Sighting
from msdepth_ros.navigation.layers import Cells, denoise
from msdepth_ros.navigation.observations import Source, scan_points
from msdepth_ros.navigation.raytrace import cells_on_lines

FIRST_PARAMETERS = yaml.safe_load("""
local:
  plugins: [voxel_layer, denoise_layer, inflation_layer]
  voxel_layer:
    plugin: "nav2_costmap_2d::VoxelLayer"
    combination_method: 1
    origin_z: 0.0
    z_resolution: 0.05
    z_voxels: 16
    mark_threshold: 0
    max_obstacle_height: 2.0
    observation_sources: points
    points:
      topic: /points
      data_type: PointCloud2
      min_obstacle_height: 0.2
      max_obstacle_height: 2.0
      obstacle_min_range: 0.3
      obstacle_max_range: 4.0
      raytrace_max_range: 4.5
      marking: true
      clearing: true
  denoise_layer:
    plugin: "nav2_costmap_2d::DenoiseLayer"
    minimal_group_size: 2
    group_connectivity_type: 8
global:
  plugins: [static_layer, obstacle_layer, denoise_layer, inflation_layer]
  obstacle_layer:
    plugin: "nav2_costmap_2d::ObstacleLayer"
    combination_method: 1
    max_obstacle_height: 2.0
    observation_sources: scan
    scan:
      topic: /scan
      data_type: LaserScan
      min_obstacle_height: 0.0
      max_obstacle_height: 2.0
      obstacle_min_range: 0.3
      obstacle_max_range: 4.0
      raytrace_max_range: 4.5
      marking: true
      clearing: true
  denoise_layer:
    plugin: "nav2_costmap_2d::DenoiseLayer"
    minimal_group_size: 2
    group_connectivity_type: 8
""")
BOX = (2.0, 2.4, -0.2, 0.2, 0.0, 0.5)


def first_filter(depth, threshold):
    """Remove what lies behind a neighbour, planes seen at a flat angle included."""
    padded = np.pad(depth, 1, constant_values=np.inf)
    beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    nearest = np.fmin.reduce(beside)
    depth[depth > nearest * np.float32(1 + threshold)] = np.nan
    return depth


def seen(mounted, boxes, camera=CAMERA, cells=CELLS, scale=1.0, threshold=0.10):
    """Return what the topics `points` and `scan` said of a scene, as the node first made them."""
    depth = (scale * depth_of(mounted, boxes, camera.sampled(cells))).astype(np.float32)
    depth[depth > 10] = np.nan
    first_filter(depth, threshold)
    points = limit_range(point_cloud(depth, camera.sampled(cells)), 0, 4.5)
    points = voxel_downsample(dense_points(points), 0.05)
    image = Upsampler(cells, (camera.width, camera.height))(depth, threshold, (0.1, 10))
    image[~np.isfinite(image)] = np.nan
    scan = laser_scan(image, camera, 20, 0.3, 4.5)
    ranges = np.where(np.isfinite(scan.ranges), scan.ranges, np.nan)
    beams = (ranges, scan.angle_min, scan.angle_increment, 0.3, 4.5)
    return {
        'points': Sighting(mounted.position, mounted.rotation, points),
        'scan': Sighting(mounted.position, mounted.body, scan=beams),
    }


def costmap(name, parameters=FIRST_PARAMETERS, size=10.0, **options):
    return Costmap(parameters[name], Cells.around(0, 0, size), **options)


def watch(name, mounted, *scenes, **options):
    """Show a costmap the scenes, ten images each; return it and what is lethal at the end."""
    watched = costmap(name)
    for boxes in scenes:
        sightings = seen(mounted, boxes, **options)
        for _ in range(10):
            lethal = watched.update(sightings)
    return watched, lethal


def within(watched, lethal, x_from, x_to):
    x = watched.cells.centers(*np.nonzero(lethal))[0]
    return int(((x > x_from) & (x < x_to)).sum())


@pytest.mark.parametrize('mounted', [Mounted(0.35), Mounted(0.25), Mounted(0.6, 0.2)])
def test_a_box_is_marked_where_it_stands(mounted):
    local, lethal = watch('local', mounted, [wall(3.5), BOX])
    places = np.stack(local.cells.centers(*np.nonzero(lethal)), axis=1)
    front = places[(places[:, 0] > 1.9) & (places[:, 0] < 2.05)]
    assert front[:, 0] == pytest.approx(2.0, abs=0.03)  # the border of two cells
    assert sorted(set(front[:, 1].round(6))) == pytest.approx(np.arange(-0.175, 0.2, 0.05))


@pytest.mark.parametrize(
    ('mounted', 'left', 'levels'),
    [
        (Mounted(0.35), 8, {4}),
        (Mounted(0.6, 0.2), 16, {4, 5, 6}),
        (Mounted(0.2), 0, set()),
        (Mounted(0.25), 0, set()),
    ],
)
def test_a_box_that_is_gone_stays_in_the_lowest_voxels(mounted, left, levels):
    local, lethal = watch('local', mounted, [wall(3.5), BOX], [wall(3.5)])
    assert within(local, lethal, 1.9, 2.6) == left
    columns = slice(139, 149)  # x from 1.95 to 2.45
    marked = local.layers['voxel_layer'].marked[:, columns]
    assert set(np.nonzero(marked)[2]) == levels


def test_a_person_who_is_gone_leaves_half_of_the_cells():
    person = (2.0, 2.4, -0.25, 0.25, 0.0, 1.7)
    local, lethal = watch('local', Mounted(0.35, 0.1), [wall(3.5), person], [wall(3.5)])
    assert within(local, lethal, 1.9, 2.6) == 10


@pytest.mark.parametrize('behind', [[wall(8)], [wall(6)], []])
def test_what_is_gone_stays_where_nothing_is_seen_behind(behind):
    for name in ('local', 'global'):
        _, lethal = watch(name, Mounted(0.35), [*behind, BOX], behind)
        assert lethal.sum() == 8


def test_one_wrong_frame_leaves_marks():
    phantom = (1.5, 1.6, -0.3, 0.3, 0.1, 0.6)
    for name, left in (('local', 12), ('global', 13)):
        _, lethal = watch(name, Mounted(0.35), [wall(6), phantom], [wall(6)])
        assert lethal.sum() == left


def test_a_camera_above_the_voxels_clears_nothing():
    local, lethal = watch('local', Mounted(1.0, 0.3), [wall(3.5), BOX], [wall(3.5)])
    assert local.blind == {'points'}
    assert within(local, lethal, 1.9, 2.6) == 48


@pytest.mark.parametrize(
    ('camera', 'cells', 'count', 'x'),
    [
        (CAMERA, CELLS, 66, 2.575),
        (
            Intrinsics(640, 480, 554.0, 554.0, 319.5, 239.5),
            Grid(320, 240, (0.5, 0.5), (2.0, 2.0)),
            71,
            3.025,
        ),
    ],
)
def test_the_scan_of_a_camera_that_looks_down_is_a_wall(camera, cells, count, x):
    mounted = Mounted(0.35, 0.1)
    watched = costmap('global')
    lethal = watched.update(seen(mounted, [], camera, cells))
    assert lethal.sum() == count
    assert watched.cells.centers(*np.nonzero(lethal))[0] == pytest.approx(x)
    assert costmap('global').update(seen(Mounted(0.35), [], camera, cells)).sum() == 0


@pytest.mark.parametrize(
    ('width', 'x', 'before', 'after'),
    [(0.02, 1, 1, 0), (0.04, 1, 1, 0), (0.04, 3, 1, 0), (0.1, 1, 3, 3), (0.1, 2, 3, 3)],
)
def test_a_pole_of_one_cell_is_taken_for_noise(width, x, before, after):
    pole = (x, x + width, 0.3 - width, 0.3, 0.0, 1.0)
    local, lethal = watch('local', Mounted(0.35), [wall(3.5), pole])
    assert within(local, local.layers['voxel_layer'].lethal, 0, 3.2) == before
    assert within(local, lethal, 0, 3.2) == after


def test_denoising_takes_lone_cells_of_the_map_too():
    static = np.zeros((200, 200), bool)
    static[[160, 140, 100, 20, 20, 20], [160, 120, 140, 20, 21, 22]] = True  # three lone, one row
    watched = costmap('global', static=static)
    assert watched.update(seen(Mounted(0.35), [])).sum() == 3
    parameters = {**FIRST_PARAMETERS['global'], 'static_layer': {'use_maximum': True}}
    parameters['static_layer']['plugin'] = 'nav2_costmap_2d::StaticLayer'
    parameters['plugins'] = ['obstacle_layer', 'denoise_layer', 'static_layer']
    watched = costmap('global', {'global': parameters}, static=static)
    assert watched.update(seen(Mounted(0.35), [])).sum() == 6


def test_a_depth_that_is_too_short_by_three_tenths_lifts_the_floor():
    count = watch('local', Mounted(0.7, 0.2), [], scale=0.7)[1].sum()
    assert count == pytest.approx(1773, rel=0.03)
    assert watch('local', Mounted(0.65, 0.2), [], scale=0.7)[1].sum() == 0


# --- the parts -------------------------------------------------------------------------------


@pytest.mark.parametrize('axes', [2, 3])
def test_lines_visit_the_cells_of_bresenham(axes):
    rng = np.random.default_rng(axes)
    start = np.full((40, axes), 50)
    ends = rng.integers(0, 100, (40, axes))
    lengths = np.linalg.norm(ends - start, axis=1)
    visited = cells_on_lines(start, ends, lengths, 30)
    expected = [cell for line in zip(start, ends, lengths) for cell in one_line(*line, longest=30)]
    np.testing.assert_array_equal(visited, expected)


def one_line(start, end, length, longest):
    """Walk a line step by step, as Nav2's bresenham2D and bresenham3D do."""
    delta = [int(difference) for difference in end - start]
    extent = [abs(difference) for difference in delta]
    dominant = extent.index(max(extent))
    whole = extent[dominant]
    errors = [whole // 2] * len(extent)
    cell = [int(place) for place in start]
    cells = [tuple(cell)]
    for _ in range(int(min(1.0, longest / length) * whole)):
        for axis, step in enumerate(delta):
            sign = (step > 0) - (step < 0)
            if axis == dominant:
                cell[axis] += sign
                continue
            errors[axis] += extent[axis]
            if errors[axis] >= whole:
                errors[axis] -= whole
                cell[axis] += sign
        cells.append(tuple(cell))
    return cells


def test_scans_are_projected_as_laser_geometry_does():
    ranges = np.array([1.0, np.nan, np.inf, 4.5, 0.2, -np.inf])
    points = scan_points(ranges, 0.0, 0.1, 0.3, 4.5)
    np.testing.assert_allclose(points, [[1, 0, 0]])
    points = scan_points(ranges, 0.0, 0.1, 0.3, 4.5, inf_is_valid=True)
    assert np.linalg.norm(points, axis=1) == pytest.approx([1.0, 4.4999])
    assert np.arctan2(points[:, 1], points[:, 0]) == pytest.approx([0.0, 0.2])


def test_groups_are_counted_with_their_diagonals_or_without():
    lethal = np.zeros((6, 6), bool)
    lethal[[0, 2, 3, 5, 5], [0, 2, 3, 0, 1]] = True
    assert denoise(lethal, 2, 8).sum() == 4
    assert denoise(lethal, 2, 4).sum() == 2
    assert denoise(lethal, 3, 8).sum() == 0
    assert denoise(lethal, 1, 8).sum() == 5


def test_what_nav2_would_ignore_is_an_error():
    with pytest.raises(MsdepthError, match='raytrace_range'):
        Source.from_parameters('points', {'raytrace_range': 3.0})
    with pytest.raises(MsdepthError, match='which has no parameters'):
        costmap('map', {'map': {'plugins': ['rays']}})
    with pytest.raises(MsdepthError, match='which is not supported'):
        costmap('map', {'map': {'plugins': ['rays'], 'rays': {'plugin': 'acme::Rays'}}})
    kept = {'observation_persistence': 1.0}
    with pytest.raises(MsdepthError, match=r'only observation_persistence: 0\.0'):
        Source.from_parameters('points', kept)
