# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor is a measurement where it is seen for sure, and silent where it is not."""

import math

import numpy as np
import pytest

from msdepth_ros.geometry.floor import up_from_pitch
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.metric.floor import FloorPlane, measure_floor
from msdepth_ros.metric.metres import Metres

CAMERA = Intrinsics(640, 480, 500.0, 500.0, 319.5, 239.5)
CELLS = Grid(128, 96, (2.0, 2.0), (5.0, 5.0))
MOUNT = FloorPlane(up_from_pitch(0.35), 0.62)


def room(wall=3.0, mount=MOUNT):
    """Return the depth of a floor and of a wall, and where the floor is."""
    floor = mount.depth(CAMERA.sampled(CELLS))
    is_floor = floor < wall
    return np.where(is_floor, floor, wall).astype(np.float32), is_floor


@pytest.mark.parametrize('factor', [0.6, 1.0, 1.5])
def test_a_network_with_a_floor_output_gets_its_metres(factor):
    truth, is_floor = room()
    shows = np.where(is_floor, 0.95, 0.05).astype(np.float32)
    depth = truth * np.float32(factor)
    sparse = measure_floor(depth, CELLS, CAMERA, MOUNT, shows)
    assert 20 < len(sparse) <= 40
    columns, rows = (sparse.u - 2) / 5, (sparse.v - 2) / 5
    assert sparse.depth == pytest.approx(truth[rows.astype(int), columns.astype(int)], rel=1e-4)
    aligned = Metres().align(depth, CELLS, [sparse])
    assert np.abs(aligned.log_depth - np.log(truth)).mean() < 0.05


def test_without_such_an_output_the_shape_decides():
    truth, _ = room(wall=6.0)
    sparse = measure_floor(truth * np.float32(1.4), CELLS, CAMERA, MOUNT)
    assert len(sparse) > 20


def nothing():
    return np.zeros((96, 128), np.float32)


def patch():
    shows = nothing()
    shows[90:, :20] = 0.99
    return shows


def noise():
    return np.exp(np.random.default_rng(0).normal(0.5, 0.8, (96, 128)))


@pytest.mark.parametrize(
    ('depth', 'shows'),
    [
        (room()[0], nothing()),
        (room()[0], patch()),  # too little of it
        (
            np.exp(np.random.default_rng(0).normal(0.5, 0.8, (96, 128))),
            nothing() + 0.99,
        ),  # disagrees
        (room()[0] * 20, nothing() + 0.99),  # too large a correction
        (np.full((96, 128), 2.0), None),  # a wall has not the shape of a floor
        (np.full((96, 128), np.nan), nothing() + 0.99),
    ],
)
def test_in_doubt_no_floor_is_measured(depth, shows):
    assert len(measure_floor(depth.astype(np.float32), CELLS, CAMERA, MOUNT, shows)) == 0


def test_a_table_is_not_taken_for_the_floor_by_its_shape():
    table, _ = room(mount=FloorPlane(up_from_pitch(0.35), 0.25), wall=6.0)
    assert len(measure_floor(table, CELLS, CAMERA, FloorPlane(MOUNT.up, 0.75))) == 0


def test_a_camera_that_looks_up_sees_no_floor():
    level = FloorPlane(up_from_pitch(-1.2), 0.62)
    assert np.isnan(level.depth(CAMERA)).all()
    assert math.isfinite(MOUNT.depth(CAMERA)[400, 300])
