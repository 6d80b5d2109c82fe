# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model file as a teacher: any network that the node can run, also an adopted one."""

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

SUFFIXES = ('.yaml', '.yml', '.onnx')  # of model files; other files are checkpoints
_SURE = 0.99  # least interpolation weight of valid cells


class ModelTeacher(nn.Module):
    """Predicts with a model file, one image at a time.

    It runs on ONNX Runtime, on a GPU if its CUDA provider is installed.

    Parameters
    ----------
    model : the model file.

    Attributes
    ----------
    kind : the model's `metric`.
    image_size, focal, grid : as in DepthNetwork; a focal length of 0 means any.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.kind = model.metric
        self.image_size, self.focal = model.input_size, model.focal
        self.grid = Grid(*model.output_size, model.grid_origin, model.grid_step)
        self._backend: Backend | None = None

    def forward(self, image: Tensor, focal: float) -> Tensor:
        """Return the predictions, float32 [N, 1, h, w], NaN where there is none.

        They are log depth at the model's own focal length; inverse depth if that is affine.

        Parameters
        ----------
        image : float [N, 3, H, W] of `image_size`, from `normalise`.
        focal : focal length in pixels of these images.
        """
        pixels = denormalise(image).cpu().numpy()
        predicted = [self._predict(each, focal) for each in pixels]
        return torch.from_numpy(np.stack(predicted))[:, None].to(image.device)

    def _predict(self, pixels: np.ndarray, focal: float) -> np.ndarray:
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

    def _in_its_quantity(self, output: np.ndarray) -> np.ndarray:
        """Return the network's output as log depth, or as inverse depth if that is affine."""
        with np.errstate(all='ignore'):
            if self.kind == 'affine':
                found = output if self.model.quantity == 'inverse_depth' else 1 / output
            elif self.model.quantity == 'log_depth':
                found = output
            else:
                sign = -1 if self.model.quantity == 'inverse_depth' else 1
                found = sign * np.log(output)
            return np.where(np.isfinite(found), found, np.nan).astype(np.float32)


class ModelPredictions(nn.Module):
    """A model file's predictions for images of one size, on the student's grid, in its metres."""

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
        """Return log depth, float32 [N, 1, h, w], NaN where it must not be learned.

        Parameters
        ----------
        image : float [N, 3, H, W] of the given size, from `normalise`.
        log_depth, valid : the ground truth on the student's grid, float32 and bool [N, 1, h, w].
        student : its own log depth, float32 [N, 1, h, w], see `teacher_alignment`.
        """
        if self._resized:
            width, height = self.teacher.image_size
            image = functional.interpolate(image, (height, width), mode='bilinear', antialias=True)
        predicted = self._on_the_grid(self.teacher(image.float(), self._focal))
        if self.teacher.kind in ('scale', 'affine'):
            return aligned(predicted, self.teacher.kind, log_depth, valid, student)
        return predicted + self._nearer

    def _on_the_grid(self, predicted: Tensor) -> Tensor:
        """Return the predictions at the student's cells, NaN if a part of a cell has none."""
        known = torch.isfinite(predicted)
        zeros = torch.zeros_like(predicted)
        both = torch.cat([torch.where(known, predicted, zeros), known.float()], 1)
        sampled = functional.grid_sample(
            both,
            self.places.expand(len(predicted), -1, -1, -1),
            'bilinear',
            padding_mode='border',
            align_corners=True,
        )
        values, share = sampled[:, :1], sampled[:, 1:]
        return torch.where(share >= _SURE, values, torch.full_like(values, math.nan))


def load_model_teacher(path: Path) -> tuple[ModelTeacher, dict[str, Any]]:
    """Return a model file as a teacher, and its metadata.

    Raises
    ------
    ModelError
        If the model file cannot be used.
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
