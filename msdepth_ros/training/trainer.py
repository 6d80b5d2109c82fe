# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: stage after stage, with averaged weights, checkpoints and exact resume."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import create_network
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import prepare, stack_views
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, from_document
from msdepth_ros.training.datasets import DatasetFolder, split_in_blocks
from msdepth_ros.training.initialisation import initialise_from_data
from msdepth_ros.training.metrics import mean_log_depth
from msdepth_ros.training.stage import CHECKPOINT, StageTraining, place

_SAMPLE = 96  # frames that the network's start is made from, at most


class Trainer:
    """Trains one network on one dataset.

    Parameters
    ----------
    config : everything that decides the result.
    dataset : read once, whole, into memory.
    out : folder for the checkpoint and the log, made if missing.
    device : where to train.

    """

    def __init__(
        self, config: Config, dataset: DatasetFolder, out: Path, device: str = 'cpu'
    ) -> None:
        self.config = config
        self.out = out
        self.device = torch.device(device)
        torch.manual_seed(config.seed)
        self.network = create_network_of(config)
        self.maker = ViewMaker(
            self.network.image_size, self.network.grid, self.network.focal, config.data.border
        )
        indices = tqdm(range(len(dataset)), desc='reading', unit='image', disable=None)
        frames = [dataset[index].shrunk(config.data.cached_width) for index in indices]
        training, validation = split_in_blocks(
            len(frames), config.data.blocks, config.data.validation_share
        )
        self.training = [frames[index] for index in training]
        self.validation = [frames[index] for index in validation]

    def run(self, resume: bool) -> DepthNetwork:
        """Train every stage and return the network with its averaged weights.

        Raises
        ------
        MsdepthError : a checkpoint is in the way (or missing, to resume from), belongs to another
            configuration, cannot be written; or the loss is not a number.

        """
        saved = self._open(resume)
        place(self.network, self.device)
        if saved is None:
            self._initialise()
        else:
            self.network.load_state_dict(saved['start'])
        first = 0 if saved is None else int(saved['stage'])
        for index in range(first, len(self.config.stages)):
            resumed = saved if index == first else None
            training = StageTraining(self, index, fresh=resumed is None)
            if resumed is not None:
                training.load(resumed)
            training.run()
            self.network.load_state_dict(training.kept.state_dict())
        return self.network

    def _initialise(self) -> None:
        """Start from the mean of the training depths and from the images themselves."""
        mean = mean_log_depth(
            (view.log_depth, view.valid) for view in map(self.maker.whole, self.training)
        )
        self.network.set_mean_log_depth(torch.from_numpy(mean).to(self.device))
        sample = self.training[:: 1 + len(self.training) // _SAMPLE]
        batch = stack_views([self.maker.whole(frame) for frame in sample])
        image = prepare(batch.image, self.device)
        self.network.eval()
        initialise_from_data(self.network.plain_layers(), lambda: self.network(image))

    def _open(self, resume: bool) -> dict[str, Any] | None:
        path = self.out / CHECKPOINT
        if not resume:
            if path.exists():
                raise MsdepthError(
                    f'{path} exists: continue it with --resume, or choose another folder'
                )
            self.out.mkdir(parents=True, exist_ok=True)
            return None
        saved = load_checkpoint(path)
        begun = int(saved['stage']) + 1
        started = from_document(saved['config'], str(path))
        if _until(started, begun) != _until(self.config, begun):
            raise MsdepthError(
                f'{path} belongs to another configuration: resume with the YAML that it was '
                'started with (stages not yet begun may differ), or start anew in another folder'
            )
        return saved


def create_network_of(config: Config) -> DepthNetwork:
    """Return the network that a configuration names, with random weights.

    Raises
    ------
    MsdepthError : there is no such network or option, or a stage that it does not have.

    """
    options = dict(config.network)
    network = create_network(str(options.pop('name', config.name)), options)
    for stage in config.stages:
        if stage.trains not in network.stages:
            raise MsdepthError(
                f"stages: trains is '{stage.trains}' but must be one of {', '.join(network.stages)}"
            )
        if stage.readout and not network.readout_rank:
            raise MsdepthError(f"network '{config.network['name']}' has no readout: set it to 0")
    return network


def _until(config: Config, stages: int) -> Config:
    return dataclasses.replace(config, stages=config.stages[:stages])
