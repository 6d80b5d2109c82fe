# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a model from nothing: the trainings that its own begins with, itself, and the export.

The `recipe` of a training's YAML names the trainings before it, which have recipes of their own.
"""

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.model import load_model
from msdepth_ros.networks import distributed
from msdepth_ros.release.release import release
from msdepth_ros.release.runs import TrainingRun
from msdepth_ros.training.config import Config, read_config, without
from msdepth_ros.training.stage import CHECKPOINT
from msdepth_ros.training.start import weights_path
from msdepth_ros.training.trainer import Trainer


class Maker:
    """Makes models. What is finished in its folder is used as it is, what was begun is continued.

    Parameters
    ----------
    data : the folder with the dataset folders of all configurations.
    out : folder for a folder of each training.
    device, workers : see `Trainer`.
    """

    def __init__(
        self, data: Path, out: Path, device: str | torch.device = 'cpu', workers: int = 1
    ) -> None:
        self._data = data
        self._out = out
        self._device = device
        self._workers = workers
        self._waiting: list[Path] = []

    def model(self, yaml: Path) -> Path:
        """Make the model of a training, and return its YAML.

        Parameters
        ----------
        yaml : the configuration of the training.

        Raises
        ------
        MsdepthError
            If a training or an export cannot be done, or a training begins with itself.
        """
        config = read_config(yaml)
        recipe = config.recipe
        folder = self.training(yaml)
        measure_by = [self.training(yaml, names) for names in recipe.leave_out]
        made = folder / f'{recipe.name or config.name}.yaml'
        if distributed.rank() == 0 and not _measured(made):
            _report(f'exporting {made}')
            release(
                [folder],
                self._data,
                folder,
                name=recipe.name,
                int8=recipe.int8,
                correct=recipe.correct,
                spread=recipe.spread,
                overwrite=True,
                measure_by=measure_by,
                start_share=recipe.start_share,
            )
        distributed.wait()
        return made

    def training(self, yaml: Path, leave_out: Sequence[str] = ()) -> Path:
        """Do a training, and return its folder.

        Parameters
        ----------
        yaml : its configuration.
        leave_out : sources from which it learns nothing.

        Raises
        ------
        MsdepthError
            If it cannot be done, or begins with itself.
        """
        if yaml.resolve() in self._waiting:
            raise MsdepthError(f'{yaml}: the recipe names a training that begins with this one')
        config = without(read_config(yaml), leave_out)
        recipe = config.recipe
        self._waiting.append(yaml.resolve())
        start = [weights_path(text) for text in config.start]
        if recipe.start is not None:
            start = [load_model(self.model(yaml.parent / recipe.start)).onnx]
        teachers = [self.training(yaml.parent / each) / CHECKPOINT for each in recipe.teachers]
        self._waiting.pop()
        folder = self._out / '_without_'.join([config.name, *leave_out])
        if not _finished(folder, config):
            _report(f'training {folder}')
            trainer = Trainer(
                config, self._data, folder, self._device, self._workers, start, teachers
            )
            trainer.run(resume=(folder / CHECKPOINT).exists())
        return folder


def _finished(folder: Path, config: Config) -> bool:
    """Return whether a training was done to its end; of another one it is not known here."""
    if not (folder / CHECKPOINT).exists():
        return False
    run = TrainingRun.of(folder)
    same = dataclasses.replace(run.config, recipe=config.recipe) == config
    last = config.stages[-1]
    ended = run.checkpoint['step'] == math.ceil(last.images / last.batch)
    return same and run.begun == config.stages and ended


def _measured(made: Path) -> bool:
    """Return whether a model is complete: its errors are written last."""
    return made.exists() and 'measured' in load_model(made).document


def _report(what: str) -> None:
    if distributed.rank() == 0:
        tqdm.write(what, file=sys.stderr)
