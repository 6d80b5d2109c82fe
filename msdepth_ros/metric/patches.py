# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small patches of images: their texture, and their similarity between views.

Likeness is the zero-mean normalised cross-correlation (ZNCC): 1 for patches that differ only in
brightness and contrast.
"""

import functools

import cv2
import numpy as np

_BLOCK = 4  # of 2x2 pixels; at most one point in each block of this size
_MARGIN = 3  # of 2x2 pixels, at the image's border without points
_EVEN_TEXTURE = 0.2  # (grey levels per pixel)^2: enough for the best point of a region
_LEAST_TEXTURE = 0.02
_NOISE = 2.0  # grey levels; difference of two images of the same scene
_FLATTEST = -1e-6  # a peak has a more negative curvature


def textured_points(image: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose points with texture that cover an image (corners of Shi and Tomasi, CVPR 1994).

    The best point of each region of 16x16 pixels goes first, then the best of what is left.

    Parameters
    ----------
    image : uint8 [height, width], of even size.
    most : largest number of points.

    Returns
    -------
    u, v : float32 [n], between four pixels.
    """
    corner = _corners(image)
    rows, columns = (length // _BLOCK for length in corner.shape)
    inner = np.zeros_like(corner)
    inside = (slice(_MARGIN, -_MARGIN),) * 2
    inner[inside] = corner[inside]
    tiled = inner[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    blocks = tiled.transpose(0, 2, 1, 3).reshape(rows * columns, _BLOCK * _BLOCK)
    place = blocks.argmax(axis=1)
    value = np.take_along_axis(blocks, place[:, None], axis=1)[:, 0]
    order = np.argsort(-value, kind='stable')
    row, column = np.divmod(np.arange(rows * columns), columns)
    region = (row // 2) * columns + column // 2
    first = order[np.unique(region[order], return_index=True)[1]]
    first = first[value[first] > _EVEN_TEXTURE]
    if len(first) > most:
        first = first[np.linspace(0, len(first) - 1, most).astype(np.intp)]
    rest = order[~np.isin(order, first)][: most - len(first)]
    chosen = np.concatenate([first, rest[value[rest] > _LEAST_TEXTURE]])
    u = 2 * (column[chosen] * _BLOCK + place[chosen] % _BLOCK) + 0.5
    v = 2 * (row[chosen] * _BLOCK + place[chosen] // _BLOCK) + 0.5
    return u.astype(np.float32), v.astype(np.float32)


def _corners(image: np.ndarray) -> np.ndarray:
    """Return the texture of 2x2 pixels and those around, float32 [height / 2, width / 2].

    The smaller eigenvalue of the mean product of the gradients in 6x6 pixels, (grey levels per
    pixel)^2. cv2.cornerMinEigenVal on all pixels takes five times as long.
    """
    x, y = (cv2.Sobel(image, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    xx, yy, xy = (
        cv2.blur(cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), (3, 3))
        for each in (x * x, y * y, x * y)
    )
    return (xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + xy * xy)


@functools.lru_cache(maxsize=8)
def offsets(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of a patch's pixels from its centre, float32 [k].

    These are every other pixel of a square with sides of 2 radius + 1, as on a chessboard: half
    the work, and as exact.
    """
    steps = np.arange(-radius, radius + 1, dtype=np.float32)
    y, x = np.meshgrid(steps, steps, indexing='ij')
    chosen = (x + y) % 2 == 0
    return x[chosen], y[chosen]


def patches_at(
    image: np.ndarray, u: np.ndarray, v: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the patches around pixels (u, v), float32 [n] each, of a uint8 [height, width] image.

    Returns
    -------
    patches : float32 [n, k], k pixels each, their mean taken away.
    contrast : float32 [n], their standard deviation in grey levels.
    """
    x, y = offsets(radius)
    patches = cv2.remap(image, u[:, None] + x, v[:, None] + y, cv2.INTER_LINEAR).astype(np.float32)
    patches -= patches.mean(axis=1, keepdims=True)
    return patches, np.sqrt(np.einsum('nk,nk->n', patches, patches) / np.float32(x.size))


def likeness(
    patches: np.ndarray,
    contrast: np.ndarray,
    images: list[np.ndarray],
    centres: tuple[np.ndarray, np.ndarray],
    shape: tuple[np.ndarray, np.ndarray],
    radius: int,
) -> np.ndarray:
    """Compare patches with places in other images.

    Parameters
    ----------
    patches, contrast : of `patches_at`, n patches of k pixels.
    images : V images, uint8 [height, width] all.
    centres : u, v, float32 [V, n, m]: m places in each image for each patch.
    shape : x, y of the patch's pixels from that centre, float32 [V, n, k].

    Returns
    -------
    float32 [V, n, m], ZNCC in -1 to 1, damped where contrast is as low as noise; NaN where the
    place is not inside the image.
    """
    alike = np.empty(centres[0].shape, np.float32)
    for index, image in enumerate(images):  # one by one: what is looked up fits into the cache
        there = centres[0][index], centres[1][index]
        around = shape[0][index], shape[1][index]
        alike[index] = _likeness(patches, contrast, image, there, around, radius)
    return alike


def _likeness(
    patches: np.ndarray,
    contrast: np.ndarray,
    image: np.ndarray,
    centres: tuple[np.ndarray, np.ndarray],
    shape: tuple[np.ndarray, np.ndarray],
    radius: int,
) -> np.ndarray:
    """Compare patches with places in one image, as `likeness` does with all; float32 [n, m]."""
    (u, v), (dx, dy) = centres, shape
    (n, m), k = u.shape, patches.shape[1]
    height, width = image.shape
    outside = ~((u > radius) & (u < width - 1 - radius) & (v > radius) & (v < height - 1 - radius))
    other = cv2.remap(
        image.astype(np.float32),  # faster than bytes
        (u[..., None] + dx[:, None]).reshape(n, m * k),
        (v[..., None] + dy[:, None]).reshape(n, m * k),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(n, m, k)
    total = other @ np.full(k, 1 / np.sqrt(k), np.float32)
    power = np.einsum('nmk,nmk->nm', other, other) - total * total
    product = np.matmul(other, patches[:, :, None])[..., 0]
    energy = contrast[:, None] * np.sqrt(np.maximum(power, 0) * np.float32(k))
    alike = product / (energy + np.float32(_NOISE * k))
    alike[outside] = np.nan
    return alike


def peak(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the greatest value of each row of float [n, m], between its neighbours by a parabola.

    Returns
    -------
    index : intp [n], of the greatest value.
    position : float [n], where the parabola through it and its neighbours is highest.
    """
    index = values.argmax(axis=1)
    middle = index.clip(1, values.shape[1] - 2)
    row = np.arange(len(values))
    before, at, after = (values[row, middle + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    peaked = curvature < _FLATTEST
    shift = np.where(peaked, (before - after) / np.where(peaked, 2 * curvature, 1), 0)
    return index, middle + shift.clip(-1, 1)
