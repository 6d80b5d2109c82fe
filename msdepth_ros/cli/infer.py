# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer`: depth of images, folders, videos and recordings, without ROS."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msdepth_ros.errors import CalibrationError, ImageError, MsdepthError
from msdepth_ros.inference.backends import BACKENDS, PRECISIONS
from msdepth_ros.inference.model import DEFAULT_MODEL

if TYPE_CHECKING:
    from msdepth_ros.images.sources import ImageSource, Picture
    from msdepth_ros.inference.depth_files import DepthFiles
    from msdepth_ros.inference.estimator import DepthEstimator
    from msdepth_ros.inference.frame import DepthFrame
    from msdepth_ros.inference.measured_files import MeasuredFiles

HELP = 'write the depth of images, folders of images, videos or recordings'

_FORMATS = 'npy,color'
_NO_CALIBRATION = (
    'no calibration: depth has the scale of the camera that the model was trained for; give '
    '--camera-info for metres, and for ply'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument('inputs', nargs='+', metavar='IMAGE|DIR|VIDEO|BAG')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder to write to; of a rosbag2, the rosbag2 to write, with depth and points',
    )
    parser.add_argument(
        '--camera-info',
        metavar='FILE',
        help='calibration file of camera_calibration, OpenCV, Kalibr or another tool, or a photo '
        'by the same phone, for its focal length; default: '
        'camera.yaml in the folder, or the YAML named as '
        "the image or video, or the focal length in a photo's EXIF data; else no metric scale",
    )
    parser.add_argument('--model', default=DEFAULT_MODEL, help='shipped model, or path of its YAML')
    parser.add_argument('--backend', default='auto', help=', '.join(BACKENDS))
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='auto',
        help='auto: the fastest, int8 on a CPU where the model has it (default: %(default)s)',
    )
    parser.add_argument(
        '--format',
        help='of npy (float32 metres, NaN invalid), png (16-bit mm, 0 invalid), color, ply, '
        'confidence (NAME_confidence.npy: the probability that a depth is within 25 %%) '
        f'(default: {_FORMATS}, and confidence where something is measured)',
    )
    measured = parser.add_argument_group('what was measured (docs/metres.md)')
    measured.add_argument(
        '--measured-depth',
        type=Path,
        metavar='DIR',
        help='depth images NAME.png, 16-bit mm, 0 = none, that the depth is aligned with',
    )
    measured.add_argument(
        '--camera-height', type=float, metavar='METRES', help='of the camera above the floor'
    )
    measured.add_argument(
        '--camera-pitch',
        type=float,
        default=0.0,
        metavar='RADIANS',
        help='that the camera looks down, with --camera-height (default: %(default)s)',
    )
    bags = parser.add_argument_group('of a rosbag2')
    for role in ('image', 'camera-info'):
        bags.add_argument(f'--{role}-topic', metavar='TOPIC', help='if not clear')
    bags.add_argument(
        '--processes', type=int, default=1, metavar='N', help='to compute with (default: 1)'
    )


def run(arguments: argparse.Namespace) -> int:
    """Write <stem>.npy, <stem>.png, <stem>_color.png, <stem>.ply as asked for, or a recording."""
    from msdepth_ros.datasets.bag_reader import is_bag

    if any(is_bag(Path(path)) for path in arguments.inputs):
        return _answer_recording(arguments)
    return _answer_files(arguments)


def _answer_recording(arguments: argparse.Namespace) -> int:
    from msdepth_ros.calibration import camera_from_url
    from msdepth_ros.datasets.bag_topics import Topics
    from msdepth_ros.recordings.answering import Runtime, answer_recording

    if len(arguments.inputs) > 1:
        raise MsdepthError('give one recording at a time: each gets an --out of its own')
    if arguments.format is not None:
        raise MsdepthError('--format is of files: a recording gets topics')
    if arguments.measured_depth is not None or arguments.camera_height is not None:
        raise MsdepthError('--measured-depth and --camera-height are of files, not of a recording')
    if arguments.processes < 1:
        raise MsdepthError(f'--processes is {arguments.processes} but must be 1 or more')
    outcome = answer_recording(
        Path(arguments.inputs[0]),
        arguments.out,
        Runtime(arguments.model, arguments.backend, arguments.precision),
        Topics(image=arguments.image_topic, camera_info=arguments.camera_info_topic),
        camera_from_url(arguments.camera_info) if arguments.camera_info else None,
        arguments.processes,
    )
    for error, times in outcome.errors.items():
        print(f'msdepth infer: {error}' + f' ({times} images)' * (times > 1), file=sys.stderr)
    return 2 if outcome.errors else 0


