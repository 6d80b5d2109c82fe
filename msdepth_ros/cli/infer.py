# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer`: depth of images, folders and videos, without ROS."""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.cloud import dense_points, point_cloud
from msdepth_ros.images.pictures import colorize
from msdepth_ros.inference.backends import BACKENDS, PRECISIONS
from msdepth_ros.inference.estimator import DepthFrame
from msdepth_ros.inference.model import DEFAULT_MODEL

HELP = 'write the depth of images, folders of images or videos'

_MILLIMETRES = 1000.0
_MAX_UINT16 = 65535
_Format = tuple[str, Callable[[Path, DepthFrame], None]]  # how the file's name ends, its writer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument('inputs', nargs='+', metavar='IMAGE|DIR|VIDEO')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    parser.add_argument(
        '--camera-info',
        type=Path,
        metavar='FILE',
        help='camera_calibration YAML; default: camera.yaml in the folder, or the YAML named as '
        'the image or video; else no metric scale',
    )
    parser.add_argument('--model', default=DEFAULT_MODEL, help='shipped model, or path of its YAML')
    parser.add_argument('--backend', default='auto', help=', '.join(BACKENDS))
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='fp16',
        help='fp16: int8 on the CPU where the model has it (default: %(default)s)',
    )
    parser.add_argument(
        '--format',
        default='npy,color',
        help='of npy (float32 metres, NaN invalid), png (16-bit mm, 0 invalid), color, ply '
        '(default: %(default)s)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Write <stem>.npy, <stem>.png, <stem>_color.png, <stem>.ply as asked for."""
    from tqdm import tqdm

    from msdepth_ros.images.sources import ImageSource
    from msdepth_ros.inference.backends import create_backend
    from msdepth_ros.inference.estimator import DepthEstimator
    from msdepth_ros.inference.model import load_model

    formats = _formats(arguments.format)
    given = Camera.from_yaml(arguments.camera_info) if arguments.camera_info else None
    sources = [ImageSource(path) for path in arguments.inputs]
    model = load_model(arguments.model)
    estimator = DepthEstimator(
        model, create_backend(model, arguments.backend, precision=arguments.precision)
    )
    if given is None and any(source.camera is None for source in sources):
        tqdm.write(
            'no calibration: depth has the scale of the camera that the model was trained for; '
            'give --camera-info for metres, and for ply'
        )
    inputs = {path.resolve() for source in sources for path in source.files}
    total = sum(len(source) for source in sources)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        with tqdm(total=total or None, unit='image', disable=None) as progress:
            done: set[str] = set()
            for source in sources:
                for name, image in source:
                    paths = {arguments.out / f'{name}{end}': write for end, write in formats}
                    _refuse_overwriting(name, done, inputs.intersection(map(Path.resolve, paths)))
                    frame = estimator.estimate(image, 'bgr8', given or source.camera)
                    for path, write in paths.items():
                        write(path, frame)
                    done.add(name)
                    progress.update()
    except OSError as error:
        raise MsdepthError(
            f'cannot write {error.filename or arguments.out}: {error.strerror}'
        ) from error
    return 0


def _formats(names: str) -> list[_Format]:
    wanted = [name for name in names.split(',') if name]
    if not wanted or not set(wanted) <= set(_FORMATS):
        raise MsdepthError(
            f"--format '{names}' must be some of {','.join(_FORMATS)}, separated by commas"
        )
    return [_FORMATS[name] for name in wanted]


def _refuse_overwriting(name: str, done: set[str], inputs: set[Path]) -> None:
    if inputs:
        raise MsdepthError(
            f'{inputs.pop()} would be overwritten by its own depth: give another folder as --out'
        )
    if name in done:
        raise MsdepthError(
            f"two images are called '{name}': give each folder its own --out, or rename one"
        )


def _write_npy(path: Path, frame: DepthFrame) -> None:
    np.save(path, frame.full_depth())


def _write_png(path: Path, frame: DepthFrame) -> None:
    millimetres = np.nan_to_num(frame.full_depth() * _MILLIMETRES).round()
    millimetres[millimetres > _MAX_UINT16] = 0
    _save(path, millimetres.astype(np.uint16))


def _write_color(path: Path, frame: DepthFrame) -> None:
    _save(path, colorize(frame.full_depth()))


def _write_ply(path: Path, frame: DepthFrame) -> None:
    if frame.intrinsics is None:
        raise MsdepthError('a point cloud needs a calibration: give --camera-info')
    points = dense_points(point_cloud(frame.depth, frame.intrinsics, frame.colors()))
    vertex = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    vertices = np.empty(len(points), vertex)
    vertices['xyz'] = points[:, :3]
    packed = np.ascontiguousarray(points[:, 3]).view(np.uint32)
    vertices['rgb'] = np.stack([packed >> shift & 255 for shift in (16, 8, 0)], axis=-1)
    properties = [f'property float {axis}' for axis in 'xyz']
    properties += [f'property uchar {color}' for color in ('red', 'green', 'blue')]
    header = ['ply', 'format binary_little_endian 1.0', f'element vertex {len(vertices)}']
    header += [*properties, 'end_header\n']
    path.write_bytes('\n'.join(header).encode() + vertices.tobytes())


def _save(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image):
        raise MsdepthError(f'cannot write {path}: is the disk full?')


_FORMATS: dict[str, _Format] = {
    'npy': ('.npy', _write_npy),
    'png': ('.png', _write_png),
    'color': ('_color.png', _write_color),
    'ply': ('.ply', _write_ply),
}
