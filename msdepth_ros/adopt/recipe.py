# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recipe of an exported network: its input, its output, and how that becomes metres."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from msdepth_ros.errors import ModelError

METRICS = ('metres', 'focal', 'scale', 'affine')
CAMERA_INPUTS = ('K', 'P3x4', 'fxfycxcy', 'rays')


@dataclass(frozen=True)
class Normalisation:
    """The network's input is (value - mean) / std for each channel of an image of 0 to 255.

    Attributes
    ----------
    mean, std : of red, green and blue, in units of 0 to 255.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of_unit_image(cls, mean: list[float], std: list[float]) -> 'Normalisation':
        """Return a normalisation whose numbers are for images of 0 to 1."""
        return cls(_triple(255.0 * np.array(mean)), _triple(255.0 * np.array(std)))

    @classmethod
    def parse(cls, text: str) -> 'Normalisation':
        """Return the normalisation of this name, or of 'mean=R,G,B,std=R,G,B'.

        The numbers are for images of 0 to 1, or of 0 to 255 if a standard deviation is above 1.

        Raises
        ------
        ModelError
            If it is neither.
        """
        if text in NORMALISATIONS:
            return NORMALISATIONS[text]
        number = r'([-+.\deE]+)'
        found = re.fullmatch(
            rf'mean={number},{number},{number},std={number},{number},{number}', text
        )
        try:
            numbers = [float(part) for part in found.groups()] if found else []
        except ValueError:
            numbers = []
        if len(numbers) != 6 or min(numbers[3:]) <= 0:
            raise ModelError(
                f"no normalisation '{text}': give one of {', '.join(NORMALISATIONS)} or "
                'mean=R,G,B,std=R,G,B'
            )
        mean, std = numbers[:3], numbers[3:]
        return cls.of_unit_image(mean, std) if max(std) <= 1 else cls(_triple(mean), _triple(std))

    def __str__(self) -> str:
        """Return its name, or the numbers."""
        for name, known in NORMALISATIONS.items():
            if np.allclose(self.mean, known.mean) and np.allclose(self.std, known.std):
                return name
        mean, std = (','.join(f'{value:g}' for value in part) for part in (self.mean, self.std))
        return f'mean={mean},std={std}'


def _triple(values: 'np.ndarray | list[float]') -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALISATIONS = {
    'imagenet': Normalisation.of_unit_image([*IMAGENET_MEAN], [*IMAGENET_STD]),
    'half': Normalisation((127.5,) * 3, (127.5,) * 3),
    'unit': Normalisation((0.0,) * 3, (255.0,) * 3),  # an image of 0 to 1
    'raw255': Normalisation((0.0,) * 3, (1.0,) * 3),
    'none': Normalisation((0.0,) * 3, (1.0,) * 3),
}


@dataclass(frozen=True)
class Metric:
    """How a prediction becomes metres.

    Attributes
    ----------
    kind : 'metres' (it is in metres), 'focal' (it is multiplied by focal length / `canonical`),
        'scale' (depth up to a factor) or 'affine' (up to a factor and an offset, in its own
        quantity).
    canonical : the focal length in network pixels at which the prediction is in metres; for
        'focal'.
    focal_from : how the focal length of a camera follows from fx and fy: 'geometric_mean', 'mean'
        or 'fx'.
    """

    kind: str = 'metres'
    canonical: float = 0.0
    focal_from: str = 'geometric_mean'

    @classmethod
    def parse(cls, text: str) -> 'Metric':
        """Return 'metres', 'focal:CANONICAL[:mean|fx]', 'scale' or 'affine'.

        Raises
        ------
        ModelError
            If the text is none of these.
        """
        kind, *rest = text.split(':')
        if kind in METRICS and kind != 'focal' and not rest:
            return cls(kind)
        try:
            canonical = float(rest[0]) if kind == 'focal' and rest else 0.0
        except ValueError:
            canonical = 0.0
        if canonical <= 0 or rest[1:] not in ([], ['mean'], ['fx'], ['geometric_mean']):
            raise ModelError(
                f"no metric rule '{text}': give metres, focal:CANONICAL[:mean|fx], scale or affine"
            )
        return cls('focal', canonical, *rest[1:])

    def __str__(self) -> str:
        """Return the text for `parse`."""
        if self.kind != 'focal':
            return self.kind
        ending = '' if self.focal_from == 'geometric_mean' else f':{self.focal_from}'
        return f'focal:{self.canonical:g}{ending}'


@dataclass(frozen=True)
class Invalid:
    """Which cells have no depth (sky, or masked): those where the output `name` meets a condition.

    Attributes
    ----------
    name : of a further output.
    operator, value : the condition, as '>=' 0.5.
    """

    name: str
    operator: str
    value: float

    @classmethod
    def parse(cls, text: str) -> 'Invalid':
        """Return the condition of 'NAME>=VALUE' or 'NAME<VALUE'.

        Raises
        ------
        ModelError
            If the text is neither.
        """
        found = re.fullmatch(r'([^<>=]+)(>=|<)([-+.\deE]+)', text)
        try:
            if found:
                return cls(found[1].strip(), found[2], float(found[3]))
        except ValueError:
            pass
        raise ModelError(f"--invalid '{text}' must be NAME>=VALUE or NAME<VALUE")

    def __str__(self) -> str:
        """Return the text for `parse`."""
        return f'{self.name}{self.operator}{self.value:g}'


@dataclass(frozen=True)
class Recipe:
    """Everything that must be known to use an exported network.

    Attributes
    ----------
    input : name of the image's tensor; '' = the one of rank 4 or 5.
    normalisation : of the image.
    channels : 'rgb' or 'bgr'.
    multiple : width and height must be multiples of it; 0: they must be `size`.
    size : (width, height); if the file leaves it open, about this number of pixels is used.
    fit : how images of another aspect ratio are fitted, see inference.fit.
    output, channel : name of the depth's tensor ('' = the first), and its channel (None: it has
        only one).
    quantity : what `scale` * prediction + `shift` is: 'depth', 'inverse_depth' or 'log_depth'.
    scale, shift : see `quantity`.
    metric : how it becomes metres.
    invalid : cells without depth; None: all have depth.
    confidence : name of a tensor with values of at least 1, larger = more certain; '' = none.
    corners : whether the corner cells of a smaller prediction lie on the image's corner pixels
        (align_corners).
    constants : values of further inputs, by name.
    camera_input : (name, one of CAMERA_INPUTS) of a further input for the camera; None: there is
        none.
    precision : 'fp16', or 'fp32' if FP16 is not exact enough.
    depth_range : (nearest, farthest) depth in metres.
    """

    input: str = ''
    normalisation: Normalisation = NORMALISATIONS['imagenet']
    channels: str = 'rgb'
    multiple: int = 14
    size: tuple[int, int] = (518, 518)
    fit: str = 'stretch'
    output: str = ''
    channel: int | None = None
    quantity: str = 'depth'
    scale: float = 1.0
    shift: float = 0.0
    metric: Metric = Metric()
    invalid: Invalid | None = None
    confidence: str = ''
    corners: bool = False
    constants: Mapping[str, float] = field(default_factory=dict)
    camera_input: tuple[str, str] | None = None
    precision: str = 'fp16'
    depth_range: tuple[float, float] = (0.1, 80.0)
