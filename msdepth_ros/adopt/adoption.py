# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Adopts an exported network as a model file: recognise, choose a size, wrap, check, write."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from msdepth_ros.adopt import checks
from msdepth_ros.adopt.camera_input import camera_value
from msdepth_ros.adopt.description import describe, write_description
from msdepth_ros.adopt.exported import ExportedNetwork, import_onnx
from msdepth_ros.adopt.float32 import store_exact_halves
from msdepth_ros.adopt.hub_config import read_hub_config
from msdepth_ros.adopt.photo import photo_pixels
from msdepth_ros.adopt.picture import draw_check
from msdepth_ros.adopt.plan import Plan, Request, make_plan
from msdepth_ros.adopt.presets import Preset
from msdepth_ros.adopt.recipe import Recipe
from msdepth_ros.adopt.recognition import choose_preset, refuse_unusable
from msdepth_ros.adopt.running import folded, run_exported, run_wrapped, save
from msdepth_ros.adopt.runtimes import check_tensorrt_version, compare_runtimes
from msdepth_ros.adopt.wrapping import DEPTH, Predicted, wrap
from msdepth_ros.errors import ModelError
from msdepth_ros.inference.model import Model, load_model

_IR_VERSION = 8  # the newest that ONNX Runtime 1.12 reads
_OLDEST, _OPSET = 13, 17  # files of an older opset are converted to a newer one, if onnx can


@dataclass(frozen=True)
class Adopted:
    """The result of an adoption.

    Attributes
    ----------
    model : the model file, loaded.
    preset : that was used; None: everything was given by hand.
    recipe : how the network is used.
    notes, warnings : lines for the user.
    picture : path of the picture of the check.
    """

    model: Model
    preset: Preset | None
    recipe: Recipe
    notes: list[str]
    warnings: list[str]
    picture: Path


def adopt(request: Request) -> Adopted:
    """Write a model file from an exported network.

    Raises
    ------
    ModelError
        If the file cannot be adopted, or more must be given; or if a check warns and the request is
        strict. Then nothing is written.
    """
    network = ExportedNetwork(request.onnx)
    refuse_unusable(network)
    hub = read_hub_config(request.hub_config) if request.hub_config is not None else None
    preset = choose_preset(network, request.preset, hub, request.complete)
    plan = make_plan(network, preset, hub, request)
    recipe, notes = plan.recipe, list(plan.notes)
    pixels, camera = photo_pixels(request.photo, request.camera, plan)
    focal = camera.focal_length(recipe.metric.focal_from)
    further = dict(plan.constants)
    if recipe.camera_input is not None:
        name, kind = recipe.camera_input
        further[name] = camera_value(kind, camera, network.inputs[name])
    raw = run_exported(network, recipe, pixels, further)
    predicted = Predicted(plan.output, {name: value.shape for name, value in raw.items()})
    expected = _expected(recipe, predicted, raw)
    metres = _metres(recipe, expected, focal)
    name = request.folder.name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f'{name}.onnx'
        run = partial(run_wrapped, pixels=pixels, camera=camera)
        files, prediction = _write_graph(network, plan, predicted, run, expected, path)
        unmasked = _expected(replace(recipe, invalid=None), predicted, raw)
        warnings = _warnings(network, preset, plan, request, predicted, unmasked, metres)
        warnings += checks.check_same(expected, prediction, 'the wrapped graph is not the original')
        if recipe.metric.kind == 'focal':
            notes.append(checks.focal_response(recipe.metric, metres, focal))
        document = describe(network, preset, plan, predicted, request.license, notes, warnings)
        yaml = _write_yaml(path, document)
        compared = compare_runtimes(load_model(yaml), pixels, camera, prediction)
        warnings += compared + check_tensorrt_version(network)
        if request.strict and warnings:
            raise ModelError(f'not adopted, as --strict asks: {"; ".join(warnings)}')
        document['adopted']['warnings'] = warnings
        picture = Path(folder) / 'check.png'
        metric = recipe.metric.kind in ('metres', 'focal')
        cv2.imwrite(str(picture), draw_check(pixels, metres, metric, name))
        _install(request.folder, [*files, _write_yaml(path, document), picture])
    installed = load_model(request.folder / f'{name}.yaml')
    return Adopted(installed, preset, recipe, notes, warnings, request.folder / picture.name)


