# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale over time: it does not jump when a source comes, goes or is wrong, and is held."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.metres import Metres
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

HEIGHT, WIDTH = 48, 64
CELLS = Grid(WIDTH, HEIGHT, (4.5, 4.5), (10.0, 10.0))
X, Y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
TRUTH = np.exp(0.5 + 0.01 * Y + 0.1 * np.sin(X / 9)).astype(np.float32)
FACTOR = 1.6  # that the network is off by
RATE = 30.0
LARGEST_STEP = 0.06  # of ln(depth), median over the image, from a frame to the next


def scan(rng, factor=1.0, noise=0.02):
    columns = np.arange(WIDTH)
    depth = TRUTH[24] * np.exp(rng.normal(0, noise, WIDTH)) * factor
    return SparseDepth(
        4.5 + 10 * columns, np.full(WIDTH, 244.5), depth, np.full(WIDTH, 0.03), 'scan'
    )


class Clip:
    """A still scene, seen with a little noise, at RATE."""

    def __init__(self, **options):
        self.metres = Metres(Prior(0.3, 0.2, 30.0, 0.3), **{'hold': 2.0, **options})
        self.rng = np.random.default_rng(0)
        self.frame = 0
        self.errors, self.steps, self.last, self.aligned = [], [], None, None

    def run(self, seconds, measure=lambda rng: []):
        """Go on for some seconds; return the median errors of ln(depth), frame by frame."""
        errors = []
        for _ in range(round(seconds * RATE)):
            noise = self.rng.normal(0, 0.01, TRUTH.shape)
            seen = (TRUTH / FACTOR * np.exp(noise)).astype(np.float32)
            now = self.frame / RATE
            self.aligned = self.metres.align(seen, CELLS, measure(self.rng), now)
            log_depth = np.log(seen) if self.aligned is None else self.aligned.log_depth
            if self.last is not None:
                self.steps.append(float(np.median(log_depth - self.last)))
            self.last = log_depth
            errors.append(float(np.median(log_depth - np.log(TRUTH))))
            self.frame += 1
        return np.array(errors)


def test_without_a_source_nothing_changes():
    metres = Metres(hold=2.0)
    for now in (0.0, 0.1, 0.2):
        assert metres.align(TRUTH, CELLS, [], now) is None


def test_the_first_frame_takes_what_is_measured_at_once():
    errors = Clip().run(0.1, lambda rng: [scan(rng)])
    assert abs(errors[0]) < 0.1


def test_a_source_that_comes_moves_the_metres_smoothly_and_soon():
    clip = Clip()
    before = clip.run(1.0)
    assert before[-1] == pytest.approx(-np.log(FACTOR), abs=0.01)
    errors = clip.run(1.5, lambda rng: [scan(rng)])
    assert np.abs(errors[-10:]).max() < 0.05
    assert np.abs(clip.steps).max() < LARGEST_STEP + 0.1  # the part beside the scale comes at once
    assert clip.aligned.measured
    assert clip.aligned.used['scan'] > 40


def test_without_its_source_the_scale_is_held_and_then_the_networks_own():
    clip = Clip()
    clip.run(1.0, lambda rng: [scan(rng)])
    sure = clip.aligned.scale.variance
    held = clip.run(2.0)
    assert np.abs(held[:-2]).max() < 0.08
    assert clip.aligned.scale.variance > sure
    after = clip.run(8.0)
    assert after[-1] == pytest.approx(-np.log(FACTOR), abs=0.01)
    assert clip.aligned is None
    assert np.abs(clip.steps).max() < LARGEST_STEP


@pytest.mark.parametrize('factor', [0.5, 2.0, 0.3])
def test_a_scan_that_is_suddenly_wrong_is_rejected(factor):
    clip = Clip()
    clip.run(1.0, lambda rng: [scan(rng)])
    lied = clip.run(1.0, lambda rng: [scan(rng, factor)])
    assert np.abs(lied).max() < 0.1
    assert clip.aligned.rejected['scan', 'contradicts'] > 40
    assert 'scan' not in clip.aligned.used
    again = clip.run(0.5, lambda rng: [scan(rng)])
    assert np.abs(again).max() < 0.1
    assert np.abs(clip.steps).max() < LARGEST_STEP


