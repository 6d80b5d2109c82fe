# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A depth model: an ONNX file and the YAML beside it that says how to use it."""

import hashlib
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import ModelError
from msdepth_ros.inference.fit import FITS
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.relative import KINDS
from msdepth_ros.resources import share_directory, user_models_directory, user_path

DEFAULT_MODEL = 'msdepth'  # of the node and of all commands
QUANTITIES = ('depth', 'log_depth', 'inverse_depth')
CHANNELS = ('rgb', 'bgr')
PRECISIONS = ('auto', 'fp32')
FOCAL_FROM = ('geometric_mean', 'mean', 'fx')
IMAGE, DEPTH = 'image', 'depth'  # the roles of the tensors that every model has
INTRINSICS = 'intrinsics'
INPUTS = (INTRINSICS,)  # the roles of further inputs
OUTPUTS = ('floor', 'confidence')  # the roles of further outputs


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network.

    Attributes
    ----------
    name : its name in the ONNX file.
    dtype : 'uint8' or 'float32'.
    shape : its sizes, all fixed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """The description of a model, as in its YAML; see engines/ for examples.

    Attributes
    ----------
    name : of the model.
    onnx : path of the ONNX file.
    sha256 : expected SHA-256 of that file in hex, or None.
    input_name, input_size : name and (width, height) of the uint8 [1, height, width, 3] input.
    channels : 'rgb' or 'bgr', the order of the input's last axis.
    output_name, output_size : name and (width, height) of the float32 [1, 1, height, width] output.
    quantity : 'depth' (metres), 'log_depth' (ln metres) or 'inverse_depth' (1/metres).
    grid_origin, grid_step : network pixel (x, y) at the centre of output cell (0, 0), and the
        step from one cell to the next. Pixel centres lie on integers.
    focal : f0, the focal length in network pixels for which the output is metric; 0: any.
    focal_from : how the focal length of a camera follows from fx and fy: 'geometric_mean', 'mean'
        or 'fx'.
    depth_range : (nearest, farthest) depth in metres in which the model is valid.
    further_inputs : names of further input tensors by role: 'intrinsics' = float32 [1, 3, 3], the
        camera matrix in network pixels.
    further_outputs : names of further output tensors by role, float32 [1, 1, height, width] on the
        depth's grid: 'floor' = probability that a cell shows the floor, 'confidence' = probability
        that its depth is within 25 % of the truth.
    fit : how images of another aspect ratio are fitted, if the user sets 'auto'.
    precision : which precision 'auto' means: 'auto' = as usual, 'fp32' = FP16 is not exact enough.
    int8 : the same model quantised, for CPUs: about twice as fast. None: there is none.
    metric : 'metric'; or 'scale', if depth is known up to a factor; or 'affine', if inverse depth
        is known up to factor and shift. The last two need measurements to be in metres.
    prior : the expected error of the model's log depth, for the alignment with measurements.
    document : the whole YAML, with the metadata.
    """

    name: str
    onnx: Path
    sha256: str | None
    input_name: str
    input_size: tuple[int, int]
    channels: str
    output_name: str
    output_size: tuple[int, int]
    quantity: str
    grid_origin: tuple[float, float]
    grid_step: tuple[float, float]
    focal: float
    depth_range: tuple[float, float]
    further_inputs: dict[str, str] = field(default_factory=dict)
    further_outputs: dict[str, str] = field(default_factory=dict)
    focal_from: str = 'geometric_mean'
    fit: str = 'crop'
    precision: str = 'auto'
    metric: str = 'metric'
    prior: Prior = field(default_factory=Prior)
    int8: 'Model | None' = field(default=None, repr=False)
    document: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The network's inputs by role; the image is first."""
        width, height = self.input_size
        found = {IMAGE: Tensor(self.input_name, 'uint8', (1, height, width, 3))}
        for role, name in self.further_inputs.items():
            found[role] = Tensor(name, 'float32', (1, 3, 3))
        return found

    @property
    def outputs(self) -> dict[str, Tensor]:
        """The network's outputs by role; the depth (or its logarithm or inverse) is first."""
        width, height = self.output_size
        names = {DEPTH: self.output_name, **self.further_outputs}
        return {
            role: Tensor(name, 'float32', (1, 1, height, width)) for role, name in names.items()
        }

    @property
    def weights(self) -> Path | None:
        """The file beside the ONNX file with the weights of a large model; None: there is none."""
        path = self.onnx.with_name(f'{self.onnx.name}.data')
        return path if path.is_file() else None

    def read_onnx(self) -> bytes:
        """Return the ONNX file's bytes.

        Raises
        ------
        ModelError
            If the file cannot be read or its SHA-256 is not the YAML's.
        """
        try:
            data = self.onnx.read_bytes()
        except OSError as error:
            raise ModelError(
                f'model {self.name}: cannot read {self.onnx}: {error.strerror}. Put the ONNX file '
                'beside its YAML, or correct the key `onnx` there'
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if self.sha256 is not None and digest != self.sha256:
            raise ModelError(
                f'model {self.name}: {self.onnx.name} has SHA-256 {digest}, its YAML says '
                f'{self.sha256}: the file is damaged or was replaced. Download it again, or '
                'correct the key `sha256` if the new file is right'
            )
        return data


def model_names() -> list[str]:
    """Return the names of the models that the package ships."""
    return sorted(path.stem for path in (share_directory() / 'engines').glob('*.yaml'))


def adopted_names() -> list[str]:
    """Return the names of the models that this user adopted."""
    folder = user_models_directory()
    return sorted(path.stem for path in folder.glob('*/*.yaml') if path.stem == path.parent.name)


def load_model(model: str | Path) -> Model:
    """Read a model's YAML.

    Parameters
    ----------
    model : a shipped or adopted model's name, or the path of a YAML file (or of the ONNX file
        beside it).

    Raises
    ------
    ModelError
        If there is no such model or its YAML is not valid; the message names the key.
    """
    path = model_path(str(model))
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise ModelError(f'cannot read the model description {path}: {reason}') from error
    if not isinstance(document, dict):
        raise ModelError(
            f'{path}: a model description is a YAML mapping with name, onnx, input, ...'
        )
    return _Reader(path, document).model()


def model_path(model: str) -> Path:
    """Return the path of a model's YAML.

    Parameters
    ----------
    model : see `load_model`.

    Raises
    ------
    ModelError
        If there is none.
    """
    if model and Path(model).name == model:
        shipped = share_directory() / 'engines' / f'{model}.yaml'
        adopted = user_models_directory() / model / f'{model}.yaml'
        for known in (shipped, adopted):
            if known.is_file():
                return known
    path = user_path(model)
    if path.suffix == '.onnx':
        path = path.with_suffix('.yaml')
    if path.suffix in ('.yaml', '.yml') and path.is_file():
        return path
    if path.suffix in ('.yaml', '.yml'):
        raise ModelError(f'there is no {path}: each ONNX file needs a YAML file beside it')
    adopted_too = f', adopted are {", ".join(adopted_names())}' if adopted_names() else ''
    raise ModelError(
        f"no model named '{model}': shipped are {', '.join(model_names()) or 'none'}{adopted_too}; "
        'or give the path of a model YAML'
    )


class _Reader:
    """Checks a model YAML key by key."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self._path = path
        self._document = document

    def model(self) -> Model:
        model = self._plain_model()
        if 'int8' not in self._document:
            return model
        onnx = self._path.parent / self._text('int8.onnx')
        digest = self._text('int8.sha256').lower()
        return replace(model, int8=replace(model, onnx=onnx, sha256=digest))

    def _plain_model(self) -> Model:
        sha256 = self._document.get('sha256')
        if sha256 is not None and not re.fullmatch('[0-9a-fA-F]{64}', str(sha256)):
            raise self._error('sha256', 'must be 64 hex digits')
        low, high = self._numbers('depth_range', 2)
        if not 0 < low < high:
            raise self._error(
                'depth_range', 'must be [nearest, farthest] with 0 < nearest < farthest'
            )
        origin, step = self._numbers('grid.origin', 2), self._numbers('grid.step', 2)
        if min(step) <= 0:
            raise self._error('grid.step', 'must be positive')
        (focal,) = self._numbers('focal', 1)
        if focal < 0:
            raise self._error('focal', 'must be 0 or positive, in network pixels')
        return Model(
            name=self._text('name'),
            onnx=self._path.parent / self._text('onnx'),
            sha256=None if sha256 is None else str(sha256).lower(),
            input_name=self._text('input.name'),
            input_size=(self._size('input.width'), self._size('input.height')),
            channels=self._choice('input.channels', CHANNELS),
            output_name=self._text('output.name'),
            output_size=(self._size('output.width'), self._size('output.height')),
            quantity=self._choice('output.quantity', QUANTITIES),
            grid_origin=(origin[0], origin[1]),
            grid_step=(step[0], step[1]),
            focal=focal,
            depth_range=(low, high),
            further_inputs=self._roles('inputs', INPUTS),
            further_outputs=self._roles('outputs', OUTPUTS),
            focal_from=self._choice('focal_from', FOCAL_FROM, 'geometric_mean'),
            fit=self._choice('fit', FITS, 'crop'),
            precision=self._choice('precision', PRECISIONS, 'auto'),
            metric=self._choice('metric', KINDS, 'metric'),
            prior=self._prior(),
            document=self._document,
        )

    def _prior(self) -> Prior:
        if 'prior' not in self._document:
            return Prior()
        try:
            return Prior.from_document(self._document['prior'])
        except ValueError as error:
            problem = f'must be a mapping of SG, SL, ELL and TAU: {error}'
            raise self._error('prior', problem) from error

    def _roles(self, key: str, known: tuple[str, ...]) -> dict[str, str]:
        """Return the tensor's name for each role of an optional key."""
        roles = self._document.get(key, {})
        if not isinstance(roles, dict):
            raise self._error(key, 'must be a mapping from a role to {name: TENSOR}')
        for role in roles:
            if role not in known:
                raise self._error(f'{key}.{role}', f'is not one of {", ".join(known)}')
        return {role: self._text(f'{key}.{role}.name') for role in roles}

    def _error(self, key: str, problem: str) -> ModelError:
        return ModelError(f'{self._path}: key `{key}` {problem}')

    def _get(self, key: str) -> Any:
        value: Any = self._document
        for part in key.split('.'):
            if not isinstance(value, dict) or part not in value:
                raise self._error(key, 'is missing')
            value = value[part]
        return value

    def _text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise self._error(key, 'must be a text')
        return value

    def _choice(self, key: str, choices: tuple[str, ...], default: str = '') -> str:
        if default and key not in self._document:
            return default
        value = self._text(key)
        if value not in choices:
            raise self._error(key, f"is '{value}' but must be one of {', '.join(choices)}")
        return value

    def _size(self, key: str) -> int:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 8192:
            raise self._error(key, 'must be a whole number of pixels from 2 to 8192')
        return value

    def _numbers(self, key: str, count: int) -> list[float]:
        value = self._get(key)
        values = value if isinstance(value, list) else [value]
        numbers = [
            float(item)
            for item in values
            if isinstance(item, (int, float)) and not isinstance(item, bool) and math.isfinite(item)
        ]
        if len(values) != count or len(numbers) != count:
            raise self._error(key, 'must be a number' if count == 1 else f'must be {count} numbers')
        return numbers
