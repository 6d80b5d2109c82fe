# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images, byte by byte as image_transport's plugins define them."""

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from msdepth_ros.datasets.bag_images import color_image, depth_image
from msdepth_ros.images.compression import DEPTH_FORMAT, compressed_color, compressed_depth


def unpacked(data):
    """Return (format, a, b, PNG's pixels) by the layout of the plugin's ConfigHeader."""
    kind, a, b = struct.unpack('<iff', data[:12])
    assert data[12:16] == b'\x89PNG'
    return kind, a, b, cv2.imdecode(np.frombuffer(data[12:], np.uint8), cv2.IMREAD_UNCHANGED)


def decoded(data):
    """Return what the plugin's subscriber makes of it: a / (q - b), NaN where q is 0."""
    _, a, b, pixels = unpacked(data)
    return np.where(pixels > 0, np.float32(a) / (pixels - np.float32(b)), np.nan)


@pytest.fixture
def depth():
    values = np.geomspace(0.05, 9.99, 4800).astype(np.float32).reshape(60, 80)
    values[5] = np.nan
    return values


def test_the_header_and_the_png_are_as_the_plugin_defines_them(depth):
    kind, a, b, pixels = unpacked(compressed_depth(depth))
    assert kind == 0  # INV_DEPTH
    assert pixels.dtype == np.uint16
    assert pixels.shape == depth.shape
    assert b == pytest.approx(1 - a / 10)  # depth_max is the plugin's 10 m
    valid = np.isfinite(depth)
    expected = np.trunc(np.float32(a) / depth[valid] + np.float32(b))
    np.testing.assert_array_equal(pixels[valid], expected)
    assert not pixels[~valid].any()
    assert pixels[valid].min() >= 1


def test_decoded_depth_is_within_a_quantisation_step(depth):
    _, a, _, _ = unpacked(compressed_depth(depth))
    back = decoded(compressed_depth(depth))
    valid = np.isfinite(depth)
    np.testing.assert_array_equal(np.isfinite(back), valid)
    error = np.abs(back[valid] - depth[valid])
    assert (error <= 1.02 * depth[valid] ** 2 / a + 1e-5).all()
    assert (error / depth[valid]).max() < 0.016


@pytest.mark.parametrize('farthest', [9.99, 10.0, 10.5, 25.0, 79.9, 300.0])
def test_depth_of_any_range_can_be_stored(farthest):
    depth = np.array([[farthest / 200, farthest / 2, farthest]], np.float32)
    np.testing.assert_allclose(decoded(compressed_depth(depth)), depth, rtol=0.016)


def test_nan_zero_negative_and_infinite_depth_are_stored_as_invalid():
    depth = np.array([[np.nan, 0.0, -1.0, np.inf, 1.0]], np.float32)
    back = decoded(compressed_depth(depth))
    assert np.isnan(back[0, :4]).all()
    assert back[0, 4] == pytest.approx(1.0, rel=0.002)


def test_an_image_that_is_all_nan_can_be_stored():
    assert np.isnan(decoded(compressed_depth(np.full((3, 4), np.nan, np.float32)))).all()


def test_depth_too_near_for_16_bits_gets_the_nearest_value():
    depth = np.array([[0.001, 1.0, 70.0]], np.float32)
    _, _, _, pixels = unpacked(compressed_depth(depth))
    assert pixels[0, 0] == 65535


def test_the_bag_reader_reads_compressed_depth(depth):
    message = SimpleNamespace(format=DEPTH_FORMAT, data=compressed_depth(depth))
    back = depth_image(message, None)
    valid = np.isfinite(depth)
    np.testing.assert_allclose(back[valid], depth[valid], rtol=0.016)
    assert not back[~valid].any()


@pytest.mark.parametrize(
    ('encoding', 'channels', 'kind'),
    [
        ('rgb8', 3, 'rgb8; jpeg compressed bgr8'),
        ('bgr8', 3, 'bgr8; jpeg compressed bgr8'),
        ('rgba8', 4, 'rgba8; jpeg compressed bgr8'),
        ('bgra8', 4, 'bgra8; jpeg compressed bgr8'),
        ('mono8', 0, 'mono8; jpeg compressed '),
    ],
)
def test_a_compressed_image_has_the_format_field_of_the_plugin(encoding, channels, kind):
    color = [200, 120, 40, 255][:channels] if channels else 90
    pixels = np.full((16, 24, channels) if channels else (16, 24), color, np.uint8)
    data, said = compressed_color(pixels, encoding)
    assert said == kind
    assert data[:3] == b'\xff\xd8\xff'
    bgr = color_image(SimpleNamespace(format=said, data=data))
    expected = {'r': [40, 120, 200], 'b': [200, 120, 40], 'm': [90, 90, 90]}[encoding[0]]
    assert np.abs(bgr.astype(int) - expected).max() <= 6
