# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What other networks answer, as something to learn from beside the truth (Hinton et al. 2015).

A larger network generalises better from few frames, and its answers hold where a frame has no
depth and for views that no camera took.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import create_network
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.checkpoint import load_checkpoint, load_weights
from msdepth_ros.training.config import from_document


class DepthTeacher(nn.Module):
    """Answers, on one network's grid, what the mean of other networks' answers is.

    The others' inputs may have other sizes, of the same aspect: the student's image, as it was
    augmented, is resized for them.

    Parameters
    ----------
    student : whose images are shown, and whose grid is answered on.
    networks : whose answers count.

    """

    def __init__(self, student: DepthNetwork, networks: Sequence[DepthNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks).requires_grad_(False).eval()
        self._size = student.image_size
        self._grid = student.grid
        self._focal = student.focal

    def train(self, mode: bool = True) -> 'DepthTeacher':
        """Stay as it is: a teacher does not learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Return the mean log depth, float32 [N, 1, h, w] of the student's grid, metric for it.

        Parameters
        ----------
        image : float [N, 3, H, W] of the student's size, from `normalise`.

        """
        answers = [self._ask(network, image) for network in self.networks]
        return torch.stack(answers).mean(0)

    def _ask(self, network: nn.Module, image: Tensor) -> Tensor:
        assert isinstance(network, DepthNetwork)
        (width, height), (wide, high) = self._size, network.image_size
        if (width, height) != (wide, high):
            image = functional.interpolate(image, (high, wide), mode='bilinear', antialias=True)
        log_depth = network(image).float()
        # its focal length, of an image as wide as the student's
        log_depth = log_depth + math.log(self._focal / network.focal * wide / width)
        mine, its = self._grid, network.grid
        if (width, height, mine) == (wide, high, its):
            return log_depth
        places = []
        for axis, count in ((0, mine.width), (1, mine.height)):
            pixel = mine.origin[axis] + mine.step[axis] * torch.arange(count, device=image.device)
            share = (pixel + 0.5) / self._size[axis]
            cell = (share * network.image_size[axis] - 0.5 - its.origin[axis]) / its.step[axis]
            places.append(2 * cell / ((its.width, its.height)[axis] - 1) - 1)
        x, y = torch.meshgrid(*places, indexing='xy')
        where = torch.stack([x, y], -1).expand(len(image), -1, -1, -1)
        return functional.grid_sample(
            log_depth, where, 'bilinear', padding_mode='border', align_corners=True
        )


@dataclass(frozen=True)
class Teacher:
    """A network that was trained before.

    Attributes
    ----------
    network : with its averaged weights.
    facts : plain values: the name, the network's options and the data of its training, and the
        checkpoint's sha256.

    """

    network: DepthNetwork
    facts: dict[str, Any]


def load_teacher(path: Path) -> Teacher:
    """Return the network of a checkpoint of `msdepth train`.

    Raises
    ------
    MsdepthError : the checkpoint cannot be read, or does not say what network it is of.

    """
    saved = load_checkpoint(path)
    try:
        config = from_document(saved['config'], str(path))
    except KeyError as error:
        raise MsdepthError(f'{path} does not say which network it is of') from error
    options = dict(config.network)
    network = create_network(str(options.pop('name', config.name)), options)
    load_weights(network, saved['weights'], path)
    data = {
        name: {'description': source.description, 'licence': source.licence}
        for name, source in config.data.sources.items()
        if source.weight
    }
    facts = {
        'name': config.name,
        'network': dict(config.network),
        'data': data,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return Teacher(network, facts)


def check_aspect(teacher: DepthNetwork, student: DepthNetwork) -> None:
    """Refuse a teacher that would see the student's images stretched, by over a hundredth.

    Raises
    ------
    MsdepthError : its input has another aspect.

    """
    (wide, high), (width, height) = teacher.image_size, student.image_size
    if abs(wide * height / (high * width) - 1) > 0.01:
        raise MsdepthError(
            f'a teacher of {wide}x{high} pixels cannot teach a network of {width}x{height}: give '
            'it an input `size` of the same aspect'
        )
