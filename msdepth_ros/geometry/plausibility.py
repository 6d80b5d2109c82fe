# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is implausible in a calibration that is formally right, and the likely cause."""

import math
from collections.abc import Iterator

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.lens import EQUIDISTANT

_OFF_MIDDLE = 0.15  # largest distance of K's principal point from the middle, by the image size
_RECTIFIED_OFF_MIDDLE = 0.35  # the same for P: rectification moves the whole image
_PIXEL_ASPECT = 1.15  # largest ratio of fx and fy; the widest pixels, of analogue video, have 1.09
_NARROWEST = 4.0  # least field of view, degrees
_WIDEST = {True: 230.0, False: 150.0}  # largest one, degrees, of a fisheye and of any other lens
_RECTIFIED_FOCAL = (0.15, 4.0)  # limits of P's focal length divided by K's
_ALIKE = 0.15  # largest relative difference of two ratios that count as equal


def doubts(camera: Camera) -> str:
    """Return what is implausible in a usable calibration, in one line with all its numbers.

    Returns
    -------
    '' if nothing is, or if the calibration has no image size.
    """
    if not (camera.width and camera.height):
        return ''
    found = [*_off_middle(camera), *_pixels(camera), *_matrices(camera), *_field_of_view(camera)]
    return f'{"; ".join(found)}; it is used unchanged: {numbers(camera)}' if found else ''


def numbers(camera: Camera) -> str:
    """Return a calibration's numbers in one line."""
    k, p = camera.k, camera.p
    text = f'{camera.width}x{camera.height}, K fx {k[0]:g} fy {k[4]:g} cx {k[2]:g} cy {k[5]:g}'
    if any(p):
        text += f', P fx {p[0]:g} fy {p[5]:g} cx {p[2]:g} cy {p[6]:g}'
    text += f', {camera.distortion_model} D [{" ".join(f"{value:g}" for value in camera.d)}]'
    if any(b > 1 for b in camera.binning):
        text += f', binning {camera.binning[0]}x{camera.binning[1]}'
    if any(camera.roi):
        x, y, width, height = camera.roi
        text += f', roi {width}x{height} at ({x}, {y})'
    return text


def _off_middle(camera: Camera) -> Iterator[str]:
    k, p = camera.k, camera.p
    points = [('K', k[2], k[5], _OFF_MIDDLE)]
    if any(p):
        points.append(('P', p[2], p[6], _RECTIFIED_OFF_MIDDLE))
    for name, cx, cy, limit in points:
        off = max(abs((cx + 0.5) / camera.width - 0.5), abs((cy + 0.5) / camera.height - 0.5))
        if off > limit:
            yield (
                f"{name}'s principal point ({cx:g}, {cy:g}) is far from the middle of "
                f'{camera.width}x{camera.height}: {_cause(camera, cx, cy)}'
            )
            return  # the other one has the same cause


def _cause(camera: Camera, cx: float, cy: float) -> str:
    """Return the likely cause of a principal point far from the middle."""
    width, height = camera.width, camera.height
    if camera.k[6] or camera.k[7]:
        return 'K seems to be in column-major order, it must be row-major'
    across, down = (2 * cx + 1) / width, (2 * cy + 1) / height
    if across > 0 and down > 0 and abs(across / down - 1) < _ALIKE:
        size = f'{2 * cx + 1:.0f}x{2 * cy + 1:.0f}'
        binning = max(camera.binning)
        if binning > 1 and min(abs(across * binning - 1), abs(across / binning - 1)) < _ALIKE:
            return (
                f'K seems to be for {size} pixels; width, height and K must all be those of the '
                'full image, before binning'
            )
        return f'K seems to be for another image size, {size}: calibrate for this one'
    if abs((2 * cx + 1) / height - 1) < _ALIKE and abs((2 * cy + 1) / width - 1) < _ALIKE:
        return 'it seems to be for an image rotated by 90 degrees, or cx and cy are swapped'
    if max(abs(cx), abs(cy)) <= 1:
        return 'it must be in pixels from the upper left corner, not from the middle'
    return 'the image was cropped but roi is not set, or the calibration failed'


def _pixels(camera: Camera) -> Iterator[str]:
    fx, fy = camera.k[0], camera.k[4]
    if not 1 / _PIXEL_ASPECT < fx / fy < _PIXEL_ASPECT:
        yield (
            f'fx {fx:g} and fy {fy:g} are far apart: the image was stretched, or K is for an image '
            'of another aspect ratio'
        )
    if camera.p and camera.p[0]:
        low, high = _RECTIFIED_FOCAL
        if not low < camera.p[0] / fx < high:
            yield (
                f"P's fx {camera.p[0]:g} is far from K's {fx:g}: one of them is for another size"
            )


def _matrices(camera: Camera) -> Iterator[str]:
    if abs(camera.k[8] - 1) > 1e-6:
        yield (
            f'K[8] is {camera.k[8]:g}, not 1: K is scaled, or its numbers are not in row-major '
            'order'
        )


def _field_of_view(camera: Camera) -> Iterator[str]:
    fisheye = camera.distortion_model == EQUIDISTANT and camera.distorted
    fx = camera.k[0]
    radians = camera.width / fx if fisheye else 2 * math.atan(camera.width / 2 / fx)
    degrees = math.degrees(radians)
    if degrees > _WIDEST[fisheye]:
        yield (
            f'a field of view of {degrees:.0f} degrees is too wide for such a lens: the focal '
            'length must be in pixels, not in millimetres or in fractions of the width'
        )
    elif degrees < _NARROWEST:
        yield (
            f'a field of view of {degrees:.1f} degrees is too narrow for a camera: K is for a '
            'larger image, or the focal length is not in pixels'
        )
