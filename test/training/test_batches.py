# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches: every frame in its turn, sources by their weights, nothing but the number decides."""

import os
from collections import Counter

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='batches are tensors')

from msdepth_ros.datasets import Frame  # noqa: E402
from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.geometry.pinhole import Grid, Intrinsics  # noqa: E402
from msdepth_ros.training.augmentation import Augmentation, ViewMaker  # noqa: E402
from msdepth_ros.training.batches import Batches, WeightedFrames, sampling_cycle  # noqa: E402

INTRINSICS = Intrinsics(8, 6, 8.0, 8.0, 3.5, 2.5)
MAKER = ViewMaker((8, 6), Grid(4, 3, (0.5, 0.5), (2.0, 2.0)), 8.0)


def frames(count, first):
    """Frames whose depth in metres is their number."""
    return [
        Frame(str(i), np.zeros((6, 8, 3), np.uint8), np.full((6, 8), i, np.float32), INTRINSICS)
        for i in range(first, first + count)
    ]


def numbers(batches, count):
    """Return the frame of every view of the first batches."""
    found = [batches[number].log_depth[:, 0, 0, 0] for number in range(count)]
    return torch.cat(found).exp().round().int().tolist()


def make(shares, seed=(0,)):
    return Batches(shares, MAKER, Augmentation(), 4, seed)


def test_each_frame_comes_once_before_any_comes_again():
    seen = numbers(make([WeightedFrames(frames(6, 1))]), 6)
    for epoch in range(4):
        assert sorted(seen[6 * epoch : 6 * epoch + 6]) == list(range(1, 7))
    assert seen[:6] != seen[6:12]


def test_shares_get_their_weights_and_their_frames_turn_by_turn():
    shares = [WeightedFrames(frames(3, 1), 3.0), WeightedFrames(frames(50, 100), 1.0)]
    seen = numbers(make(shares), 500)
    counts = Counter(number >= 100 for number in seen)
    assert counts[False] / counts[True] == pytest.approx(3, rel=0.01)
    few = [number for number in seen if number < 100]
    assert all(sorted(few[i : i + 3]) == [1, 2, 3] for i in range(0, 1497, 3))
    assert set(Counter(n for n in seen if n >= 100).values()) == {10}


def test_only_seed_and_number_decide():
    shares = [WeightedFrames(frames(9, 1), 1.0), WeightedFrames(frames(9, 20), 1.0)]
    first, again, other = make(shares), make(shares), make(shares, seed=(1,))
    again[0]
    assert torch.equal(first[7].log_depth, again[7].log_depth)
    assert not torch.equal(first[7].log_depth, other[7].log_depth)


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_batches_made_ahead_are_the_same_in_the_same_order(workers):
    batches = make([WeightedFrames(frames(9, 1))])
    ahead = list(batches.ahead(2, 9, workers))
    assert len(ahead) == 7
    for number, batch in enumerate(ahead, 2):
        assert torch.equal(batch.log_depth, batches[number].log_depth)
    assert list(batches.ahead(5, 5, workers)) == []


def test_opencvs_threads_are_restored_after_the_batches():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        batches = make([WeightedFrames(frames(9, 1))])
        list(batches.ahead(0, 2, 0))
        assert cv2.getNumThreads() == 2
        ahead = batches.ahead(0, 4, 0)
        next(ahead)
        ahead.close()
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_a_process_that_dies_is_reported():
    class Deadly(ViewMaker):
        def random(self, *_):
            os._exit(1)

    maker = Deadly((8, 6), Grid(4, 3, (0.5, 0.5), (2.0, 2.0)), 8.0)
    batches = Batches([WeightedFrames(frames(9, 1))], maker, Augmentation(), 4, (0,))
    with pytest.raises(MsdepthError, match=r'died.*--ipc=host'):
        list(batches.ahead(0, 4, 1))


def test_an_error_in_a_process_is_raised_as_it_is():
    class Faulty(ViewMaker):
        def random(self, *_):
            raise ZeroDivisionError('of a view')

    maker = Faulty((8, 6), Grid(4, 3, (0.5, 0.5), (2.0, 2.0)), 8.0)
    batches = Batches([WeightedFrames(frames(9, 1))], maker, Augmentation(), 4, (0,))
    with pytest.raises(ZeroDivisionError, match='of a view'):
        list(batches.ahead(0, 4, 1))


def test_sampling_cycle():
    assert sampling_cycle([2.0]).tolist() == [0]
    assert Counter(sampling_cycle([1.0, 3.0]).tolist()) == {0: 125, 1: 375}
    assert Counter(sampling_cycle([1e-9, 1.0]).tolist())[0] == 1
