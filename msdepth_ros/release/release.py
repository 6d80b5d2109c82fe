# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From trainings' checkpoints to a model file that says how good it is and what it is made of."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from msdepth_ros.datasets import Dataset, Frame, JoinedDatasets, open_dataset
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.evaluation import Evaluation, evaluate, rounded
from msdepth_ros.evaluation.metrics import Errors
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.export import Correction, add_knowledge, to_onnx, write_model
from msdepth_ros.networks.quantisation import quantise
from msdepth_ros.release.correction import Fit, fit_correction
from msdepth_ros.release.runs import Run, held_out_but_known, knowledge_of
from msdepth_ros.training.checkpoint import load_weights, mean_weights
from msdepth_ros.training.config import Source
from msdepth_ros.training.trainer import create_network_of, inside, split_source

_CALIBRATION_IMAGES = 100
_MEASURED_ON = (
    'frames held out of training, and looked at while it was designed; not the official test split'
)
_MEASURED_BEFORE = (
    'frames held out of all stages but the last, with the weights before it: what ships learned '
    'from them too. They were looked at while it was designed; not the official test split'
)
_FITTED_ON = 'the frames that are measured below, with the weights that are measured'


@dataclass(frozen=True)
class Release:
    """A model file, and its errors on each source of which frames were held out.

    `correction` is what its correction is worth, see `Fit.errors`.
    """

    path: Path
    errors: dict[str, Evaluation]
    correction: Mapping[str, Mapping[str, Errors]]


@dataclass(frozen=True)
class Part:
    """A source's frames: indices of those trained on, and blocks of those held out.

    `known` of those held out had been learned by the weights that the training began from;
    `border` pixels along their edges hold no scene.
    """

    dataset: Dataset
    training: list[int]
    blocks: list[list[int]]
    known: int
    border: int

    @classmethod
    def of(cls, source: Source, data: Path, begun_from: Sequence[dict[str, Any]]) -> 'Part':
        """Open a source's folders, and split them as the training did that began from weights."""
        datasets = {
            folder: open_dataset(data / folder, source.intrinsics, split=source.split)
            for folder in source.folders
        }
        training: list[int] = []
        blocks: list[list[int]] = []
        known = start = 0
        for folder, dataset in datasets.items():
            learned, kept = split_source(source, len(dataset))
            training += [start + index for index in learned]
            blocks += _consecutive([start + index for index in kept], source.every)
            known += len(held_out_but_known(begun_from, source, folder, len(dataset)))
            start += len(dataset)
        return cls(JoinedDatasets(datasets), training, blocks, known, source.border)

    @property
    def crop(self) -> str:
        """Return the crop that errors are measured in: the paper's for a Kinect's images."""
        size = self.dataset.intrinsics.width, self.dataset.intrinsics.height
        return 'eigen' if size == (640, 480) and self.training else 'none'

    @property
    def held_out(self) -> list[int]:
        """Return the indices of the frames that were held out."""
        return [index for block in self.blocks for index in block]

    def held_out_frames(self) -> list[Iterator[Frame]]:
        """Return the blocks of held-out frames, each read when its turn comes, as in training."""
        return [
            (inside(self.dataset[index], self.border) for index in block) for block in self.blocks
        ]

    def measure(self, model: Model, precision: str) -> Evaluation:
        """Return the errors on the frames that were held out."""
        return evaluate(model, self.dataset, self.held_out, self.crop, precision=precision)


