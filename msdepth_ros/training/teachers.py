# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers: other networks whose predictions are learned, too (Hinton et al. 2015).

A larger network generalises better from few frames. It also predicts depth where a frame has no
ground truth, and for views that no camera took.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import create_network
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.checkpoint import load_checkpoint, load_weights
from msdepth_ros.training.config import from_document
from msdepth_ros.training.model_teacher import (
    SUFFIXES,
    ModelPredictions,
    ModelTeacher,
    load_model_teacher,
)
from msdepth_ros.training.start import correction_in


class DepthTeacher(nn.Module):
    """The mean prediction of one or more networks, on the student's grid.

    The teachers' inputs may have other sizes than the student's, of the same aspect ratio. The
    teacher image has the size of the largest; for smaller ones it is resized. It is the student's
    view without the changes of colour and noise.

    Parameters
    ----------
    student : whose grid is used.
    networks : the teachers, at least one.

    Attributes
    ----------
    image_size : (width, height) of the teacher image.
    """

    def __init__(
        self, student: DepthNetwork, networks: Sequence[DepthNetwork | ModelTeacher]
    ) -> None:
        super().__init__()
        self.image_size = max(network.image_size for network in networks)
        teachers = nn.ModuleList(
            ModelPredictions(student, network, self.image_size)
            if isinstance(network, ModelTeacher)
            else _OnGridOf(student, network, self.image_size)
            for network in networks
        )
        self.teachers = teachers.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'DepthTeacher':
        """Stay in evaluation mode: teachers are not trained."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor, log_depth: Tensor, valid: Tensor, student: Tensor) -> Tensor:
        """Return the mean log depth, float32 [N, 1, h, w], on the student's grid in its metres.

        It is NaN where no teacher has a prediction.

        Parameters
        ----------
        image : float [N, 3, H, W] of `image_size`, from `normalise`.
        log_depth, valid : the ground truth, float32 and bool [N, 1, h, w].
        student : the student's own prediction, float32 [N, 1, h, w]. Teachers that are not metric
            are fitted to these three, see `teacher_alignment`.
        """
        predicted = [teacher(image, log_depth, valid, student) for teacher in self.teachers]
        return torch.stack(predicted).nanmean(0)


class _OnGridOf(nn.Module):
    """One network's predictions for images of one size, on the student's grid, in its metres."""

    network: DepthNetwork
    places: Tensor | None

    def __init__(
        self, student: DepthNetwork, network: DepthNetwork, given: tuple[int, int]
    ) -> None:
        super().__init__()
        self.network = network
        size, its_size, its = student.image_size, network.image_size, network.grid
        self._resized = given != its_size
        # The focal lengths of images of the same width are compared.
        self._nearer = math.log(student.focal / network.focal * its_size[0] / size[0])
        places = None
        if (size, student.grid) != (its_size, its):
            shares = (np.stack(student.grid.pixels(), -1) + 0.5) / size
            cells = (shares * its_size - 0.5 - its.origin) / its.step
            # In the coordinates of grid_sample: -1 at the first cell's centre, 1 at the last one's.
            places = torch.from_numpy(2 * cells / (its.width - 1, its.height - 1) - 1).float()
        self.register_buffer('places', places)

    def forward(self, image: Tensor, *_: Tensor) -> Tensor:
        if self._resized:
            width, height = self.network.image_size
            image = functional.interpolate(image, (height, width), mode='bilinear', antialias=True)
        log_depth = self.network(image).float() + self._nearer
        if self.places is None:
            return log_depth
        return functional.grid_sample(
            log_depth,
            self.places.expand(len(image), -1, -1, -1),
            'bilinear',
            padding_mode='border',
            align_corners=True,
        )


@dataclass(frozen=True)
class Teacher:
    """A teacher and its metadata.

    Attributes
    ----------
    network : with its averaged weights; or a model file.
    metadata : plain values: the name, the network's options, the data of its training, and the
        file's sha256.
    """

    network: DepthNetwork | ModelTeacher
    metadata: dict[str, Any]


def load_teacher(path: Path) -> Teacher:
    """Return the network of a checkpoint of `msdepth train`, or of any model file.

    Raises
    ------
    MsdepthError
        If the file cannot be read, or a checkpoint has no configuration.
    """
    if path.suffix in SUFFIXES:
        return Teacher(*load_model_teacher(path))
    saved = load_checkpoint(path)
    try:
        config = from_document(saved['config'], str(path))
    except KeyError as error:
        raise MsdepthError(
            f'{path} does not say which network it is of: give a checkpoint of `msdepth train`'
        ) from error
    options = dict(config.network)
    network = create_network(str(options.pop('name', config.name)), options)
    load_weights(network, saved['weights'], path)
    network.correction = correction_in(saved)
    data = {
        name: {'description': source.description, 'licence': source.licence}
        for name, source in config.data.sources.items()
        if source.weight
    }
    metadata = {
        'name': config.name,
        'network': dict(config.network),
        'data': data,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return Teacher(network, metadata)


def check_aspect(teacher: DepthNetwork | ModelTeacher, student: DepthNetwork) -> None:
    """Check that a teacher would not see stretched images.

    Raises
    ------
    MsdepthError
        If the aspect ratios of the inputs differ by more than 1 %.
    """
    (wide, high), (width, height) = teacher.image_size, student.image_size
    if abs(wide * height / (high * width) - 1) > 0.01:
        raise MsdepthError(
            f'a teacher of {wide}x{high} pixels cannot teach a network of {width}x{height}: give '
            'it an input `size` of the same aspect ratio'
        )
