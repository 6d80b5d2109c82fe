# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera as a further input of a network: its value, and the operations that compute it.

Adopted models have the input `intrinsics`, the camera matrix in network pixels, which the estimator
sets for every calibration. The network's own form of the camera is computed from it in the graph.
"""

from collections.abc import Callable

import numpy as np

from msdepth_ros.adopt.exported import TensorInfo
from msdepth_ros.errors import ModelError
from msdepth_ros.geometry.pinhole import Intrinsics


def camera_value(kind: str, camera: Intrinsics, info: TensorInfo) -> np.ndarray:
    """Return the value of a network's camera input, as `add_camera` must compute it.

    Parameters
    ----------
    kind : 'K' [3, 3], 'P3x4' [3, 4], 'fxfycxcy' [4] or 'rays' [3, H, W], unit vectors in the
        optical frame. Leading axes of length 1 are added as in the file.
    camera : of the network's input image.
    info : the input as the file declares it.

    Returns
    -------
    float32.

    Raises
    ------
    ModelError
        If the file's tensor has another number of values.
    """
    if kind == 'K':
        value = camera.matrix()
    elif kind == 'P3x4':
        value = np.hstack([camera.matrix(), np.zeros((3, 1))])
    elif kind == 'fxfycxcy':
        value = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    else:
        x, y = np.meshgrid(*camera.ray_slopes())
        rays = np.stack([x, y, np.ones_like(x)])
        value = rays / np.linalg.norm(rays, axis=0)
    leading = len(info.shape) - value.ndim
    if leading < 0:
        raise ModelError(
            f"the input '{info.name}' {list(info.shape)} is not {kind}: {value.shape} is needed"
        )
    value = value.reshape((1,) * leading + value.shape)
    if any(have not in (None, want) for have, want in zip(info.shape, value.shape)):
        raise ModelError(
            f"the input '{info.name}' {list(info.shape)} is not {kind}: {value.shape} is needed"
        )
    return value.astype(np.float32)


def add_camera(
    kind: str,
    matrix: str,
    size: tuple[int, int],
    rank: int,
    add: Callable[..., str],
    store: Callable[[str, np.ndarray], str],
) -> str:
    """Add the operations that compute a camera input from the camera matrix; return its name.

    Parameters
    ----------
    kind : as in `camera_value`.
    matrix : name of the camera matrix, a tensor float32 [1, 3, 3].
    size : (width, height) of the network's input.
    rank : of the file's input: leading axes of length 1 are added or removed.
    add : add(operation, inputs, output, **attributes) adds a node and returns its output.
    store : store(name, values) stores a constant and returns its name.
    """
    if kind == 'K':
        name, own = matrix, [1, 3, 3]
    elif kind == 'P3x4':
        zeros = store('camera_zeros', np.zeros((1, 3, 1), np.float32))
        name, own = add('Concat', [matrix, zeros], 'camera_projection', axis=2), [1, 3, 4]
    else:
        flat = add('Reshape', [matrix, store('camera_flat', np.array([9]))], 'camera_numbers')
        order = store('camera_order', np.array([0, 4, 2, 5]))  # fx, fy, cx, cy
        name, own = add('Gather', [flat, order], 'camera_parts', axis=0), [1, 4]
        if kind == 'rays':
            name, own = _rays(name, size, add, store), [1, 3, size[1], size[0]]
    own = own[max(len(own) - rank, 0) :]
    own = [1] * (rank - len(own)) + own
    return add('Reshape', [name, store('camera_shape', np.array(own))], 'camera')


def _rays(
    parts: str,
    size: tuple[int, int],
    add: Callable[..., str],
    store: Callable[[str, np.ndarray], str],
) -> str:
    """Add the unit vectors [1, 3, H, W] through every pixel's centre."""
    planes = []
    for axis, count in enumerate(size):
        place = np.arange(count, dtype=np.float32)
        place = np.broadcast_to(place if axis == 0 else place[:, None], (1, 1, size[1], size[0]))
        name = store(f'camera_place{axis}', np.ascontiguousarray(place))
        for operation, index in (('Sub', 2 + axis), ('Div', axis)):
            number = add(
                'Gather',
                [parts, store(f'camera_index{index}', np.array([index]))],
                f'camera{index}',
            )
            name = add(operation, [name, number], f'camera_{operation}{axis}')
        planes.append(name)
    ones = store('camera_ones', np.ones((1, 1, size[1], size[0]), np.float32))
    squares = [add('Mul', [name, name], f'camera_square{i}') for i, name in enumerate(planes)]
    length = add('Add', squares, 'camera_sum')
    length = add('Sqrt', [add('Add', [length, ones], 'camera_sum1')], 'camera_length')
    rays = add('Concat', [*planes, ones], 'camera_slopes', axis=1)
    return add('Div', [rays, length], 'camera_rays')


def constant_value(value: float, info: TensorInfo) -> np.ndarray:
    """Return a tensor with one value everywhere, of the shape in the file; open sizes are 1."""
    shape = tuple(1 if side is None else side for side in info.shape)
    whole = info.kind.startswith(('INT', 'UINT', 'BOOL'))
    return np.full(shape, value, np.int64 if whole else np.float32)