def test_the_wrong_one_of_two_sources_is_rejected():
    clip = Clip()

    def other(rng):
        rows, columns = rng.integers(HEIGHT, size=40), rng.integers(WIDTH, size=40)
        depth = TRUTH[rows, columns]
        return SparseDepth(4.5 + 10 * columns, 4.5 + 10 * rows, depth, np.full(40, 0.03), 'points')

    clip.run(1.0, lambda rng: [scan(rng), other(rng)])
    lied = clip.run(1.0, lambda rng: [scan(rng, 0.5), other(rng)])
    assert np.abs(lied).max() < 0.05
    assert set(clip.aligned.used) == {'points'}


def test_another_view_may_have_another_scale_at_once():
    clip = Clip()
    clip.run(1.0, lambda rng: [scan(rng)])
    other = (TRUTH[:, ::-1] * 0.4).astype(np.float32)  # a new view is off otherwise
    row = SparseDepth(
        4.5 + 10 * np.arange(WIDTH),
        np.full(WIDTH, 244.5),
        TRUTH[24, ::-1],
        np.full(WIDTH, 0.03),
        's',
    )
    aligned = clip.metres.align(other, CELLS, [row], clip.frame / RATE)
    assert np.abs(np.median(aligned.log_depth - np.log(TRUTH[:, ::-1]))) < 0.15


def test_the_scale_is_forgotten_when_time_goes_backwards():
    clip = Clip()
    clip.run(1.0, lambda rng: [scan(rng)])
    assert clip.metres.align(TRUTH, CELLS, [], -5.0) is None


class TestRelativeNetworks:
    def measured(self, rng, count=60, wrong=0.0, depth=TRUTH):
        rows, columns = rng.integers(HEIGHT, size=count), rng.integers(WIDTH, size=count)
        values = depth[rows, columns] * np.exp(rng.normal(0, 0.02, count))
        values[rng.random(count) < wrong] *= 0.4
        sigma = np.full(count, 0.03)
        return SparseDepth(4.5 + 10 * columns, 4.5 + 10 * rows, values, sigma, 'points')

    @pytest.mark.parametrize('wrong', [0.0, 0.3])
    @pytest.mark.parametrize('factor', [0.01, 1.0, 700.0])
    def test_a_factor_is_found(self, factor, wrong):
        rng = np.random.default_rng(1)
        metres = Metres(kind='scale')
        aligned = metres.align(TRUTH * np.float32(factor), CELLS, [self.measured(rng, wrong=wrong)])
        assert np.abs(aligned.log_depth - np.log(TRUTH)).mean() < 0.04

    @pytest.mark.parametrize('wrong', [0.0, 0.3])
    def test_factor_and_shift_of_the_inverse_are_found(self, wrong):
        rng = np.random.default_rng(2)
        depth = np.where(X > 40, 3 * TRUTH, TRUTH)
        answer = 40 / depth + 7  # inverse depth, up to factor and shift
        sparse = self.measured(rng, 80, wrong, depth)
        aligned = Metres(kind='affine').align((1 / answer).astype(np.float32), CELLS, [sparse])
        assert np.abs(aligned.log_depth - np.log(depth)).mean() < 0.05

    @pytest.mark.parametrize('kind', ['scale', 'affine'])
    def test_without_measurements_there_are_no_metres(self, kind):
        assert Metres(kind=kind).align(TRUTH, CELLS, []) is None

    def test_no_shift_is_fitted_to_one_distance(self):
        wall = np.full_like(TRUTH, 2.0)
        sparse = self.measured(np.random.default_rng(3), depth=wall)
        assert Metres(kind='affine').align(wall * 5, CELLS, [sparse]) is None

    def test_the_scale_is_held_for_a_time(self):
        metres = Metres(kind='scale', hold=1.0)
        rng = np.random.default_rng(4)
        assert metres.align(TRUTH * 9, CELLS, [self.measured(rng)], 0.0) is not None
        held = metres.align(TRUTH * 9, CELLS, [], 0.9)
        assert np.abs(held.log_depth - np.log(TRUTH)).mean() < 0.06
        assert metres.align(TRUTH * 9, CELLS, [], 1.2) is None


