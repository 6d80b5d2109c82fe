# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A start for networks without batch normalisation, from the images that they will see.

Random weights followed by ReLUs answer nearly the same for every image, and such a network hardly
learns from a small training set. Two steps, layer by layer, make a better start (Kraehenbuehl et
al. 2016, "Data-dependent initializations of convolutional neural networks"): filters become the
centres of clusters of whitened patches of the layer's own input (Coates and Ng 2012), and every
channel is scaled to zero mean and unit deviation, as batch normalisation would.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

_PATCHES = 100  # of each image, at least
_ROUNDS = 10


@torch.no_grad()
def initialise_from_data(
    layers: Iterable[nn.Conv2d | nn.Linear], run: Callable[[], object]
) -> None:
    """Set the layers' weights and biases.

    Parameters
    ----------
    layers : those to set; a full layer keeps its weights' directions.
    run : runs the network once on a sample of images, some dozens at least.

    """
    handles: list[RemovableHandle] = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            handles.append(layer.register_forward_pre_hook(_set_filters))
        handles.append(layer.register_forward_hook(_standardise))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()


def _set_filters(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(layer, nn.Conv2d)
    filters = cluster_filters(_patches(layer, inputs[0]), len(layer.weight))
    layer.weight.copy_(filters.view_as(layer.weight))


def _standardise(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Rescale a layer so that its output has zero mean and unit deviation per channel."""
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    assert layer.bias is not None
    channels = output.transpose(0, 1).flatten(1)
    mean, deviation = channels.mean(dim=1), channels.std(dim=1).clamp(min=1e-6)
    layer.weight.div_(deviation.view(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias.sub_(mean).div_(deviation)
    shape = [-1, *[1] * (output.ndim - 2)]
    return (output - mean.view(shape)) / deviation.view(shape)


def cluster_filters(patches: Tensor, count: int) -> Tensor:
    """Return filters that tell patches apart: centres of spherical k-means after whitening.

    Parameters
    ----------
    patches : float [N, size], several times as many as filters.
    count : filters wanted.

    Returns
    -------
    float [count, size]; a filter's product with a patch is largest for patches of its cluster.

    """
    centred = patches - patches.mean(dim=0)
    directions = min(count, *patches.shape)  # the others are noise, mostly
    _, spread, basis = torch.pca_lowrank(centred, q=directions, center=False, niter=1)
    deviation = spread / len(patches) ** 0.5
    whiten = basis / (deviation + 0.5 * deviation.mean())
    points = functional.normalize(centred @ whiten)
    centres = points[torch.randperm(len(points), device=points.device)[:count]]
    for _ in range(_ROUNDS):
        nearest = (points @ centres.T).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        filled = sums.norm(dim=1) > 0
        centres = torch.where(filled[:, None], functional.normalize(sums), centres)
    return centres @ whiten.T


def _patches(layer: nn.Conv2d, value: Tensor) -> Tensor:
    """Return random patches of a layer's input, as it sees them: float [N, size]."""
    assert not isinstance(layer.padding, str)
    each = max(_PATCHES, -(-4 * len(layer.weight) // len(value)))
    kept = []
    for image in value.float():
        columns = functional.unfold(
            image[None], layer.weight.shape[-2:], padding=layer.padding, stride=layer.stride
        )[0].T
        places = torch.randint(len(columns), (each,), device=value.device)
        kept.append(columns[places])
    return torch.cat(kept)
