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

from msdepth_ros.camera import Intrinsics
from msdepth_ros.training.datasets import DatasetError, Topics, open_dataset

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


def test_compressed_depth_of_another_codec_is_refused(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info('/cam/camera_info', 64, 48, 55.0, START)
        bag.image('/cam/image', 'bgr8', picture(0, 64, 48), START)
        bag.compressed('/cam/depth/compressedDepth', '32FC1; compressedDepth rvl', b'123', START)
    with pytest.raises(DatasetError, match="compressed as '32FC1; compressedDepth rvl' is not"):
        open_dataset(tmp_path / 'bag')


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


def test_a_rotation_between_lens_and_depth_is_refused(tmp_path):
    turned = [0.995, 0, 0.0998, 0, 1, 0, -0.0998, 0, 0.995]
    bag = write_split_scene(tmp_path / 'bag', **BARREL, r=turned)
    with pytest.raises(DatasetError, match=r'its R is not the identity.*rectified image'):
        open_dataset(bag)


def test_given_topics_intrinsics_and_scale(tmp_path):
    depth = np.full((48, 64), 500, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        for name in ('front', 'back'):
            bag.image(f'/{name}/image_raw', 'bgr8', picture(name == 'back', 64, 48), START)
            bag.image(f'/{name}/depth/image_raw', '16UC1', depth, START)
            depth = depth * 2
    with pytest.raises(DatasetError, match=r'which image topic.*/front/image_raw.*--image-topic'):
        open_dataset(tmp_path / 'bag', (50, 50, 32, 24))
    with pytest.raises(DatasetError, match=r'which depth topic is meant.*--depth-topic'):
        open_dataset(tmp_path / 'bag', (50, 50, 32, 24), topics=Topics('/back/image_raw'))
    topics = Topics('/back/image_raw', '/back/depth/image_raw')
    with pytest.raises(DatasetError, match='no camera_info topic'):
        open_dataset(tmp_path / 'bag', topics=topics)
    frame = open_dataset(tmp_path / 'bag', (50, 51, 32, 24), topics=topics, depth_scale=500.0)[0]
    assert frame.intrinsics == Intrinsics(64, 48, 50, 51, 32, 24)
    assert frame.image[-1, -1].tolist() == list(COLORS[1])
    assert frame.depth.max() == 2


@pytest.mark.parametrize(
    ('topics', 'message'),
    [
        (
            Topics(image='/nowhere'),
            r'no image messages on /nowhere \(--image-topic\): there are /c',
        ),
        (Topics(depth='/nowhere'), 'no depth messages on /nowhere'),
        (Topics(camera_info='/nowhere'), 'no camera_info messages on /nowhere'),
        (Topics(depth=COLOR_TOPIC), f'no depth messages on .*there are {DEPTH_TOPIC}$'),
    ],
)
def test_wrong_topics_are_named_with_those_that_are_there(tmp_path, topics, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(write_bag(tmp_path / 'bag'), topics=topics)


def test_depth_in_another_frame_is_not_aligned(tmp_path):
    depth = np.full((48, 64), 1000, np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.image('/camera/depth/image', '16UC1', depth, START, frame_id='camera_depth_frame')
    with pytest.raises(DatasetError, match=r'in frame camera_depth_frame but .*register'):
        open_dataset(tmp_path / 'bag')


@pytest.mark.parametrize(
    ('shape', 'value', 'late_ms', 'message'),
    [
        ((24, 32), 1000, 0, 'is 32x24 but the colour image is 64x48'),
        ((48, 64), 0, 0, 'has one of 0 depths with a valid pixel'),
        ((48, 64), 1000, 30, r'none of 1 images .* within 0.02 s'),
        ((48, 64), 7, 0, 'depth_scale'),
    ],
)
def test_depths_that_cannot_be(tmp_path, shape, value, late_ms, message):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        depth = np.full(shape, value, np.uint16)
        bag.image(DEPTH_TOPIC, '16UC1', depth, START + late_ms * 1_000_000)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / 'bag')


@pytest.mark.parametrize(
    ('camera', 'message'),
    [
        ({'k': [0.0] * 9, 'p': [0.0] * 12}, 'not calibrated'),
        ({'width': 64, 'height': 64}, 'another aspect'),
        ({'d': [0.1] * 5, 'distortion_model': 'odd'}, "'odd' is not known"),
    ],
)
def test_camera_info_that_cannot_be_used(tmp_path, camera, message):
    with BagWriter(tmp_path / 'bag') as bag:
        fields = {'width': 64, 'height': 48, **camera}
        bag.camera_info(INFO_TOPIC, fields.pop('width'), fields.pop('height'), 55, START, **fields)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000, np.uint16), START)
    with pytest.raises(DatasetError, match=f'{INFO_TOPIC}: .*{message}'):
        open_dataset(tmp_path / 'bag')


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('kept', [0, 100, 3000])
def test_damaged_recordings(tmp_path, storage, kept):
    bag = write_bag(tmp_path / 'bag', storage)
    file = next(path for path in bag.iterdir() if path.name != 'metadata.yaml')
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DatasetError, match=r'no rosbag2 that can be read.*reindex'):
        open_dataset(bag)


def test_damaged_metadata(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    (bag / 'metadata.yaml').write_text('{')
    with pytest.raises(DatasetError, match='no rosbag2 that can be read'):
        open_dataset(bag)


def test_an_image_shorter_than_it_says(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.write(
            DEPTH_TOPIC, 'Image', START, encoding='16UC1', height=48, width=64, step=128,
            is_bigendian=0, data=np.zeros(100, np.uint8),
        )  # fmt: skip
    with pytest.raises(DatasetError, match='data has 100 bytes but 48 rows of step 128'):
        open_dataset(tmp_path / 'bag')