def views(rng, lie):
    """Points of a moving camera whose odometry lies by a factor."""
    rows, columns = rng.integers(HEIGHT, size=60), rng.integers(WIDTH, size=60)
    depth = TRUTH[rows, columns] * np.exp(rng.normal(0, 0.03, 60)) * lie
    u, v = 4.5 + 10 * columns, 4.5 + 10 * rows
    return SparseDepth(u, v, depth, np.full(60, 0.03), 'views', shared=0.03)


def told_offset(clip):
    return clip.aligned.offsets['views']


@pytest.mark.parametrize('lie', [0.5, 0.9, 1.1, 2.0])
@pytest.mark.parametrize('first', ['scan', 'views', 'both'])
def test_views_with_a_wrong_scale_are_corrected_by_a_scan_and_reported(lie, first):
    clip = Clip(hold=20.0)
    if first == 'scan':
        clip.run(1.0, lambda rng: [scan(rng)])
    if first == 'views':
        alone = clip.run(1.0, lambda rng: [views(rng, lie)])
        assert alone[-1] == pytest.approx(np.log(lie), abs=0.04)  # nothing tells it
        assert not clip.aligned.offsets
    clip.run(1.5, lambda rng: [views(rng, lie), scan(rng)])
    both = clip.run(0.5, lambda rng: [views(rng, lie), scan(rng)])
    assert np.abs(both).max() < 0.05
    assert told_offset(clip).beyond
    assert told_offset(clip).scale.mean == pytest.approx(np.log(lie), abs=0.03)
    assert clip.aligned.used['views'] > 30
    after = clip.run(1.0, lambda rng: [views(rng, lie)])  # what was learned stays
    assert np.abs(after).max() < 0.05


def test_views_with_the_right_scale_are_not_reported_as_wrong():
    clip = Clip()
    errors = clip.run(1.0, lambda rng: [views(rng, 1.0), scan(rng)])
    assert np.abs(errors).max() < 0.05
    assert not told_offset(clip).beyond


@pytest.mark.parametrize('lie', [0.8, 1.0, 1.25])
def test_a_wrong_shape_does_no_harm_by_what_views_are_believed_to_be_off_by(lie):
    # Bent by far more than the prior says.
    coarse = np.random.default_rng(5).normal(0, 0.5, (4, 5)).astype(np.float32)
    bend = np.exp(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    errors = {}
    for shared in (0.0, 0.03):  # without, and with
        rng = np.random.default_rng(5)
        metres = Metres(Prior(0.3, 0.1, 30.0, 0.3), hold=2.0)
        for frame in range(20):
            told = [replace(views(rng, lie), shared=shared), scan(rng)]
            aligned = metres.align(TRUTH * bend, CELLS, told, frame / RATE)
        errors[shared] = np.abs(aligned.log_depth - np.log(TRUTH)).mean()
    assert errors[0.03] < errors[0.0] + 0.02
    off = aligned.offsets['views'].scale
    assert abs(off.mean - np.log(lie)) < 3 * np.sqrt(off.variance)


def test_a_single_frame_follows_the_scan_where_views_have_a_wrong_scale():
    clip = Clip(hold=None)
    for lie in (0.9, 1.1, 0.5, 2.0):
        errors = clip.run(0.1, lambda rng, lie=lie: [views(rng, lie), scan(rng)])
        assert np.abs(errors).max() < 0.06, lie


def test_views_alone_are_no_surer_than_their_odometry():
    clip = Clip()
    clip.run(2.0, lambda rng: [views(rng, 1.0)])
    assert clip.aligned.scale.variance >= 0.03**2
    assert clip.aligned.std.min() > 0.03
