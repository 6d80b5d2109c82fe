# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture sheet: image, truth and prediction, in place and in colours that never change."""

import numpy as np
import pytest
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')

from tiny import Tiny  # noqa: E402

from msdepth_ros.datasets import open_dataset  # noqa: E402
from msdepth_ros.images.pictures import colorize  # noqa: E402
from msdepth_ros.training.augmentation import ViewMaker  # noqa: E402
from msdepth_ros.training.sheet import draw_sheet  # noqa: E402

STRIP, WIDTH, HEIGHT = 20, 40, 30  # of text; the network's input


class Flat(Tiny):
    """Predicts 2 m everywhere."""

    def supervised(self, image):
        answer = super().supervised(image)
        flat = torch.full_like(answer.maps[0], float(np.log(2.0)))
        return type(answer)((flat,))


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    dataset = open_dataset(write_folder(tmp_path_factory.mktemp('sheet') / 'set', 10))
    return [dataset[index] for index in range(10)]


def draw(sources):
    network = Flat()
    maker = ViewMaker(network.image_size, network.grid, network.focal)
    return draw_sheet(network, sources, maker, torch.device('cpu'))


def test_layout_is_four_frames_of_each_source_two_abreast(frames):
    sheet = draw({'many': frames, 'one': frames[:1]})
    rows = 2 + 1
    assert sheet.shape == (rows * (STRIP + HEIGHT) + STRIP // 2 + STRIP, 2 * 3 * WIDTH, 3)
    assert sheet.dtype == np.uint8
    beside = sheet[2 * (STRIP + HEIGHT) : rows * (STRIP + HEIGHT), 3 * WIDTH :]
    assert (beside == 24).all()  # the second source has but one frame


def test_the_same_frames_are_shown_every_time(frames):
    np.testing.assert_array_equal(draw({'a': frames}), draw({'a': frames}))


def test_truth_and_prediction_have_the_colours_of_their_metres(frames):
    """Frame 1 shows 2 m; the camera's focal length is 130 * 40 / 160 in input pixels, not 30."""
    sheet = draw({'a': frames[1:2]})
    panel = sheet[STRIP : STRIP + HEIGHT, : 3 * WIDTH]
    image, truth, prediction = (panel[:, i * WIDTH : (i + 1) * WIDTH] for i in range(3))
    middle = np.array([HEIGHT // 2, WIDTH // 2])
    seen = np.array([[2.0 * 30 / 32.5]], np.float32)
    assert truth[tuple(middle)].tolist() == colorize(seen)[0, 0].tolist()
    two = np.array([[2.0]], np.float32)
    assert prediction[tuple(middle)].tolist() == colorize(two)[0, 0].tolist()
    assert not truth[0, 0].any()  # no depth in the corner, write_folder says
    assert image[tuple(middle)].tolist() != truth[tuple(middle)].tolist()
