# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random views: depth, validity and focal length follow every change of the picture."""

import numpy as np
import pytest

from msdepth_ros.datasets import Frame
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.inference.fit import fit_window
from msdepth_ros.training.augmentation import Augmentation, ViewMaker, change_colours, turned

SIZE, FOCAL = (304, 228), 259.4
GRID = Grid(74, 55, (5.0, 5.0), (4.0, 4.0))
INTRINSICS = Intrinsics(640, 480, 518.0, 518.0, 319.5, 239.5)


def coordinate_frame():
    """A frame whose colours and depth tell the pixel: R = u / 3, G = v / 2, depth = 1 + u / 100."""
    u, v = np.meshgrid(np.arange(640.0), np.arange(480.0))
    image = np.dstack([np.zeros_like(u), v / 2, u / 3]).astype(np.uint8)
    return Frame('pixels', image, (1 + u / 100).astype(np.float32), INTRINSICS)


def cells(view):
    """Return the view's (u, v) of the frame at each cell, from its colours."""
    x = (GRID.origin[0] + GRID.step[0] * np.arange(GRID.width)).astype(int)
    y = (GRID.origin[1] + GRID.step[1] * np.arange(GRID.height)).astype(int)
    picked = view.image[np.ix_(y, x)].astype(float)
    return 3 * picked[..., 0], 2 * picked[..., 1]


@pytest.fixture
def maker():
    return ViewMaker(SIZE, GRID, FOCAL)


def test_whole_view_is_what_the_running_node_shows(maker):
    view = maker.whole(coordinate_frame())
    window = fit_window('crop', (640, 480), SIZE).network_grid(SIZE)
    u = window.origin[0] + window.step[0] * (GRID.origin[0] + GRID.step[0] * np.arange(74))
    depth = np.exp(view.log_depth) * (518.0 * 304 / 640) / FOCAL
    assert view.valid.all()
    assert depth[30] == pytest.approx(1 + u / 100, abs=0.006)  # nearest pixel of the frame
    seen_u, seen_v = cells(view)
    assert np.abs(seen_u - u).max() < 5
    v = window.origin[1] + window.step[1] * (GRID.origin[1] + GRID.step[1] * np.arange(55))
    assert np.abs(seen_v - v[:, None]).max() < 4


@pytest.mark.parametrize('flip', [False, True])
def test_picture_and_depth_agree_in_random_views(maker, flip):
    how = Augmentation(zoom=(1.0, 1.5), rotation=5.0, flip=flip)
    frame = coordinate_frame()
    for seed in range(20):
        view = maker.random(frame, how, np.random.default_rng(seed))
        seen_u, _ = cells(view)
        zoom = estimated_zoom(seen_u)
        depth = np.exp(view.log_depth) * (518.0 * 304 / 640) * zoom / FOCAL
        error = np.abs(depth - (1 + seen_u / 100))[view.valid]
        assert np.percentile(error, 99) < 0.12


def test_a_teacher_is_shown_the_same_view_without_noise(maker):
    assert maker.whole(coordinate_frame()).teacher_image is None
    size = (2 * SIZE[0], 2 * SIZE[1])
    showing = ViewMaker(SIZE, GRID, FOCAL, size)
    turns = {'zoom': (1.0, 1.5), 'rotation': 5.0, 'tilt': 8.0, 'flip': True}
    for seed in range(10):
        how = Augmentation(**turns, exposure=2.0, noise=8.0, erase=1.0)
        view = showing.random(coordinate_frame(), how, np.random.default_rng(seed))
        plain = maker.random(coordinate_frame(), Augmentation(**turns), np.random.default_rng(seed))
        assert view.teacher_image.shape == (*size[::-1], 3)
        halves = view.teacher_image.reshape(SIZE[1], 2, SIZE[0], 2, 3).mean((1, 3))
        apart = np.abs(halves - plain.image)[1:-1, 1:-1]
        assert apart.mean() < 1  # a quarter of the larger one's pixel would be more
        assert apart.max() <= 8
        assert not np.array_equal(view.image, plain.image)
        np.testing.assert_array_equal(view.log_depth, plain.log_depth)


