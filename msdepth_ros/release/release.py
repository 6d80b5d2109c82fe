# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exports checkpoints to a model file whose YAML says how it was made and how good it is."""

import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.evaluation import Evaluation, rounded
from msdepth_ros.evaluation.metrics import Errors
from msdepth_ros.evaluation.prior import Part, describe_prior
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.networks.correction import NONE
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.export import add_metadata, to_onnx, write_model
from msdepth_ros.networks.quantisation import quantise
from msdepth_ros.release.correction import Fit, fit_correction
from msdepth_ros.release.heads import measure_heads
from msdepth_ros.release.runs import TrainingRun, provenance
from msdepth_ros.release.source_split import SourceSplit
from msdepth_ros.training.checkpoint import load_weights, mean_weights
from msdepth_ros.training.config import Config
from msdepth_ros.training.config import without as leave_out
from msdepth_ros.training.network_of import create_network_of
from msdepth_ros.training.start import correction_in

_CALIBRATION_IMAGES = 100
_MEASURED_ON = (
    'frames held out of training, but used to choose the design; not the official test split'
)
_MEASURED_BEFORE = (
    'frames held out of all stages but the last, with the weights before it; the shipped weights '
    'were trained on them too. They were used to choose the design; not the official test split'
)
_MEASURED_WITHOUT = (
    'all frames of each source, with the weights of a training with the same settings, without it; '
    'the shipped weights were trained on all of them'
)
_QUANTISED_BEFORE = 'of the same weights as they were quantised before the heads were added'
_FITTED_ON = 'the frames that are measured below, with the weights that are measured'


@dataclass(frozen=True)
class Release:
    """A model file, and its errors on each source of which frames were held out.

    Attributes
    ----------
    path : the model's YAML.
    errors : by source. Empty if only heads were trained: the depth is then that of another model.
    heads : by source, the figures of `measure_heads`.
    correction : the errors with and without the correction, see `Fit.errors`.
    """

    path: Path
    errors: dict[str, Evaluation]
    heads: dict[str, dict[str, Any]]
    correction: Mapping[str, Mapping[str, Errors]]


