# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The YAML of an adopted model: the keys that every model has, then its origin."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.adopt.exported import ExportedNetwork
from msdepth_ros.adopt.plan import Plan
from msdepth_ros.adopt.presets import Preset
from msdepth_ros.adopt.wrapping import CONFIDENCE, Predicted
from msdepth_ros.errors import ModelError
from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.inference.model import DEPTH, IMAGE, INTRINSICS

UNKNOWN = 'unknown'


def describe(
    network: ExportedNetwork,
    preset: Preset | None,
    plan: Plan,
    predicted: Predicted,
    license_name: str,
    notes: list[str],
    warnings: list[str],
) -> dict[str, Any]:
    """Return the description, without its name and the ONNX file's SHA-256."""
    recipe, size = plan.recipe, plan.size
    width, height = size
    out_width, out_height = predicted.size(predicted.depth, recipe.channel)
    grid = output_grid(size, (out_width, out_height), recipe.corners)
    document: dict[str, Any] = {
        'input': {'name': IMAGE, 'width': width, 'height': height, 'channels': 'rgb'},
        'output': {
            'name': DEPTH,
            'width': out_width,
            'height': out_height,
            'quantity': recipe.quantity,
        },
        'grid': {'origin': list(grid.origin), 'step': list(grid.step)},
        'focal': recipe.metric.canonical,
        'depth_range': list(recipe.depth_range),
        'fit': recipe.fit,
    }
    if recipe.metric.focal_from != 'geometric_mean':
        document['focal_from'] = recipe.metric.focal_from
    if recipe.metric.kind in ('scale', 'affine'):
        document['metric'] = recipe.metric.kind
    if recipe.precision != 'fp16':
        document['precision'] = recipe.precision
    if recipe.camera_input is not None:
        document['inputs'] = {INTRINSICS: {'name': INTRINSICS}}
    if recipe.confidence:
        document['outputs'] = {CONFIDENCE: {'name': CONFIDENCE}}
    name, note = known_license(preset, license_name)
    document |= {'license': name, 'license_source': note}
    document['adopted'] = {
        'from': network.path.name,
        'sha256': hashlib.sha256(network.path.read_bytes()).hexdigest(),
        'preset': preset.name if preset is not None else 'none',
        'title': preset.title if preset is not None else '',
        'source': preset.source if preset is not None else '',
        'metric': str(recipe.metric),
        'normalisation': str(recipe.normalisation),
        'channels': recipe.channels,
        'output': predicted.depth
        if recipe.channel is None
        else f'{predicted.depth}:{recipe.channel}',
        'affine': [recipe.scale, recipe.shift],
        'invalid': str(recipe.invalid) if recipe.invalid is not None else 'none',
        'opset': network.opset,
        'notes': notes,
        'warnings': warnings,
    }
    return document


def known_license(preset: Preset | None, given: str) -> tuple[str, str]:
    """Return the licence of the weights, 'unknown' unless it is given or stated, and its source."""
    if given:
        return given, 'given with --license'
    if preset is None:
        return UNKNOWN, 'not given'
    return preset.license or UNKNOWN, preset.license_note


def output_grid(size: tuple[int, int], map_size: tuple[int, int], corners: bool) -> Grid:
    """Return the prediction's cells in pixels of the network's input.

    Parameters
    ----------
    size, map_size : (width, height) of the input and of the prediction.
    corners : false: half-pixel centres, cell i of w is centred on pixel (i + 0.5) * W / w - 0.5 of
        W; true: the first and the last cell lie on the first and the last pixel.
    """
    origin, step = [], []
    for pixels, cells in zip(size, map_size):
        if corners and cells > 1:
            step.append((pixels - 1) / (cells - 1))
            origin.append(0.0)
        else:
            step.append(pixels / cells)
            origin.append(0.5 * pixels / cells - 0.5)
    return Grid(*map_size, (origin[0], origin[1]), (step[0], step[1]))


def write_description(path: Path, document: dict[str, Any]) -> Path:
    """Write the YAML; return its path.

    Raises
    ------
    ModelError
        If it cannot be written.
    """
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
    try:
        path.write_text(f'# Written by `msdepth adopt`.\n{text}', encoding='utf-8')
    except OSError as error:
        raise ModelError(f'cannot write {path}: {error.strerror}') from error
    return path
