# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any message whatever is answered with outputs of the right size, or dropped with a reason."""

import itertools
from collections.abc import Iterator

import pytest
from hostile import SMALL, camera_infos, compressed_images, images
from how_many import examples
from hypothesis import given
from hypothesis import strategies as st
from node_in_process import NodeInProcess
from sensor_msgs.msg import CameraInfo, Image

from msdepth_ros.node.outputs import POINTS

# Arithmetic that overflows is a fault too, though NumPy only warns of it.
pytestmark = pytest.mark.filterwarnings('error::RuntimeWarning')
NUMBERS = itertools.count(1)


@pytest.fixture(scope='module')
def raw(tiny_model: str) -> Iterator[NodeInProcess]:
    with NodeInProcess(tiny_model) as node:
        yield node


@pytest.fixture(scope='module')
def compressed(tiny_model: str) -> Iterator[NodeInProcess]:
    with NodeInProcess(tiny_model, image_transport='compressed') as node:
        yield node


def good_pair(width: int, height: int, encoding: str = 'rgb8') -> tuple[Image, CameraInfo]:
    """Return an image and its camera_info as a good driver sends them."""
    image = Image(width=width, height=height, encoding=encoding, step=3 * width)
    image.data.frombytes(bytes(3 * width * height))
    image.header.stamp.sec = next(NUMBERS)
    info = CameraInfo(width=width, height=height, distortion_model='plumb_bob')
    info.d = [0.1, -0.05, 0.0, 0.0, 0.0]
    info.k = [float(width), 0.0, width / 2, 0.0, float(width), height / 2, 0.0, 0.0, 1.0]
    info.r[0] = info.r[4] = info.r[8] = 1.0
    return image, info


def assert_answered(node: NodeInProcess) -> None:
    """Check that the next good frame gets depth and a cloud."""
    image, info = good_pair(40, 30)
    node.camera_info(info)
    for _ in range(2):  # a wild stamp before makes this one go backwards, once
        image.header.stamp.sec = next(NUMBERS)
        answer = node.image(image)
    assert POINTS in answer, answer


@examples(1600)
@given(data=st.data())
def test_any_image_after_any_camera_info(raw: NodeInProcess, data: st.DataObject) -> None:
    image = data.draw(images(next(NUMBERS)))
    raw.camera_info(data.draw(camera_infos(image.width, image.height)))
    raw.image(image)


@examples(900)
@given(data=st.data())
def test_any_compressed_image_after_any_camera_info(
    compressed: NodeInProcess, data: st.DataObject
) -> None:
    width, height = data.draw(SMALL), data.draw(SMALL)
    compressed.camera_info(data.draw(camera_infos(width, height)))
    compressed.image(data.draw(compressed_images(next(NUMBERS), width, height)))


def test_a_fair_part_of_the_messages_is_published(
    raw: NodeInProcess, compressed: NodeInProcess
) -> None:
    """If all messages were rejected at once, the tests above would prove nothing."""
    nodes = (raw, compressed)

    def counts() -> tuple[int, int, int]:
        return (
            sum(node.messages for node in nodes),
            sum(node.published for node in nodes),
            sum(node.with_cloud for node in nodes),
        )

    @examples(250)
    @given(data=st.data())
    def send(data: st.DataObject) -> None:
        width, height = data.draw(SMALL), data.draw(SMALL)
        image = data.draw(images(next(NUMBERS)))
        raw.camera_info(data.draw(camera_infos(image.width, image.height)))
        raw.image(image)
        compressed.camera_info(data.draw(camera_infos(width, height)))
        compressed.image(data.draw(compressed_images(next(NUMBERS), width, height)))

    before = counts()
    send()
    messages, published, with_cloud = (b - a for a, b in zip(before, counts()))
    assert published > messages / 5
    assert with_cloud > messages / 10
    assert_answered(raw)


@pytest.mark.parametrize(
    ('width', 'height'),
    [pytest.param(8192, 4320, marks=pytest.mark.slow), (8192, 1), (1, 8192)],
)
def test_images_up_to_8k(raw: NodeInProcess, width: int, height: int) -> None:
    image, info = good_pair(width, height)
    raw.camera_info(info)
    answer = raw.image(image)
    assert isinstance(answer, dict)
    # Less than a cell of the network fits into a line.
    assert (POINTS in answer) or min(width, height) == 1
