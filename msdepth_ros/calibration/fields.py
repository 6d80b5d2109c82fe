# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A document of keys and values as a Camera, with the keys of many tools."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from msdepth_ros.calibration.values import Values, number, numbers, plain
from msdepth_ros.errors import CalibrationError, quoted
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.lens import EQUIDISTANT, PLUMB_BOB

# Keys in lower case, letters and digits only. In each tuple the first key that is present counts.
_MATRIX = (
    'cameramatrix', 'k', 'intrinsicmatrix', 'intrinsicsmatrix', 'intrinsics', 'mtx', 'cameramat',
    'intrinsic', 'kmatrix',
)  # fmt: skip
_COEFFICIENTS = (
    'distortioncoefficients', 'd', 'distortioncoeffs', 'distcoeffs', 'distcoeff', 'dist', 'kc',
    'distcoefs', 'distortion', 'distortionparameters', 'coeffs', 'distortionvector',
    'distortionparams',
)  # fmt: skip
_MODEL = ('distortionmodel', 'distortiontype', 'cameramodel', 'modeltype', 'model', 'type')
_RECTIFICATION = ('rectificationmatrix', 'rectification')
_PROJECTION = ('projectionmatrix', 'projection')
_WIDTH = ('imagewidth', 'width', 'w', 'nx', 'cols', 'imgwidth')
_HEIGHT = ('imageheight', 'height', 'h', 'ny', 'rows', 'imgheight')
_SIZE = ('resolution', 'imagesize', 'cameraresolution', 'size', 'imgsize', 'imageresolution')
_FOCAL_LENGTHS = ('focallength', 'fc', 'f')
_PRINCIPAL_POINTS = ('principalpoint', 'cc', 'c')
_SCALARS = {
    'fx': ('fx', 'flx', 'fu', 'mu'), 'fy': ('fy', 'fly', 'fv', 'mv'),
    'cx': ('cx', 'ppx', 'cu', 'u0', 'px'), 'cy': ('cy', 'ppy', 'cv', 'v0', 'py'),
}  # fmt: skip
_OPENCV_ORDER = ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6')
_FISHEYE_FLAGS = ('fisheyemodel', 'isfisheye', 'fisheye')
_OTHER_MODELS = ('omni', 'mei', 'eucm', 'ds', 'doublesphere', 'scaramuzza', 'fov', 'ucm', 'ocam')
_SUFFIXES = ('1', '2', 'left', 'right', 'l', 'r')  # of the keys of two cameras in one mapping
_MAX_DEPTH = 4  # of a camera in its document
_MATRICES = ('m', 'cameramatrix', 'mtx', 'intrinsics')


def cameras_in(document: Any, depth: int = 0) -> dict[str, Mapping[str, Any]]:
    """Return the mappings in a document that describe a camera, by name; '' = the document itself.

    Parameters
    ----------
    document : nested dicts and lists.
    depth : of this document in the whole one.
    """
    if depth > _MAX_DEPTH:
        return {}
    if isinstance(document, list):
        document = {str(index): item for index, item in enumerate(document)}
    if not isinstance(document, Mapping):
        return {}
    if _describes_camera(document):
        return {'': document}
    if stereo := _stereo(document):
        return stereo
    found: dict[str, Mapping[str, Any]] = {}
    for name, value in document.items():
        inside = cameras_in(value, depth + 1) if isinstance(value, dict | list) else {}
        for inner, mapping in inside.items():
            found[f'{name}/{inner}' if inner else str(name)] = mapping
    return found


def camera_of(document: Mapping[str, Any]) -> Camera:
    """Return the camera that a mapping describes, checked.

    Raises
    ------
    CalibrationError
        If something is missing or is not a number, or the calibration cannot be used.
    """
    values = Values(document)
    matlab = 'radialdistortion' in values.keys or 'IntrinsicMatrix' in document
    width, height = _size(values, matlab)
    model, d = _lens(values)
    k = _camera_matrix(values, matlab)
    rectification, projection = values.numbers(_RECTIFICATION), values.numbers(_PROJECTION)
    if 'd' in values.keys and 'p' in values.keys and values.keys.keys() & {'r', 'distortionmodel'}:
        rectification, projection = values.numbers(('r',)), values.numbers(('p',))  # of a message
    roi = values.mapping('roi')
    camera = Camera(
        width,
        height,
        k,
        d,
        model,
        rectification or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        projection,
        tuple(roi.whole(name) for name in ('xoffset', 'yoffset', 'width', 'height')),  # type: ignore[arg-type]
        (values.whole('binningx'), values.whole('binningy')),
    )
    camera.check()
    return camera