def release(
    folders: Sequence[Path],
    data: Path,
    out: Path,
    name: str | None,
    int8: bool = False,
    correct: bool = False,
    spread: float = 0.0,
    overwrite: bool = False,
    measure_by: Sequence[Path] = (),
    start_share: float = 0.0,
) -> Release:
    """Export the averaged weights of trainings, and measure them on the held-out frames.

    If the last stage learned from the held-out frames, too, the weights before that stage are
    measured. Of several trainings that started from the same weights, the mean of their weights is
    exported; it is often better than each of them (Wortsman et al. 2022, "Model soups").

    A training of only the heads does not change the depth. The YAML then repeats what the YAML of
    the model that it started from says of the depth.

    Parameters
    ----------
    folders : folders with a checkpoint each, all of one network and the same data.
    data : the folder that the training was given as `--data`.
    out : folder for `<name>.onnx` and `<name>.yaml`.
    name : of the model. None: the name in the configuration.
    int8 : also write `<name>.int8.onnx`, calibrated on frames that were trained on.
    correct : fit a correction to the held-out frames, see `fit_correction`, and export it.
    spread : of that correction.
    overwrite : replace a model of that name in `out`.
    measure_by : folders of trainings like these that left sources out (`config.without`). The
        errors, the prior and the reliability are then theirs, each on the sources that it left out.
    start_share : share, in the exported weights, of the weights that the training started from.
        Their mean keeps more of what these can do (Wortsman et al. 2022, "Robust fine-tuning of
        zero-shot models").

    Raises
    ------
    MsdepthError
        If there is no usable checkpoint or dataset, no frame was held out, the trainings are not of
        the same network and data, no correction can be fitted, or the model exists already.
    """
    runs = [TrainingRun.of(folder) for folder in folders]
    config = runs[0].config
    title = name or config.name
    refuse_to_overwrite(out / f'{title}.yaml', overwrite)
    begun_from = [metadata for run in runs for metadata in run.begun_from]
    splits = _splits(config, data, folders[0], begun_from)
    held_out = {name: split for name, split in splits.items() if split.held_out}
    without = [_LeftOut.of(folder, runs[0], data, start_share) for folder in measure_by]
    if not held_out and not without:
        raise MsdepthError(
            f'{folders[0]}: no frame was held out, so the model cannot be measured. Train with a '
            '`validation_share` above 0'
        )
    metadata = provenance(runs)
    if start_share:
        metadata['training']['start_share'] = start_share
    ships = before = _network(config, runs, [run.exported(start_share) for run in runs])
    last = any(run.learned_all for run in runs)
    if last:
        before = _network(config, runs, [run.measurable for run in runs])
    fit = Fit(NONE, {})
    depth_of = _model_of_the_depth(runs)
    if depth_of is not None:
        if correct:
            raise MsdepthError(
                'only heads were trained, so the depth keeps the correction that it has: leave '
                'out --correct'
            )
        of_depth = {key: value for key, value in depth_of.items() if key != 'int8'}
        metadata = {**of_depth, 'network': metadata['network']}
        metadata['training'] = {
            **depth_of.get('training', {}),
            'heads': provenance(runs)['training'],
        }
    elif correct:
        frames = {name: split.held_out_frames() for name, split in held_out.items()}
        fit = fit_correction(before, frames, spread)
        ships.correction = before.correction = fit.correction.after(before.correction)
    if ships.correction != NONE and depth_of is None:
        metadata['correction'] = {**dataclasses.asdict(ships.correction), **_document(fit)}

    def write(
        folder: Path, network: DepthNetwork, learned: Mapping[str, SourceSplit] = splits
    ) -> tuple[Path, dict[str, Any]]:
        """Write the files; return the path of the YAML, and its entry on the int8 file."""
        path = write_model(network, title, folder, config.depth_range, metadata)
        if not int8:
            return path, {}
        images = _calibration_images(load_model(path), list(learned.values()))
        int8_metadata = _write_int8(network, load_model(path), images)
        add_metadata(path, {'int8': int8_metadata})
        return path, int8_metadata

    path, int8_metadata = write(out, ships)
    errors: dict[str, Evaluation] = {}
    heads: dict[str, dict[str, Any]] = {}
    measured: dict[str, Any] = {'on': _MEASURED_WITHOUT}
    if not without:
        on = _MEASURED_BEFORE if last else _MEASURED_ON
        measured['on'] = on + _known(held_out) + _compared_with(held_out)
    of_int8: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        measurable: list[tuple[Model, Mapping[str, SourceSplit]]] = []
        for number, each in enumerate(without):
            place = Path(folder) / str(number)
            place.mkdir()
            written, _ = write(place, each.network, each.splits)
            measurable.append((load_model(written), each.left_out))
        if not without:
            written, _ = write(Path(folder), before) if last else (path, {})
            measurable.append((load_model(written), held_out))
        measured['scaling'] = 'none: depths are metric'
        for model, parts in measurable:
            if depth_of is None:
                found = {name: split.measure(model, 'fp32') for name, split in parts.items()}
                for name, each_error in found.items():
                    measured[name] = {'crop': parts[name].crop, **each_error.document()}
                errors |= found
            if int8 and depth_of is None:
                of_int8 |= {
                    name: split.measure(model, 'auto').document() for name, split in parts.items()
                }
        known = describe_prior([(model, _other_cameras(parts)) for model, parts in measurable])
        if before.heads and not without:
            heads = _measure_heads(model.onnx, before, held_out)
            measured['heads'] = heads
        if int8:
            assert model.int8 is not None
            if depth_of is not None and 'int8' in depth_of:
                of_int8 = {'depth': _QUANTISED_BEFORE, **depth_of['int8']['measured']}
            if before.heads and not without:
                of_int8['heads'] = _measure_heads(model.int8.onnx, before, held_out)
            int8_metadata['measured'] = of_int8
            add_metadata(path, {'int8': int8_metadata})
    if depth_of is not None:
        measured = {**depth_of.get('measured', {}), 'heads': {'on': measured['on'], **heads}}
    if without and (begun := _measured_before(runs)):
        measured['began_from'] = begun
    add_metadata(path, {'measured': measured, **known})
    return Release(path, errors, heads, fit.errors)


@dataclass(frozen=True)
class _LeftOut:
    """A training that learned nothing from some sources, to be measured on them.

    `splits` are of all its sources, `left_out` of those that the other training learned from.
    """

    network: DepthNetwork
    splits: Mapping[str, SourceSplit]
    left_out: Mapping[str, SourceSplit]

    @classmethod
    def of(cls, folder: Path, other: TrainingRun, data: Path, start_share: float) -> '_LeftOut':
        """Read the training in a folder, which must be like another one but for what it left out.

        Raises
        ------
        MsdepthError
            If it is not like it, or left nothing out.

        """
        run = TrainingRun.of(folder)
        sources = other.config.data.sources
        names = [
            name
            for name, source in run.config.data.sources.items()
            if not source.weight and name in sources and sources[name].weight
        ]
        if not names or leave_out(other.config, names) != run.config:
            raise MsdepthError(
                f'{run.path} is not of the same training as {other.path} with sources left out: '
                'train it with the same YAML and --leave-out SOURCE'
            )
        splits = _splits(run.config, data, folder, run.begun_from)
        network = _network(run.config, [run], [run.exported(start_share)])
        return cls(network, splits, {name: splits[name] for name in names})


def _splits(
    config: Config, data: Path, out: Path, begun_from: Sequence[dict[str, Any]]
) -> dict[str, SourceSplit]:
    return {
        name: SourceSplit.of(source, data, out, begun_from)
        for name, source in config.data.sources.items()
        if not source.teacher_only
    }


