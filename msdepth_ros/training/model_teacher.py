# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model file as a teacher: any network that the node can run, somebody else's too."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.inference.backends import Backend, create_backend
from msdepth_ros.inference.model import DEPTH, IMAGE, INTRINSICS, Model, load_model
from msdepth_ros.networks.depth_network import DepthNetwork, denormalise
from msdepth_ros.training.teacher_alignment import aligned

SUFFIXES = ('.yaml', '.yml', '.onnx')  # of model files, by which they are told from checkpoints
_SURE = 0.99  # share of a cell's surroundings that must have a depth


class ModelTeacher(nn.Module):
    """Answers with the log depth of a model file, on the student's grid and metric for it.

    It runs on ONNX Runtime, on a GPU where its CUDA provider is installed, an image at a time.

    Parameters
    ----------
    model : the model file.

    Attributes
    ----------
    image_size, focal, grid : as a DepthNetwork has them; a focal length of 0 is any.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.kind = model.metric
        self.image_size, self.focal = model.input_size, model.focal
        self.grid = Grid(*model.output_size, model.grid_origin, model.grid_step)
        self._backend: Backend | None = None

    def forward(self, image: Tensor, focal: float) -> Tensor:
        """Return the network's answers, float32 [N, 1, h, w], NaN where it gives none.

        Log depth at the model's own focal length; inverse depth where that is affine.

        Parameters
        ----------
        image : float [N, 3, H, W] of `image_size`, from `normalise`.
        focal : focal length in pixels of these images.
        """
        pixels = denormalise(image).cpu().numpy()
        answers = [self._answer(each, focal) for each in pixels]
        return torch.from_numpy(np.stack(answers))[:, None].to(image.device)

    def _answer(self, pixels: np.ndarray, focal: float) -> np.ndarray:
        if self._backend is None:
            self._backend = create_backend(self.model, 'onnxruntime', precision='fp32')
        inputs = self._backend.inputs
        inputs[IMAGE][:] = pixels if self.model.channels == 'rgb' else pixels[..., ::-1]
        if INTRINSICS in inputs:
            width, height = self.image_size
            centre = (width - 1) / 2, (height - 1) / 2
            inputs[INTRINSICS][:] = Intrinsics(width, height, focal, focal, *centre).matrix()
        self._backend.run()
        return self._in_its_quantity(self._backend.outputs[DEPTH])

    def _in_its_quantity(self, answer: np.ndarray) -> np.ndarray:
        """Return log depth; inverse depth as it is where only that is affine."""
        with np.errstate(all='ignore'):
            if self.kind == 'affine':
                found = answer if self.model.quantity == 'inverse_depth' else 1 / answer
            elif self.model.quantity == 'log_depth':
                found = answer
            else:
                sign = -1 if self.model.quantity == 'inverse_depth' else 1
                found = sign * np.log(answer)
            return np.where(np.isfinite(found), found, np.nan).astype(np.float32)


class ModelAnswers(nn.Module):
    """A model file's answers to images of a size, on the student's grid and metric for it."""

    places: Tensor

    def __init__(
        self, student: DepthNetwork, teacher: ModelTeacher, given: tuple[int, int]
    ) -> None:
        super().__init__()
        self.teacher = teacher
        size, its_size, its = student.image_size, teacher.image_size, teacher.grid
        self._resized = given != its_size
        self._focal = student.focal * its_size[0] / size[0]
        self._nearer = math.log(self._focal / teacher.focal) if teacher.focal > 0 else 0.0
        shares = (np.stack(student.grid.pixels(), -1) + 0.5) / size
        cells = (shares * its_size - 0.5 - its.origin) / its.step
        places = torch.from_numpy(2 * cells / (its.width - 1, its.height - 1) - 1).float()
        self.register_buffer('places', places)

    def forward(self, image: Tensor, log_depth: Tensor, valid: Tensor, student: Tensor) -> Tensor:
        """Return log depth, float32 [N, 1, h, w], NaN where it is not to be learned.

        Parameters
        ----------
        image : float [N, 3, H, W] of the given size, from `normalise`.
        log_depth, valid : the truth on the student's grid.
        student : its own log depth, see `teacher_alignment`.
        """
        if self._resized:
            width, height = self.teacher.image_size
            image = functional.interpolate(image, (height, width), mode='bilinear', antialias=True)
        answer = self._on_the_grid(self.teacher(image.float(), self._focal))
        if self.teacher.kind in ('scale', 'affine'):
            return aligned(answer, self.teacher.kind, log_depth, valid, student)
        return answer + self._nearer

    def _on_the_grid(self, answer: Tensor) -> Tensor:
        """Return the answers at the student's cells, NaN where a part of one is not known."""
        known = torch.isfinite(answer)
        both = torch.cat([torch.where(known, answer, torch.zeros_like(answer)), known.float()], 1)
        sampled = functional.grid_sample(
            both,
            self.places.expand(len(answer), -1, -1, -1),
            'bilinear',
            padding_mode='border',
            align_corners=True,
        )
        values, share = sampled[:, :1], sampled[:, 1:]
        return torch.where(share >= _SURE, values, torch.full_like(values, math.nan))


def load_model_teacher(path: Path) -> tuple[ModelTeacher, dict[str, Any]]:
    """Return a model file as a teacher, and what is known of it.

    Raises
    ------
    ModelError
        If the model file is not usable.
    """
    model = load_model(path)
    document = model.document
    metadata = {
        'name': model.name,
        'license': str(document.get('license', 'unknown')),
        'metric': str(document.get('metric', 'metric')),
        'sha256': hashlib.sha256(model.read_onnx()).hexdigest(),
    }
    if 'adopted' in document:
        metadata['adopted_from'] = str(document['adopted'].get('from', ''))
    return ModelTeacher(model), metadata
