# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of truth, prediction and error."""

import numpy as np
import pytest

from msdepth_ros.evaluation.worst_frames import compare

WHITE, BLACK = [255, 255, 255], [0, 0, 0]
STRIP, PANEL = 28, 480  # pixels of text above, and across a panel of four


def panels(truth, depth):
    image = np.full((*truth.shape, 3), 90, np.uint8)
    picture = compare(image, truth, depth, 'title')[STRIP:]
    assert picture.shape == (360, 4 * PANEL, 3)
    return np.split(picture, 4, axis=1)


def columns(*metres):
    """Return 120x160 depths in columns of equal width."""
    values = np.repeat(np.array(metres, np.float32), 160 // len(metres))
    return np.tile(values, (120, 1))


@pytest.fixture
def seen():
    """Four columns: half as far, right, twice as far, and no truth."""
    nan = np.nan
    image, truth, depth, error = panels(columns(2, 2, 2, nan), columns(1, 2, 4, 2))
    return [part[180, [60, 180, 300, 420]].tolist() for part in (image, truth, depth, error)]


def test_error_is_blue_near_white_right_and_red_far(seen):
    blue, right, red, unknown = seen[3]
    assert blue[0] > 200 > 100 > blue[2]
    assert right == WHITE
    assert red[2] > 200 > 100 > red[0]
    assert unknown == BLACK


def test_truth_and_prediction_share_their_colours(seen):
    _, truth, depth, _ = seen
    assert truth[0] == truth[1] == truth[2] == depth[1] == depth[3]
    assert truth[3] == BLACK
    assert depth[0][2] > depth[0][0]  # near is warm
    assert depth[2][0] > depth[2][2]  # far is cold
    assert seen[0][0] == [90, 90, 90]


def test_sparse_depths_are_drawn_large_enough_to_see():
    truth = np.full((120, 160), np.nan, np.float32)
    truth[::12, ::12] = 2
    _, points, _, error = panels(truth, columns(2, 2))
    for part in (points, error):
        assert (part.max(axis=2) > 0).mean() > 0.1  # 25 of 144 pixels, and 1 of 144 before


def test_pixels_without_a_prediction_are_black():
    _, _, depth, error = panels(columns(2, 2), columns(2, np.nan))
    assert depth[180, 400].tolist() == error[180, 400].tolist() == BLACK
    assert error[180, 100].tolist() == WHITE
