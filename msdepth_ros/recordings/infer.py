# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Computes the depth of a recording, part by part, in one or several processes."""

import contextlib
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from msdepth_ros.datasets.bag_images import color_image
from msdepth_ros.datasets.bag_reader import BagReader
from msdepth_ros.datasets.bag_topics import Topics, choose_camera
from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.errors import CalibrationError, ImageError, MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.stretch import Stretch
from msdepth_ros.images.topic_names import names_rectified_images
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator, Settings
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.recordings.camera_images import (
    CameraImage,
    camera_images,
    reception_is_implausible,
)
from msdepth_ros.recordings.depth_messages import TOPICS, DepthMessages
from msdepth_ros.recordings.parts import Parts

_MOST_IMAGES, _FEWEST_IMAGES, _PARTS = 100, 8, 50  # limits of images per part; parts aimed at
_MOST_BYTES = 64 << 20  # of images in a part, because they are held in memory


@dataclass(frozen=True)
class Runtime:
    """How each process loads the model."""

    model: str
    backend: str
    precision: str
    threads: int = 0


@dataclass
class Outcome:
    """The result for a recording.

    Attributes
    ----------
    written : number of images with depth.
    errors : messages of the errors, and how often each occurred.
    """

    written: int = 0
    errors: dict[str, int] = field(default_factory=dict)


def infer_recording(
    path: Path,
    out: Path,
    runtime: Runtime,
    topics: Topics | None = None,
    camera: Camera | None = None,
    processes: int = 1,
    note: Callable[[str], None] = print,
) -> Outcome:
    """Write the depth of a recording's images as a new recording.

    Parameters
    ----------
    path : the rosbag2 to read, folder or file.
    out : folder of the new rosbag2, with the topics of depth_messages.TOPICS and the headers and
        times of the images.
    runtime : model, backend and precision.
    topics : topics to read; None or a missing one = found by their types.
    camera : calibration of all images, instead of the recorded one.
    processes : number of processes that compute depth.
    note : called with lines for the user.

    Raises
    ------
    MsdepthError
        If the recording, the model or the runtime cannot be used, or nothing can be written.
    """
    with BagReader(path) as bag:
        wanted = topics or Topics()
        found = bag.images(), bag.camera_infos(), camera is not None
        image_topic, info_topic = choose_camera(wanted, *found, str(path))
        count = bag.count([image_topic])
        by_header = reception_is_implausible(bag, image_topic)
        if by_header:
            note(f"{path}: its times of reception are implausible; the headers' stamps are used")
        if camera is None and info_topic is None:
            note(
                f'{path} has no camera_info, so depth has the scale of the camera that the model '
                'was trained for, and there is no cloud: give --camera-info'
            )
        model = load_model(runtime.model)
        if model.metric != 'metric':
            raise MsdepthError(
                f'{model.name} knows depth only up to a factor, and measurements in a recording '
                'are not used: choose another --model'
            )
        job = _describe(path, model, runtime, image_topic, info_topic, camera, count)
        parts = Parts(out, bag.storage, job)
        work = _Work(runtime, parts, names_rectified_images(image_topic), by_header)
        damage: list[str] = []
        images = _readable(camera_images(bag, image_topic, info_topic, camera), damage)
        with tqdm(total=count, unit='image', disable=None) as progress:
            if processes == 1:
                number = _in_this_process(work, images, count, progress)
            else:
                number = _in_processes(work, images, count, progress, processes)
        if bag.cut:
            damage.append(f'{path} was cut off: its intact part is processed')
        read = progress.n
    errors = parts.join(number)
    return Outcome(read - sum(errors.values()), errors | dict.fromkeys(damage, 1))


@dataclass(frozen=True)
class _Work:
    """What each process needs; picklable."""

    runtime: Runtime
    parts: Parts
    rectified: bool
    by_header: bool


