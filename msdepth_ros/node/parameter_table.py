# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: names, defaults, ranges, and when each may change."""

import array
import math
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from msdepth_ros.inference.backends import BACKENDS, OPENVINO_DEVICES, PRECISIONS
from msdepth_ros.inference.estimator import RECTIFY
from msdepth_ros.inference.fit import FITS
from msdepth_ros.inference.model import DEFAULT_MODEL
from msdepth_ros.node.measured.hub import SOURCES

ALWAYS, UNCONFIGURED, AT_START = 'always', 'while unconfigured', 'at start only'


@dataclass(frozen=True)
class NodeParameter:
    """One parameter.

    Attributes
    ----------
    limits : (lowest, highest) for a number, the choices for a text or a list of texts; () = any.
    changes : when it may change: ALWAYS, UNCONFIGURED or AT_START.
    """

    name: str
    default: bool | int | float | str | list[str]
    description: str
    limits: tuple[Any, ...] = ()
    changes: str = ALWAYS

    def descriptor(self) -> ParameterDescriptor:
        """Return what `ros2 param describe` shows."""
        text = self.description
        if isinstance(self.default, str) and self.limits:
            text = f'{text} One of: {", ".join(self.limits)}.'
        elif self.several:
            text = f'{text} Some of: {", ".join(self.limits)}.'
        descriptor = ParameterDescriptor(description=text, read_only=self.changes == AT_START)
        descriptor.additional_constraints = f'Can change {self.changes}.'
        free = isinstance(self.default, float)
        descriptor.dynamic_typing = self.switched or self.several or free
        if self.limits and isinstance(self.default, float):
            low, high = self.limits
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.limits and isinstance(self.default, int):
            low, high = self.limits
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor

    @property
    def switched(self) -> bool:
        """Whether the choices include on and off, which YAML and `ros2 param set` read as bools."""
        return not isinstance(self.default, bool) and {'on', 'off'} <= set(self.limits)

    @property
    def several(self) -> bool:
        """Whether the value is a list of choices; a text with commas is accepted as such a list."""
        return isinstance(self.default, list)

    def value_of(self, given: Any) -> Any:
        """Return a given value in the type of the parameter, for example 5.0 for 5."""
        if self.several:
            several = isinstance(given, (list, tuple, array.array))
            words = given if several else str(given or '').split(',')
            texts = [str(word).strip() for word in words]
            return [text for text in texts if text not in ('', 'none')]
        if self.switched and isinstance(given, bool):
            return 'on' if given else 'off'
        if isinstance(self.default, float) and type(given) is int:  # `ros2 param set ... 5`
            return float(given)
        return given

    def refusal(self, value: Any) -> str | None:
        """Return why a value is rejected, None if it is valid."""
        if isinstance(self.default, float) and not isinstance(value, float):
            return f'{self.name} is {value!r} but must be a number'
        if self.several:
            wrong = [word for word in value if word not in self.limits]
            if wrong:
                return f"{self.name} has '{wrong[0]}' but may have {', '.join(self.limits)}"
        elif isinstance(self.default, str):
            if self.limits and value not in self.limits:
                return f"{self.name} is '{value}' but must be one of {', '.join(self.limits)}"
        elif self.limits and not self.limits[0] <= value <= self.limits[1]:
            return f'{self.name} is {value} but must lie in {self.limits[0]} to {self.limits[1]}'
        elif isinstance(value, float) and not math.isfinite(value):
            return f'{self.name} must be a finite number'
        return None


