# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions for held-out frames during training, as one sheet of pictures."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch

from msdepth_ros.datasets import Frame
from msdepth_ros.evaluation.metrics import ErrorSums
from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.images.pictures import FARTHEST, NEAREST, colorize
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import View, ViewMaker
from msdepth_ros.training.batches import prepare, stack_views

_EACH = 4  # frames of each source
_ABREAST = 2  # frames in a row
_STRIP = 20  # height of the text above a frame, pixels
_DARK, _BRIGHT = (24, 24, 24), (220, 220, 220)
_MARKS = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)  # metres on the scale below


@torch.no_grad()
def draw_sheet(
    network: DepthNetwork,
    sources: Mapping[str, Sequence[Frame]],
    maker: ViewMaker,
    device: torch.device,
) -> np.ndarray:
    """Return image, ground truth and prediction of a few frames of each source.

    The frames are the same every time. A colour means the same distance, at the network's focal
    length, in every picture (`colorize`); pixels without ground truth are black.

    Parameters
    ----------
    network : on the device.
    sources : held-out frames by source.
    maker : of the network's views.
    device : of the network.

    Returns
    -------
    uint8 [H, W, 3], BGR.
    """
    network.eval()
    rows = []
    for source, frames in sources.items():
        chosen = [frames[i] for i in _spread(len(frames))]
        views = [maker.whole(frame) for frame in chosen]
        predicted = network.supervised(prepare(stack_views(views).image, device)).maps[0]
        panels = [
            _panel(f'{source}: {frame.name}', view, depth[0], network.grid)
            for frame, view, depth in zip(
                chosen, views, predicted.float().exp().cpu().numpy(), strict=True
            )
        ]
        panels += [np.full_like(panels[0], _DARK)] * (-len(panels) % _ABREAST)
        rows += [np.hstack(panels[i : i + _ABREAST]) for i in range(0, len(panels), _ABREAST)]
    return np.vstack([*rows, _scale(rows[0].shape[1])])


def _spread(count: int) -> list[int]:
    """Return the indices of a few frames, evenly spread over all."""
    return [(2 * i + 1) * count // (2 * min(count, _EACH)) for i in range(min(count, _EACH))]


def _panel(name: str, view: View, depth: np.ndarray, grid: Grid) -> np.ndarray:
    """Return one frame's image, ground truth and prediction side by side, with its errors above."""
    truth = np.where(view.valid, np.exp(view.log_depth), np.nan).astype(np.float32)
    errors = ErrorSums().add(depth, truth)
    if errors is not None:
        name += f'  abs rel {errors.abs_rel:.2f}  delta1 {errors.delta1:.2f}'
    height, width = view.image.shape[:2]
    pictures = [cv2.cvtColor(view.image, cv2.COLOR_RGB2BGR)]
    to_input = np.array([[grid.step[0], 0, grid.origin[0]], [0, grid.step[1], grid.origin[1]]])
    for each in (truth, depth):
        picture = colorize(each)
        pictures.append(cv2.warpAffine(picture, to_input, (width, height), flags=cv2.INTER_NEAREST))
    strip = np.full((_STRIP, 3 * width, 3), _DARK, np.uint8)
    _write(strip, name, 4)
    return np.vstack([strip, np.hstack(pictures)])


def _scale(width: int) -> np.ndarray:
    """Return the scale of colours, with metres."""
    span = np.log(FARTHEST / NEAREST)
    depth = NEAREST * np.exp(span * np.linspace(0, 1, width, dtype=np.float32))
    bar = np.repeat(colorize(depth[None].astype(np.float32)), _STRIP // 2, axis=0)
    strip = np.full((_STRIP, width, 3), _DARK, np.uint8)
    for mark in _MARKS:
        place = int(np.log(mark / NEAREST) / span * width)
        _write(strip, f'{mark:g} m', min(max(4, place - 16), width - 44))
    return np.vstack([bar, strip])


def _write(strip: np.ndarray, text: str, left: int) -> None:
    cv2.putText(strip, text, (left, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _BRIGHT, 1, cv2.LINE_AA)