class _PartWriter:
    """Computes and writes parts."""

    def __init__(self, work: _Work) -> None:
        from rosbags.typesys import Stores, get_typestore

        self._work = work
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._messages = DepthMessages(self._types)
        runtime = work.runtime
        model = load_model(runtime.model)
        self._backend = create_backend(model, runtime.backend, runtime.threads, runtime.precision)
        settings = Settings(rectify='off' if work.rectified else 'auto')
        self._estimator = DepthEstimator(model, self._backend, settings)
        self._stretch = Stretch()

    def close(self) -> None:
        """Close the runtime."""
        self._backend.close()

    def write(
        self, number: int, images: list[CameraImage], done: Callable[[], object] = lambda: None
    ) -> None:
        """Write a part; `done` is called after each image."""
        errors: dict[str, int] = {}

        def messages() -> Iterator[tuple[int, dict[str, Any]]]:
            for image in sorted(images, key=self._time):
                try:
                    yield self._time(image), self._depth(image)
                except (ImageError, CalibrationError) as error:
                    errors[str(error)] = errors.get(str(error), 0) + 1
                done()

        self._work.parts.write(number, self._types, TOPICS, messages(), errors)

    def _time(self, image: CameraImage) -> int:
        return image.stamp if self._work.by_header else image.recorded.received

    def _depth(self, image: CameraImage) -> dict[str, Any]:
        recorded = image.recorded
        try:
            message: Any = self._types.deserialize_cdr(recorded.data, recorded.kind)
        except Exception as error:  # with a damaged message the parser may raise anything
            raise ImageError(f'a message on {recorded.topic} is damaged') from error
        frame = self._estimator.estimate(color_image(message, self._stretch), 'bgr8', image.camera)
        return self._messages.of(frame, message.header)


def _in_this_process(work: _Work, images: Iterator[CameraImage], count: int, progress: Any) -> int:
    number = 0
    with contextlib.closing(_PartWriter(work)) as writer:
        for number, part in enumerate(_in_parts(images, count), 1):
            if work.parts.is_there(number - 1):
                progress.update(len(part))
            else:
                writer.write(number - 1, part, progress.update)
    return number


def _in_processes(
    work: _Work, images: Iterator[CameraImage], count: int, progress: Any, processes: int
) -> int:
    _PartWriter(work).close()  # errors in the model or runtime are raised here, once
    number = 0
    running: dict[Future[None], int] = {}

    def collect(most: int) -> None:
        while len(running) > most:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
                progress.update(running.pop(future))

    # Runtimes have threads, which do not survive a fork.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(processes, context, _begin, (work, processes)) as pool:
        try:
            for number, part in enumerate(_in_parts(images, count), 1):
                if work.parts.is_there(number - 1):
                    progress.update(len(part))
                else:
                    running[pool.submit(_write, number - 1, part)] = len(part)
                    collect(processes)
            collect(0)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return number


_writer: _PartWriter  # in each process of the pool


def _begin(work: _Work, processes: int) -> None:
    """Prepare a process of the pool."""
    global _writer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends it
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            wait_for([parent.sentinel])
            os._exit(1)

        threading.Thread(target=end_with_parent, daemon=True).start()
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    cv2.setNumThreads(threads)
    _writer = _PartWriter(replace(work, runtime=replace(work.runtime, threads=threads)))


def _write(number: int, images: list[CameraImage]) -> None:
    _writer.write(number, images)


def _readable(images: Iterator[CameraImage], damage: list[str]) -> Iterator[CameraImage]:
    """Yield the images before any damage; raise DatasetError if there is none before it."""
    count = 0
    try:
        for image in images:
            count += 1
            yield image
    except DatasetError as error:
        if not count:
            raise
        damage.append(f'{error}; the {count} images before it are processed')


def _in_parts(images: Iterator[CameraImage], count: int) -> Iterator[list[CameraImage]]:
    """Yield the images in parts, the same in each run."""
    most = min(_MOST_IMAGES, max(_FEWEST_IMAGES, count // _PARTS))
    part: list[CameraImage] = []
    size = 0
    for image in images:
        part.append(image)
        size += len(image.recorded.data)
        if len(part) == most or size >= _MOST_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _describe(
    path: Path,
    model: Model,
    runtime: Runtime,
    image_topic: str,
    info_topic: str | None,
    camera: Camera | None,
    count: int,
) -> dict[str, Any]:
    """Return what distinguishes this job from others."""
    return {
        'recording': str(path.resolve()),
        'images': count,
        'topics': [image_topic, info_topic],
        'camera': repr(camera),
        'model': hashlib.sha256(model.read_onnx()).hexdigest(),
        'runtime': [runtime.backend, runtime.precision],
    }
