# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered rooms on disk: dataset folders for training, and the clip of the demo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.rooms.camera import Film
from msdepth_ros.rooms.layout import STYLES, random_scene
from msdepth_ros.rooms.light import illuminate
from msdepth_ros.rooms.living_room import living_room, walk
from msdepth_ros.rooms.render import Frame, depth_of, render, render_radiance
from msdepth_ros.rooms.viewpoints import random_pose

_MIXTURE = {'room': 0.5, 'desk': 0.25, 'robot': 0.25}


def random_frames(
    intrinsics: Intrinsics,
    count: int,
    seed: int,
    *,
    style: str = 'mixed',
    views: int = 4,
    samples: int = 2,
    device: str = 'cpu',
) -> Iterator[Frame]:
    """Yield frames of random rooms; the same seed gives the same frames.

    Parameters
    ----------
    count : number of frames.
    style : one of STYLES, or 'mixed'.
    views : frames of each room.
    samples : see `render`.
    device : 'cpu' or a CUDA device, as torch writes it.

    Raises
    ------
    MsdepthError
        If the style is unknown.
    """
    if style != 'mixed' and style not in STYLES:
        raise MsdepthError(f"style '{style}' is unknown: choose mixed, {', '.join(STYLES)}")
    for number in range(count):
        if number % views == 0:
            rng = Random(f'{seed}/{number // views}')
            kind = (
                rng.choices(list(_MIXTURE), list(_MIXTURE.values()))[0]
                if style == 'mixed'
                else style
            )
            scene = random_scene(rng, kind).to(device)
            lighting = illuminate(scene, seed=rng.randrange(1 << 30))
        pose = random_pose(scene, rng, intrinsics, kind)
        film, grain = Film.random(rng), rng.randrange(1 << 30)
        yield render(
            scene, pose, intrinsics, lighting=lighting, film=film, samples=samples, seed=grain
        )


def _calibration(intrinsics: Intrinsics, name: str) -> str:
    i = intrinsics
    return Camera.pinhole(i.width, i.height, i.fx, i.fy, i.cx, i.cy).to_yaml(name)


_DEPTH_SIZE = (80, 60)  # width, height of the ground truth beside a clip


def write_dataset(folder: Path, frames: Iterable[Frame]) -> int:
    """Write a dataset folder, see `msdepth_ros.datasets.folder`; return the number of frames.

    Raises
    ------
    MsdepthError
        If a file cannot be written.
    """
    (folder / 'rgb').mkdir(parents=True, exist_ok=True)
    (folder / 'depth').mkdir(exist_ok=True)
    number = -1
    for number, frame in enumerate(frames):
        rgb = frame.rgb.cpu().numpy()
        depth = (frame.depth.cpu().numpy() * 1000).round().clip(0, 65535).astype(np.uint16)
        image = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        _write(folder / 'rgb' / f'{number:06d}.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 93])
        _write(folder / 'depth' / f'{number:06d}.png', depth, [])
        if number == 0:
            text = _calibration(frame.intrinsics, 'rooms')
            (folder / 'camera.yaml').write_text(text, encoding='utf-8')
    return number + 1


def _write(path: Path, image: np.ndarray, options: list[int]) -> None:
    if not cv2.imwrite(str(path), image, options):
        raise MsdepthError(f'cannot write {path}: is the disk full, or the folder read-only?')


def walk_frames(
    intrinsics: Intrinsics, count: int, *, samples: int = 3, device: str = 'cpu'
) -> Iterator[np.ndarray]:
    """Yield the images of one walk through the living room and back: uint8 [H, W, 3], RGB.

    Played in a loop, the clip has no jump.

    Parameters
    ----------
    count : number of images.
    samples : see `render`.
    device : 'cpu' or a CUDA device, as torch writes it.
    """
    scene = living_room().to(device)
    lighting = illuminate(scene, texels_per_metre=7, lamp_samples=36, gather_rays=48)
    film = Film(exposure=0.34, vignette=0.1, saturation=1.05)
    small = intrinsics.resized(64, 48)
    gains = [film.gain(render_radiance(scene, walk(k / 8), small, lighting)[0]) for k in range(8)]
    gain = float(np.mean(gains))
    there: list[np.ndarray] = []
    for k in range(count // 2 + 1):
        frame = render(
            scene,
            walk(k / count),
            intrinsics,
            lighting=lighting,
            film=film,
            samples=samples,
            gain=gain,
        )
        there.append(frame.rgb.cpu().numpy())
        yield there[-1]
    back = count - len(there)
    yield from there[-2 : -2 - back : -1]


def walk_depths(intrinsics: Intrinsics, count: int) -> dict[str, np.ndarray]:
    """Return the ground truth of `walk_frames` at a small size, as it is stored beside a clip.

    Returns
    -------
    'millimetres' : uint16 [views, 60, 80], depth along Z.
    'order' : uint16 [count], the view of each image: the way back shows the same views.
    """
    scene, small = living_room(), intrinsics.resized(*_DEPTH_SIZE)
    views = count // 2 + 1
    depths = [depth_of(scene, walk(k / count), small).numpy() for k in range(views)]
    there = list(range(views))
    order = [*there, *there[-2 : -2 - (count - views) : -1]]
    millimetres = (1000 * np.stack(depths)).round().astype(np.uint16)
    return {'millimetres': millimetres, 'order': np.array(order, np.uint16)}


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    intrinsics: Intrinsics,
    rate: int = 30,
    quality: int = 22,
) -> int:
    """Write an H.264 video and, beside it, its calibration as .yaml; return the number of frames.

    Parameters
    ----------
    frames : uint8 [H, W, 3] each, RGB.
    rate : frames per second.
    quality : x264's constant rate factor (CRF): lower is better, and the file larger.

    Raises
    ------
    MsdepthError
        If PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MsdepthError('writing a video needs PyAV: pip install av') from error
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=rate)
        stream.width, stream.height, stream.pix_fmt = intrinsics.width, intrinsics.height, 'yuv420p'
        stream.options = {'crf': str(quality), 'preset': 'slow'}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
            count += 1
        container.mux(stream.encode(None))
    path.with_suffix('.yaml').write_text(_calibration(intrinsics, path.stem), encoding='utf-8')
    return count
