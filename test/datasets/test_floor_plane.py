# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor of a training frame is found in its depth, and not where there is none."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip('torch', reason='views are what a network is trained on')

from msdepth_ros.datasets import Frame
from msdepth_ros.datasets.floor_plane import floor_plane
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.training.augmentation import UNKNOWN, Augmentation, ViewMaker

INTRINSICS = Intrinsics(160, 120, 140.0, 140.0, 79.5, 59.5)
HEIGHTS = (0.5, 2.0)


def rays():
    rows, columns = np.mgrid[:120, :160]
    i = INTRINSICS
    return np.stack([(columns - i.cx) / i.fx, (rows - i.cy) / i.fy, np.ones(rows.shape)], -1)


def plane_of(height, pitch):
    """Return q of the floor under a camera of that height (m), pitched down by radians."""
    return np.array([0.0, -np.cos(pitch), -np.sin(pitch)]) / height


def room(height=1.2, pitch=0.3, wall=3.0, noise=0.01, table=None):
    """Return a frame of a floor, a wall in front, and perhaps a table of that height; the floor."""
    with np.errstate(divide='ignore'):
        floor = -1 / (rays() @ plane_of(height, pitch))
    floor[floor <= 0] = np.inf
    ahead = rays() @ [0.0, -np.sin(pitch), np.cos(pitch)]
    depth = np.minimum(floor, wall / ahead)
    if table is not None:
        with np.errstate(divide='ignore'):
            top = -1 / (rays() @ plane_of(height - table, pitch))
        on = (top > 0) & (top * ahead < 1.6) & (np.abs(rays()[..., 0] * top) < 0.4)
        depth = np.where(on & (top < depth), top, depth)
    shown = np.isfinite(floor) & (np.abs(depth / floor - 1) < 1e-9)
    depth = depth * (1 + noise * np.random.default_rng(0).standard_normal(depth.shape))
    image = np.zeros((120, 160, 3), np.uint8)
    return Frame('0', image, depth.astype(np.float32), INTRINSICS), shown


@pytest.mark.parametrize('height', [0.6, 1.2, 1.9])
@pytest.mark.parametrize('pitch', [0.1, 0.5, 0.9])
def test_the_plane_is_found(height, pitch):
    frame, _ = room(height, pitch, wall=6.0)
    plane = floor_plane(frame, HEIGHTS)
    assert 1 / np.linalg.norm(plane) == pytest.approx(height, rel=0.03)
    expected = plane_of(height, pitch) * height
    assert plane @ expected / np.linalg.norm(plane) > np.cos(np.radians(2))


def test_a_table_is_no_floor():
    frame, _ = room(height=1.4, pitch=0.6, table=0.7)
    plane = floor_plane(frame, HEIGHTS)
    assert 1 / np.linalg.norm(plane) == pytest.approx(1.4, rel=0.03)


def test_neither_is_a_wall():
    frame, shown = room(pitch=-0.3, wall=1.5, height=1.9, noise=0.0)
    assert not shown.any()
    assert not floor_plane(frame, HEIGHTS).any()  # zeros: no floor is seen


def test_a_height_that_the_camera_cannot_have():
    frame, _ = room(height=0.7, pitch=0.5)
    plane = floor_plane(frame, (1.2, 2.0))
    assert plane is None or not plane.any()


@pytest.mark.parametrize('hole', [0.0, np.nan])
def test_missing_depth_has_no_effect(hole):
    frame, _ = room()
    frame.depth[30:90, 40:120] = hole
    assert 1 / np.linalg.norm(floor_plane(frame, HEIGHTS)) == pytest.approx(1.2, rel=0.03)
    frame.depth[:] = hole
    assert floor_plane(frame, HEIGHTS) is None


def test_every_view_of_the_frame_has_its_floor():
    """Whatever the view is turned, zoomed or mirrored by: its own depths say which cells are."""
    frame, shown = room(noise=0.0)
    frame = dataclasses.replace(frame, floor=plane_of(1.2, 0.3))
    maker = ViewMaker((80, 60), Grid(40, 30, (0.5, 0.5), (2.0, 2.0)), 70.0)
    whole = maker.whole(frame)
    foot = 0.05  # of the cells: where wall and floor are nearly equally far
    assert ((whole.floor == 1) == shown[1::4, 1::4]).mean() > 1 - foot
    assert (whole.floor == 1)[shown[1::4, 1::4]].all()
    how = Augmentation(zoom=(1.0, 1.6), rotation=10, tilt=10, flip=True)
    # a label is an image too: warped with the view, it must be what the view's cells say
    painted = dataclasses.replace(frame, depth=np.where(shown, frame.depth, 0))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        view = maker.random(frame, how, rng)
        alone = maker.random(painted, how, np.random.default_rng(seed))
        inside = view.valid
        agree = (view.floor == 1)[inside] == alone.valid[inside]
        assert agree.mean() > 1 - foot
        assert (view.floor[~inside] == UNKNOWN).all()


def test_where_the_floor_is_not_known_no_cell_is():
    frame, _ = room()
    maker = ViewMaker((80, 60), Grid(40, 30, (0.5, 0.5), (2.0, 2.0)), 70.0)
    assert (maker.whole(frame).floor == UNKNOWN).all()
