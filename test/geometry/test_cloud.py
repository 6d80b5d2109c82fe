# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to points, by the pinhole formula written out here."""

import struct

import numpy as np
import pytest

from msdepth_ros.geometry.cloud import (
    dense_points,
    limit_range,
    point_cloud,
    pull_in_range,
    voxel_downsample,
)
from msdepth_ros.geometry.pinhole import Intrinsics

INTRINSICS = Intrinsics(8, 6, 5.0, 4.0, 3.25, 2.5)


def _depth():
    depth = np.random.default_rng(0).uniform(0.5, 8, (6, 8)).astype(np.float32)
    depth[2, 3] = depth[0, 0] = np.nan
    return depth


def test_points_by_the_pinhole_formula():
    depth = _depth()
    cloud = point_cloud(depth, INTRINSICS)
    assert cloud.dtype == np.float32
    assert cloud.shape == (6, 8, 3)
    for v in range(6):
        for u in range(8):
            z = float(depth[v, u])
            expected = [(u - 3.25) * z / 5, (v - 2.5) * z / 4, z]
            np.testing.assert_allclose(cloud[v, u], expected, rtol=1e-6, atol=1e-6)


def test_invalid_points_are_nan_in_all_coordinates():
    cloud = point_cloud(_depth(), INTRINSICS)
    np.testing.assert_array_equal(np.isnan(cloud).all(axis=-1), np.isnan(_depth()))
    np.testing.assert_array_equal(np.isnan(cloud).any(axis=-1), np.isnan(_depth()))


def test_colours_are_packed_as_pcl_packs_them():
    colors = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    cloud = point_cloud(_depth(), INTRINSICS, colors)
    assert cloud.shape == (6, 8, 4)
    np.testing.assert_array_equal(cloud[..., :3], point_cloud(_depth(), INTRINSICS))
    for v, u in ((0, 0), (5, 7), (2, 3)):
        packed = struct.unpack('=I', struct.pack('=f', cloud[v, u, 3]))[0]
        red, green, blue = colors[v, u].tolist()
        assert packed == red * 65536 + green * 256 + blue


def test_strided_depth_and_colours():
    depth = np.repeat(np.repeat(_depth(), 2, axis=0), 2, axis=1)
    colors = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    cloud = point_cloud(depth[::2, ::2], INTRINSICS, colors[::2, ::2, ::-1])
    expected = point_cloud(_depth(), INTRINSICS, np.ascontiguousarray(colors[::2, ::2, ::-1]))
    np.testing.assert_array_equal(cloud.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize('colored', [False, True])
def test_dense_points_are_the_valid_ones_in_order(colored):
    colors = np.full((6, 8, 3), 255, np.uint8) if colored else None  # whose bits are no NaN
    cloud = point_cloud(_depth(), INTRINSICS, colors)
    points = dense_points(cloud)
    assert points.shape == (46, 4 if colored else 3)
    assert np.isfinite(points[:, :3]).all()
    np.testing.assert_array_equal(points, cloud.reshape(48, -1)[np.isfinite(_depth()).ravel()])


def test_no_valid_point():
    cloud = point_cloud(np.full((6, 8), np.nan, np.float32), INTRINSICS)
    assert dense_points(cloud).shape == (0, 3)


@pytest.mark.parametrize(('nearest', 'farthest'), [(0, 0), (2, 0), (0, 5), (2, 5)])
def test_range_limits_are_distances_from_the_camera(nearest, farthest):
    cloud = point_cloud(_depth(), INTRINSICS)
    distance = np.linalg.norm(cloud.astype(np.float64), axis=-1)
    limited = limit_range(cloud.copy(), nearest, farthest)
    kept = (distance >= nearest) & (distance <= (farthest or np.inf))
    assert 0 < kept.sum() <= 46
    np.testing.assert_array_equal(np.isfinite(limited[..., 2]), kept)
    np.testing.assert_array_equal(limited[kept], cloud[kept])


@pytest.mark.parametrize('colored', [False, True])
def test_far_points_move_along_their_rays_to_the_range(colored):
    colors = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8) if colored else None
    beyond = np.zeros((6, 8), bool)
    beyond[2, 3] = True  # where _depth() is NaN
    cloud = point_cloud(_depth(), INTRINSICS, colors)
    pulled = pull_in_range(cloud.copy(), INTRINSICS, 3.0, beyond)
    distance = np.linalg.norm(cloud[..., :3].astype(np.float64), axis=-1)
    far = (distance > 3.0) | beyond
    assert 5 < far.sum() < 40
    np.testing.assert_array_equal(pulled[~far], cloud[~far])
    np.testing.assert_array_equal(pulled[..., 3:], cloud[..., 3:])
    assert np.linalg.norm(pulled[far][:, :3], axis=1) == pytest.approx(3.0, rel=1e-5)
    rays = point_cloud(np.ones((6, 8), np.float32), INTRINSICS)
    np.testing.assert_allclose(pulled[far][:, :3] / pulled[far][:, 2:3], rays[far], atol=1e-5)
    assert np.isnan(pulled[0, 0, :3]).all()


def test_without_a_range_no_point_moves():
    cloud = point_cloud(_depth(), INTRINSICS)
    beyond = np.ones((6, 8), bool)
    np.testing.assert_array_equal(pull_in_range(cloud.copy(), INTRINSICS, 0.0, beyond), cloud)


def test_a_voxel_holds_the_mean_of_its_points():
    rng = np.random.default_rng(2)
    points = rng.uniform(-1, 1, (500, 3)).astype(np.float32)
    found = voxel_downsample(points, 0.25)
    cubes = {}
    for point in points:
        cubes.setdefault(tuple(np.floor(point / np.float32(0.25)).astype(int)), []).append(point)
    expected = np.array([np.mean(inside, axis=0, dtype=np.float64) for inside in cubes.values()])
    assert found.shape == expected.shape
    order, expected_order = np.lexsort(found.T), np.lexsort(expected.T)
    np.testing.assert_allclose(found[order], expected[expected_order], atol=1e-6)


def test_a_voxel_holds_the_mean_colour():
    depth = np.ones((1, 2), np.float32)
    colors = np.uint8([[[10, 200, 0], [30, 100, 255]]])
    points = dense_points(point_cloud(depth, Intrinsics(2, 1, 1e6, 1e6, 0.5, 0.0), colors))
    points[:, 0] = 0.5  # both in one cube
    (voxel,) = voxel_downsample(points, 2.0)
    packed = struct.unpack('=I', struct.pack('=f', voxel[3]))[0]
    assert [packed >> 16 & 255, packed >> 8 & 255, packed & 255] == [20, 150, 128]


def test_without_points_there_are_no_voxels():
    assert voxel_downsample(np.empty((0, 4), np.float32), 0.1).shape == (0, 4)
