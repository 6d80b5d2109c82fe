# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a training: one YAML file, checked key by key."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.measurements import Measured
from msdepth_ros.training.augmentation import Augmentation, check_zoom


@dataclass(frozen=True)
class MeasuredBy:
    """What was measured instead of the depth of all pixels, see `training.measured`.

    Attributes
    ----------
    what : some of evaluation.measurements.CHOICES, separated by commas.
    depth : folder of depth images NAME.png, 16-bit millimetres, 0 = not measured; None: there are
        none.
    camera_height : of the camera above the floor, metres; None: as the recording says.
    camera_pitch : by which the camera looks down, radians; used with `camera_height`.

    Raises
    ------
    MsdepthError
        If nothing is named, or a value is out of its range.
    """

    what: str = 'none'
    depth: str | None = None
    camera_height: float | None = None
    camera_pitch: float = 0.0

    def __post_init__(self) -> None:
        some = bool(Measured.parse(self.what)) or self.depth is not None
        _check('measured', self.what, some, 'something: scan, points, floor, views or depth images')
        height = self.camera_height
        good = height is None or 0 < height < math.inf
        _check('camera_height', height, good, 'positive, in metres')

    def __str__(self) -> str:
        depth = [] if self.depth is None else ['depth images']
        return ', '.join([*(part for part in self.what.split(',') if part != 'none'), *depth])


