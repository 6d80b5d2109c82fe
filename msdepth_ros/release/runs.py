# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the checkpoints of trainings, and describes how their weights were made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import HEADS
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, Source, Stage, from_document
from msdepth_ros.training.data import TrainingData, split_source
from msdepth_ros.training.network_of import create_network_of
from msdepth_ros.training.stage import CHECKPOINT


@dataclass(frozen=True)
class TrainingRun:
    """A training, finished or not, as its checkpoint describes it.

    Attributes
    ----------
    path : the checkpoint.
    checkpoint : its content, see `stage.StageTraining`.
    config : of the training.
    """

    path: Path
    checkpoint: dict[str, Any]
    config: Config

    @classmethod
    def of(cls, folder: Path) -> 'TrainingRun':
        """Read the checkpoint in a folder.

        Raises
        ------
        MsdepthError
            If there is none, or it cannot be read.
        """
        path = folder / CHECKPOINT
        checkpoint = load_checkpoint(path)
        return cls(path, checkpoint, from_document(checkpoint['config'], str(path)))

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any]) -> 'TrainingRun':
        """Return a run of which only the metadata is known, see `start.metadata_of`."""
        file = metadata['file']
        return cls(Path(file), metadata, from_document(metadata['config'], file))

    @property
    def begun(self) -> tuple[Stage, ...]:
        """The stages up to that of the checkpoint, inclusive."""
        return self.config.stages[: int(self.checkpoint['stage']) + 1]

    @property
    def learned_all(self) -> bool:
        """Whether the last stage learned from the frames that the other stages held out."""
        return self.begun[-1].held_out > 0

    @property
    def trained_heads_only(self) -> bool:
        """Whether only heads were trained, so that the depth is that of the start weights."""
        return all(stage.trains == HEADS for stage in self.begun)

    @property
    def begun_from(self) -> list[dict[str, Any]]:
        """The metadata of the start weights, see `start.metadata_of`; empty without any."""
        return self.checkpoint.get('started_from') or []

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, by name."""
        weights: dict[str, Tensor] = self.checkpoint['weights']
        return weights

    def exported(self, start_share: float) -> dict[str, Tensor]:
        """Return the weights to export: the trained ones, mixed with those before.

        Parameters
        ----------
        start_share : of the weights that the training started from, at least 0 and below 1.

        Raises
        ------
        MsdepthError
            If it is out of range, or is not 0 and the training did not start from given weights or
            has had more than one stage.
        """
        if not 0 <= start_share < 1:
            raise MsdepthError(f'--start-share is {start_share} but must be at least 0 and below 1')
        if not start_share:
            return self.weights
        if not self.begun_from or len(self.begun) > 1:
            raise MsdepthError(
                f'{self.path}: --start-share needs a training of one stage that was given --weights'
            )
        start: dict[str, Tensor] = self.checkpoint['start']
        return {
            name: torch.lerp(value, start[name], start_share)
            if value.is_floating_point()
            else value
            for name, value in self.weights.items()
        }

    @property
    def measurable(self) -> dict[str, Tensor]:
        """The last weights that did not learn from the held-out frames."""
        weights: dict[str, Tensor] = self.checkpoint['start' if self.learned_all else 'weights']
        return weights


def provenance(runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """Return the keys `network` and `training` of the YAML: how the weights were made.

    Raises
    ------
    MsdepthError
        If the trainings are not of the same network and data.
    """
    first, *others = runs
    for other in others:
        if (other.config.network, other.config.data) != (first.config.network, first.config.data):
            raise MsdepthError(
                f'{other.path} and {first.path} are not of the same network and data, so their '
                'weights have no mean: export them one by one'
            )
    training = {'data': _data(runs), **_history(first)}
    if others:
        training['mean_with'] = [_history(other) for other in others]
    if teachers := _teachers(runs):
        training['teachers'] = teachers
    return {'network': dict(first.config.network), 'training': training}


def _history(run: TrainingRun) -> dict[str, Any]:
    """Return how a run's weights were made: its stages, and the weights that it started from."""
    history: dict[str, Any] = {'stages': _stages(run), 'seed': run.config.seed}
    if run.begun_from:
        history['started_from'] = [
            _history(TrainingRun.from_metadata(each))
            if 'config' in each
            else {key: each[key] for key in ('file', 'sha256') if key in each}
            for each in run.begun_from
        ]
    elif source := create_network_of(run.config).pretrained_on:
        history['pretrained'] = f'the encoder began with weights from {source}'
    return history


