# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of a robot's depth camera, written and read as rosbag2."""

import shutil
import struct

import cv2
import numpy as np
import pytest
from formats import (
    COLOR_TOPIC,
    COLORS,
    DEPTH_TOPIC,
    INFO_TOPIC,
    BagWriter,
    picture,
    write_bag,
)

from msdepth_ros.datasets import DatasetError, Topics, open_dataset
from msdepth_ros.geometry.pinhole import Intrinsics

pytest.importorskip('rosbags', reason='recordings are read with it')

START = 1_700_000_000_000_000_000
PINHOLE = Intrinsics(64, 48, 55.0, 55.0, 31.5, 23.5)
BARREL = {'d': [-0.3, 0.05, 0.0, 0.0, 0.0]}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_frames_are_found_by_the_topics_names(tmp_path, storage):
    dataset = open_dataset(write_bag(tmp_path / 'walk', storage))
    assert dataset.names == ['1700000000.000000000', '1700000000.100000000', '1700000000.200000000']
    for index in (2, 0):
        frame = dataset[index]
        assert frame.image[-1, -1].tolist() == list(COLORS[index])
        assert frame.image[11, 15].tolist() == [255] * 3
        assert set(np.unique(frame.depth)) == {0.0, 1.0 + index}
        assert (frame.depth[:4] == 0).all()
        assert frame.intrinsics == PINHOLE
    assert dataset[0].scene == 'walk'


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        ('mcap', 'file'),
        ('mcap', 'message'),
        ('mcap', 'storage'),
        ('sqlite3', 'file'),
        ('sqlite3', 'message'),
    ],
)
def test_compressed_recordings(tmp_path, storage, compression):
    dataset = open_dataset(write_bag(tmp_path / 'walk', storage, compression))
    assert [dataset[i].depth.max() for i in (2, 0, 1)] == [3, 1, 2]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_recording_that_was_cut_off_has_no_metadata(tmp_path, storage):
    bag = write_bag(tmp_path / 'walk', storage)
    (bag / 'metadata.yaml').unlink()
    assert len(open_dataset(bag)) == 3
    file = next(path for path in bag.iterdir())
    assert open_dataset(file)[1].depth.max() == 2
    shutil.copy(file, bag / f'second{file.suffix}')
    with pytest.raises(DatasetError, match='reindex'):
        open_dataset(bag)


def test_what_macos_leaves_beside_a_recording_is_passed_over(tmp_path):
    bag = write_bag(tmp_path / 'walk')
    (bag / 'metadata.yaml').unlink()
    (bag / '._walk.mcap').write_bytes(b'no recording')
    assert len(open_dataset(bag)) == 3