def release(
    folders: Sequence[Path],
    data: Path,
    out: Path,
    name: str | None,
    int8: bool = False,
    correct: bool = False,
    spread: float = 0.0,
) -> Release:
    """Export a training's averaged weights, measure them on what was held out, write both.

    After a last stage that learned from the held-out frames too, the weights before that stage are
    measured. Of several trainings that went on from the same weights, the mean of their weights is
    exported, which is often better than each of them (Wortsman et al. 2022, "Model soups").

    Parameters
    ----------
    folders : a checkpoint lies in each of them; they are of one network and the same data.
    data : the folder that the training was given; what it held out is measured.
    out : folder for `<name>.onnx` and `<name>.yaml`.
    name : the model's; None: the configuration's.
    int8 : also write `<name>.int8.onnx`, calibrated on frames that were trained on.
    correct : let the files correct their answers as `fit_correction` does on what was held out.
    spread : of that correction.

    Raises
    ------
    MsdepthError : there is no usable checkpoint or dataset, nothing was held out, the trainings do
        not fit each other, or there is no correction.

    """
    runs = [Run.of(folder) for folder in folders]
    config = runs[0].config
    name = name or config.name
    begun_from = [facts for run in runs for facts in run.begun_from]
    parts = {
        name: Part.of(source, data, begun_from) for name, source in config.data.sources.items()
    }
    held_out = {name: part for name, part in parts.items() if part.held_out}
    if not held_out:
        raise MsdepthError(
            f'{folders[0]}: nothing was held out, so nothing tells how good the model is'
        )
    knowledge = knowledge_of(runs)

    def network_of(weights: Sequence[dict[str, Tensor]]) -> DepthNetwork:
        network = create_network_of(config)
        load_weights(network, mean_weights(weights), runs[0].path)
        return network.eval()

    ships = before = network_of([run.weights for run in runs])
    last = any(run.learned_all for run in runs)
    if last:
        before = network_of([run.measurable for run in runs])
    fit = Fit(Correction(), {})
    if correct:
        frames = {name: part.held_out_frames() for name, part in held_out.items()}
        fit = fit_correction(before, frames, spread)
        said: dict[str, Any] = {**vars(fit.correction), 'fitted_on': _FITTED_ON}
        if fit.errors:
            said['at_cells'] = {
                name: {how: rounded(errors) for how, errors in each.items()}
                for name, each in fit.errors.items()
            }
        knowledge['correction'] = said

    def write(folder: Path, network: DepthNetwork) -> tuple[Path, dict[str, Any]]:
        """Return the model's YAML and what is known of its int8 file."""
        path = write_model(network, name, folder, config.depth_range, knowledge, fit.correction)
        if not int8:
            return path, {}
        images = _calibration_images(load_model(path), list(parts.values()))
        about_int8 = _write_int8(network, fit.correction, load_model(path), images)
        add_knowledge(path, {'int8': about_int8})
        return path, about_int8

    path, about_int8 = write(out, ships)
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(write(Path(folder), before)[0] if last else path)
        errors = {name: part.measure(model, 'fp32') for name, part in held_out.items()}
        measured = {
            'on': (_MEASURED_BEFORE if last else _MEASURED_ON) + _known(held_out),
            'scaling': 'none: depths are metric',
            **{name: {'crop': held_out[name].crop, **e.document()} for name, e in errors.items()},
        }
        if int8:
            about_int8['measured'] = {
                name: part.measure(model, 'auto').document() for name, part in held_out.items()
            }
            add_knowledge(path, {'int8': about_int8})
    add_knowledge(path, {'measured': measured})
    return Release(path, errors, fit.errors)


def _consecutive(indices: Sequence[int], step: int) -> list[list[int]]:
    """Return ascending indices cut where they do not follow each other by a step."""
    cuts = 1 + np.flatnonzero(np.diff(indices) != step)
    return [part.tolist() for part in np.split(np.array(indices, int), cuts) if len(part)]


def _known(held_out: Mapping[str, Part]) -> str:
    """Return what to say of held-out frames that the weights before had learned."""
    known = {name: part.known for name, part in held_out.items() if part.known}
    if not known:
        return ''
    counts = ', '.join(f'{count} of {name}' for name, count in known.items())
    return f'. The weights it began from had learned from {counts}: their errors look too good'


def _calibration_images(model: Model, parts: Sequence[Part]) -> list[np.ndarray]:
    """Return network inputs, uint8 [H, W, 3], of frames that were trained on, of every source."""
    width, height = model.input_size
    trained = [part for part in parts if part.training]
    images = []
    for part in trained:
        for index in part.training[:: -(-len(part.training) * len(trained) // _CALIBRATION_IMAGES)]:
            frame = part.dataset[index]
            image = np.empty((height, width, 3), np.uint8)
            size = (frame.intrinsics.width, frame.intrinsics.height)
            InputMap(model, size).apply(frame.image, 'bgr8', image)
            images.append(image)
    return images


def _write_int8(
    network: DepthNetwork, correction: Correction, model: Model, images: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Write the model quantised beside it; return its entry in the YAML."""
    quantised = quantise(to_onnx(network, correction, half=False), images, network.precise)
    path = model.onnx.with_suffix('.int8.onnx')
    data = quantised.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return {
        'onnx': path.name,
        'sha256': hashlib.sha256(data).hexdigest(),
        'calibrated_on': f'{len(images)} frames that were trained on',
    }