def _expected(recipe: Recipe, predicted: Predicted, raw: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what the wrapped graph must predict, float32 [h, w], from the original's outputs."""

    def as_map(name: str, channel: int | None) -> np.ndarray:
        width, height = predicted.size(name, channel)
        values: np.ndarray = raw[name].astype(np.float32)
        axis = predicted.channel_axis(name)
        values = values if axis is None else values.take(channel or 0, axis)
        return values.reshape(height, width)

    depth = as_map(predicted.depth, recipe.channel) * np.float32(recipe.scale)
    depth += np.float32(recipe.shift)
    if recipe.invalid is not None:
        marks = as_map(recipe.invalid.name, None)
        if marks.shape == depth.shape:
            below = marks < np.float32(recipe.invalid.value)
            depth[below if recipe.invalid.operator == '<' else ~below] = np.nan
    return depth


def _write_graph(
    network: ExportedNetwork,
    plan: Plan,
    predicted: Predicted,
    run: Callable[[Path], dict[str, np.ndarray]],
    expected: np.ndarray,
    path: Path,
) -> tuple[list[Path], np.ndarray]:
    """Write the wrapped graph; return its files and its prediction for the photo.

    An old file is converted to a newer opset, unless this changes the prediction.
    """
    onnx = import_onnx()
    versions = [network.model]
    if network.opset < _OLDEST:
        with contextlib.suppress(Exception):  # of any type, for operations that it does not know
            versions.insert(0, onnx.version_converter.convert_version(network.model, _OPSET))
    image = network.image_input(plan.recipe.input)
    for version in versions:
        last = version is network.model
        try:
            model = folded(wrap(version, image, plan, predicted))
            store_exact_halves(onnx, model)
            needed = onnx.helper.find_min_ir_version_for(list(model.opset_import), True)
            model.ir_version = max(_IR_VERSION, needed)
            files = save(model, path)
            prediction = run(path)[DEPTH]
        except ModelError:
            if last:
                raise
            continue
        if last or not checks.check_same(expected, prediction, ''):
            return files, prediction
    raise AssertionError('the last version returns or raises')


def _warnings(
    network: ExportedNetwork,
    preset: Preset | None,
    plan: Plan,
    request: Request,
    predicted: Predicted,
    prediction: np.ndarray,
    metres: np.ndarray,
) -> list[str]:
    recipe, size = plan.recipe, plan.size
    beginning = network.beginning(network.image_input(recipe.input).name)
    found = checks.check_normalisation(recipe, beginning, preset is not None and preset.inside)
    if preset is not None and not found:
        found += checks.check_preset_normalisation(recipe, preset.recipe, beginning)
    wrong = checks.check_values(recipe, prediction)
    found += wrong
    if not wrong:
        found += checks.check_metres(recipe, metres, prediction)
        found += checks.check_near_and_far(recipe, prediction)
    found += checks.check_size(size, predicted.size(predicted.depth, recipe.channel))
    if request.camera_size is not None:
        infers = preset is not None and preset.infers_camera
        found += checks.check_aspect(infers, recipe.fit, size, request.camera_size)
    return found + checks.check_precision(network, recipe.precision)


def _metres(recipe: Recipe, prediction: np.ndarray, focal: float) -> np.ndarray:
    """Return a prediction as depth, as the estimator computes it; NaN where invalid."""
    with np.errstate(all='ignore'):
        if recipe.quantity == 'inverse_depth':
            depth = 1 / prediction
        else:
            depth = np.exp(prediction) if recipe.quantity == 'log_depth' else prediction.copy()
        if recipe.metric.kind == 'focal':
            depth = depth * np.float32(focal / recipe.metric.canonical)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    return depth


def _write_yaml(path: Path, document: dict[str, Any]) -> Path:
    """Write the description of an ONNX file beside it; return its path."""
    name, digest = path.stem, hashlib.sha256(path.read_bytes()).hexdigest()
    head = {'name': name, 'onnx': path.name, 'sha256': digest}
    return write_description(path.with_name(f'{name}.yaml'), {**head, **document})


def _install(folder: Path, files: list[Path]) -> None:
    """Put a model's files into their folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{folder.name}.onnx.data').unlink(missing_ok=True)  # of an earlier model
        for file in files:
            shutil.move(str(file), folder / file.name)
    except OSError as error:
        raise ModelError(f'cannot write to {folder}: {error.strerror}') from error