def test_float_depths_and_other_encodings(tmp_path):
    depth = np.full((48, 64), 1.5, np.float32)
    depth[0, 0], depth[0, 1], depth[0, 2] = np.nan, np.inf, -1
    grey = np.full((48, 64), 77, np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info('/cam/camera_info', 64, 48, 55.0, START)
        bag.image('/cam/image', 'mono8', grey, START)
        bag.image('/cam/depth', '32FC1', depth, START)
    frame = open_dataset(tmp_path / 'bag')[0]
    assert frame.image[5, 5].tolist() == [77, 77, 77]
    assert frame.depth[0].tolist() == [0, 0, 0] + [1.5] * 61


def test_big_endian_depths(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.write(
            DEPTH_TOPIC, 'Image', START, encoding='16UC1', height=48, width=64, step=128,
            is_bigendian=1, data=np.full((48, 64), 1500, '>u2').view(np.uint8).ravel(),
        )  # fmt: skip
    assert (open_dataset(tmp_path / 'bag')[0].depth == 1.5).all()


def test_aligned_depth_may_have_another_size(tmp_path):
    """As a driver gives it that scales depth down: the cells of the left half are nearer."""
    depth = np.full((24, 32), 2000, np.uint16)
    depth[:, :16] = 1000
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.image(DEPTH_TOPIC, '16UC1', depth, START)
    frame = open_dataset(tmp_path / 'bag')[0]
    assert (frame.depth[:, :32] == 1).all()
    assert (frame.depth[:, 32:] == 2).all()


def test_compressed_topics(tmp_path):
    """As image_transport and compressed_depth_image_transport write them."""
    depth = np.full((48, 64), 2500, np.uint16)
    header = b'\0' * 12
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info('/cam/rgb/camera_info', 64, 48, 55.0, START)
        bag.compressed(
            '/cam/rgb/image_raw/compressed',
            'rgb8; jpeg compressed bgr8',
            cv2.imencode('.jpg', picture(1, 64, 48))[1].tobytes(),
            START,
        )
        bag.compressed(
            '/cam/depth_registered/image_raw/compressedDepth',
            '16UC1; compressedDepth png',
            header + cv2.imencode('.png', depth)[1].tobytes(),
            START,
        )
    frame = open_dataset(tmp_path / 'bag')[0]
    assert np.abs(frame.image[-1, -1].astype(int) - COLORS[1]).max() < 6
    assert (frame.depth == 2.5).all()
    assert frame.intrinsics == PINHOLE


def test_compressed_float_depths(tmp_path):
    """As compressed_depth_image_transport quantises 32FC1, with its own defaults."""
    depth = np.tile(np.linspace(0.5, 9.5, 64, dtype=np.float32), (48, 1))
    step, farthest = 100.0, 10.0  # depth_quantization, depth_max
    a = step * (step + 1)
    b = 1 - a / farthest
    quantised = np.rint(a / depth + b).astype(np.uint16)
    quantised[:3] = 0
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info('/cam/camera_info', 64, 48, 55.0, START)
        bag.image('/cam/image', 'bgr8', picture(0, 64, 48), START)
        data = struct.pack('<iff', 0, a, b) + cv2.imencode('.png', quantised)[1].tobytes()
        bag.compressed('/cam/depth/compressedDepth', '32FC1; compressedDepth png', data, START)
    read = open_dataset(tmp_path / 'bag')[0].depth
    assert (read[:3] == 0).all()
    np.testing.assert_allclose(read[3:], depth[3:], rtol=0.01)


def test_pairs_are_made_by_the_headers_stamps(tmp_path):
    depth = np.full((48, 64), 1000, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        for i in range(4):
            bag.image(COLOR_TOPIC, 'bgr8', picture(i, 64, 48), START + i * 100_000_000)
        for late_ms, metres in ((0, 1), (125, 2), (215, 3), (300, 0)):  # the last is all invalid
            bag.image(DEPTH_TOPIC, '16UC1', depth * metres, START + late_ms * 1_000_000)
    dataset = open_dataset(tmp_path / 'bag')
    assert [name[-10:] for name in dataset.names] == ['.000000000', '.200000000']
    assert [dataset[i].depth.max() for i in (0, 1)] == [1, 3]


def test_intrinsics_follow_the_camera_info_of_the_time(tmp_path):
    depth = np.full((48, 64), 1000, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        for i, focal in enumerate((50.0, 60.0, 70.0)):
            ns = START + i * 100_000_000
            bag.image(COLOR_TOPIC, 'bgr8', picture(i, 64, 48), ns)
            bag.image(DEPTH_TOPIC, '16UC1', depth, ns)
            bag.camera_info(INFO_TOPIC, 64, 48, focal, ns + 1_000_000)
    dataset = open_dataset(tmp_path / 'bag')
    assert [dataset[i].intrinsics.fx for i in range(3)] == [50, 50, 60]


def test_region_of_interest_and_resized_images(tmp_path):
    """A calibration of 128x96 whose images are delivered at half the size."""
    depth = np.full((48, 64), 1000, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 128, 96, 110.0, START, binning_x=2, binning_y=2)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.image(DEPTH_TOPIC, '16UC1', depth, START)
    assert open_dataset(tmp_path / 'bag')[0].intrinsics.fx == 55


def radius_of_edge(mask):
    """Return how far right of the centre a mask of the left part reaches in the middle row."""
    return int(np.flatnonzero(mask[24])[-1]) - 31.5


def write_split_scene(path, color_topic=COLOR_TOPIC, depth_topic=DEPTH_TOPIC, **camera):
    """Record white at 1 m left of column 52, black at 2 m right of it."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :52] = 255
    depth = np.where(image[..., 0] > 0, 1000, 2000).astype(np.uint16)
    with BagWriter(path) as bag:
        bag.camera_info(
            f'{color_topic.rsplit("/", 1)[0]}/camera_info', 64, 48, 55.0, START, **camera
        )
        bag.image(color_topic, 'bgr8', image, START)
        bag.image(depth_topic, '16UC1', depth, START)
    return path


def test_distortion_is_taken_out_of_image_and_depth(tmp_path):
    """A barrel lens shows what is at slope r at r (1 + d0 r^2 + d1 r^4): the edge moves out."""
    plain = open_dataset(write_split_scene(tmp_path / 'plain'))[0]
    frame = open_dataset(write_split_scene(tmp_path / 'barrel', **BARREL))[0]
    assert radius_of_edge(plain.image[..., 0] > 127) == 51 - 31.5
    seen = (51.5 - 31.5) / 55
    slopes = np.linspace(0, 1, 100001)
    true = slopes[np.argmin(np.abs(slopes * (1 - 0.3 * slopes**2 + 0.05 * slopes**4) - seen))]
    edge = true * 55
    assert edge > 20.5  # the test sees the lens
    assert radius_of_edge(frame.image[..., 0] > 127) == pytest.approx(edge - 0.5, abs=0.75)
    assert radius_of_edge(frame.depth == 1) == pytest.approx(edge - 0.5, abs=0.75)
    assert set(np.unique(frame.depth)) <= {0, 1, 2}  # no depth between two
    assert frame.intrinsics == PINHOLE


def test_topics_named_rectified_are_left_as_they_are(tmp_path):
    both = {'color_topic': '/cam/image_rect_color', 'depth_topic': '/cam/depth/image_rect'}
    frame = open_dataset(write_split_scene(tmp_path / 'both', **both, **BARREL))[0]
    assert radius_of_edge(frame.image[..., 0] > 127) == 51 - 31.5
    assert radius_of_edge(frame.depth == 1) == 51 - 31.5
    both['color_topic'] = '/cam/image_raw'
    frame = open_dataset(write_split_scene(tmp_path / 'depth', **both, **BARREL))[0]
    assert radius_of_edge(frame.image[..., 0] > 127) > 51 - 31.5
    assert radius_of_edge(frame.depth == 1) == 51 - 31.5


def test_given_topics_intrinsics_and_scale(tmp_path):
    depth = np.full((48, 64), 500, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        for name in ('front', 'back'):
            bag.image(f'/{name}/image_raw', 'bgr8', picture(name == 'back', 64, 48), START)
            bag.image(f'/{name}/depth/image_raw', '16UC1', depth, START)
            depth = depth * 2
    with pytest.raises(
        DatasetError, match=r'several image topics.*/front/image_raw.*--image-topic'
    ):
        open_dataset(tmp_path / 'bag', (50, 50, 32, 24))
    with pytest.raises(DatasetError, match=r'has several depth topics.*--depth-topic'):
        open_dataset(tmp_path / 'bag', (50, 50, 32, 24), topics=Topics('/back/image_raw'))
    topics = Topics('/back/image_raw', '/back/depth/image_raw')
    with pytest.raises(DatasetError, match='no camera_info topic'):
        open_dataset(tmp_path / 'bag', topics=topics)
    frame = open_dataset(tmp_path / 'bag', (50, 51, 32, 24), topics=topics, depth_scale=500.0)[0]
    assert frame.intrinsics == Intrinsics(64, 48, 50, 51, 32, 24)
    assert frame.image[-1, -1].tolist() == list(COLORS[1])
    assert frame.depth.max() == 2


def test_frames_read_in_order_decompress_each_chunk_once(tmp_path, monkeypatch):
    from rosbags.rosbag2 import storage_mcap

    with BagWriter(tmp_path / 'bag', 'mcap', 'storage') as bag:
        for i in range(60):
            ns = START + i * 100_000_000
            bag.camera_info(INFO_TOPIC, 160, 120, 130.0, ns)
            noise = np.random.default_rng(i).integers(0, 256, (120, 160, 3), np.uint8)
            bag.image(COLOR_TOPIC, 'bgr8', noise, ns)
            bag.image(DEPTH_TOPIC, '16UC1', np.full((120, 160), 1000 + i, np.uint16), ns)
    with open_dataset(tmp_path / 'bag') as dataset:
        chunks, decompress = [], storage_mcap.decompress
        monkeypatch.setattr(
            storage_mcap, 'decompress', lambda *all: chunks.append(1) or decompress(*all)
        )
        for step in (1, 7):
            chunks.clear()
            for i in range(0, 60, step):
                assert dataset[i].depth.max() == pytest.approx(1 + i / 1000)
            assert 5 <= len(chunks) <= 13, step  # of 6 MB in chunks of up to 1 MB
