# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What other networks answer, as something to learn from beside the truth (Hinton et al. 2015).

A larger network generalises better from few frames, and its predictions hold where a frame has no
depth and for views that no camera took.
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
    ModelAnswers,
    ModelTeacher,
    load_model_teacher,
)
from msdepth_ros.training.start import correction_in


class DepthTeacher(nn.Module):
    """Predicts, on one network's grid, the mean of what other networks predict.

    The others' inputs may have other sizes than the student's, of the same aspect. They are shown
    the same view with as many pixels as the largest of them takes, without the noise that is put
    on what the student sees; those that take fewer see it resized.

    Parameters
    ----------
    student : whose grid is answered on.
    networks : whose predictions count, at least one.

    Attributes
    ----------
    image_size : (width, height) of the images that they are shown.
    """

    def __init__(
        self, student: DepthNetwork, networks: Sequence[DepthNetwork | ModelTeacher]
    ) -> None:
        super().__init__()
        self.image_size = max(network.image_size for network in networks)
        answers = nn.ModuleList(
            ModelAnswers(student, network, self.image_size)
            if isinstance(network, ModelTeacher)
            else _OnGridOf(student, network, self.image_size)
            for network in networks
        )
        self.answers = answers.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'DepthTeacher':
        """Stay as it is: a teacher does not learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor, log_depth: Tensor, valid: Tensor, student: Tensor) -> Tensor:
        """Return the mean log depth, float32 [N, 1, h, w] of the student's grid, metric for it.

        It is NaN where no teacher has an answer.

        Parameters
        ----------
        image : float [N, 3, H, W] of `image_size`, from `normalise`.
        log_depth, valid : the truth; and
        student : the student's own answer: what teachers are fitted to that know no metres, see
            `teacher_alignment`.
        """
        answers = [answer(image, log_depth, valid, student) for answer in self.answers]
        return torch.stack(answers).nanmean(0)


class _OnGridOf(nn.Module):
    """One network's predictions for images of a size, on the student's grid and metric for it."""

    network: DepthNetwork
    places: Tensor | None

    def __init__(
        self, student: DepthNetwork, network: DepthNetwork, given: tuple[int, int]
    ) -> None:
        super().__init__()
        self.network = network
        size, its_size, its = student.image_size, network.image_size, network.grid
        self._resized = given != its_size
        # its focal length, of an image as wide as the student's
        self._nearer = math.log(student.focal / network.focal * its_size[0] / size[0])
        places = None
        if (size, student.grid) != (its_size, its):
            shares = (np.stack(student.grid.pixels(), -1) + 0.5) / size
            cells = (shares * its_size - 0.5 - its.origin) / its.step
            # as grid_sample counts them: from -1 at the first cell's centre to 1 at the last one's
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
    """A network that was trained before.

    Attributes
    ----------
    network : with its averaged weights; or a model file.
    metadata : plain values: the name, the network's options and the data of its training, and the
        checkpoint's sha256.
    """

    network: DepthNetwork | ModelTeacher
    metadata: dict[str, Any]


def load_teacher(path: Path) -> Teacher:
    """Return the network of a checkpoint of `msdepth train`, or of any model file.

    Raises
    ------
    MsdepthError
        If the file cannot be read, or a checkpoint does not say what network it is of.
    """
    if path.suffix in SUFFIXES:
        return Teacher(*load_model_teacher(path))
    saved = load_checkpoint(path)
    try:
        config = from_document(saved['config'], str(path))
    except KeyError as error:
        raise MsdepthError(f'{path} does not say which network it is of') from error
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
    """Refuse a teacher that would see the student's images stretched, by over a hundredth.

    Raises
    ------
    MsdepthError
        If its input has another aspect.
    """
    (wide, high), (width, height) = teacher.image_size, student.image_size
    if abs(wide * height / (high * width) - 1) > 0.01:
        raise MsdepthError(
            f'a teacher of {wide}x{high} pixels cannot teach a network of {width}x{height}: give '
            'it an input `size` of the same aspect'
        )