def _measured_before(runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """Return what the YAML of the model says that the runs began from, of how good it was."""
    (first, *_) = runs[0].begun_from or [{}]
    document = first.get('model') or {}
    measured = {k: v for k, v in document.get('measured', {}).items() if k != 'began_from'}
    of_int8 = document.get('int8', {}).get('measured')
    return {**measured, **({'int8': of_int8} if of_int8 else {})}


def _other_cameras(held_out: Mapping[str, SourceSplit]) -> dict[str, Part]:
    """Return the held-out frames of sources that were not trained on; if none, of all sources.

    Sources without ground truth are left out: a prior needs it everywhere in the image.
    """
    known = {name: split for name, split in held_out.items() if not split.compared_with}
    others = {name: split for name, split in known.items() if not split.training}
    return {name: (split.dataset, split.held_out) for name, split in (others or known).items()}


def refuse_to_overwrite(path: Path, overwrite: bool) -> None:
    """Make sure that no model is replaced by mistake.

    Raises
    ------
    MsdepthError
        If `path` exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise MsdepthError(
            f'{path} exists: replace it with --overwrite, or choose another --out or --name'
        )


def _network(
    config: Config, runs: Sequence[TrainingRun], weights: Sequence[dict[str, Tensor]]
) -> DepthNetwork:
    """Return the network with the mean of the weights, and with their common correction."""
    network = create_network_of(config)
    load_weights(network, mean_weights(weights), runs[0].path)
    corrections = {correction_in(run.checkpoint) for run in runs}
    if len(corrections) > 1:
        raise MsdepthError(
            'the trainings started from weights with different corrections: export only trainings '
            'that started from the same weights'
        )
    (network.correction,) = corrections
    return network.eval()


def _model_of_the_depth(runs: Sequence[TrainingRun]) -> dict[str, Any] | None:
    """Return what the YAML of the start model says of the depth, if only heads were trained."""
    if len(runs) > 1 or not runs[0].trained_heads_only or len(runs[0].begun_from) != 1:
        return None
    document = dict(runs[0].begun_from[0].get('model') or {})
    kept = {key: document[key] for key in ('training', 'correction', 'measured') if key in document}
    if 'measured' in document.get('int8', {}):
        kept['int8'] = {'measured': document['int8']['measured']}
    return kept


def _document(fit: Fit) -> dict[str, Any]:
    """Return what the YAML says of a fitted correction beside its terms."""
    if not fit.errors:
        return {} if fit.correction == NONE else {'fitted_on': _FITTED_ON}
    at_cells = {
        name: {how: rounded(errors) for how, errors in each.items()}
        for name, each in fit.errors.items()
    }
    return {'fitted_on': _FITTED_ON, 'at_cells': at_cells}


def _measure_heads(
    onnx: Path, network: DepthNetwork, held_out: Mapping[str, SourceSplit]
) -> dict[str, dict[str, Any]]:
    return {
        name: measure_heads(onnx, network, split.frames_with_floor())
        for name, split in held_out.items()
    }


def _known(held_out: Mapping[str, SourceSplit]) -> str:
    """Return a note on held-out frames that the start weights had learned from, or ''."""
    known = {name: split.known for name, split in held_out.items() if split.known}
    if not known:
        return ''
    counts = ', '.join(f'{count} of {name}' for name, count in known.items())
    return f'. The weights it began from had learned from {counts}: their errors look too good'


def _compared_with(held_out: Mapping[str, SourceSplit]) -> str:
    """Return what to say of held-out frames without ground truth."""
    return ''.join(
        f'. Those of {name} were compared with {split.compared_with}'
        for name, split in held_out.items()
        if split.compared_with
    )


def _calibration_images(model: Model, splits: Sequence[SourceSplit]) -> list[np.ndarray]:
    """Return network inputs, uint8 [H, W, 3], of frames that were trained on, of every source."""
    width, height = model.input_size
    trained = [split for split in splits if split.training]
    images = []
    for split in trained:
        step = -(-len(split.training) * len(trained) // _CALIBRATION_IMAGES)
        for index in split.training[::step]:
            frame = split.dataset[index]
            image = np.empty((height, width, 3), np.uint8)
            size = (frame.intrinsics.width, frame.intrinsics.height)
            InputMap(model, size).apply(frame.image, 'bgr8', image)
            images.append(image)
    return images


def _write_int8(
    network: DepthNetwork, model: Model, images: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Write the quantised model next to the model; return its entry in the YAML."""
    quantised = quantise(to_onnx(network, half=False), images, network.precise)
    path = model.onnx.with_suffix('.int8.onnx')
    data = quantised.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return {
        'onnx': path.name,
        'sha256': hashlib.sha256(data).hexdigest(),
        'calibrated_on': f'{len(images)} frames that were trained on',
    }
