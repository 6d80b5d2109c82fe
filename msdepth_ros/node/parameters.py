# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: names, defaults, ranges, and when each may change."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from msdepth_ros.errors import MsdepthError
from msdepth_ros.images.topic_names import says_rectified
from msdepth_ros.inference.backends import BACKENDS, PRECISIONS, EngineOptions
from msdepth_ros.inference.estimator import RECTIFY, Settings
from msdepth_ros.inference.fit import FITS
from msdepth_ros.inference.model import DEFAULT_MODEL
from msdepth_ros.inference.model_host import ModelChoice
from msdepth_ros.node.diagnostics import Thresholds
from msdepth_ros.resources import user_path

ALWAYS, UNCONFIGURED, AT_START = 'always', 'while unconfigured', 'at start only'


@dataclass(frozen=True)
class _Parameter:
    """One parameter: `limits` is (lowest, highest) of a number or the choices of a text."""

    name: str
    default: bool | int | float | str
    description: str
    limits: tuple[Any, ...] = ()
    changes: str = ALWAYS

    def descriptor(self) -> ParameterDescriptor:
        text = self.description
        if isinstance(self.default, str) and self.limits:
            text = f'{text} One of: {", ".join(self.limits)}.'
        descriptor = ParameterDescriptor(description=text, read_only=self.changes == AT_START)
        descriptor.additional_constraints = f'Can change {self.changes}.'
        descriptor.dynamic_typing = self.switched
        if self.limits and isinstance(self.default, float):
            low, high = self.limits
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.limits and isinstance(self.default, int):
            low, high = self.limits
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor

    @property
    def switched(self) -> bool:
        """Whether on and off are choices, which YAML and `ros2 param set` read as booleans."""
        return not isinstance(self.default, bool) and {'on', 'off'} <= set(self.limits)

    def value_of(self, given: Any) -> Any:
        """Return the value that is meant by one that was given."""
        if self.switched and isinstance(given, bool):
            return 'on' if given else 'off'
        return given

    def refusal(self, value: Any) -> str | None:
        """Return why a value of the right type cannot be taken, None if it can."""
        if isinstance(self.default, str):
            if self.limits and value not in self.limits:
                return f"{self.name} is '{value}' but must be one of {', '.join(self.limits)}"
        elif self.limits and not self.limits[0] <= value <= self.limits[1]:
            return f'{self.name} is {value} but must lie in {self.limits[0]} to {self.limits[1]}'
        elif isinstance(value, float) and not math.isfinite(value):
            return f'{self.name} must be a finite number'
        return None


PARAMETERS = (
    _Parameter('model', DEFAULT_MODEL, 'Name of a shipped model, or path of a model YAML.'),
    _Parameter(
        'backend',
        'auto',
        'Runtime of the network; auto: the first that works.',
        BACKENDS,
        UNCONFIGURED,
    ),
    _Parameter(
        'precision',
        'fp16',
        'fp16: TensorRT in FP16, the CPU in int8 where the model has it; fp32: exact, slower.',
        PRECISIONS,
        UNCONFIGURED,
    ),
    _Parameter(
        'engine_cache_dir',
        '',
        'Folder of built TensorRT engines; empty: the XDG cache.',
        (),
        UNCONFIGURED,
    ),
    _Parameter(
        'force_engine_update',
        False,
        'Build the TensorRT engine anew when a model is loaded.',
        (),
        UNCONFIGURED,
    ),
    _Parameter(
        'threads', 0, 'CPU threads of the network; 0: one per core.', (0, 1024), UNCONFIGURED
    ),
    _Parameter(
        'image_transport', 'raw', 'Type of the topic image.', ('raw', 'compressed'), UNCONFIGURED
    ),
    _Parameter(
        'camera_info_url',
        '',
        'file:// URL of a camera_calibration YAML, used while the camera publishes no calibration.',
        (),
        UNCONFIGURED,
    ),
    _Parameter(
        'rectify',
        'auto',
        'Undistort the image; auto: unless D is zero or the topic is called image_rect...',
        RECTIFY,
    ),
    _Parameter('fit', 'crop', "How the image is fitted to the network's aspect.", FITS),
    _Parameter(
        'depth.min', 0.0, 'Metres; nearer is NaN. 0: the limit of the model.', (0.0, 1000.0)
    ),
    _Parameter(
        'depth.max', 0.0, 'Metres; farther is NaN. 0: the limit of the model.', (0.0, 1000.0)
    ),
    _Parameter('depth.scale', 1.0, 'Factor on the depth.', (0.01, 100.0)),
    _Parameter(
        'depth.edge_threshold',
        0.15,
        'Relative depth jump behind which points count as flying pixels; 0: keep all.',
        (0.0, 100.0),
    ),
    _Parameter('depth.resolution', 'camera', 'Size of depth/image_rect.', ('camera', 'network')),
    _Parameter('points.enabled', True, 'Publish points.'),
    _Parameter('points.stride', 1, "Publish every n-th point of the network's grid.", (1, 64)),
    _Parameter('points.color', True, 'Colour the points.'),
    _Parameter(
        'points.organized', True, 'Publish the cloud as an image of points, invalid ones NaN.'
    ),
    _Parameter(
        'points.min_range',
        0.0,
        'Metres from the camera; nearer points are left out. 0: none are.',
        (0.0, 1000.0),
    ),
    _Parameter(
        'points.max_range',
        0.0,
        'Metres from the camera; farther points are left out. 0: none are.',
        (0.0, 1000.0),
    ),
    _Parameter(
        'points.voxel_size',
        0.0,
        'Metres; publish one point (the mean) for each cube of this size. 0: all points.',
        (0.0, 10.0),
    ),
    _Parameter(
        'scan.scan_height', 1, 'Rows of depth/image_rect that the scan is made of.', (1, 4320)
    ),
    _Parameter('scan.scan_time', 0.033, 'Seconds between scans, as they say.', (0.0, 3600.0)),
    _Parameter('scan.range_min', 0.45, 'Metres; nearer is left out.', (0.0, 1000.0)),
    _Parameter('scan.range_max', 10.0, 'Metres; farther is left out.', (0.0, 1000.0)),
    _Parameter(
        'scan.output_frame',
        '',
        "Frame of the scan, x forward; empty: the image's without _optical.",
    ),
    _Parameter(
        'base_frame', 'base_link', 'Frame on the floor, z up, that calibrate_scale measures from.'
    ),
    _Parameter(
        'camera_height',
        0.0,
        'Metres from floor to camera, for calibrate_scale. 0: from TF.',
        (0.0, 100.0),
    ),
    _Parameter(
        'camera_pitch',
        0.0,
        'Radians that the camera looks down, with camera_height.',
        (-math.pi / 2, math.pi / 2),
    ),
    _Parameter(
        'scale_file',
        '',
        'Where calibrate_scale writes; empty: the XDG configuration folder.',
        (),
        AT_START,  # else whoever may set parameters could have any file overwritten
    ),
    _Parameter(
        'max_image_age',
        0.0,
        'Seconds between stamp and arrival after which an image is dropped; 0: never.',
        (0.0, 3600.0),
    ),
    _Parameter(
        'diagnostics.min_frequency',
        0.0,
        'Hz of the output; below it diagnostics warn. 0: no limit.',
        (0.0, 1000.0),
    ),
    _Parameter(
        'diagnostics.max_age',
        0.0,
        'Seconds from stamp to publication; above it diagnostics show an error. 0: no limit.',
        (0.0, 3600.0),
    ),
    _Parameter(
        'diagnostics.max_dropped',
        1.0,
        'Share of the images dropped, for whatever reason; above it diagnostics warn.',
        (0.0, 1.0),
    ),
    _Parameter('autostart', True, 'Configure and activate at start.', (), AT_START),
)


