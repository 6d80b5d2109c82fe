# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens a dataset of any supported format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msdepth_ros.datasets import kitti, nyu, rosbag, tum
from msdepth_ros.datasets.bag_reader import is_bag
from msdepth_ros.datasets.bag_topics import Topics
from msdepth_ros.datasets.base import Dataset, DatasetError
from msdepth_ros.datasets.files import given_intrinsics, read_color
from msdepth_ros.datasets.folder import DatasetFolder, list_images
from msdepth_ros.geometry.pinhole import Intrinsics


@dataclass(frozen=True)
class _Options:
    """The arguments of `open_dataset` other than path and format."""

    focal_and_centre: Sequence[float] | None
    depth_scale: float | None
    split: str | None
    raw_depths: bool
    topics: Topics


@dataclass(frozen=True)
class _Format:
    """One format: its description, whether a path has it, and how it is opened."""

    description: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path, _Options], Dataset]


def open_dataset(
    path: str | Path,
    focal_and_centre: Sequence[float] | None = None,
    format: str | None = None,
    *,
    depth_scale: float | None = None,
    split: str | None = None,
    raw_depths: bool = False,
    topics: Topics | None = None,
) -> Dataset:
    """Open a dataset.

    Parameters
    ----------
    path : folder or file.
    focal_and_centre : fx, fy, cx, cy in pixels, instead of the dataset's own calibration.
    format : one of FORMATS; None: recognised by the files.
    depth_scale : units per metre of the depth, instead of the format's own.
    split : 'train', 'test' or 'all', for NYU Depth v2.
    raw_depths : read NYU Depth v2's sensor depth instead of the in-painted depth.
    topics : to read from a rosbag2.

    Raises
    ------
    DatasetError
        If the format is not known or has no such option; or if its reader raises it.
    """
    path, topics = Path(path), topics or Topics()
    if not path.exists():
        raise DatasetError(f'{path} does not exist')
    if format is None:
        format = next((name for name, known in FORMATS.items() if known.recognises(path)), None)
    if format is None:
        raise DatasetError(f'{path} is not a dataset of a known format: {describe_formats()}')
    if format not in FORMATS:
        raise DatasetError(f"format is '{format}' but must be one of {', '.join(FORMATS)}")
    if format != 'nyu' and (split is not None or raw_depths):
        raise DatasetError(f'{path} has the format {format}: only nyu has a split and raw depths')
    if format != 'rosbag' and topics != Topics():
        raise DatasetError(f'{path} has the format {format}: only rosbag has topics')
    if depth_scale is not None and not 0 < depth_scale < float('inf'):
        raise DatasetError(f'depth_scale is {depth_scale} but must be a positive number')
    options = _Options(focal_and_centre, depth_scale, split, raw_depths, topics)
    return FORMATS[format].open(path, options)


def describe_formats() -> str:
    """Return the formats and their files, in one line."""
    return '; '.join(f'{name}: {known.description}' for name, known in FORMATS.items())


def _open_folder(path: Path, options: _Options) -> Dataset:
    given: Intrinsics | None = None
    if options.focal_and_centre is not None:
        given = given_intrinsics(options.focal_and_centre, read_color(list_images(path)[0]))
    return DatasetFolder(path, given, options.depth_scale)


def _open_nyu(path: Path, options: _Options) -> Dataset:
    split, scale = options.split or 'all', options.depth_scale or 1.0
    return nyu.NyuLabelled(path, split, options.focal_and_centre, scale, options.raw_depths)


def _open_kitti(path: Path, options: _Options) -> Dataset:
    scale = options.depth_scale or kitti.UNITS_PER_METRE
    return kitti.KittiDepth(path, options.focal_and_centre, scale)


def _open_tum(path: Path, options: _Options) -> Dataset:
    scale = options.depth_scale or tum.UNITS_PER_METRE
    return tum.TumSequence(path, options.focal_and_centre, scale)


def _open_rosbag(path: Path, options: _Options) -> Dataset:
    return rosbag.Rosbag(path, options.topics, options.focal_and_centre, options.depth_scale)


def _is_folder(path: Path) -> bool:
    return (path / 'rgb').is_dir() or any(path.glob('depth/[!.]*.png'))


# They are tried in this order: a TUM sequence has the folders of a dataset folder, too.
FORMATS = {
    'nyu': _Format(f'{nyu.FILE}', nyu.recognises, _open_nyu),
    'tum': _Format('rgb.txt and depth.txt', tum.recognises, _open_tum),
    'rosbag': _Format('a rosbag2, .mcap or .db3', is_bag, _open_rosbag),
    'folder': _Format('rgb/, depth/ and camera.yaml', _is_folder, _open_folder),
    'kitti': _Format(
        'DRIVE/proj_depth/groundtruth/image_02 and DRIVE/image_02/data',
        kitti.recognises,
        _open_kitti,
    ),
}
