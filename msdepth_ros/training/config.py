# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training's configuration: one YAML says everything, and a misspelt key is an error."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.training.augmentation import Augmentation, check_zoom


@dataclass(frozen=True)
class Source:
    """One dataset, or several of one kind.

    Attributes
    ----------
    folders : dataset folders, relative to the folder that the training is given.
    weight : share of the views that it gives, relative to the other sources; its folders divide
        it by the square roots of their numbers of frames. 0: everything is held out.
    description : what the data is, for the model's YAML.
    licence : under what terms it was published, for the model's YAML.
    intrinsics : (fx, fy, cx, cy), pixels, instead of the folder's calibration.
    border : pixels of the shrunk frame along its edge that hold no scene.
    blocks, validation_share : as `split_in_blocks`; what is held out of training.
    split : 'train', 'test' or 'all', of NYU Depth v2's own file.
    every : of each folder's frames only every N-th, for recordings at full rate.
    at_most : frames of each folder, evenly taken.
    rendered : frames that `msdepth render` makes before the training begins; the one folder is then
        relative to the training's own.
    camera_height : of the camera above the floor, metres, smallest and largest: the floor head
        learns from the lowest level plane at such a height in the truth. None: where the floor is
        is not known.
    floor_seen : whether the floor may be seen at all; false for table-tops and close-ups.
    teacher_only : images without depth, in a rosbag2, a folder or a video: what the teachers answer
        to them is learned, in the stages with `distillation`. Depth that is there is not read.
    teaches_confidence : false where the depth that a stage of heads leaves as it is had learned
        from these frames: its errors there are too small to learn from.
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

    def step(self, count: int) -> int:
        """Return that only every N-th frame of a folder counts which has `count` of them."""
        return max(self.every, -(-count // (self.at_most or count or 1)))

    def path(self, folder: str, data: Path, out: Path) -> Path:
        """Return where a folder of this source lies.

        Parameters
        ----------
        folder : one of `folders`.
        data : what the training is given.
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
        low, high = self.camera_height or (1, 1)
        _check('camera_height', self.camera_height, 0 < low <= high, 'two heights, the lower first')


@dataclass(frozen=True)
class Data:
    """What is trained on.

    Attributes
    ----------
    sources : by a short name; the first is what a released model is measured on.
    cached_width : frames are shrunk to this width and kept in memory.
    """

    sources: Mapping[str, Source]
    cached_width: int = 320

    def __post_init__(self) -> None:
        _check('sources', dict(self.sources), bool(self.sources), 'a mapping of at least one entry')
        _check('cached_width', self.cached_width, self.cached_width >= 16, '16 or more')


@dataclass(frozen=True)
class Loss:
    """Weights of `multi_scale_loss`."""

    scale_weight: float = 0.5
    absolute_weight: float = 0.0
    gradient_weight: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes
    ----------
    trains : the network's stage: which of its weights learn.
    images : how many views it sees.
    rate : largest learning rate, reached after `warm_up` images, then falling as a cosine to 0.
    warm_up : None: a tenth of the images, at most 2000.
    pretrained_rate : learning rate of weights that began pretrained, relative to `rate`.
    depth_weight : weight of the depth loss.
    distillation : weight of the loss towards the teachers' predictions (see `DepthTeacher`),
        which is taken everywhere in the view; else as the depth loss.
    cutmix : share of a batch's views into which a part of another is pasted: only the teachers'
        predictions are learned from them (see `cutmix`).
    weights : of sources, where they differ from the sources' own in this stage; 0: left out of it.
    zoom : of sources, where it differs from the augmentation's in this stage.
    averaging : where it differs from the configuration's: an average over more steps than a stage
        has remembers the weights before it.
    held_out : also learn from the frames held out, this many times as often as from the others, and
        from the sources that have a weight in this stage alone; 0: do not. Only the last stage can:
        what is measured then are the weights before it.
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
        """The share of its images after which the rate is at its largest."""
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
        _check('cutmix', self.cutmix, allowed, 'from 0 to 1, and 0 where nobody is taught')
        used = self.depth_weight > 0 or self.distillation > 0
        _check('depth_weight', self.depth_weight, used, 'positive, or else another term')
        for zoom in self.zoom.values():
            check_zoom(zoom)
        _check_averaging(self.averaging or 0.0)
        _check('held_out', self.held_out, self.held_out >= 0, '0 or more')
        good = all(weight >= 0 for weight in self.weights.values())
        _check('weights', dict(self.weights), good, 'numbers of 0 or more')


@dataclass(frozen=True)
class Config:
    """A training, whole.

    Attributes
    ----------
    network : keyword `name` and the network's own options.
    start : shipped models, or files of weights, whose mean a training starts from that is given
        none (--weights); none: the network's pretrained weights.
    bfloat16 : mixed precision, on devices that have instructions for it.
    averaging : decay per step of the running mean of the weights, which is what is kept; 0: none.
    validate_every : images between validations and checkpoints.
    depth_range : nearest and farthest depth, metres, that the model is trusted with.
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
    if not good:
        raise MsdepthError(f'{name} is {value} but must be {wanted}')


def read_config(path: str | Path) -> Config:
    """Read a training configuration.

    Raises
    ------
    MsdepthError
        If the file is missing, is no YAML, or has a wrong key or value; the message names the key.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MsdepthError(f'cannot read the training configuration {path}: {error}') from error
    return from_document(document, str(path))


def from_document(document: Any, where: str) -> Config:
    """Return a configuration from the plain values of its YAML; `where` names it in errors."""
    config = _build(Config, document, where)
    assert isinstance(config, Config)
    return config


def _build(kind: Any, value: Any, where: str) -> Any:
    """Return `value`, plain YAML, as the annotated type `kind`."""
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