def _answer_files(arguments: argparse.Namespace) -> int:
    from msdepth_ros.images.same_phone import camera_given
    from msdepth_ros.images.sources import ImageSource
    from msdepth_ros.inference.backends import create_backend
    from msdepth_ros.inference.depth_files import DepthFiles
    from msdepth_ros.inference.estimator import DepthEstimator
    from msdepth_ros.inference.model import load_model

    measured = _measured(arguments)
    formats = arguments.format
    if formats is None:
        formats = _FORMATS + (',confidence' if measured else '')
    files = DepthFiles(arguments.out, formats)
    given = arguments.camera_info
    sources = [
        ImageSource(path, camera_given(given, path) if given else None, without=arguments.out)
        for path in arguments.inputs
    ]
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MsdepthError(f'cannot write {arguments.out}: {error.strerror}') from error
    model = load_model(arguments.model)
    if model.metric != 'metric' and not measured:
        raise MsdepthError(
            f'{model.name} knows its depth only up to '
            f'{"a factor" if model.metric == "scale" else "a factor and a shift"}: say what was '
            'measured, by --measured-depth DIR or by --camera-height METRES'
        )
    backend = create_backend(model, arguments.backend, precision=arguments.precision)
    with contextlib.closing(backend):
        return _Answering(sources, DepthEstimator(model, backend), files, measured).run()


def _measured(arguments: argparse.Namespace) -> 'MeasuredFiles':
    from msdepth_ros.geometry.floor import up_from_pitch
    from msdepth_ros.inference.measured_files import MeasuredFiles
    from msdepth_ros.metric.floor import FloorPlane

    folder, height, floor = arguments.measured_depth, arguments.camera_height, None
    if folder is not None and not folder.is_dir():
        raise MsdepthError(f'--measured-depth {folder} is no folder: it holds NAME.png of images')
    if height is not None:
        if not 0 < height < float('inf'):
            raise MsdepthError(f'--camera-height is {height:g} but must be in metres')
        floor = FloorPlane(up_from_pitch(arguments.camera_pitch), height)
    return MeasuredFiles(folder, floor)


class _Answering:
    """Answers the pictures of some sources; those that cannot be are told, and passed over."""

    def __init__(
        self,
        sources: 'list[ImageSource]',
        estimator: 'DepthEstimator',
        files: 'DepthFiles',
        measured: 'MeasuredFiles',
    ) -> None:
        self._sources = sources
        self._estimator = estimator
        self._files = files
        self._measured = measured
        self._inputs = {path.resolve() for source in sources for path in source.files}
        self._names: set[str] = set()
        self._told: set[str] = set()
        self._answered = self._failed = 0

    def run(self) -> int:
        """Answer all; return the command's exit code."""
        from tqdm import tqdm

        total = sum(len(source) for source in self._sources)
        with tqdm(total=total or None, unit='image', disable=None) as progress:
            for source in self._sources:
                for picture in source.pictures(self._fail):
                    self._say(_NO_CALIBRATION if picture.camera is None else '')
                    self._say(picture.note, picture.name)
                    self._reserve(picture.name)
                    try:
                        frame = self._estimate(picture)
                    except (ImageError, CalibrationError) as error:
                        self._fail(error, picture.name)
                    else:
                        self._files.write(picture.name, frame)
                        self._answered += 1
                    progress.update()
        if self._failed and self._answered:
            self._complain(f'images answered: {self._answered}, errors: {self._failed}')
        return 2 if self._failed else 0

    def _estimate(self, picture: 'Picture') -> 'DepthFrame':
        align = None
        if self._measured:
            align = self._measured.align_for(self._estimator.model, picture.name)
        return self._estimator.estimate(picture.image, 'bgr8', picture.camera, align=align)

    def _fail(self, error: MsdepthError, name: str = '') -> None:
        self._failed += 1
        if str(error) not in self._told:  # one calibration may not fit a thousand images
            self._told.add(str(error))
            self._complain(f'{name}: {error}' if name else str(error))

    def _complain(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(f'msdepth infer: {text}', file=sys.stderr)

    def _say(self, text: str, name: str = '') -> None:
        from tqdm import tqdm

        if text and text not in self._told:
            self._told.add(text)
            tqdm.write(f'{name}: {text}' if name else text)

    def _reserve(self, name: str) -> None:
        """Refuse to write over an image that is read, or over another one's depth."""
        overwritten = self._inputs.intersection(map(Path.resolve, self._files.paths(name)))
        if overwritten:
            raise MsdepthError(
                f'{overwritten.pop()} would be overwritten by its own depth: give another folder '
                'as --out'
            )
        if name in self._names:
            raise MsdepthError(
                f"two images are called '{name}': give each folder its own --out, or rename one"
            )
        self._names.add(name)
