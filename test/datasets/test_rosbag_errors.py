# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings that cannot be used, and what is said of each."""

import numpy as np
import pytest
from formats import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, BagWriter, picture, write_bag

from msdepth_ros.datasets import DatasetError, Topics, open_dataset

pytest.importorskip('rosbags', reason='recordings are read with it')

START = 1_700_000_000_000_000_000


def test_compressed_depth_of_another_codec_is_refused(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info('/cam/camera_info', 64, 48, 55.0, START)
        bag.image('/cam/image', 'bgr8', picture(0, 64, 48), START)
        bag.compressed('/cam/depth/compressedDepth', '32FC1; compressedDepth rvl', b'123', START)
    with pytest.raises(DatasetError, match="compressed as '32FC1; compressedDepth rvl' is not"):
        open_dataset(tmp_path / 'bag')


def test_a_rotation_between_lens_and_depth_is_refused(tmp_path):
    turned = [0.995, 0, 0.0998, 0, 1, 0, -0.0998, 0, 0.995]
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START, d=[-0.3, 0.05, 0, 0, 0], r=turned)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000, np.uint16), START)
    with pytest.raises(DatasetError, match=r'the R of .* is not the identity.*rectified image'):
        open_dataset(tmp_path / 'bag')


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
        ((24, 40), 1000, 0, 'is 40x24 but the colour image is 64x48, another aspect ratio'),
        ((48, 64), 0, 0, 'has a depth image, of 0 with a valid pixel'),
        ((48, 64), 1000, 30, r'no image of 1 .* within 0.02 s'),
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
    with pytest.raises(DatasetError, match=r'(not a rosbag2.*reindex|no complete message.*record)'):
        open_dataset(bag)


def test_damaged_metadata(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    (bag / 'metadata.yaml').write_text('{')
    with pytest.raises(DatasetError, match='not a rosbag2'):
        open_dataset(bag)


def test_an_image_shorter_than_its_header_states(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.camera_info(INFO_TOPIC, 64, 48, 55.0, START)
        bag.image(COLOR_TOPIC, 'bgr8', picture(0, 64, 48), START)
        bag.write(
            DEPTH_TOPIC, 'Image', START, encoding='16UC1', height=48, width=64, step=128,
            is_bigendian=0, data=np.zeros(100, np.uint8),
        )  # fmt: skip
    with pytest.raises(DatasetError, match='data has 100 bytes but 48 rows of step 128'):
        open_dataset(tmp_path / 'bag')


@pytest.mark.parametrize('compression', ['none', 'storage'])
@pytest.mark.parametrize('metadata', [True, False])
@pytest.mark.parametrize('share', [0.5, 0.8])
def test_an_mcap_that_was_cut_off_is_read_as_far_as_it_goes(
    tmp_path, compression, metadata, share, capfd
):
    """A robot loses power: chunks are whole up to the last, no index, often no metadata."""
    bag, count = tmp_path / 'bag', 40
    with BagWriter(bag, 'mcap', compression) as writer:
        for i in range(count):
            noise = np.random.default_rng(i).integers(0, 256, (96, 128, 3), np.uint8)
            depth = np.random.default_rng(i).integers(1000, 4000, (96, 128)).astype(np.uint16)
            ns = START + i * 100_000_000
            writer.camera_info(INFO_TOPIC, 128, 96, 110.0, ns)
            writer.image(COLOR_TOPIC, 'bgr8', noise, ns)
            writer.image(DEPTH_TOPIC, '16UC1', depth, ns)
    file = bag / 'bag.mcap'
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)] + bytes(4096))  # as file systems end it
    if not metadata:
        (bag / 'metadata.yaml').unlink()
    for path in (bag, file):
        with open_dataset(path) as dataset:
            assert count * share - 25 < len(dataset) < count * share
            for i in (0, len(dataset) - 1, 0):
                noise = np.random.default_rng(i).integers(0, 256, (96, 128, 3), np.uint8)
                np.testing.assert_array_equal(dataset[i].image, noise)
        assert capfd.readouterr().err.count('is truncated: its complete messages are read\n') == 1


@pytest.mark.parametrize('received', [lambda i: 0, lambda i: 7, lambda i: (99 - i) * 10**9])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_receive_stamps_that_are_nonsense_do_not_matter(tmp_path, storage, received):
    """A recorder whose clock was not set, or went back: the headers' stamps count."""
    bag = tmp_path / 'bag'
    with BagWriter(bag, storage, received=received) as writer:
        for i in range(5):
            ns = START + i * 100_000_000
            writer.camera_info(INFO_TOPIC, 64, 48, 55.0, ns)
            writer.image(COLOR_TOPIC, 'bgr8', picture(i, 64, 48), ns)
            writer.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000 + i, np.uint16), ns)
    with open_dataset(bag) as dataset:
        for i in (0, 1, 2, 3, 4, 2, 0):
            assert dataset[i].depth.max() == pytest.approx(1 + i / 1000)
            assert dataset[i].image[-1, -1].tolist() == picture(i, 64, 48)[-1, -1].tolist()