class Parameters:
    """Declares the parameters on a node, guards them, and keeps their values at hand.

    `values` maps each name to its current value; it is replaced as a whole at a change.
    """

    def __init__(self, node: Node, swap: Callable[[ModelChoice], str | None] | None = None) -> None:
        """`swap` is asked to change the model of a configured node, or to say why it cannot."""
        self._node = node
        self._swap = swap
        self._by_name = {parameter.name: parameter for parameter in PARAMETERS}
        self.unconfigured = True
        for parameter in PARAMETERS:
            node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
        self.values: dict[str, Any] = {
            name: parameter.value_of(node.get_parameter(name).value)
            for name, parameter in self._by_name.items()
        }
        self._refuse_start_values()
        node.add_on_set_parameters_callback(self._on_set)

    def model_choice(self) -> ModelChoice:
        """Return which model runs on what."""
        return _model_choice(self.values)

    def keep_model(self, model: str) -> None:
        """Say in the parameter `model` which model runs, after a change that failed."""
        swap, self._swap = self._swap, None
        self._node.set_parameters([Parameter('model', value=model)])
        self._swap = swap

    def settings(self, image_topic: str) -> Settings:
        """Return the estimator's settings for images of a topic."""
        values = self.values
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
        )

    def thresholds(self) -> Thresholds:
        """Return what diagnostics warn of."""
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

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        values = dict(self.values)
        for change in changes:
            parameter = self._by_name.get(change.name)
            if parameter is None:  # use_sim_time, qos_overrides
                continue
            value = parameter.value_of(change.value)
            reason = parameter.refusal(value)
            if reason is None and parameter.changes == UNCONFIGURED and not self.unconfigured:
                reason = (
                    f'{change.name} can change only while the node is unconfigured: deactivate and '
                    'clean it up first (ros2 lifecycle set NODE cleanup)'
                )
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
            values[change.name] = value
        reason = _conflict(values)
        swap = None if self.unconfigured else self._swap
        if reason is None and swap and any(change.name == 'model' for change in changes):
            reason = swap(_model_choice(values))
        if reason is not None:
            return SetParametersResult(successful=False, reason=reason)
        self.values = values
        return SetParametersResult(successful=True)


def _model_choice(values: dict[str, Any]) -> ModelChoice:
    options = EngineOptions(force_update=values['force_engine_update'])
    if values['engine_cache_dir']:
        options = replace(options, cache_dir=user_path(values['engine_cache_dir']))
    return ModelChoice(
        values['model'], values['backend'], values['precision'], values['threads'], options
    )


def _conflict(values: dict[str, Any]) -> str | None:
    """Return why values that are right one by one cannot be taken together, None if they can."""
    if 0 < values['depth.max'] <= values['depth.min']:
        return f'depth.max {values["depth.max"]} must exceed depth.min {values["depth.min"]}'
    return None


def names_rectified_images(topic: str) -> bool:
    """Return whether a topic is called as image_pipeline calls rectified images.

    As image_rect, image_rect_color, image_rect_raw, rectified/image, not as image_direct.
    """
    return any(map(says_rectified, topic.split('/')[-2:]))
