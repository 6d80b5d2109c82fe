# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The hub's preprocessor_config.json and config.json: how the image is prepared, and the family.

They do not say what the prediction means. The channel order is always RGB.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msdepth_ros.adopt.recipe import NORMALISATIONS, Normalisation, Recipe
from msdepth_ros.errors import ModelError

PREPROCESSOR, CONFIG = 'preprocessor_config.json', 'config.json'
_RESCALE = 1 / 255


@dataclass(frozen=True)
class HubConfig:
    """What a folder of the hub says about a network.

    Attributes
    ----------
    family : `model_type`; '' = not given.
    metric : whether `depth_estimation_type` is 'metric'.
    farthest : `max_depth` in metres; 0: not given.
    pads : whether the processor pads to a multiple and does not resize.
    """

    family: str
    metric: bool
    farthest: float
    pads: bool
    _preprocessor: dict[str, Any]

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the folder's preparation of the image."""
        found = self._preprocessor
        if not found:
            return recipe
        changes: dict[str, Any] = {'normalisation': self._normalisation()}
        multiple = found.get('ensure_multiple_of') or found.get('size_divisor')
        if isinstance(multiple, int) and multiple > 1:
            # At least the preset's: DPT with DINOv2 says 14 and needs 28.
            changes['multiple'] = max(multiple, recipe.multiple)
            if changes['multiple'] % multiple:
                changes['multiple'] = multiple
        size = _size(found.get('size'))
        if size is not None and found.get('do_resize', True):
            changes['size'] = size
        return replace(recipe, **changes)

    def _normalisation(self) -> Normalisation:
        found = self._preprocessor
        # Files before 2022 have no do_rescale: their processor divides by 255.
        factor = float(found.get('rescale_factor') or _RESCALE)
        scale = 1 / factor if found.get('do_rescale', True) else 1.0
        mean, std = found.get('image_mean'), found.get('image_std')
        processor = str(found.get('image_processor_type') or found.get('feature_extractor_type'))
        normalises = found.get('do_normalize', not processor.startswith('GLPN'))
        if not normalises or mean is None or std is None:
            plain = NORMALISATIONS['unit' if scale != 1.0 else 'raw255']
            return plain if scale in (1.0, 255.0) else Normalisation((0.0,) * 3, (scale,) * 3)
        try:
            red, green, blue = (scale * float(value) for value in mean)
            red_std, green_std, blue_std = (scale * float(value) for value in std)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f'{PREPROCESSOR}: image_mean and image_std must be three numbers each'
            ) from error
        if min(red_std, green_std, blue_std) <= 0:
            raise ModelError(f'{PREPROCESSOR}: image_std must be positive')
        return Normalisation((red, green, blue), (red_std, green_std, blue_std))


def read_hub_config(folder: Path) -> HubConfig:
    """Read those of the two files that exist.

    Raises
    ------
    ModelError
        If neither exists, or one is not JSON.
    """
    preprocessor, config = _read(folder / PREPROCESSOR), _read(folder / CONFIG)
    if preprocessor is None and config is None:
        raise ModelError(f'no {PREPROCESSOR} and no {CONFIG} in {folder}: give the folder of both')
    preprocessor, config = preprocessor or {}, config or {}
    farthest = config.get('max_depth')
    return HubConfig(
        family=str(config.get('model_type') or ''),
        metric=config.get('depth_estimation_type') == 'metric',
        farthest=float(farthest) if isinstance(farthest, (int, float)) else 0.0,
        pads=bool(preprocessor.get('do_pad')) and not preprocessor.get('do_resize', True),
        _preprocessor=preprocessor,
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f'cannot read {path}: {" ".join(str(error).split())}') from error
    if not isinstance(document, dict):
        raise ModelError(f'{path} must contain one JSON object')
    return document


def _size(value: Any) -> tuple[int, int] | None:
    """Return (width, height) of the key `size`: a number, or a mapping."""
    if isinstance(value, int) and value > 0:
        return value, value
    if isinstance(value, dict):
        width, height = value.get('width'), value.get('height')
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            return width, height
    return None
