# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The log of a training: lines of JSON, TensorBoard, and sheets of pictures."""

import errno
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.tensorboard import SummaryWriter

from msdepth_ros.errors import MsdepthError

LOG = 'log.jsonl'
_SHEETS = 5  # number of sheets that are kept as files
_ROOM = 16 << 20  # least free bytes on the disk
_STEPS = 50  # between points of the loss in TensorBoard


class TrainingLog:
    """Writes the log of one run.

    In all methods, `images` is counted from the beginning of the training, over all stages.

    Parameters
    ----------
    out : an existing folder, for `log.jsonl`, `tensorboard/` and `sheets/`.
    images : number of images at the checkpoint that the run continues; TensorBoard removes later
        points.
    """

    def __init__(self, out: Path, images: int) -> None:
        self._out = out
        self._losses: dict[str, list[float]] = defaultdict(list)
        self._steps = 0
        self._clock = (time.perf_counter(), images)
        with self._explained():
            self._check_room()
            self._board = SummaryWriter(str(out / 'tensorboard'), purge_step=images + 1)

    def close(self) -> None:
        """Write what is not yet written, if the disk has space."""
        with suppress(OSError):
            self._board.close()

    def step(self, images: int, losses: Mapping[str, float], rate: float) -> None:
        """Record a step: the terms of its loss and its learning rate."""
        for name, value in losses.items():
            self._losses[name].append(value)
        self._steps += 1
        if self._steps % _STEPS == 0:
            self._point(images, rate)

    def _point(self, images: int, rate: float) -> None:
        """Write the mean loss since the last point, the rate and the speed to TensorBoard."""
        now, (before, seen) = time.perf_counter(), self._clock
        self._clock = (now, images)
        with self._explained():
            for name, values in self._losses.items():
                self._board.add_scalar(f'loss/{name}', np.mean(values[-_STEPS:]), images)
            self._board.add_scalar('learning_rate', rate, images)
            self._board.add_scalar('images_per_second', (images - seen) / (now - before), images)

    def validated(
        self,
        images: int,
        line: Mapping[str, Any],
        tables: Mapping[str, Mapping[str, float]],
        sheet: np.ndarray | None,
    ) -> str:
        """Record a validation and return its line of `log.jsonl`.

        Parameters
        ----------
        line : the first entries of the line.
        tables : errors by source.
        sheet : uint8 [H, W, 3] BGR, from `draw_sheet`; None: no sheet.

        Raises
        ------
        MsdepthError
            If the disk is full.
        """
        losses = {name: round(float(np.mean(values)), 5) for name, values in self._losses.items()}
        validation = {
            source: {name: round(value, 4) for name, value in table.items()}
            for source, table in tables.items()
        }
        text = json.dumps({**line, 'loss': losses, 'validation': validation})
        self._losses.clear()
        with self._explained():
            self._check_room()
            with (self._out / LOG).open('a', encoding='utf-8') as file:
                file.write(text + '\n')
            for source, table in tables.items():
                for name, value in table.items():
                    self._board.add_scalar(f'{name}/{source}', value, images)
            if sheet is not None:
                self._keep(sheet, images)
            self._board.flush()
        self._clock = (time.perf_counter(), images)
        return text

    def _keep(self, sheet: np.ndarray, images: int) -> None:
        """Write a sheet to TensorBoard and to a file, and delete old files."""
        self._board.add_image('sheet', sheet[..., ::-1].copy(), images, dataformats='HWC')
        folder = self._out / 'sheets'
        folder.mkdir(exist_ok=True)
        picture = cv2.imencode('.png', sheet)[1].tobytes()
        (folder / f'sheet_{images:09}.png').write_bytes(picture)
        for old in sorted(folder.glob('sheet_*.png'))[:-_SHEETS]:
            old.unlink()

    def _check_room(self) -> None:
        """Raise OSError on a full disk, before TensorBoard's thread fails with a traceback."""
        if shutil.disk_usage(self._out).free < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MsdepthError(
                f'cannot write the log in {self._out}: {error}; the last checkpoint is kept. Free '
                'some space, then continue with --resume'
            ) from error
