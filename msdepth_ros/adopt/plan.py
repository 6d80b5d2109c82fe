# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The decisions of an adoption: the recipe, the fixed size, and the values of further inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from msdepth_ros.adopt.camera_input import constant_value
from msdepth_ros.adopt.exported import ExportedNetwork
from msdepth_ros.adopt.hub_config import HubConfig
from msdepth_ros.adopt.presets import Preset
from msdepth_ros.adopt.recipe import Recipe
from msdepth_ros.adopt.size import check_size, nearest_size
from msdepth_ros.errors import ModelError
from msdepth_ros.geometry.camera import Camera

_USUAL_CAMERA = (640, 480)  # if the size of the camera's images is not known
_DEPTH_NAMES = ('depth', 'predicted_depth', 'pred_depth', 'canonical_inverse_depth')
_CONFIDENCES = ('confidence', 'predicted_confidence', 'depth_conf')
_NECESSARY = {'normalisation': '--norm', 'quantity': '--quantity', 'metric': '--metric'}


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes
    ----------
    onnx : the exported file.
    folder : where the model file is written; its name is the model's.
    photo : for the checks, uint8 [H, W, 3] BGR.
    preset : name of a preset, or 'auto'.
    hub_config : folder with the hub's JSON files; None: not given.
    size : (width, height) of the network's input; None: chosen.
    camera : that took the photo; None: not known.
    camera_size : (width, height) of the images of the robot's camera; None: not known.
    changes : fields of Recipe that are given by hand.
    license : of the weights; '' = not given.
    strict : reject the network if a check warns.
    """

    onnx: Path
    folder: Path
    photo: np.ndarray
    preset: str = 'auto'
    hub_config: Path | None = None
    size: tuple[int, int] | None = None
    camera: Camera | None = None
    camera_size: tuple[int, int] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    license: str = ''
    strict: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything is given by hand that would need a preset."""
        return set(_NECESSARY) <= set(self.changes)


@dataclass(frozen=True)
class Plan:
    """All decisions about one network.

    Attributes
    ----------
    recipe : how it is used.
    size : (width, height) of its input.
    output : name of the depth's tensor.
    constants : the values of its further inputs, except the camera's, by name.
    notes : lines for the user.
    """

    recipe: Recipe
    size: tuple[int, int]
    output: str
    constants: Mapping[str, np.ndarray]
    notes: list[str]


def make_plan(
    network: ExportedNetwork, preset: Preset | None, hub: HubConfig | None, request: Request
) -> Plan:
    """Decide everything, from the preset, the hub's files and what is given by hand.

    Raises
    ------
    ModelError
        If something is missing, or does not agree with the file.
    """
    notes: list[str] = []
    recipe = _recipe(network, preset, hub, request, notes)
    size, recipe = _size(network, recipe, request, notes)
    constants = _constants(network, recipe)
    output = _depth_output(network, recipe)
    return Plan(recipe, size, output, constants, notes)


def _recipe(
    network: ExportedNetwork,
    preset: Preset | None,
    hub: HubConfig | None,
    request: Request,
    notes: list[str],
) -> Recipe:
    """Return the recipe: the preset's, then the hub's, then what was given by hand."""
    missing = [option for name, option in _NECESSARY.items() if name not in request.changes]
    if preset is None and missing:
        inputs, outputs = (
            ', '.join(f'{info.name} {list(info.shape)}' for info in tensors.values())
            for tensors in (network.inputs, network.outputs)
        )
        raise ModelError(
            f'{network.path.name} is not of a known export route (inputs {inputs}; outputs '
            f'{outputs}): give --preset, or by hand {", ".join(missing)}'
        )
    recipe = preset.recipe if preset is not None else Recipe()
    if hub is not None:
        recipe = hub.applied(recipe)
        if hub.farthest > recipe.depth_range[0] and recipe.metric.kind == 'metres':
            recipe = replace(recipe, depth_range=(recipe.depth_range[0], hub.farthest))
    if preset is not None and preset.rank == 5:
        found = [name for name in _CONFIDENCES if name in network.outputs]
        recipe = replace(recipe, confidence=found[0] if found else '')
    recipe = replace(recipe, **request.changes)
    if recipe.camera_input is not None and not recipe.input:
        recipe = replace(recipe, input=network.image_input(but=recipe.camera_input[0]).name)
    if recipe.invalid is not None and recipe.invalid.name not in network.outputs:
        if 'invalid' in request.changes:
            raise ModelError(_no_output(network, recipe.invalid.name))
        notes.append(f"the file has no output '{recipe.invalid.name}': sky keeps its depth")
        recipe = replace(recipe, invalid=None)
    for name in (recipe.output, recipe.confidence):
        if name and name not in network.outputs:
            raise ModelError(_no_output(network, name))
    return recipe


def _no_output(network: ExportedNetwork, name: str) -> str:
    return f"{network.path.name} has no output '{name}', only {', '.join(network.outputs)}"


def _depth_output(network: ExportedNetwork, recipe: Recipe) -> str:
    usual = [name for name in _DEPTH_NAMES if name in network.outputs]
    return recipe.output or (usual or list(network.outputs))[0]


def _size(
    network: ExportedNetwork, recipe: Recipe, request: Request, notes: list[str]
) -> tuple[tuple[int, int], Recipe]:
    """Return the (width, height) that the network is adopted at, and the recipe for it."""
    image = network.image_input(recipe.input)
    last = image.shape[-1] == 3 and image.shape[-3] != 3
    height, width = image.shape[-3:-1] if last else image.shape[-2:]
    if width is not None and height is not None:
        if request.size not in (None, (width, height)):
            raise ModelError(
                f'{network.path.name} is exported for {width}x{height} pixels only: omit --size, '
                'or export it again'
            )
        return (width, height), recipe
    if request.size is not None:
        check_size(request.size, recipe.size, recipe.multiple)
        return request.size, recipe
    if request.camera_size is not None:
        return nearest_size(request.camera_size, recipe.size, recipe.multiple), recipe
    size = nearest_size(_USUAL_CAMERA, recipe.size, recipe.multiple)
    notes.append(
        f'the file leaves its size open and --camera is not given: {size[0]}x{size[1]} is used, '
        'for cameras of 4:3'
    )
    return size, replace(recipe, fit='crop') if recipe.multiple else recipe


def _constants(network: ExportedNetwork, recipe: Recipe) -> dict[str, np.ndarray]:
    """Return the values of all inputs but the image and the camera."""
    values: dict[str, np.ndarray] = {}
    for name, number in recipe.constants.items():
        if name not in network.inputs:
            raise ModelError(f"{network.path.name} has no input '{name}'")
        values[name] = constant_value(number, network.inputs[name])
    known = {*values, network.image_input(recipe.input).name}
    if recipe.camera_input is not None:
        name, _ = recipe.camera_input
        if name not in network.inputs:
            raise ModelError(f"{network.path.name} has no input '{name}' for the camera")
        known.add(name)
    left = set(network.inputs) - known
    if left:
        raise ModelError(
            f'{network.path.name} has further inputs, {", ".join(sorted(left))}: give each with '
            '--const NAME=VALUE, or with --camera-input NAME=K|P3x4|fxfycxcy|rays'
        )
    return values