def estimated_zoom(u):
    """Return the zoom from the frame's u at each cell: its gradient's length."""
    middle = u[10:45, 10:64]
    along_x = (middle[:, -1] - middle[:, 0]).mean() / (GRID.step[0] * (middle.shape[1] - 1))
    along_y = (middle[-1] - middle[0]).mean() / (GRID.step[1] * (middle.shape[0] - 1))
    return (640 / 304) / np.hypot(along_x, along_y)


def test_zoom_divides_depth(maker):
    flat = Frame('flat', coordinate_frame().image, np.full((480, 640), 3, np.float32), INTRINSICS)
    near = maker.random(flat, Augmentation(zoom=(1.5, 1.5)), np.random.default_rng(0))
    whole = maker.whole(flat)
    assert near.valid.all()
    assert whole.log_depth - near.log_depth == pytest.approx(np.log(1.5), abs=1e-5)


def test_flip_mirrors(maker):
    frame = coordinate_frame()
    views = [
        maker.random(frame, Augmentation(flip=True), np.random.default_rng(s)) for s in range(9)
    ]
    whole = maker.whole(frame)
    mirrored = [v for v in views if v.image[114, 0, 0] > v.image[114, -1, 0]]
    assert 0 < len(mirrored) < 9
    difference = mirrored[0].image.astype(int) - whole.image[:, ::-1]
    assert np.abs(difference).max() <= 1


def test_no_augmentation_changes_nothing(maker):
    frame = coordinate_frame()
    plain, whole = maker.random(frame, Augmentation(), np.random.default_rng(3)), maker.whole(frame)
    assert np.array_equal(plain.image, whole.image)
    assert np.array_equal(plain.log_depth, whole.log_depth)


def test_invalid_depth_and_outside_are_not_valid(maker):
    frame = coordinate_frame()
    frame.depth[200:280, 300:400] = 0
    frame.depth[0, 0] = np.nan
    view = maker.whole(frame)
    assert np.isfinite(view.log_depth).all()
    u, v = cells(view)
    hole = (u > 306) & (u < 394) & (v > 206) & (v < 274)
    assert hole.sum() > 50
    assert not view.valid[hole].any()
    assert view.valid[(u > 10) & (u < 290) & (v > 10) & (v < 470)].all()
    shrunk = maker.random(frame, Augmentation(zoom=(0.5, 0.5)), np.random.default_rng(0))
    assert not shrunk.valid[-1].any()


def test_border_is_painted_over_in_half_of_the_views(maker):
    frame = coordinate_frame()
    frame.image[:8] = 255
    views = [maker.random(frame, Augmentation(), np.random.default_rng(s), 8) for s in range(20)]
    white = sum(view.image[0].mean() > 250 for view in views)
    assert 4 <= white <= 16


def test_a_turned_camera_sees_a_wall_at_an_angle(maker):
    """A wall at 3 m, camera turned: the depths are those of the plane in the turned axes."""
    image = coordinate_frame().image
    wall = Frame('wall', image, np.full((480, 640), 3, np.float32), INTRINSICS)
    how = Augmentation(tilt=12.0, rotation=6.0)
    rng = np.random.default_rng(5)
    rng.uniform(size=2), rng.uniform(*how.zoom)  # the shift and the zoom come first
    turn = turned(*rng.uniform(-1, 1, 3) * (12, 12, 6))
    view = maker.random(wall, how, np.random.default_rng(5))
    scale = 304 / 640
    x = (GRID.origin[0] + GRID.step[0] * np.arange(74) + 0.5) / scale - 0.5
    y = ((GRID.origin[1] + GRID.step[1] * np.arange(55) + 0.5) / scale - 0.5)[:, None]
    rays = np.stack(np.broadcast_arrays((x - 319.5) / 518, (y - 239.5) / 518, 1.0), axis=-1)
    expected = 3 / (rays @ turn[2])  # the wall is the plane z = 3 of the axes before
    depth = np.exp(view.log_depth) * (518 * scale) / FOCAL
    assert view.valid.mean() > 0.7
    assert depth[view.valid] == pytest.approx(expected[view.valid], rel=1e-5)
    assert np.ptp(expected) > 0.5


