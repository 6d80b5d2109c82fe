# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of the scale takes the median of its frames: a few wrong ones change nothing."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.node.scale import service
from msdepth_ros.node.scale.service import FRAMES, Estimate, ScaleCalibration

HEIGHT, PITCH = 0.5, 0.3  # metres, radians
INTRINSICS = Intrinsics(64, 48, 60.0, 60.0, 31.5, 23.5)


def floor(factor):
    """Return the depth of the floor times a factor, float32 [48, 64]; sky above the horizon."""
    falls = (np.arange(48) - 23.5) / 60 * np.cos(PITCH) + np.sin(PITCH)
    depth = np.where(falls > 0.02, HEIGHT / np.maximum(falls, 0.02), np.nan)
    return np.tile(factor * depth[:, None], (1, 64)).astype(np.float32)


def calibrated(factors):
    """Calibrate on frames whose depth is too large by these factors, in turn; return the scale."""
    kept = []
    node = SimpleNamespace(
        create_service=lambda *_, **__: None,
        context=SimpleNamespace(ok=lambda: True),
        set_parameters=lambda parameters: [SimpleNamespace(successful=True)],
    )
    values = {
        'depth.scale': 1.0,
        'camera_pose': '',
        'camera_height': HEIGHT,
        'camera_pitch': PITCH,
        'base_frame': 'base_link',
    }
    stamps, turns = itertools.count(), itertools.cycle(factors)

    def estimate():
        frame = SimpleNamespace(intrinsics=INTRINSICS, depth=floor(next(turns)))
        return Estimate(frame, 'camera', (next(stamps), 0), 1.0)

    def keep(scale, _):
        kept.append(scale)
        return 'scale.yaml'

    calibration = ScaleCalibration(
        node, SimpleNamespace(values=values), SimpleNamespace(keep=keep), estimate, lambda: None
    )
    text = calibration._calibrate()
    return kept[0], text


@pytest.fixture(autouse=True)
def no_limit_of_time(monkeypatch):
    monkeypatch.setattr(service, 'PATIENCE', 1e9)


@pytest.mark.parametrize('wrong', [0.5, 1.6, 3.0])
def test_a_third_of_wrong_frames_does_not_change_the_scale(wrong):
    scale, text = calibrated([2.0, wrong, 2.0])
    assert scale == pytest.approx(0.5, rel=1e-3)
    assert f'median of {FRAMES} frames' in text


def test_frames_without_floor_are_left_out_until_they_are_most():
    assert calibrated([2.0, np.nan, 2.0])[0] == pytest.approx(0.5, rel=1e-3)
    with pytest.raises(MsdepthError):
        calibrated([2.0, np.nan, np.nan])