def _known(begun_from: Sequence[dict[str, Any]]) -> list[TrainingRun]:
    """Return the runs that a training started from; those of exported files are not known."""
    return [TrainingRun.from_metadata(each) for each in begun_from if 'config' in each]


def _with_ancestors(runs: Sequence[TrainingRun]) -> Iterator[TrainingRun]:
    """Yield runs, and the runs whose weights they started from."""
    for run in runs:
        yield run
        yield from _with_ancestors(_known(run.begun_from))


def held_out_but_known(
    begun_from: Sequence[dict[str, Any]], source: Source, folder: str, count: int
) -> set[int]:
    """Return the held-out frames of a folder that the start weights had learned from.

    Parameters
    ----------
    begun_from : the metadata of the start weights, see `start.metadata_of`. It does not say which
        frames an exported file learned from, so these are not found.
    source : the source of the folder. Frames that were learned under another `split` of the folder
        are not found, because they have other numbers there.
    folder : name of the folder.
    count : number of frames in the folder.

    Returns
    -------
    The numbers of the frames.
    """
    learned: set[int] = set()
    _, asked = split_source(source, count)
    for run in _with_ancestors(_known(begun_from)):
        for name, other in run.config.data.sources.items():
            if folder not in other.folders or other.split != source.split:
                continue
            training, held_out = split_source(other, count)
            for stage in run.begun:
                if stage.weights.get(name, other.weight):
                    learned |= {*training, *(held_out if stage.held_out else ())}
    return learned.intersection(asked)


def warning_of_known(
    config: Config, data: TrainingData, begun_from: Sequence[dict[str, Any]]
) -> str:
    """Return a warning if the start weights had learned from held-out frames, else ''."""
    known = []
    for name, source in config.data.sources.items():
        for folder, count in zip(source.folders, data.counts[name], strict=True):
            if again := held_out_but_known(begun_from, source, folder, count):
                _, held_out = split_source(source, count)
                known.append(f'{len(again)} of the {len(held_out)} of {folder}')
    if not known:
        return ''
    return (
        'the start weights have already learned from frames that this training holds out '
        f'({", ".join(known)}): the errors on these frames will look too good'
    )


def _data(runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """Return the sources that any of the weights learned from; shares are the first run's."""
    sources = runs[0].config.data.sources
    total = sum(source.weight for source in sources.values())
    data: dict[str, Any] = {}
    for run in _with_ancestors(runs):
        for name, source in run.config.data.sources.items():
            if source.weight or any(stage.weights.get(name) for stage in run.begun):
                entry = {'description': source.description, 'licence': source.licence}
                if source.measured is not None:
                    entry['depth'] = f"the default model's, aligned with: {source.measured}"
                data.setdefault(name, entry)
    for run in _with_ancestors(runs):
        for model in (each.get('model') or {} for each in run.begun_from):
            for name, entry in model.get('training', {}).get('data', {}).items():
                data.setdefault(name, {key: v for key, v in entry.items() if key != 'share'})
    for name, source in sources.items():
        if source.weight:
            data[name]['share'] = round(source.weight / total, 3)
    return data


def _teachers(runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """Return the teachers of the runs, and of the runs that they started from, each once."""
    found = {
        teacher['sha256']: teacher
        for run in _with_ancestors(runs)
        if any(stage.distillation for stage in run.begun)
        for teacher in run.checkpoint['teachers']
    }
    return list(found.values())


def _stages(run: TrainingRun) -> list[dict[str, Any]]:
    """Return the settings of each stage that was begun, and the number of images it saw."""
    stages = []
    for index, stage in enumerate(run.begun):
        finished = index < len(run.begun) - 1
        seen = stage.images if finished else run.checkpoint['step'] * stage.batch
        settings = {
            'trains': stage.trains,
            'images': seen,
            'batch': stage.batch,
            'rate': stage.rate,
            'depth_weight': stage.depth_weight,
            'distillation': stage.distillation,
            'cutmix': stage.cutmix,
            'weights': dict(stage.weights),
            'zoom': {name: list(zoom) for name, zoom in stage.zoom.items()},
            'averaging': run.config.averaging if stage.averaging is None else stage.averaging,
            'held_out': stage.held_out,
        }
        stages.append(
            {key: value for key, value in settings.items() if value or key == 'depth_weight'}
        )
    return stages