def _stereo(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the cameras of a document with numbered keys, as stereo_calib's M1, D1, M2, D2."""
    names = {plain(str(key)): value for key, value in document.items()}
    cameras: dict[str, Mapping[str, Any]] = {}
    for suffix in _SUFFIXES:
        k = next(
            (names[f'{stem}{suffix}'] for stem in _MATRICES if f'{stem}{suffix}' in names), None
        )
        if k is not None:
            d = [names[f'{stem}{suffix}'] for stem in _COEFFICIENTS if f'{stem}{suffix}' in names]
            size = {key: names[key] for key in (*_WIDTH, *_HEIGHT, *_SIZE) if key in names}
            cameras[suffix] = {'K': k, 'D': d[0] if d else [], **size}
    return cameras


def _describes_camera(document: Mapping[Any, Any]) -> bool:
    names = Values(document).keys
    focal = any(scalar in names for scalar in _SCALARS['fx'])
    matrix = any(
        name in names and (not isinstance(names[name], Mapping) or 'data' in names[name])
        for name in _MATRIX
    )
    return matrix or focal or any(name in names for name in ('focallength', 'fc'))


def _size(values: Values, matlab: bool) -> tuple[int, int]:
    """Return (width, height); (0, 0) if the file has no size."""
    names = [values.first(keys)[0] for keys in (_WIDTH, _HEIGHT)]
    if any(names):
        width, height = values.whole(*_WIDTH), values.whole(*_HEIGHT)
        for name, found in zip(('width', 'height'), names):
            if not found:
                raise CalibrationError(f'the image {name} is missing')
        return width, height
    size = values.numbers(_SIZE)
    if not size:
        return 0, 0
    if len(size) != 2:
        raise CalibrationError(f'the image size has {len(size)} numbers, not 2')
    first, second = map(int, size)
    return (second, first) if matlab else (first, second)  # MATLAB: rows, columns


def _camera_matrix(values: Values, matlab: bool) -> tuple[float, ...]:
    """Return K, row-major, with pixels counted from 0."""
    name, _ = values.first(_MATRIX)
    k: tuple[float, ...] = ()
    if name and not (isinstance(values.keys[name], Mapping) and 'data' not in values.keys[name]):
        k = values.numbers(_MATRIX)
        if len(k) == 4:  # Kalibr's
            k = _k(*k)
    if not k:
        scalars = {key: values.first(names)[0] for key, names in _SCALARS.items()}
        if all(scalars.values()):
            k = _k(*(number(key, values.keys[key]) for key in scalars.values()))
        else:
            focal = values.numbers(_FOCAL_LENGTHS, single=True)
            centre = values.numbers(_PRINCIPAL_POINTS)
            if len(focal) not in (1, 2) or len(centre) != 2:
                missing = ', '.join(key for key, found in scalars.items() if not found)
                raise CalibrationError(f'there is no camera matrix, and {missing} are missing')
            k = _k(focal[0], focal[-1], *centre)
    if len(k) != 9:
        raise CalibrationError(f'the camera matrix has {len(k)} numbers, not 9')
    if not (k[2] or k[5]) and (k[6] or k[7]):  # column-major, as in MATLAB and Open3D
        k = tuple(np.reshape(k, (3, 3)).T.ravel().tolist())
    if matlab:  # counts pixels from 1
        k = (*k[:2], k[2] - 1, *k[3:5], k[5] - 1, *k[6:])
    return k


def _k(fx: float, fy: float, cx: float, cy: float) -> tuple[float, ...]:
    return (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)


def _lens(values: Values) -> tuple[str, tuple[float, ...]]:
    """Return the lens model by the file's own name for it, and its coefficients."""
    names = [str(values.keys[name]) for name in _MODEL if isinstance(values.keys.get(name), str)]
    for name in names:
        if plain(name) in _OTHER_MODELS:
            raise CalibrationError(
                f'the lens model {quoted(name)} cannot be used: calibrate with plumb_bob (radtan) '
                'or equidistant (fisheye, equi)'
            )
    for flag in _FISHEYE_FLAGS:
        if str(values.keys.get(flag, '')).lower() in ('1', '1.0', 'true'):
            names = [EQUIDISTANT]
    model = names[0] if names else PLUMB_BOB
    radial = values.numbers(('radialdistortion',))
    if radial:  # MATLAB's two lists
        tangential = values.numbers(('tangentialdistortion',)) or (0.0, 0.0)
        return PLUMB_BOB, (*radial[:2], *tangential, *radial[2:])
    name, value = values.first(_COEFFICIENTS)
    if name and not (isinstance(value, Mapping) and 'data' not in value):
        return model, numbers(name, value)
    if 'mu' in values.keys and 'k5' in values.keys:  # camodocal numbers a fisheye's k2 to k5
        return EQUIDISTANT, tuple(
            number(f'k{i}', values.keys.get(f'k{i}', 0.0)) for i in range(2, 6)
        )
    order = ('k1', 'k2', 'k3', 'k4') if _is_fisheye(model, values) else _OPENCV_ORDER
    if any(name in values.keys for name in order):
        return model, tuple(number(name, values.keys.get(name, 0.0)) for name in order)
    if name:
        raise CalibrationError(f'{name} has no numbers')
    return model, ()


def _is_fisheye(model: str, values: Values) -> bool:
    if Camera(1, 1, (0.0,) * 9, (), model).distortion_model == EQUIDISTANT:
        return True
    return 'k4' in values.keys and not values.keys.keys() & {'p1', 'p2'}
