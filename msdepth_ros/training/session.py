# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all stages of a training have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.config import Config
from msdepth_ros.training.data import TrainingData
from msdepth_ros.training.log import TrainingLog
from msdepth_ros.training.teachers import Teacher


@dataclass(frozen=True)
class Session:
    """One training, as its stages need it.

    Attributes
    ----------
    config : of the training.
    network : that is trained, stage after stage.
    data : the frames.
    teachers : for the stages with `distillation`.
    device : of the network.
    workers : number of processes that make batches.
    out : folder for the checkpoint and the log.
    log : None except in the first process.
    started_from : metadata of the weights that the training started from, see `start.metadata_of`.
    """

    config: Config
    network: DepthNetwork
    data: TrainingData
    teachers: Sequence[Teacher]
    device: torch.device
    workers: int
    out: Path
    log: TrainingLog | None
    started_from: Sequence[Mapping[str, Any]]

    def view_maker(self, teacher_size: tuple[int, int] | None = None) -> ViewMaker:
        """Return the view maker for the network, and for teachers of an image size."""
        return ViewMaker.of(self.network, teacher_size)
