# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer`: depth for images, folders, videos and recordings, without ROS."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msdepth_ros.cli import _options
from msdepth_ros.errors import CalibrationError, ImageError, MsdepthError

if TYPE_CHECKING:
    from msdepth_ros.images.sources import ImageSource, Picture
    from msdepth_ros.inference.depth_files import DepthFiles
    from msdepth_ros.inference.estimator import DepthEstimator
    from msdepth_ros.inference.frame import DepthFrame
    from msdepth_ros.inference.measured_files import MeasuredFiles

HELP = 'compute the depth for images, folders of images, videos or recordings'

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
        help='folder to write to; for a rosbag2, the new rosbag2, with depth and points',
    )
    parser.add_argument(
        '--camera-info',
        metavar='FILE',
        help='calibration file of camera_calibration, OpenCV, Kalibr or another tool, or a photo '
        'taken with the same phone; default: camera.yaml in the folder, or a YAML with the name of '
        "the image or video, or the focal length in a photo's EXIF data; otherwise depth has no "
        'metric scale',
    )
    _options.add_model(parser, 'auto', 'auto')
    parser.add_argument(
        '--format',
        metavar='F,...',
        help='any of npy (float32 metres, NaN invalid), png (16-bit mm, 0 invalid), color, ply and '
        'confidence (NAME_confidence.npy: the probability that a depth is within 25 %%) '
        f'(default: {_FORMATS}, and confidence with measurements)',
    )
    measured = parser.add_argument_group('measured depth, for files (docs/metres.md)')
    measured.add_argument(
        '--measured-depth',
        type=Path,
        metavar='DIR',
        help='align the depth with the depth images DIR/NAME.png (16-bit mm, 0 = none)',
    )
    _options.add_mount(measured, 'height of the camera above the floor: align with the floor')
    bags = parser.add_argument_group('for a rosbag2')
    for role in ('image', 'camera-info'):
        bags.add_argument(f'--{role}-topic', metavar='TOPIC', help='if it has several such topics')
    bags.add_argument(
        '--processes', type=int, default=1, metavar='N', help='worker processes (%(default)s)'
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files of the chosen formats, or a recording; return the exit code."""
    from msdepth_ros.datasets.bag_reader import is_bag

    if any(is_bag(Path(path)) for path in arguments.inputs):
        return _infer_recording(arguments)
    return _infer_files(arguments)


def _infer_recording(arguments: argparse.Namespace) -> int:
    from msdepth_ros.calibration import camera_from_url
    from msdepth_ros.datasets.bag_topics import Topics
    from msdepth_ros.recordings.infer import Runtime, infer_recording

    if len(arguments.inputs) > 1:
        raise MsdepthError('give one recording at a time: each needs its own --out')
    if arguments.format is not None:
        raise MsdepthError('--format is for files: remove it, a recording gets topics')
    if arguments.measured_depth is not None or arguments.camera_height is not None:
        raise MsdepthError(
            '--measured-depth and --camera-height are for files: remove them for a recording'
        )
    if arguments.processes < 1:
        raise MsdepthError(f'--processes is {arguments.processes} but must be 1 or more')
    outcome = infer_recording(
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


def _infer_files(arguments: argparse.Namespace) -> int:
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
            f'{model.name} knows depth only up to '
            f'{"a factor" if model.metric == "scale" else "a factor and a shift"}: give a '
            'measurement, with --measured-depth DIR or --camera-height METRES'
        )
    backend = create_backend(model, arguments.backend, precision=arguments.precision)
    with contextlib.closing(backend):
        return _Inference(sources, DepthEstimator(model, backend), files, measured).run()


def _measured(arguments: argparse.Namespace) -> 'MeasuredFiles':
    from msdepth_ros.inference.measured_files import MeasuredFiles

    folder = arguments.measured_depth
    if folder is not None and not folder.is_dir():
        raise MsdepthError(
            f'--measured-depth {folder} is not a folder: give the folder of the depth images '
            'NAME.png'
        )
    return MeasuredFiles(folder, _options.mount(arguments))


class _Inference:
    """Writes the depth of all pictures; skips and reports those that cannot be used."""

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
        self._reported: set[str] = set()
        self._unmeasured: list[str] = []
        self._written = self._failed = 0

    def run(self) -> int:
        """Process all pictures; return the command's exit code."""
        from tqdm import tqdm

        total = sum(len(source) for source in self._sources)
        with tqdm(total=total or None, unit='image', disable=None) as progress:
            for source in self._sources:
                for picture in source.pictures(self._fail):
                    self._note(_NO_CALIBRATION if picture.camera is None else '')
                    self._note(picture.note, picture.name)
                    self._reserve(picture.name)
                    try:
                        frame = self._estimate(picture)
                    except (ImageError, CalibrationError) as error:
                        self._fail(error, picture.name)
                    else:
                        self._files.write(picture.name, frame)
                        self._written += 1
                        if self._measured and not _is_measured(frame):
                            self._unmeasured.append(picture.name)
                    progress.update()
        if self._unmeasured:
            self._print_error(self._unmeasured_text())
        if self._failed and self._written:
            self._print_error(f'images written: {self._written}, errors: {self._failed}')
        return 2 if self._failed else 0

    def _unmeasured_text(self) -> str:
        first, model = self._unmeasured[0], self._estimator.model
        text = (
            f'nothing was measured in {len(self._unmeasured)} of {self._written} images, such as '
        )
        text += f"'{first}': " + (
            "their depth is the network's alone"
            if model.metric == 'metric'
            else 'they have no depth'
        )
        folder = self._measured.folder
        if folder is not None and not (folder / f'{first}.png').exists():
            text += f'; {folder / first}.png does not exist'
        return text

    def _estimate(self, picture: 'Picture') -> 'DepthFrame':
        align = None
        if self._measured:
            align = self._measured.align_for(self._estimator.model, picture.name)
        return self._estimator.estimate(picture.image, 'bgr8', picture.camera, align=align)

    def _fail(self, error: MsdepthError, name: str = '') -> None:
        self._failed += 1
        if str(error) not in self._reported:  # one calibration may fail for a thousand images
            self._reported.add(str(error))
            self._print_error(f'{name}: {error}' if name else str(error))

    def _print_error(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(f'msdepth infer: {text}', file=sys.stderr)

    def _note(self, text: str, name: str = '') -> None:
        from tqdm import tqdm

        if text and text not in self._reported:
            self._reported.add(text)
            tqdm.write(f'{name}: {text}' if name else text)

    def _reserve(self, name: str) -> None:
        """Raise MsdepthError if an input image, or the depth of another, would be overwritten."""
        overwritten = self._inputs.intersection(map(Path.resolve, self._files.paths(name)))
        if overwritten:
            raise MsdepthError(
                f'{overwritten.pop()} would be overwritten by its own depth: give another --out'
            )
        if name in self._names:
            raise MsdepthError(
                f"two images are called '{name}': use a separate --out for each folder, or rename "
                'one'
            )
        self._names.add(name)


def _is_measured(frame: 'DepthFrame') -> bool:
    return frame.aligned is not None and any(frame.aligned.used.values())
