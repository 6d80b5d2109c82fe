# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Splits the frames of a source as a training did: into learned and held-out frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msdepth_ros.datasets import Dataset, Frame, JoinedDatasets
from msdepth_ros.evaluation.evaluation import Evaluation, Procedure, evaluate
from msdepth_ros.inference.model import Model
from msdepth_ros.release.runs import held_out_but_known
from msdepth_ros.training.config import Source
from msdepth_ros.training.data import consecutive, mask_border, split_source, with_floor
from msdepth_ros.training.measured import MeasuredDepth, open_source


@dataclass(frozen=True)
class SourceSplit:
    """The frames of a source.

    Attributes
    ----------
    source : from the training's configuration.
    dataset : the frames of all its folders.
    training : indices of the frames that were trained on.
    blocks : indices of the held-out frames, one list for each block of neighbours.
    known : how many of the held-out frames the start weights had learned from.
    compared_with : what the held-out frames have instead of ground truth; '' = they have it.
    """

    source: Source
    dataset: Dataset
    training: list[int]
    blocks: list[list[int]]
    known: int
    compared_with: str = ''

    @classmethod
    def of(
        cls, source: Source, data: Path, out: Path, begun_from: Sequence[dict[str, Any]]
    ) -> 'SourceSplit':
        """Open the folders of a source, and split their frames as the training did.

        Parameters
        ----------
        source : from the training's configuration.
        data : the folder that the training was given as `--data`.
        out : the training's own folder.
        begun_from : metadata of the weights that the training started from, see
            `start.metadata_of`.

        Raises
        ------
        DatasetError
            If a folder cannot be read.
        """
        datasets = {
            folder: open_source(source, source.path(folder, data, out)) for folder in source.folders
        }
        training: list[int] = []
        blocks: list[list[int]] = []
        known = start = 0
        for folder, dataset in datasets.items():
            learned, kept = split_source(source, len(dataset))
            training += [start + index for index in learned]
            blocks += consecutive([start + index for index in kept], source.step(len(dataset)))
            known += len(held_out_but_known(begun_from, source, folder, len(dataset)))
            start += len(dataset)
        compared_with = ''
        for dataset in datasets.values():
            if isinstance(dataset, MeasuredDepth) and not dataset.has_truth:
                compared_with = dataset.compared_with
        return cls(source, JoinedDatasets(datasets), training, blocks, known, compared_with)

    @property
    def crop(self) -> str:
        """The crop that errors are measured in: the paper's for the images of a Kinect."""
        size = self.dataset.intrinsics.width, self.dataset.intrinsics.height
        return 'eigen' if size == (640, 480) and self.training else 'none'

    @property
    def held_out(self) -> list[int]:
        """The indices of all held-out frames."""
        return [index for block in self.blocks for index in block]

    def held_out_frames(self) -> list[Iterator[Frame]]:
        """Return the blocks of held-out frames, as in training; each frame is read when needed."""
        border = self.source.border
        return [
            (mask_border(self.dataset[index], border) for index in block) for block in self.blocks
        ]

    def frames_with_floor(self) -> Iterator[Frame]:
        """Yield the held-out frames, with the floor that is found in their depth."""
        for block in self.held_out_frames():
            for frame in block:
                yield with_floor(frame, self.source)

    def measure(self, model: Model, precision: str) -> Evaluation:
        """Return a model's errors on the held-out frames."""
        return evaluate(
            model, self.dataset, Procedure(self.held_out, self.crop, precision=precision)
        )
