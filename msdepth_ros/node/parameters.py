# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the node's parameters, checks changes and keeps the values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rcl_interfaces.msg import (
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from msdepth_ros.errors import ModelError, MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.images.topic_names import names_rectified_images
from msdepth_ros.inference.backends import EngineOptions
from msdepth_ros.inference.estimator import Settings
from msdepth_ros.inference.model import load_model
from msdepth_ros.inference.model_host import ModelChoice
from msdepth_ros.node.diagnostics import Thresholds
from msdepth_ros.node.measured.transforms import POSES
from msdepth_ros.node.mount import mount_from_values
from msdepth_ros.node.parameter_table import AT_START, PARAMETERS, UNCONFIGURED
from msdepth_ros.resources import user_path


class Parameters:
    """Declares the parameters on a node, checks changes, and keeps the values.

    Attributes
    ----------
    values : the current value of each parameter, by name; replaced as a whole at a change.
    """

    def __init__(
        self,
        node: Node,
        swap: Callable[[ModelChoice], str | None] | None = None,
        is_configured: Callable[[], bool] = lambda: False,
    ) -> None:
        """Declare the parameters.

        Parameters
        ----------
        node : the node.
        swap : changes the model of a configured node; returns why it cannot, None if it can.
        is_configured : whether the node is configured.

        Raises
        ------
        MsdepthError
            If a value given at the start is rejected.
        """
        self._node = node
        self._swap = swap
        self._is_configured = is_configured
        self._by_name = {parameter.name: parameter for parameter in PARAMETERS}
        for parameter in PARAMETERS:
            node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
        self.values: dict[str, Any] = {
            name: parameter.value_of(node.get_parameter(name).value)
            for name, parameter in self._by_name.items()
        }
        self._refuse_start_values()
        if hasattr(node, 'add_pre_set_parameters_callback'):  # not on Humble
            node.add_pre_set_parameters_callback(self._meant)
            node.set_parameters(
                [
                    Parameter(name, value=value)
                    for name, value in self.values.items()
                    if type(value) is not type(node.get_parameter(name).value)
                    and self._by_name[name].changes != AT_START
                ]
            )
        node.add_on_set_parameters_callback(self._on_set)

    def model_choice(self) -> ModelChoice:
        """Return the model, its backend and their options."""
        return _model_choice(self.values)

    def keep_model(self, model: str) -> None:
        """Set the parameter `model` to the running model, after a change that failed."""
        swap, self._swap = self._swap, None
        self._node.set_parameters([Parameter('model', value=model)])
        self._swap = swap

    def thresholds(self) -> Thresholds:
        """Return the limits for diagnostics."""
        values = self.values
        return Thresholds(
            min_frequency=values['diagnostics.min_frequency'],
            max_age=values['diagnostics.max_age'],
            max_dropped=values['diagnostics.max_dropped'],
        )

    def _refuse_start_values(self) -> None:
        reasons = [self._by_name[name].refusal(value) for name, value in self.values.items()]
        for reason in filter(None, (*reasons, _conflict(self.values))):
            raise MsdepthError(f'parameter {reason}')

    def _meant(self, changes: list[Parameter]) -> list[Parameter]:
        """Return the changes, with the values converted to the types of the parameters."""
        return [
            Parameter(change.name, value=self._by_name[change.name].value_of(change.value))
            if change.name in self._by_name
            else change
            for change in changes
        ]

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        values = dict(self.values)
        for change in changes:
            parameter = self._by_name.get(change.name)
            if parameter is None:  # use_sim_time, qos_overrides
                continue
            value = parameter.value_of(change.value)
            reason = parameter.refusal(value)
            if reason is None and parameter.changes == UNCONFIGURED and self._is_configured():
                reason = (
                    f'{change.name} can change only while the node is unconfigured: first '
                    'deactivate it and clean it up (ros2 lifecycle set NODE cleanup)'
                )
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
            values[change.name] = value
        reason = _conflict(values)
        swap = self._swap if self._is_configured() else None
        if reason is None and swap and any(change.name == 'model' for change in changes):
            reason = swap(_model_choice(values))
        if reason is not None:
            return SetParametersResult(successful=False, reason=reason)
        self.values = values
        return SetParametersResult(successful=True)


def estimator_settings(values: dict[str, Any], image_topic: str) -> Settings:
    """Return the estimator's settings for an image topic, from the values of the parameters."""
    rectify = values['rectify']
    if rectify == 'auto' and names_rectified_images(image_topic):
        rectify = 'off'
    return Settings(
        rectify=rectify,
        fit=values['fit'],
        min_depth=values['depth.min'],
        max_depth=values['depth.max'],
        scale=values['depth.scale'],
        edge_threshold=values['depth.edge_threshold'],
        min_confidence=values['depth.min_confidence'],
    )


def _model_choice(values: dict[str, Any]) -> ModelChoice:
    options = EngineOptions(force_update=values['force_engine_update'])
    if values['engine_cache_dir']:
        options = replace(options, cache_dir=user_path(values['engine_cache_dir']))
    return ModelChoice(
        values['model'],
        values['backend'],
        values['precision'],
        values['threads'],
        options,
        values['openvino_device'],
    )


def _conflict(values: dict[str, Any]) -> str | None:
    """Return why values contradict each other, None if they do not."""
    if 0 < values['depth.max'] <= values['depth.min']:
        return f'depth.max {values["depth.max"]} must exceed depth.min {values["depth.min"]}'
    if 0 < values['points.max_range'] <= values['points.min_range']:
        limits = values['points.max_range'], values['points.min_range']
        return f'points.max_range {limits[0]} must exceed points.min_range {limits[1]}'
    if values['scan.range_max'] <= values['scan.range_min']:
        limits = values['scan.range_max'], values['scan.range_min']
        return f'scan.range_max {limits[0]} must exceed scan.range_min {limits[1]}'
    try:
        mount_from_values(values)
        for name in POSES.values():
            if values[name]:
                CameraPose.parse(values[name], name)
    except MsdepthError as error:
        return str(error)
    if values['depth.min'] or values['depth.max']:
        return _conflict_with_model(values)
    return None


def _conflict_with_model(values: dict[str, Any]) -> str | None:
    """Return why depth.min and depth.max exclude the whole range of the model, None if not."""
    try:
        low, high = load_model(values['model']).depth_range
    except ModelError:  # reported when the model is loaded
        return None
    near, far = values['depth.min'] or low, values['depth.max'] or high
    if near < far:
        return None
    name = 'depth.min' if values['depth.min'] >= high else 'depth.max'
    return (
        f'{name} {values[name]} leaves no depth: the range of model {values["model"]} is {low:g} '
        f'to {high:g} m'
    )
