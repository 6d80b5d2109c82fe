# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the further outputs (heads) of an exported file on held-out frames."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from msdepth_ros.datasets import Frame
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.heads import CONFIDENCE
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import stack_views
from msdepth_ros.training.head_errors import HeadErrors


def measure_heads(path: Path, network: DepthNetwork, frames: Iterable[Frame]) -> dict[str, Any]:
    """Return what the model's YAML says of the further outputs of an ONNX file.

    Parameters
    ----------
    path : the ONNX file, FP32 or int8.
    network : the network that the file was exported from.
    frames : frames with `floor`, that the network did not learn from.

    Returns
    -------
    `HeadErrors.summary`; and if there is a confidence, `reliability`: for each bin, the predicted
    share of right depths, the share found, and the share of all cells.
    """
    maker, errors = ViewMaker.of(network), HeadErrors()
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    for view in map(maker.whole, frames):
        depth, *others = session.run(None, {'image': view.image[None]})
        found = {
            name: torch.from_numpy(value) for name, value in zip(network.heads, others, strict=True)
        }
        errors.add(found, torch.from_numpy(np.log(depth)), stack_views([view]))
    figures: dict[str, Any] = {name: round(value, 3) for name, value in errors.summary().items()}
    if CONFIDENCE in network.heads:
        figures['reliability'] = [
            [round(value, 3) for value in each] for each in errors.reliability()
        ]
    return figures