PARAMETERS = (
    NodeParameter(
        'model', DEFAULT_MODEL, 'Name of a shipped or adopted model, or path of a model YAML.'
    ),
    NodeParameter(
        'backend',
        'auto',
        'Runtime of the network; auto: the first that works.',
        BACKENDS,
        UNCONFIGURED,
    ),
    NodeParameter(
        'precision',
        'auto',
        'Precision of the network; auto: FP16 on TensorRT, int8 on a CPU if the model has it.',
        PRECISIONS,
        UNCONFIGURED,
    ),
    NodeParameter(
        'engine_cache_dir',
        '',
        'Folder for built TensorRT engines; empty: the XDG cache folder.',
        (),
        UNCONFIGURED,
    ),
    NodeParameter(
        'force_engine_update',
        False,
        'Build the TensorRT engine anew when a model is loaded.',
        (),
        UNCONFIGURED,
    ),
    NodeParameter(
        'threads', 0, 'CPU threads of the network; 0: one per core.', (0, 1024), UNCONFIGURED
    ),
    NodeParameter(
        'openvino_device',
        'CPU',
        "OpenVINO's device; AUTO: the first of GPU, NPU and CPU that works.",
        OPENVINO_DEVICES,
        UNCONFIGURED,
    ),
    NodeParameter(
        'image_transport', 'raw', 'Type of the topic image.', ('raw', 'compressed'), UNCONFIGURED
    ),
    NodeParameter(
        'camera_info_url',
        '',
        'Calibration file (file://, package:// or path), used while no camera_info is published.',
        (),
        UNCONFIGURED,
    ),
    NodeParameter(
        'optical_frame',
        '',
        'frame_id of the outputs, with x right, y down, z forward (REP-103); '
        "empty: the image's frame_id.",
    ),
    NodeParameter(
        'rectify',
        'auto',
        'Undistort the image; auto: off if D is zero or the topic is called image_rect...',
        RECTIFY,
    ),
    NodeParameter(
        'fit',
        'auto',
        'How an image of another aspect ratio is fitted to the network; auto: as the model says.',
        ('auto', *FITS),
    ),
    NodeParameter(
        'depth.min', 0.0, 'Metres; nearer depth is NaN. 0: limit of the model.', (0.0, 1000.0)
    ),
    NodeParameter(
        'depth.max', 0.0, 'Metres; farther depth is NaN. 0: limit of the model.', (0.0, 1000.0)
    ),
    NodeParameter('depth.scale', 1.0, 'Factor on the depth.', (0.01, 100.0)),
    NodeParameter(
        'depth.edge_threshold',
        0.15,
        'Relative depth jump from which a pixel counts as flying and becomes NaN; 0: keep all.',
        (0.0, 100.0),
    ),
    NodeParameter(
        'depth.min_confidence',
        0.0,
        'Probability of being within 25 % of the truth; depth with less is NaN. 0: keep all.',
        (0.0, 1.0),
    ),
    NodeParameter('depth.resolution', 'camera', 'Size of depth/image_rect.', ('camera', 'network')),
    NodeParameter('points.enabled', True, 'Publish points.'),
    NodeParameter('points.stride', 1, "Publish every n-th point of the network's grid.", (1, 64)),
    NodeParameter('points.color', True, 'Publish the colour of each point (rgb).'),
    NodeParameter(
        'points.organized',
        True,
        "Cloud of the grid's height and width, invalid points NaN; false: only valid points.",
    ),
    NodeParameter(
        'points.min_range',
        0.0,
        'Metres from the camera; nearer points are left out. 0: no limit.',
        (0.0, 1000.0),
    ),
    NodeParameter(
        'points.max_range',
        0.0,
        'Metres from the camera; farther points are left out. 0: no limit.',
        (0.0, 1000.0),
    ),
    NodeParameter(
        'points.clamp_range',
        False,
        'Move points beyond max_range or beyond the range of depth to max_range along their rays, '
        'so that a costmap clears the way to them.',
    ),
    NodeParameter(
        'points.voxel_size',
        0.0,
        'Metres; publish one point (the mean) for each cube of this size. 0: all points.',
        (0.0, 10.0),
    ),
    NodeParameter(
        'scan.scan_height',
        1,
        'Rows of depth/image_rect used for the scan, around the principal point.',
        (1, 4320),
    ),
    NodeParameter(
        'scan.scan_time', 0.033, 'Seconds between scans, for the field scan_time.', (0.0, 3600.0)
    ),
    NodeParameter('scan.range_min', 0.45, 'Metres; nearer is left out.', (0.0, 1000.0)),
    NodeParameter('scan.range_max', 10.0, 'Metres; farther is left out.', (0.0, 1000.0)),
    NodeParameter(
        'scan.use_inf',
        True,
        'Beams with nothing in range are +inf or -inf (REP-117); false: NaN, as in '
        'depthimage_to_laserscan.',
    ),
    NodeParameter(
        'scan.output_frame',
        '',
        "frame_id of the scan, x forward; empty: the image's frame_id without _optical.",
    ),
    NodeParameter(
        'obstacles.min_height',
        0.05,
        'Metres above the floor from which a point can be an obstacle.',
        (0.0, 10.0),
    ),
    NodeParameter(
        'obstacles.max_range',
        4.5,
        'Metres from the camera; farther points are neither obstacles nor drops.',
        (0.1, 1000.0),
    ),
    NodeParameter(
        'obstacles.depth_error',
        0.3,
        'Relative error of depth (standard deviation), if nothing was measured and the floor in '
        'view does not show a smaller one.',
        (0.0, 2.0),
    ),
    NodeParameter(
        'obstacles.memory',
        1.0,
        'Seconds; an obstacle counts if one was seen near it within this time. 0: all count.',
        (0.0, 60.0),
    ),
    NodeParameter(
        'obstacles.sure',
        0.97,
        'Confidence of a measured depth from which an obstacle counts at once.',
        (0.0, 1.0),
    ),
    NodeParameter(
        'fixed_frame',
        'odom',
        "Frame in which TF gives the camera's motion while nothing arrives on odom.",
    ),
    NodeParameter('base_frame', 'base_link', 'Frame of the robot on the floor, z up.'),
    NodeParameter(
        'camera_pose',
        '',
        "'x y z roll pitch yaw' of the camera's body (x forward) in base_frame; empty: from TF.",
        (),
        AT_START,
    ),
    NodeParameter(
        'camera_height',
        0.0,
        'Metres from floor to camera, instead of camera_pose. 0: from TF.',
        (0.0, 100.0),
    ),
    NodeParameter(
        'camera_pitch',
        0.0,
        'Radians that the camera looks down, with camera_height.',
        (-math.pi / 2, math.pi / 2),
    ),
    NodeParameter(
        'metric.sources',
        ['floor'],
        'Measurements with which the depth is aligned.',
        SOURCES,
        UNCONFIGURED,
    ),
    NodeParameter(
        'metric.max_age',
        0.2,
        'Seconds; largest difference between the stamps of an image and of a measurement.',
        (0.001, 60.0),
    ),
    NodeParameter(
        'metric.hold',
        5.0,
        'Seconds for which the scale holds after the last measurement.',
        (0.0, 3600.0),
    ),
    *(
        NodeParameter(
            f'measured.{name}_pose',
            '',
            f"'x y z roll pitch yaw' in base_frame of {what}, with camera_pose; empty: from TF.",
            (),
            AT_START,
        )
        for name, what in (
            ('scan', 'the frame of measured/scan'),
            ('points', "the frame of measured/points, or of its body if that is 'optical'"),
            ('depth', "the depth camera's body (x forward)"),
        )
    ),
    NodeParameter(
        'scale_file',
        '',
        'File with the scale of each model; empty: in the XDG configuration folder.',
        (),
        AT_START,  # else a caller of set_parameters could let the node overwrite any file
    ),
    NodeParameter(
        'max_image_age',
        0.0,
        'Seconds between stamp and arrival after which an image is dropped; 0: never.',
        (0.0, 3600.0),
    ),
    NodeParameter(
        'diagnostics.min_frequency',
        0.0,
        'Hz of the output; diagnostics warn below it. 0: no limit.',
        (0.0, 1000.0),
    ),
    NodeParameter(
        'diagnostics.max_age',
        0.0,
        'Seconds from stamp to publication; diagnostics show an error above it. 0: no limit.',
        (0.0, 3600.0),
    ),
    NodeParameter(
        'diagnostics.max_dropped',
        1.0,
        'Share of the images that are dropped, for any reason; diagnostics warn above it.',
        (0.0, 1.0),
    ),
    NodeParameter('autostart', True, 'Configure and activate at start.', (), AT_START),
)
