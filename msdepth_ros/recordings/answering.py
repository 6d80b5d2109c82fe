# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a recording through the estimator, part by part, in one process or in several."""

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
    received_is_nonsense,
)
from msdepth_ros.recordings.depth_messages import TOPICS, DepthMessages
from msdepth_ros.recordings.parts import Parts

_MOST_IMAGES, _FEWEST_IMAGES, _PARTS = 100, 8, 50  # images a part, and parts aimed at
_MOST_BYTES = 64 << 20  # of images in a part: they are held in memory


@dataclass(frozen=True)
class Runtime:
    """How each process loads the model."""

    model: str
    backend: str
    precision: str
    threads: int = 0


@dataclass
class Outcome:
    """What became of a recording.

    Attributes
    ----------
    answered : number of images with depth.
    errors : what could not be answered, and how often.
    """

    answered: int = 0
    errors: dict[str, int] = field(default_factory=dict)


def answer_recording(
    path: Path,
    out: Path,
    runtime: Runtime,
    topics: Topics | None = None,
    camera: Camera | None = None,
    processes: int = 1,
    tell: Callable[[str], None] = print,
) -> Outcome:
    """Write the depth of a recording's images as a recording of its own.

    Parameters
    ----------
    path : the rosbag2 to read, folder or file.
    out : folder of the one to write, with the topics of depth_messages.TOPICS; headers and times
        are those of the images.
    topics : which to read; those not given are found by what they hold.
    camera : calibration of all images, instead of the recording's.
    processes : that compute depth.
    tell : is given what a user should know, a line at a time.

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
        by_header = received_is_nonsense(bag, image_topic)
        if by_header:
            tell(f"{path}: its times of reception are nonsense; the headers' stamps are taken")
        if camera is None and info_topic is None:
            tell(
                f'{path} has no camera_info, so depth has the scale of the camera that the model '
                'was trained for, and there is no cloud: give --camera-info'
            )
        model = load_model(runtime.model)
        if model.metric != 'metric':
            raise MsdepthError(
                f'{model.name} knows its depth only up to a factor, and a recording has no '
                'measurements that tell it: choose another --model'
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
            damage.append(f'{path} was cut off: what is whole of it is answered')
        answered = progress.n
    errors = parts.join(number)
    return Outcome(answered - sum(errors.values()), errors | dict.fromkeys(damage, 1))


@dataclass(frozen=True)
class _Work:
    """What a process needs to know once; picklable."""

    runtime: Runtime
    parts: Parts
    rectified: bool
    by_header: bool


class _Answerer:
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

    def answer(
        self, number: int, images: list[CameraImage], done: Callable[[], object] = lambda: None
    ) -> None:
        """Write a part; `done` is called after each image."""
        errors: dict[str, int] = {}

        def messages() -> Iterator[tuple[int, dict[str, Any]]]:
            for image in sorted(images, key=self._time):
                try:
                    yield self._time(image), self._answer(image)
                except (ImageError, CalibrationError) as error:
                    errors[str(error)] = errors.get(str(error), 0) + 1
                done()

        self._work.parts.write(number, self._types, TOPICS, messages(), errors)

    def _time(self, image: CameraImage) -> int:
        return image.stamp if self._work.by_header else image.recorded.received

    def _answer(self, image: CameraImage) -> dict[str, Any]:
        recorded = image.recorded
        try:
            message: Any = self._types.deserialize_cdr(recorded.data, recorded.kind)
        except Exception as error:  # a damaged message makes its parser raise anything
            raise ImageError(f'a message on {recorded.topic} is damaged') from error
        frame = self._estimator.estimate(color_image(message, self._stretch), 'bgr8', image.camera)
        return self._messages.of(frame, message.header)


def _in_this_process(work: _Work, images: Iterator[CameraImage], count: int, progress: Any) -> int:
    number = 0
    with contextlib.closing(_Answerer(work)) as answerer:
        for number, part in enumerate(_in_parts(images, count), 1):
            if work.parts.is_there(number - 1):
                progress.update(len(part))
            else:
                answerer.answer(number - 1, part, progress.update)
    return number


def _in_processes(
    work: _Work, images: Iterator[CameraImage], count: int, progress: Any, processes: int
) -> int:
    contextlib.closing(_Answerer(work)).__exit__(None, None, None)  # errors come out here
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
                    running[pool.submit(_answer, number - 1, part)] = len(part)
                    collect(processes)
            collect(0)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return number


_answerer: _Answerer  # of a process of the pool


def _begin(work: _Work, processes: int) -> None:
    """Prepare a process of the pool."""
    global _answerer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            wait_for([parent.sentinel])
            os._exit(1)

        threading.Thread(target=end_with_parent, daemon=True).start()
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    cv2.setNumThreads(threads)
    _answerer = _Answerer(replace(work, runtime=replace(work.runtime, threads=threads)))


def _answer(number: int, images: list[CameraImage]) -> None:
    _answerer.answer(number, images)


def _readable(images: Iterator[CameraImage], damage: list[str]) -> Iterator[CameraImage]:
    """Yield images up to where the recording is damaged, which is an error only at its start."""
    count = 0
    try:
        for image in images:
            count += 1
            yield image
    except DatasetError as error:
        if not count:
            raise
        damage.append(f'{error}; the {count} images before that are answered')


def _in_parts(images: Iterator[CameraImage], count: int) -> Iterator[list[CameraImage]]:
    """Yield the images in parts, the same ones each time."""
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
    """Return what tells a job from another one."""
    return {
        'recording': str(path.resolve()),
        'images': count,
        'topics': [image_topic, info_topic],
        'camera': repr(camera),
        'model': hashlib.sha256(model.read_onnx()).hexdigest(),
        'runtime': [runtime.backend, runtime.precision],
    }
