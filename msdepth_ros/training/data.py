# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a training, for training and held out, by source and folder."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from msdepth_ros.datasets import Dataset, Frame, split_in_blocks
from msdepth_ros.datasets.floor_plane import floor_plane
from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import distributed
from msdepth_ros.networks.depth_network import HEADS
from msdepth_ros.recordings.frames import frames_without_depth
from msdepth_ros.rooms import from_fov
from msdepth_ros.rooms.output import random_frames, write_dataset
from msdepth_ros.training.batches import WeightedFrames
from msdepth_ros.training.config import Config, Source, Stage
from msdepth_ros.training.measured import MeasuredDepth, open_source, report_usable

_SEED = 23  # of rendered rooms


class TrainingData:
    """All frames of a configuration, in memory.

    Parameters
    ----------
    config : with the sources.
    folder : with the sources' dataset folders.
    out : the training's own folder, for rendered rooms.
    floors : find the floor in each frame's depth, for the floor head.

    Attributes
    ----------
    validation : held-out frames by source, with their borders.
    counts : number of frames in each folder, by source.

    Raises
    ------
    MsdepthError
        If a dataset cannot be used, a stage names an unknown source, or nothing is left to train
        on.
    """

    def __init__(self, config: Config, folder: Path, out: Path, floors: bool = False) -> None:
        self.validation: dict[str, list[Frame]] = {}
        self.counts: dict[str, list[int]] = {}
        self._sources = config.data.sources
        self._folders: dict[str, list[tuple[list[Frame], list[Frame]]]] = {}
        for name, source in self._sources.items():
            self._folders[name], self.counts[name] = [], []
            for part in source.folders:
                path = source.path(part, folder, out)
                if source.rendered:
                    render_once(path, source.rendered)
                self._read(name, source, path, config.data.cached_width, floors)
            if name not in self.validation:
                self._check_enough(name, source)
        # Errors in a late stage must be found now, not after the stages before it.
        if not all(map(self.in_stage, config.stages)):
            raise MsdepthError(
                'data: every source has weight 0, or is teacher_only in a stage without '
                '`distillation`, or measured in a stage of heads, so there is nothing to train on'
            )

    def _read(self, name: str, source: Source, path: Path, width: int, floors: bool) -> None:
        if source.teacher_only:
            images = frames_without_depth(path, None, source.intrinsics, width, source.every)
            self.counts[name].append(len(images))
            # Held-out images have no ground truth, only the teachers' predictions.
            kept, _ = split_in_blocks(len(images), source.blocks, source.validation_share)
            self._folders[name].append(([images[i] for i in kept], []))
            return
        with open_source(source, path) as dataset:
            self.counts[name].append(len(dataset))
            training, held_out = split_source(source, len(dataset))
            frames = _frames(dataset, training, held_out, path.name, width)
            if isinstance(dataset, MeasuredDepth):
                to_learn = [frames[i] for i in training]
                report_usable(name, dataset, to_learn, [frames[i] for i in held_out], path)
                training = [i for i in training if frames[i].depth.any()]
        if floors:
            frames = {index: with_floor(frame, source) for index, frame in frames.items()}
        if held_out:
            self.validation.setdefault(name, []).extend(frames[i] for i in held_out)
        inner = {index: mask_border(frame, source.border) for index, frame in frames.items()}
        self._folders[name].append(([inner[i] for i in training], [inner[i] for i in held_out]))

    def _check_enough(self, name: str, source: Source) -> None:
        """Refuse a source of one's own that should hold frames out, and has too few."""
        if source.validation_share and not (source.teacher_only or source.rendered):
            raise MsdepthError(
                f'{name} has {sum(self.counts[name])} frames, too few to hold any out to measure '
                f'on: some hundreds are a beginning; or lower `blocks` ({source.blocks}) and raise '
                f'validation_share ({source.validation_share:g})'
            )

    @property
    def frames(self) -> list[Frame]:
        """All training frames, with the sources' own weights."""
        return [frame for weighted in self.in_stage() for frame in weighted.frames]

    def in_stage(self, stage: Stage | None = None) -> list[WeightedFrames]:
        """Return the frames of a stage.

        Parameters
        ----------
        stage : None: with the sources' own weights.

        Raises
        ------
        MsdepthError
            If the stage names a source that is not used in it.
        """
        weights = {} if stage is None else stage.weights
        zooms = {} if stage is None else stage.zoom
        again = 0 if stage is None else stage.held_out
        heads = stage is not None and stage.trains == HEADS
        taught = stage is not None and stage.distillation > 0
        found: list[WeightedFrames] = []
        for name, source in self._sources.items():
            folders = [training + held_out * again for training, held_out in self._folders[name]]
            roots = [math.sqrt(len(frames)) for frames in folders]
            weight = weights.get(name, source.weight)
            if source.teacher_only and not taught:
                weight = 0.0  # without teachers these images cannot be used
            if source.measured is not None and heads:
                weight = 0.0  # aligned depth is too inexact for the heads
            found += [
                WeightedFrames(
                    frames,
                    weight * root / sum(roots),
                    source.border,
                    name,
                    zooms.get(name),
                    truth=not heads or source.teaches_confidence,
                )
                for frames, root in zip(folders, roots, strict=True)
                if frames and weight
            ]
        known = {each.source for each in found} | {n for n, w in weights.items() if w == 0}
        for key, names in (('weights', weights), ('zoom', zooms)):
            for name in names:
                if name not in known & set(self._sources):
                    raise MsdepthError(
                        f"stages: {key} names the source '{name}', but no such source is trained "
                        f'on in that stage: sources are {", ".join(self._sources)}'
                    )
        return found


