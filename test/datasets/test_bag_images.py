# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images of a recording: whether one is empty is seen without decoding it."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from msdepth_ros.datasets import bag_images
from msdepth_ros.datasets.bag_images import depth_image, has_depth


def raw(values, encoding):
    height, width = values.shape
    data = np.frombuffer(values.tobytes(), np.uint8)
    return SimpleNamespace(
        encoding=encoding, height=height, width=width, step=data.size // height, is_bigendian=0,
        data=data,
    )  # fmt: skip


def compressed(values, level=1):
    png = cv2.imencode('.png', values, [cv2.IMWRITE_PNG_COMPRESSION, level])[1]
    return SimpleNamespace(format='16UC1; compressedDepth png', data=bytes(12) + png.tobytes())


def one(value, dtype, place=(77, 33)):
    values = np.zeros((120, 160), dtype)
    values[place] = value
    return values


NOISE = np.random.default_rng(0).integers(300, 900, (120, 160)).astype(np.uint16)


@pytest.mark.parametrize(
    ('message', 'decoded'),
    [
        (raw(NOISE, '16UC1'), False),
        (raw(np.zeros((120, 160), np.uint16), '16UC1'), False),
        (raw(one(1, np.uint16), '16UC1'), False),
        (raw(one(1.5, np.float32), '32FC1'), False),
        (raw(np.full((120, 160), np.nan, np.float32), '32FC1'), False),
        (raw(one(-1, np.float32), '32FC1'), False),
        (raw(one(np.inf, np.float32), '32FC1'), False),
        (compressed(NOISE), False),
        (compressed(NOISE, 0), True),
        (compressed(np.zeros((120, 160), np.uint16)), True),
        (compressed(np.zeros((120, 160), np.uint16), 0), True),
        (compressed(one(1, np.uint16)), True),
    ],
)
def test_an_image_has_depth_where_it_has_a_valid_pixel(message, decoded, monkeypatch):
    expected = bool(depth_image(message, None).any())
    calls = []
    decode = cv2.imdecode
    monkeypatch.setattr(bag_images.cv2, 'imdecode', lambda *a: calls.append(1) or decode(*a))
    assert has_depth(message) is expected
    assert bool(calls) is decoded
