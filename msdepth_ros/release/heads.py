# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good an exported file's further outputs are, on frames that they did not learn from."""

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
    """Return what stands in the YAML of an ONNX file's further outputs.

    Parameters
    ----------
    path : of the file, FP32 or int8.
    network : that it was exported from.
    frames : with `floor`, see `Frame`.

    Returns
    -------
    `HeadErrors.summary`, and as `reliability` of the confidence, bin by bin, what it promised, what
    was kept, and the share of the cells.
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
