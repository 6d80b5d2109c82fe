# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any bytes whatever in an image, a video or a recording are read, or refused in one line."""

import gc
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from formats import write_bag
from how_many import examples
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from msdepth_ros.datasets import DatasetError, open_dataset
from msdepth_ros.errors import ImageError
from msdepth_ros.images.files import read_photos
from msdepth_ros.images.videos import read_video

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
KINDS = ['png', 'jpeg', 'webp', 'tiff', 'gif', 'bmp', 'ppm', 'tga', 'jpeg2000']


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 26
    return exif


def _files() -> dict[str, bytes]:
    """Return a small file of each kind."""
    found = {}
    for kind in [*KINDS, *(['avif'] if features.check('avif') else [])]:
        with BytesIO() as file:
            options = {'exif': _exif()} if kind in ('png', 'jpeg', 'webp', 'tiff') else {}
            Image.fromarray(PICTURE).save(file, kind, **options)
            found[kind] = file.getvalue()
    for kind, values in (('png', np.uint16), ('tiff', np.float32), ('hdr', np.float32)):
        pixels = PICTURE.astype(values)
        found[f'{kind} of {values.__name__}'] = cv2.imencode(f'.{kind}', pixels)[1].tobytes()
    return found


FILES = _files()


@pytest.fixture(autouse=True)
def no_garbage_of_other_tests() -> None:
    """Collect it now: it would warn of its open files in the middle of these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        gc.collect()


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Return a file with some bytes changed, and its end cut off or more behind it."""
    changed = bytearray(data)
    places = st.integers(0, min(len(data), 400) - 1) | st.integers(0, len(data) - 1)
    for place, value in draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        changed[place] = value
    if draw(st.booleans()):
        del changed[draw(st.integers(0, len(data))) :]
    return bytes(changed) + draw(st.binary(max_size=20))


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('files')


@pytest.mark.filterwarnings('error')
@examples(1200)
@given(data=st.data())
def test_any_image_file(folder: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(FILES)))
    path = folder / 'image'
    path.write_bytes(data.draw(changed(FILES[kind]) | st.binary(max_size=200)))
    photos, refusals = [], [str(path)]
    try:
        photos = list(read_photos(path))
    except ImageError as error:
        refusals.append(str(error))
    assert str(path) in refusals[-1]
    assert '\n' not in refusals[-1]
    for photo in photos:
        assert photo.image.dtype == np.uint8
        assert photo.image.ndim == 3
        assert photo.image.shape[2] == 3
        assert photo.focal is None or 0 < photo.focal < 1e9


@pytest.fixture(scope='module')
def video(folder: Path) -> bytes:
    path = str(folder / 'clip.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (32, 24))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no video')
    for _ in range(3):
        writer.write(PICTURE)
    writer.release()
    return Path(path).read_bytes()


@examples(200)
@given(data=st.data())
def test_any_video(folder: Path, video: bytes, data: st.DataObject) -> None:
    path = folder / 'video'
    path.write_bytes(data.draw(changed(video)))
    frames, refusals = [], ['']
    try:
        for image in read_video(path):
            frames.append(image.shape)
            if len(frames) > 20:
                break
    except ImageError as error:
        refusals.append(str(error))
    assert '\n' not in refusals[-1]
    assert all(len(shape) == 3 and shape[2] == 3 for shape in frames)


@pytest.fixture(scope='module', params=['mcap', 'sqlite3'])
def bag(folder: Path, request: pytest.FixtureRequest) -> bytes:
    pytest.importorskip('rosbags', reason='recordings are written with it')
    bag = write_bag(folder / f'bag_{request.param}', request.param)
    return next(path for path in bag.iterdir() if path.suffix != '.yaml').read_bytes()


@examples(100)
@given(data=st.data())
def test_any_recording(folder: Path, bag: bytes, data: st.DataObject) -> None:
    path = folder / ('any.mcap' if bag.startswith(b'\x89MCAP') else 'any.db3')
    path.write_bytes(data.draw(changed(bag)))
    refusals = [str(path)]
    try:
        with open_dataset(path) as dataset:
            for index in range(len(dataset)):
                assert dataset[index].depth.max() > 0
    except DatasetError as error:
        refusals.append(str(error))
    assert str(path) in refusals[-1]