@dataclass(frozen=True)
class Source:
    """One dataset, or several of the same kind.

    Attributes
    ----------
    folders : dataset folders, relative to the training's data folder.
    description : what the data is, for the model's YAML.
    licence : of the data, for the model's YAML.
    weight : fraction of the views, relative to the other sources; it is divided among the folders
        by the square roots of their numbers of frames. 0: all frames are held out.
    intrinsics : (fx, fy, cx, cy), pixels, instead of the folder's calibration.
    border : pixels along the edge of a resized frame that do not show the scene.
    blocks, validation_share : which frames are held out, see `split_in_blocks`.
    split : 'train', 'test' or 'all', for NYU Depth v2.
    every : only every N-th frame of each folder is used, for recordings at full rate.
    at_most : frames of each folder, evenly chosen; None: all.
    rendered : frames that are rendered before the training begins; then there is one folder,
        relative to the training's own folder.
    camera_height : smallest and largest height of the camera above the floor, metres. The floor
        head learns from the lowest level plane at such a height. None: the floor is not known.
    floor_seen : whether frames may show the floor; false for table tops and close-ups.
    teacher_only : images without depth, in a rosbag2, a folder or a video: stages with
        `distillation` learn the teachers' predictions for them. Depth files are not read.
    teaches_confidence : false if the depth network was trained on these frames before a stage of
        heads: its errors on them are too small.
    measured : what was measured of images without depth: the default model's depth, aligned with
        it, is learned. Stages of heads do not see these frames.

    Raises
    ------
    MsdepthError
        If a value is out of its range.
    """

    folders: tuple[str, ...]
    description: str
    licence: str
    weight: float = 1.0
    intrinsics: tuple[float, float, float, float] | None = None
    border: int = 0
    blocks: int = 12
    validation_share: float = 0.0
    split: str | None = None
    every: int = 1
    at_most: int | None = None
    rendered: int = 0
    camera_height: tuple[float, float] | None = None
    floor_seen: bool = True
    teacher_only: bool = False
    teaches_confidence: bool = True
    measured: MeasuredBy | None = None

    def step(self, count: int) -> int:
        """Return N, if every N-th of a folder's `count` frames is used."""
        return max(self.every, -(-count // (self.at_most or count or 1)))

    def path(self, folder: str, data: Path, out: Path) -> Path:
        """Return the path of a folder of this source.

        Parameters
        ----------
        folder : one of `folders`.
        data : the training's data folder.
        out : the training's own folder.
        """
        return (out if self.rendered else data) / folder

    def __post_init__(self) -> None:
        _check('weight', self.weight, self.weight >= 0, '0 or more')
        _check('border', self.border, self.border >= 0, '0 or more')
        _check('blocks', self.blocks, self.blocks >= 1, '1 or more')
        _check('every', self.every, self.every >= 1, '1 or more')
        _check('at_most', self.at_most, self.at_most is None or self.at_most >= 1, '1 or more')
        _check('rendered', self.rendered, self.rendered >= 0, '0 or more')
        one = len(self.folders) == 1 or not self.rendered
        _check('folders', list(self.folders), one, 'one folder where frames are rendered')
        share = self.validation_share
        _check('validation_share', share, 0 <= share < 1, 'at least 0 and below 1')
        both = self.measured is not None and (self.rendered or self.teacher_only)
        _check('measured', both, not both, 'of images that are neither rendered nor teacher_only')
        low, high = self.camera_height or (1, 1)
        rising = 0 < low <= high < math.inf
        _check('camera_height', self.camera_height, rising, 'two heights, the lower first')


@dataclass(frozen=True)
class Data:
    """The data of a training.

    Attributes
    ----------
    sources : by a short name.
    cached_width : frames are resized to this width, pixels, and kept in memory.
    """

    sources: Mapping[str, Source]
    cached_width: int = 320

    def __post_init__(self) -> None:
        _check('sources', dict(self.sources), bool(self.sources), 'a mapping of at least one entry')
        _check('cached_width', self.cached_width, self.cached_width >= 16, '16 or more')


@dataclass(frozen=True)
class Loss:
    """Weights of `multi_scale_loss`.

    Raises
    ------
    MsdepthError
        If a value is out of its range.
    """

    scale_weight: float = 0.5
    absolute_weight: float = 0.0
    gradient_weight: float = 0.0

    def __post_init__(self) -> None:
        _check('scale_weight', self.scale_weight, 0 <= self.scale_weight <= 1, 'from 0 to 1')
        for name in ('absolute_weight', 'gradient_weight'):
            weight = getattr(self, name)
            _check(name, weight, weight >= 0, 'a number of 0 or more')


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes
    ----------
    trains : name of the network's stage: which of its weights are trained.
    images : number of views.
    rate : largest learning rate; it is reached after `warm_up` images, then falls as a cosine to 0.
    batch : views in a batch.
    warm_up : None: a tenth of the images, at most 2000.
    weight_decay : of the optimiser.
    pretrained_rate : learning rate of pretrained weights, relative to `rate`.
    depth_weight : weight of the depth loss.
    distillation : weight of the loss against the teachers' predictions (see `DepthTeacher`), which
        is the depth loss over the whole view.
    cutmix : fraction of a batch's views into which a part of another view is pasted; only the
        teachers' predictions are learned from them (see `cutmix`).
    weights : of sources in this stage, if they differ from the sources' own; 0: not used.
    zoom : of sources in this stage, if it differs from the augmentation's.
    averaging : if it differs from the configuration's. (An average over more steps than the stage
        has still contains the weights before it.)
    held_out : train also on the held-out frames, this many times as often as on the others; 0: do
        not. Only in the last stage; then the weights before it are measured.

    Raises
    ------
    MsdepthError
        If a value is out of its range.
    """

    trains: str
    images: int
    rate: float
    batch: int = 16
    warm_up: int | None = None
    weight_decay: float = 0.0
    pretrained_rate: float = 1.0
    depth_weight: float = 1.0
    distillation: float = 0.0
    cutmix: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    zoom: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    averaging: float | None = None
    held_out: int = 0

    @property
    def warm_up_share(self) -> float:
        """The fraction of its images after which the rate is largest."""
        warm_up = min(2000, self.images // 10) if self.warm_up is None else self.warm_up
        return warm_up / self.images

    def __post_init__(self) -> None:
        _check('images', self.images, self.images >= 1, '1 or more')
        _check('batch', self.batch, self.batch >= 1, '1 or more')
        _check('rate', self.rate, self.rate > 0, 'positive')
        early = self.warm_up is None or 0 <= self.warm_up < self.images
        _check('warm_up', self.warm_up, early, f'0 or more, and less than images ({self.images})')
        _check('weight_decay', self.weight_decay, self.weight_decay >= 0, '0 or more')
        slow = self.pretrained_rate
        _check('pretrained_rate', slow, 0 <= slow <= 1, 'from 0 to 1')
        _check('depth_weight', self.depth_weight, self.depth_weight >= 0, '0 or more')
        _check('distillation', self.distillation, self.distillation >= 0, '0 or more')
        allowed = 0 <= self.cutmix <= (self.distillation > 0)
        _check('cutmix', self.cutmix, allowed, 'from 0 to 1, and 0 without `distillation`')
        used = self.depth_weight > 0 or self.distillation > 0
        _check('depth_weight', self.depth_weight, used, 'positive, or else another term')
        for zoom in self.zoom.values():
            check_zoom(zoom)
        _check_averaging(self.averaging or 0.0)
        _check('held_out', self.held_out, self.held_out >= 0, '0 or more')
        good = all(0 <= weight < math.inf for weight in self.weights.values())
        _check('weights', dict(self.weights), good, 'numbers of 0 or more')


@dataclass(frozen=True)
class Recipe:
    """What `msdepth make` does before and after the training, to make a model from nothing.

    Attributes
    ----------
    start : the YAML of the training whose model this one starts from, beside this YAML.
    teachers : those of the trainings that are its teachers.
    leave_out : sources to leave out together, for each training by which errors are measured.
    name, int8, correct, spread, start_share : as the options of `msdepth export`.
    """

    start: str | None = None
    teachers: tuple[str, ...] = ()
    leave_out: tuple[tuple[str, ...], ...] = ()
    name: str | None = None
    int8: bool = False
    correct: bool = False
    spread: float = 0.0
    start_share: float = 0.0


@dataclass(frozen=True)
class Config:
    """The configuration of a training.

    Attributes
    ----------
    name : of the model.
    network : the key `name`, and the network's own options.
    data : the frames.
    stages : in order.
    augmentation : of the views.
    loss : weights of its terms.
    averaging : decay per step of the running mean of the weights, which is the result; 0: no mean.
    bfloat16 : mixed precision, on devices that have instructions for it.
    start : shipped models, or files of weights: the training starts from their mean, unless
        --weights is given; empty: the network's pretrained weights.
    recipe : of the model, for `msdepth make` alone.
    seed : of everything random.
    validate_every : images between validations and checkpoints.
    depth_range : nearest and farthest depth, metres, in which the model is valid.

    Raises
    ------
    MsdepthError
        If a value is out of its range.
    """

    name: str
    network: Mapping[str, Any]
    data: Data
    stages: tuple[Stage, ...]
    augmentation: Augmentation = field(default_factory=Augmentation)
    loss: Loss = field(default_factory=Loss)
    averaging: float = 0.998
    bfloat16: bool = True
    start: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    validate_every: int = 4000
    depth_range: tuple[float, float] = (0.3, 10.0)

    def __post_init__(self) -> None:
        _check('stages', list(self.stages), bool(self.stages), 'a list of at least one')
        early = any(stage.held_out for stage in self.stages[:-1])
        _check('held_out', early, not early, '0 in all stages but the last')
        _check_averaging(self.averaging)
        _check('seed', self.seed, self.seed >= 0, '0 or more')
        _check('validate_every', self.validate_every, self.validate_every >= 1, '1 or more')
        near, far = self.depth_range
        wanted = '[nearest, farthest] with 0 < nearest < farthest'
        _check('depth_range', list(self.depth_range), 0 < near < far < math.inf, wanted)


def _check_averaging(value: float) -> None:
    _check('averaging', value, 0 <= value < 1, 'at least 0 and below 1')


def _check(name: str, value: object, good: bool, wanted: str) -> None:
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        raise MsdepthError(f'{name} is {value} but must be {wanted}')


def read_config(path: str | Path) -> Config:
    """Read a training configuration.

    Raises
    ------
    MsdepthError
        If the file is missing, is not YAML, or has a wrong key or value; the message names the key.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MsdepthError(f'cannot read the training configuration {path}: {error}') from error
    return from_document(document, str(path))


def without(config: Config, names: Sequence[str]) -> Config:
    """Return a training that learns nothing from some sources, and is measured on all of them.

    Raises
    ------
    MsdepthError
        If there is no such source.

    """
    sources = config.data.sources
    for name in names:
        if name not in sources:
            raise MsdepthError(f"there is no source '{name}': sources are {', '.join(sources)}")
    replace = dataclasses.replace
    kept = {n: replace(each, weight=0.0) if n in names else each for n, each in sources.items()}
    stages = []
    for stage in config.stages:
        parts = {
            key: {name: value for name, value in getattr(stage, key).items() if name not in names}
            for key in ('weights', 'zoom')
        }
        stages.append(replace(stage, **parts))
    return replace(config, data=replace(config.data, sources=kept), stages=tuple(stages))


def from_document(document: Any, where: str) -> Config:
    """Return a configuration from the plain values of its YAML.

    Parameters
    ----------
    document : of the YAML.
    where : names it in errors.

    Raises
    ------
    MsdepthError
        If a key or a value is wrong.
    """
    config = _build(Config, document, where)
    assert isinstance(config, Config)
    return config


def _build(kind: Any, value: Any, where: str) -> Any:
    """Return a plain value of YAML as the annotated type `kind`."""
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _build(arguments[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if origin is tuple:
        many = arguments[-1] is Ellipsis
        if not isinstance(value, list) or (not many and len(value) != len(arguments)):
            count = 'a list' if many else f'a list of {len(arguments)}'
            raise MsdepthError(f'{where} must be {count}')
        kinds = [arguments[0]] * len(value) if many else arguments
        items = enumerate(zip(kinds, value, strict=True))
        return tuple(_build(kind, item, f'{where}[{i}]') for i, (kind, item) in items)
    if origin is Mapping and arguments[-1] is not Any:
        if not isinstance(value, Mapping):
            raise MsdepthError(f'{where} must be a mapping')
        return {str(k): _build(arguments[-1], v, f'{where}: {k}') for k, v in value.items()}
    accepted = {float: (int, float)}.get(kind, origin or kind)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        name = getattr(origin or kind, '__name__', str(kind))
        raise MsdepthError(f'{where} is {value!r} but must be of type {name}')
    return float(value) if kind is float else value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise MsdepthError(f'{where} must be a mapping')
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise MsdepthError(f"{where} has no key '{unknown[0]}': known are {', '.join(fields)}")
    missing = [
        name
        for name, entry in fields.items()
        if name not in value
        and entry.default is dataclasses.MISSING
        and entry.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise MsdepthError(f"{where} lacks the key '{missing[0]}'")
    values = {key: _build(hints[key], item, f'{where}: {key}') for key, item in value.items()}
    try:
        return kind(**values)
    except MsdepthError as error:
        raise MsdepthError(f'{where}: {error}') from error
