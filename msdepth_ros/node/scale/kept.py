# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stored scale of a model: applied when the model is loaded."""

import hashlib
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.scale.file import default_scale_file, read_scales, write_scale
from msdepth_ros.resources import user_path

_UNKNOWN = 'unknown'  # instead of the SHA-256 of a model that cannot be read


class KeptScale:
    """Sets `depth.scale` to the stored scale of the running model.

    A scale is valid for one model only. So when a model is loaded, its stored scale is set. A
    `depth.scale` given as a parameter overrides it, for the model that was running then.
    """

    def __init__(self, node: Node, parameters: Parameters) -> None:
        self._node = node
        self._parameters = parameters
        self._model = ''  # SHA-256 of the model for which depth.scale is valid; '' = none yet

    def apply(self) -> None:
        """Set the scale of the loaded model, and log it.

        With a scale file that cannot be read, a model that replaces another gets the scale 1.
        """
        log = self._node.get_logger()
        scales: dict[str, dict[str, Any]] = {}
        name, digest, path = self._parameters.values['model'], _UNKNOWN, None
        try:
            model, digest = self._loaded()
            name, path = model.name, self._path()
            scales = read_scales(path)
        except MsdepthError as error:
            log.warning(f'no calibrated scale is used: {error}')
        changed, self._model = self._model not in ('', digest), digest
        given = self._parameters.values['depth.scale']
        if digest in scales and (given == 1.0 or changed):
            scale = scales[digest]['scale']
            self._set(scale)
            log.info(f'depth.scale {scale:.4g} is taken from {path}, for model {name}')
        elif changed and given != 1.0:
            self._set(1.0)
            log.warning(
                f'depth.scale {given:.4g} was for another model: it is 1 for {name} until '
                'you set it or call calibrate_scale'
            )
        elif scales and given == 1.0:
            log.info(
                f'depth.scale is 1: {path} has scales of other models only, none of {name}; call '
                'calibrate_scale to measure it'
            )

    def keep(self, scale: float, found: str) -> Path:
        """Store the scale of the running model; return the file.

        Raises
        ------
        MsdepthError
            If the file cannot be written.
        """
        model, digest = self._loaded()
        path = self._path()
        name = self._node.get_fully_qualified_name()
        write_scale(path, scale, name, model.name, digest, found)
        return path

    def _set(self, scale: float) -> None:
        result = self._node.set_parameters([Parameter('depth.scale', value=scale)])[0]
        if not result.successful:
            self._node.get_logger().warning(f'depth.scale stays: {result.reason}')

    def _loaded(self) -> tuple[Model, str]:
        model = load_model(self._parameters.values['model'])
        return model, model.sha256 or hashlib.sha256(model.read_onnx()).hexdigest()

    def _path(self) -> Path:
        given = self._parameters.values['scale_file']
        name = self._node.get_fully_qualified_name()
        return user_path(given) if given else default_scale_file(name)