def _frames(
    dataset: Dataset, training: Sequence[int], held_out: Sequence[int], title: str, width: int
) -> dict[int, Frame]:
    """Return some frames of a dataset by index, resized; read in order, as views need it."""
    to_learn = dataset.to_learn if isinstance(dataset, MeasuredDepth) else dataset.__getitem__
    kept = set(held_out)
    quiet = None if distributed.rank() == 0 else True
    frames = {}
    for index in tqdm(
        sorted([*training, *held_out]), desc=f'reading {title}', unit='image', disable=quiet
    ):
        frame = dataset[index] if index in kept else to_learn(index)
        frames[index] = frame.shrunk(width)
    return frames


def render_once(path: Path, count: int) -> None:
    """Render rooms to a dataset folder, unless it exists.

    Parameters
    ----------
    path : the dataset folder.
    count : number of frames: 320x240, 65 degrees wide, the same every time.
    """
    if distributed.rank() == 0 and not path.exists():
        begun = path.with_name(path.name + '.partial')
        frames = random_frames(from_fov(320, 240, 65), count, _SEED, samples=1)
        write_dataset(begun, tqdm(frames, desc='rendering rooms', total=count, disable=None))
        begun.rename(path)
    distributed.wait()


def split_source(source: Source, count: int) -> tuple[list[int], list[int]]:
    """Return the indices of a folder's frames for training, and of those held out."""
    kept = range(0, count, source.step(count))
    if not source.weight:
        return [], list(kept)
    training, held_out = split_in_blocks(len(kept), source.blocks, source.validation_share)
    return [kept[i] for i in training], [kept[i] for i in held_out]


def mask_border(frame: Frame, border: int) -> Frame:
    """Return the frame without depth within `border` pixels of its edge."""
    if not border:
        return frame
    depth = np.zeros_like(frame.depth)
    depth[border:-border, border:-border] = frame.depth[border:-border, border:-border]
    return dataclasses.replace(frame, depth=depth)


def with_floor(frame: Frame, source: Source) -> Frame:
    """Return the frame with the plane of its floor, found by what the source says about it."""
    if source.measured is not None:
        return frame  # aligned depth is not exact enough to find a plane in
    if not source.floor_seen:
        return dataclasses.replace(frame, floor=np.zeros(3))
    if source.camera_height is None:
        return frame
    return dataclasses.replace(frame, floor=floor_plane(frame, source.camera_height))


def consecutive(indices: Sequence[int], step: int) -> list[list[int]]:
    """Return ascending indices, divided where their difference is not `step`."""
    cuts = 1 + np.flatnonzero(np.diff(indices) != step)
    return [part.tolist() for part in np.split(np.array(indices, int), cuts) if len(part)]
