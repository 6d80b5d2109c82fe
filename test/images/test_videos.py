# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos as cameras and phones write them: turned, of a strange rate, cut."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from msdepth_ros.errors import ImageError
from msdepth_ros.images.videos import read_video, video_facts

av = pytest.importorskip('av', reason='videos are read with PyAV')

COUNT = 60
FIRST_QUARTER = {0: (0, 0), 90: (1, 0), 180: (1, 1), -90: (0, 1)}  # where it is: row, column


def write_video(path, codec='libx264', rate=30, turned=0, stamps=None, options=None, count=COUNT):
    """Write frames of 64x48: the first quarter blue, the rest noise that does not compress."""
    try:
        container = av.open(str(path), 'w', options=options or {})
        stream = container.add_stream(codec, rate=rate)
    except Exception as error:
        pytest.skip(f'this PyAV does not write {codec}: {error}')
    noise = np.random.default_rng(0)
    with container:
        stream.width, stream.height, stream.gop_size = 64, 48, 10
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        if turned:
            stream.set_display_rotation(turned)
        for index in range(count):
            image = np.zeros((48, 64, 3), np.uint8)
            image[24:, 32:, 1] = noise.integers(0, 256, (24, 32))
            image[:24, :32, 0] = 255
            frame = av.VideoFrame.from_ndarray(image, 'bgr24')
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize('turned', FIRST_QUARTER)
def test_frames_are_turned_upright(tmp_path, turned):
    image = next(read_video(write_video(tmp_path / 'v.mp4', turned=turned)))
    height, width = image.shape[:2]
    assert (height, width) == ((64, 48) if turned % 180 else (48, 64))
    row, column = FIRST_QUARTER[turned]
    quarter = image[row * height // 2 :, column * width // 2 :][: height // 2, : width // 2]
    assert quarter[..., 0].mean() > 240
    assert image[..., 0].mean() < 80
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ('name', 'settings', 'rate'),
    [
        ('plain.mp4', {}, 30),
        ('plain.mkv', {}, 30),
        ('plain.avi', {'codec': 'mjpeg'}, 30),
        ('slow.mp4', {'rate': Fraction(1, 2)}, 0.5),
        ('film.mp4', {'rate': Fraction(24000, 1001)}, 24000 / 1001),
        ('variable.mp4', {'stamps': [2 * i + i % 2 for i in range(COUNT)]}, 15),
        ('clock.mkv', {'rate': 90000}, 0),
        ('clock.avi', {'codec': 'mjpeg', 'rate': 100000}, 0),
    ],
)
def test_the_rate_is_the_cameras_or_not_known(tmp_path, name, settings, rate):
    path = write_video(tmp_path / name, **settings)
    assert video_facts(path).rate == pytest.approx(rate, rel=0.03)
    assert sum(1 for _ in read_video(path)) == COUNT


@pytest.mark.parametrize('share', [0.4, 0.7, 0.9])
@pytest.mark.parametrize(
    ('name', 'codec', 'options'),
    [
        ('start.mp4', 'libx264', {'movflags': 'faststart'}),
        ('cut.mkv', 'libx264', {}),
        ('cut.webm', 'libvpx', {}),
        ('cut.avi', 'mjpeg', {}),
        ('pieces.mp4', 'libx264', {'movflags': 'frag_keyframe+empty_moov'}),
    ],
)
def test_a_truncated_file_is_reported_after_its_frames(tmp_path, name, codec, options, share):
    path = write_video(tmp_path / name, codec, options=options)
    assert sum(1 for _ in read_video(path)) == COUNT
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    frames = []
    with pytest.raises(ImageError, match=r'is (truncated: it ends after \d+|damaged or truncated)'):
        frames.extend(read_video(path))  # extend keeps what came before the error
    assert COUNT * share - 12 < len(frames) < COUNT


def test_an_mp4_without_its_index_is_named_as_such(tmp_path):
    path = write_video(tmp_path / 'v.mp4')
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for read in (video_facts, lambda path: list(read_video(path))):
        with pytest.raises(ImageError, match=r'v\.mp4 .*seems to be truncated'):
            read(path)


def test_damage_in_the_middle_is_reported_and_the_rest_is_read(tmp_path):
    path = write_video(tmp_path / 'v.avi', 'mjpeg')
    data = bytearray(path.read_bytes())
    start = data.index(b'\xff\xd8', len(data) // 2)
    end = data.index(b'\xff\xd9', start)
    data[start:end] = bytes(end - start)  # one frame, whose size depends on the number of cores
    path.write_bytes(data)
    frames = []
    with pytest.raises(ImageError, match=r'cannot be decoded: 1;'):
        frames.extend(read_video(path))
    assert len(frames) == COUNT - 1


def test_a_name_that_is_not_utf_8(tmp_path):
    path = write_video(tmp_path / 'v.mp4', count=3)
    other = Path(os.fsdecode(bytes(tmp_path) + b'/caf\xe9 \xff.mp4'))
    path.rename(other)
    assert video_facts(other).count == 3
    assert len(list(read_video(other))) == 3


def test_a_file_with_only_sound_is_refused(tmp_path):
    with av.open(str(tmp_path / 's.wav'), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout='mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ImageError, match='no video stream'):
        video_facts(tmp_path / 's.wav')