def test_turned_angles():
    tilt, pan, roll = turned(10, 0, 0), turned(0, 10, 0), turned(0, 0, 10)
    s = np.sin(np.radians(10))
    assert tilt[:, 2] == pytest.approx([0, -s, np.cos(np.radians(10))])  # up
    assert pan[:, 2] == pytest.approx([s, 0, np.cos(np.radians(10))])  # to the right
    assert roll[:, 0] == pytest.approx([np.cos(np.radians(10)), s, 0])  # clockwise
    assert turned(3, -4, 5) @ turned(3, -4, 5).T == pytest.approx(np.eye(3))


def test_camera_of_other_shape_shows_its_largest_part(maker):
    wide = Intrinsics(1280, 480, 600.0, 600.0, 639.5, 239.5)
    image, depth = np.zeros((480, 1280, 3), np.uint8), np.ones((480, 1280), np.float32)
    frame = Frame('wide', image, depth, wide)
    view = maker.whole(frame)
    assert view.valid.all()
    assert np.exp(view.log_depth) == pytest.approx(FOCAL / (600.0 * 228 / 480), abs=1e-5)


def test_colours_change_but_the_image_given_does_not():
    image = np.full((228, 304, 3), (200, 120, 40), np.uint8)
    before = image.copy()
    how = Augmentation(colour=0.2, gamma=0.3, grey=0.5, noise=8, blur=1.0, erase=1.0)
    results = [change_colours(image, how, np.random.default_rng(s)) for s in range(8)]
    assert np.array_equal(image, before)
    assert all(r.dtype == np.uint8 and r.shape == image.shape for r in results)
    assert len({r.mean() for r in results}) == 8
    assert any((r[..., 0] == r[..., 1]).mean() > 0.3 for r in results)
    same = change_colours(image, Augmentation(), np.random.default_rng(0))
    assert np.array_equal(same, image)


def test_exposure_and_jpeg():
    image = np.full((228, 304, 3), (200, 120, 40), np.uint8)
    image[:, ::8] = 0
    means = [
        change_colours(image, Augmentation(exposure=3.0), np.random.default_rng(s)).mean()
        for s in range(60)
    ]
    changed = sum(mean != means[0] for mean in means) if means[0] == image.mean() else 60
    assert sum(mean == image.mean() for mean in means) > 40
    assert 1 <= changed <= 20
    compressed = change_colours(image, Augmentation(jpeg=1.0), np.random.default_rng(0))
    assert compressed.shape == image.shape
    difference = np.abs(compressed.astype(int) - image)
    assert 0 < difference.mean() < 30


@pytest.mark.parametrize('tilt', [0.0, 8.0, 20.0])
def test_depths_of_wide_turned_views_are_finite_wherever_they_are_valid(tilt):
    """A wide lens turned far sees rays that run backwards: they have no depth."""
    wide = Intrinsics(64, 48, 20.0, 20.0, 31.5, 23.5)  # 116 degrees
    depth = np.full((48, 64), 2.0, np.float32)
    frame = Frame('wide', np.zeros((48, 64, 3), np.uint8), depth, wide)
    maker = ViewMaker((64, 48), Grid(32, 24, (0.5, 0.5), (2.0, 2.0)), 20.0)
    how = Augmentation(tilt=tilt, rotation=180.0)
    with np.errstate(all='raise'):
        for seed in range(20):
            view = maker.random(frame, how, np.random.default_rng(seed))
            assert np.isfinite(view.log_depth).all()
            assert view.valid.any()


def test_a_share_of_the_views_is_moved(maker):
    frame = coordinate_frame()
    plain = maker.random(frame, Augmentation(), np.random.default_rng(0))
    seen = [
        maker.random(frame, Augmentation(moved=0.5), np.random.default_rng(seed))
        for seed in range(30)
    ]
    nearer = [np.median(np.exp(view.log_depth[view.valid])) for view in seen]
    still = np.isclose(nearer, np.median(np.exp(plain.log_depth))).sum()
    assert 8 <= still <= 22
