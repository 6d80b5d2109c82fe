# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The straight line that a network's log depths are corrected by."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.datasets import Frame  # noqa: E402
from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.geometry.pinhole import Grid, Intrinsics  # noqa: E402
from msdepth_ros.networks.depth_network import normalise  # noqa: E402
from msdepth_ros.networks.eigen2014 import Eigen2014  # noqa: E402
from msdepth_ros.release.correction import fit_correction  # noqa: E402

INTRINSICS = Intrinsics(8, 6, 10.0, 10.0, 3.5, 2.5)


class Grey:
    """Predicts log depth from only the grey level, at the focal length of the frames."""

    image_size, focal = (8, 6), 10.0
    grid = Grid(width=8, height=6, origin=(0.0, 0.0), step=(1.0, 1.0))

    def __init__(self, slope, offset):
        self._slope, self._offset = slope, offset

    def eval(self):
        return self

    def __call__(self, image):
        grey = image.mean(1, keepdim=True) * 0.25 + 0.45
        return self._slope * grey + self._offset


def frames():
    """Six frames whose log depth is their grey level over 255, some of it unknown."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(6):
        image = np.repeat(rng.integers(0, 256, (6, 8, 1), dtype=np.uint8), 3, 2)
        depth = np.exp(image[..., 0] / 255, dtype=np.float32)
        depth[0] = 0
        made.append(Frame('a frame', image, depth, INTRINSICS))
    return made


def line(network, some, spread=0.0):
    """Return the correction fitted on a single block of frames."""
    fit = fit_correction(network, {'some': [some]}, spread)
    assert not fit.errors  # there are no other blocks to fit a line without it
    return fit.correction


def test_a_linear_error_is_corrected():
    found = line(Grey(0.9, 0.3), frames())
    assert found.slope == pytest.approx(1 / 0.9, abs=2e-4)
    assert found.offset == pytest.approx(-0.3 / 0.9, abs=2e-4)


@pytest.mark.parametrize('spread', [-0.2, 0.4])
def test_the_line_is_fitted_to_what_the_spread_leaves(spread):
    """Where a frame's true depths are all larger by its spread, no line can tell."""
    wider = []
    for place, frame in enumerate(frames()):
        image = (frame.image // (place + 1)).astype(np.uint8)
        grey = image[..., 0] / 255
        depth = np.exp(grey + spread * grey.std(), dtype=np.float32) * (frame.depth > 0)
        wider.append(dataclasses.replace(frame, image=image, depth=depth))
    found = line(Grey(0.9, 0.3), wider, spread / 0.9)
    assert found.slope == pytest.approx(1 / 0.9, abs=2e-3)
    assert found.offset == pytest.approx(-0.3 / 0.9, abs=2e-3)
    assert found.spread == spread / 0.9
    assert line(Grey(0.9, 0.3), wider).slope != pytest.approx(found.slope, abs=0.02)


def test_every_frame_has_the_same_weight_however_few_cells_it_has():
    far, sparse = frames()[:2]
    near = dataclasses.replace(sparse, depth=np.where(sparse.depth > 0, sparse.depth / 1.2, 0))
    near.depth[2:] = 0
    once, again = line(Grey(1, 0), [far, near]), line(Grey(1, 0), [near, far])
    assert once == again
    assert once.offset + 0.5 * (once.slope - 1) == pytest.approx(-np.log(1.2) / 2, abs=0.02)


def test_a_frame_without_depth_does_not_count():
    some = frames()
    blind = dataclasses.replace(some[0], depth=np.zeros_like(some[0].depth))
    assert line(Grey(0.9, 0), [*some, blind]) == line(Grey(0.9, 0), some)


def test_the_final_prediction_is_corrected_not_what_a_stage_learns_from():
    """A new eigen2014 is in its coarse stage; the exported file computes the fine map."""
    torch.manual_seed(0)
    network = Eigen2014(hidden=8)
    with torch.no_grad():
        network.coarse.map.bias.normal_(std=0.3)
        network.fine.map.weight.zero_()
        network.fine.map.weight[0, 63, 2, 2] = 2  # twice the coarse map
        network.fine.map.bias *= 2
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (228, 304, 3), dtype=np.uint8)
    plain = Intrinsics(304, 228, 259.4, 259.4, 151.5, 113.5)
    with torch.no_grad():
        planes = normalise(torch.from_numpy(image[None, ..., ::-1].copy()))
        log_depth = network.eval()(planes)[0, 0].numpy()
    assert np.ptp(log_depth) > 0.5
    depth = np.zeros((228, 304), np.float32)
    columns, rows = (places.astype(int) for places in network.grid.pixels())
    depth[rows, columns] = np.exp(log_depth)
    found = line(network, [Frame('a frame', image, depth, plain)])
    assert found.slope == pytest.approx(1, abs=1e-3)
    assert found.offset == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize('slope', [0.0, 0.5, 2.0, -1.0])
def test_a_network_that_has_not_learned_is_refused(slope):
    with pytest.raises(
        MsdepthError, match='Train it for longer, or export it without a correction'
    ):
        line(Grey(slope, 0.2), frames())


def test_cross_fitted_errors_are_of_blocks_that_were_not_fitted():
    """A block that the others disagree with is corrected worse by them than by all together."""
    some = frames()
    odd = [dataclasses.replace(some[5], depth=1.3 * some[5].depth)]
    fit = fit_correction(Grey(0.9, 0.3), {'alike': [some[:2], some[2:4]], 'odd': [odd]})
    assert set(fit.errors) == {'alike', 'odd'}
    errors = fit.errors['odd']
    assert errors['cross_fitted'].rmse_log == pytest.approx(np.log(1.3), abs=2e-3)
    assert 0.5 * np.log(1.3) < errors['corrected'].rmse_log < 0.9 * np.log(1.3)
    plain = [
        difference
        for block in (some[:2], some[2:4])
        for frame in block
        for difference in (0.3 - 0.1 * frame.image[1:, :, 0] / 255).ravel()
    ]
    expected = np.sqrt(np.mean(np.square(plain)))
    assert fit.errors['alike']['uncorrected'].rmse_log == pytest.approx(expected, rel=1e-4)
    assert fit.errors['alike']['corrected'].rmse_log < expected


def test_blocks_and_sources_without_depth_are_left_out():
    some = frames()
    blind = [dataclasses.replace(some[0], depth=np.zeros_like(some[0].depth))]
    fit = fit_correction(Grey(0.9, 0.3), {'some': [some[:3], blind, some[3:]], 'blind': [blind]})
    assert set(fit.errors) == {'some'}
    with pytest.raises(MsdepthError, match='has not learned the depths'):
        fit_correction(Grey(0.9, 0.3), {'blind': [blind]})
