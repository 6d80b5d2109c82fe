# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The initial weights of a training: given ones, published ones, or computed from the images.

With random weights and ReLUs, the output is nearly the same for every image, and a network without
normalisation hardly learns from a small training set. A better start has two steps, layer by layer
(Kraehenbuehl et al. 2016, "Data-dependent initializations of convolutional neural networks").
Filters are set to the centres of clusters of whitened patches of the layer's input (Coates and Ng
2012). Then every channel is scaled to zero mean and unit standard deviation, as batch normalisation
does.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from msdepth_ros.datasets import Frame
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.metrics import mean_log_depth
from msdepth_ros.extras import require
from msdepth_ros.inference.model import load_model
from msdepth_ros.networks.correction import Correction
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.heads import PREFIX
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import prepare, stack_views
from msdepth_ros.training.checkpoint import (
    load_checkpoint,
    load_weights,
    mean_weights,
    metadata_of_checkpoint,
)

_SAMPLE = 96  # largest number of frames for a start from images
_PATCHES = 100  # least number of patches of each image
_ROUNDS = 10


def weights_path(text: str) -> Path:
    """Return the file of weights for a path or the name of a model.

    Raises
    ------
    MsdepthError
        If there is no such model.
    """
    path = Path(text)
    return path if path.suffix in ('.pt', '.onnx') else load_model(text).onnx


def metadata_of(path: Path) -> dict[str, Any]:
    """Return the metadata of weights to start from: plain values, without the weights.

    For a checkpoint see `metadata_of_checkpoint`; for an exported ONNX file it is its hash and, as
    `model`, the YAML beside it.

    Raises
    ------
    MsdepthError
        If the file is missing or damaged.
    """
    if path.suffix != '.onnx':
        return metadata_of_checkpoint(path)
    try:
        metadata = {'file': path.name, 'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
        beside = path.with_suffix('.yaml')
        document = yaml.safe_load(beside.read_text(encoding='utf-8')) if beside.exists() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise MsdepthError(f'cannot start from {path}: {error}') from error
    return {**metadata, 'model': document} if isinstance(document, dict) else metadata


def correction_in(metadata: dict[str, Any]) -> Correction:
    """Return the correction in the metadata of weights, see `metadata_of`."""
    known = metadata.get('correction') or metadata.get('model', {}).get('correction') or {}
    terms = ('slope', 'offset', 'spread')
    return Correction(**{name: float(known[name]) for name in terms if name in known})


def start_from_weights(network: DepthNetwork, paths: Sequence[Path]) -> None:
    """Load the mean of the weights in checkpoints or exported ONNX files into a network.

    Heads that the files lack are unchanged; heads that the network lacks are ignored.

    Raises
    ------
    MsdepthError
        If a file cannot be read, is of another network, or the corrections differ.
    """
    own = network.state_dict()
    corrections = {correction_in(metadata_of(path)) for path in paths}
    if len(corrections) > 1:
        raise MsdepthError('the weights to start from have different corrections: give one alone')
    found = []
    for path in paths:
        weights = _weights_in(network, path)
        heads = {name for name in (own.keys() ^ weights.keys()) if name.startswith(PREFIX)}
        kept = {name: value for name, value in weights.items() if name not in heads}
        kept.update({name: own[name].cpu() for name in heads if name in own})
        load_weights(network, kept, path)
        found.append(kept)
    load_weights(network, mean_weights(found), paths[-1])
    (network.correction,) = corrections


def _weights_in(network: DepthNetwork, path: Path) -> dict[str, Any]:
    if path.suffix != '.onnx':
        weights: dict[str, Any] = load_checkpoint(path)['weights']
        return weights
    if network.folded() is not network:
        raise MsdepthError(
            f"{path} has its normalisations folded into the convolutions: add 'normalised: "
            "false' to the configuration's network"
        )
    require('onnx')
    from msdepth_ros.networks.export import weights_of

    return weights_of(path)


def start_from_data(
    network: DepthNetwork, frames: Sequence[Frame], maker: ViewMaker, device: torch.device
) -> None:
    """Initialise a network: published weights, the mean depth map, and filters from the images."""
    network.load_pretrained()
    views = map(maker.whole, frames)
    mean = mean_log_depth((view.log_depth, view.valid) for view in views)
    network.set_mean_log_depth(torch.from_numpy(mean).to(device))
    if layers := network.plain_layers():
        sample = frames[:: 1 + len(frames) // _SAMPLE]
        image = prepare(stack_views([maker.whole(frame) for frame in sample]).image, device)
        network.eval()
        initialise_from_data(layers, lambda: network(image))


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
    """Rescale a layer so that each channel of its output has mean 0 and standard deviation 1."""
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    assert layer.bias is not None
    channels = output.transpose(0, 1).flatten(1)
    mean, deviation = channels.mean(dim=1), channels.std(dim=1).clamp(min=1e-6)
    layer.weight.div_(deviation.view(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias.sub_(mean).div_(deviation)
    shape = [-1, *[1] * (output.ndim - 2)]
    return (output - mean.view(shape)) / deviation.view(shape)


def cluster_filters(patches: Tensor, count: int) -> Tensor:
    """Return filters that distinguish patches: the centres of spherical k-means after whitening.

    Parameters
    ----------
    patches : float [N, size], several times as many as filters.
    count : number of filters.

    Returns
    -------
    float [count, size]; a filter has the largest product with the patches of its cluster.
    """
    centred = patches - patches.mean(dim=0)
    directions = min(count, *patches.shape)  # further directions are mostly noise
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
    """Return random patches of a layer's input, float [N, size]."""
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
