# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One calibration as the file of each tool.

OpenCV writes its own files; the others are in the layout of the tool that their name says.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
FX, FY, CX, CY = 600.5, 601.5, 320.25, 240.75
K = np.array([[FX, 0, CX], [0, FY, CY], [0, 0, 1]])
D = (-0.3, 0.1, 0.001, -0.002)
P = (550.0, 0.0, 321.0, 0.0, 0.0, 551.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
ROWS = [[float(value) for value in row] for row in K]


def opencv(path: Path, fisheye: bool = False) -> None:
    """Write what OpenCV's calibration program writes, by OpenCV's FileStorage itself."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write('calibration_time', 'Fri Nov  3 10:12:01 2023')
    storage.write('image_width', WIDTH)
    storage.write('image_height', HEIGHT)
    storage.writeComment('flags: +fix_k3')
    storage.write('flags', 128)
    storage.write('fisheye_model', int(fisheye))
    storage.write('camera_matrix', K)
    storage.write('distortion_coefficients', np.array(D if fisheye else (*D, 0.0))[:, None])
    storage.write('avg_reprojection_error', 0.31)
    corners = np.random.default_rng(0).random((30, 54, 2), np.float32)
    storage.write('image_points', corners)
    storage.release()


def opencv_bare(path: Path) -> None:
    """Write only the two matrices, with the names of OpenCV's tutorials and without a size."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write('cameraMatrix', K)
    storage.write('distCoeffs', np.array([D]))
    storage.release()


def _list(values: Iterator[float] | tuple[float, ...]) -> str:
    return ', '.join(f'{value:f}' for value in values)


def _columns(values: np.ndarray) -> str:
    return '\n'.join(' '.join(f'{value:.6f}' for value in row) for row in np.atleast_2d(values))


def _matrix(name: str, rows: int, cols: int, values: tuple[float, ...]) -> str:
    return f'{name}:\n  rows: {rows}\n  cols: {cols}\n  data: [{_list(values)}]\n'


CAMERA_CALIBRATION = (
    f'image_width: {WIDTH}\nimage_height: {HEIGHT}\ncamera_name: narrow_stereo\n'
    + _matrix('camera_matrix', 3, 3, tuple(K.ravel()))
    + 'distortion_model: plumb_bob\n'
    + _matrix('distortion_coefficients', 1, 5, (*D, 0.0))
    + _matrix('rectification_matrix', 3, 3, IDENTITY)
    + _matrix('projection_matrix', 3, 4, P)
)
OST = f"""# oST version 5.0 parameters


[image]

width
{WIDTH}

height
{HEIGHT}

[narrow_stereo]

camera matrix
{_columns(K)}

distortion
{_columns(np.array((*D, 0.0)))}

rectification
{_columns(np.eye(3))}

projection
{_columns(np.reshape(P, (3, 4)))}

"""
KALIBR_CAMERA = f"""  camera_model: pinhole
  distortion_coeffs: [{_list(D)}]
  distortion_model: radtan
  intrinsics: [{FX}, {FY}, {CX}, {CY}]
  resolution: [{WIDTH}, {HEIGHT}]
  rostopic: /cam0/image_raw
"""
KALIBR = f"""cam0:
  cam_overlaps: [1]
{KALIBR_CAMERA}cam1:
  T_cn_cnm1:
  - [0.99, 0.0, 0.0, -0.11]
  - [0.0, 1.0, 0.0, 0.0]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [0]
  camera_model: pinhole
  distortion_coeffs: [0.01, 0.02, 0.03, 0.04]
  distortion_model: equidistant
  intrinsics: [460.0, 461.0, 370.0, 250.0]
  resolution: [752, 480]
  rostopic: /cam1/image_raw
"""
ROS1 = f"""header:
  seq: 12
  stamp:
    secs: 1
    nsecs: 2
  frame_id: "camera"
height: {HEIGHT}
width: {WIDTH}
distortion_model: "plumb_bob"
D: [{_list((*D, 0.0))}]
K: [{_list(K.ravel())}]
R: [{_list(IDENTITY)}]
P: [{_list(P)}]
binning_x: 0
binning_y: 0
roi:
  x_offset: 0
  y_offset: 0
  height: 0
  width: 0
  do_rectify: False
---
header:
  seq: 13
"""


def _items(values: Iterator[float] | tuple[float, ...]) -> str:
    return ''.join(f'- {value}\n' for value in values)


ROS2 = f"""header:
  stamp:
    sec: 1
    nanosec: 2
  frame_id: camera
height: {HEIGHT}
width: {WIDTH}
distortion_model: plumb_bob
d:
{_items((*D, 0.0))}k:
{_items(tuple(K.ravel()))}r:
{_items(IDENTITY)}p:
{_items(P)}binning_x: 0
binning_y: 0
roi:
  x_offset: 0
  y_offset: 0
  height: 0
  width: 0
  do_rectify: false
---
"""
MATLAB = {  # pixels from 1, matrices for row vectors
    'RadialDistortion': list(D[:2]), 'TangentialDistortion': list(D[2:]),
    'ImageSize': [HEIGHT, WIDTH], 'WorldUnits': 'millimeters',
    'IntrinsicMatrix': [[FX, 0, 0], [0, FY, 0], [CX + 1, CY + 1, 1]],
}  # fmt: skip
MATLAB_STRUCT = f"""cameraParams = struct('RadialDistortion', [{D[0]} {D[1]}], ...
    'TangentialDistortion', [{D[2]} {D[3]}], 'ImageSize', [{HEIGHT} {WIDTH}], ...
    'IntrinsicMatrix', [{FX} 0 0; 0 {FY} 0; {CX + 1} {CY + 1} 1]);  % K'
"""
MATLAB_FIELDS = f"""params.FocalLength = [{FX} {FY}];
params.PrincipalPoint = [{CX + 1} {CY + 1}];
params.ImageSize = [{HEIGHT} {WIDTH}];
params.RadialDistortion = [{D[0]} {D[1]}];
params.TangentialDistortion = [{D[2]} {D[3]}];
"""
MATLAB_DISPLAY = f"""
intrinsics =

  cameraIntrinsics with properties:

             FocalLength: [{FX:.4f} {FY:.4f}]
          PrincipalPoint: [{CX + 1:.4f} {CY + 1:.4f}]
               ImageSize: [{HEIGHT} {WIDTH}]
        RadialDistortion: [{D[0]:.4f} {D[1]:.4f}]
    TangentialDistortion: [1.0000e-03 {D[3]:.4f}]
                    Skew: 0
                       K: [3x3 double]
"""
MATLAB_MATRIX = f"""IntrinsicMatrix =

  {FX:.4f}         0         0
         0  {FY:.4f}         0
  {CX + 1:.4f}  {CY + 1:.4f}    1.0000

RadialDistortion =

   {D[0]:.4f}    {D[1]:.4f}

TangentialDistortion =

    {D[2]:.4f}   {D[3]:.4f}

ImageSize =

   {HEIGHT}   {WIDTH}

"""
CALTECH = f"""% Intrinsic and Extrinsic Camera Parameters

%-- Focal length:
fc = [ {FX} ; {FY} ];

%-- Principal point:
cc = [ {CX} ; {CY} ];

%-- Distortion coefficients:
kc = [ {D[0]} ; {D[1]} ; {D[2]} ; {D[3]} ; 0.0 ];

%-- Focal length uncertainty:
fc_error = [ 0.3 ; 0.3 ];

%-- Image size:
nx = {WIDTH};
ny = {HEIGHT};
"""
ORB_SLAM = f"""%YAML:1.0

Camera.type: "PinHole"
Camera1.fx: {FX}
Camera1.fy: {FY}
Camera1.cx: {CX}
Camera1.cy: {CY}
Camera1.k1: {D[0]}
Camera1.k2: {D[1]}
Camera1.p1: {D[2]}
Camera1.p2: {D[3]}
Camera.width: {WIDTH}
Camera.height: {HEIGHT}
"""
CAMODOCAL = f"""%YAML:1.0
---
model_type: PINHOLE
camera_name: camera
image_width: {WIDTH}
image_height: {HEIGHT}
distortion_parameters:
   k1: {D[0]}
   k2: {D[1]}
   p1: {D[2]}
   p2: {D[3]}
projection_parameters:
   fx: {FX}
   fy: {FY}
   cx: {CX}
   cy: {CY}
"""
EUROC = f"""sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
resolution: [{WIDTH}, {HEIGHT}]
camera_model: pinhole
intrinsics: [{FX}, {FY}, {CX}, {CY}] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [{_list(D)}]
"""
NESTED = f"""camera_matrix: {ROWS}
dist_coeffs: [[{_list(D)}]]
image_size: [{WIDTH}, {HEIGHT}]
"""
NESTED_BLOCK = f"""K:
- {ROWS[0]}
- {ROWS[1]}
- {ROWS[2]}
D: [{_list(D)}]
width: {WIDTH}
height: {HEIGHT}
"""
NUMPY_CODE = f"""import numpy as np
camera_matrix = np.array([[{FX}, 0.0, {CX}],
                          [0.0, {FY}, {CY}],
                          [0.0, 0.0, 1.0]])  # by calibrate.py
dist_coeffs = np.array([{_list(D)}])
width = {WIDTH}
height = {HEIGHT}
"""


def _librealsense() -> str:
    numbers = {'width': WIDTH, 'height': HEIGHT, 'fx': FX, 'fy': FY, 'ppx': CX, 'ppy': CY}
    return json.dumps({**numbers, 'model': 'Brown Conrady', 'coeffs': [*D, 0.0]})


def _nerfstudio() -> str:
    numbers = {'w': WIDTH, 'h': HEIGHT, 'fl_x': FX, 'fl_y': FY, 'cx': CX, 'cy': CY}
    lens = dict(zip(('k1', 'k2', 'p1', 'p2'), D))
    frames = [{'file_path': 'a.png', 'transform_matrix': np.eye(4).tolist()}]
    return json.dumps({**numbers, **lens, 'camera_model': 'OPENCV', 'frames': frames})


def _message() -> str:
    """Return a JSON message as rosbridge sends it."""
    fields = {'height': HEIGHT, 'width': WIDTH, 'distortion_model': 'plumb_bob'}
    matrices = {'d': [*D, 0.0], 'k': K.ravel().tolist(), 'r': list(IDENTITY), 'p': list(P)}
    return json.dumps({'header': {'frame_id': 'camera'}, **fields, **matrices})


_TEXTS: dict[str, str] = {
    'camera_calibration.yaml': CAMERA_CALIBRATION,
    'crlf.yaml': CAMERA_CALIBRATION.replace('\n', '\r\n'),
    'ost.txt': OST,
    'ost.ini': OST,
    'camchain.yaml': KALIBR,
    'kalibr_one.yaml': KALIBR_CAMERA.replace('  ', ''),
    'rostopic_echo.txt': ROS1,
    'ros2_topic_echo.yaml': ROS2,
    'rosbridge.json': _message(),
    'nested.yaml': NESTED,
    'nested_block.yaml': NESTED_BLOCK,
    'nested.json': json.dumps({'K': ROWS, 'dist': [D], 'image_size': [WIDTH, HEIGHT]}),
    'numpy.py': NUMPY_CODE,
    'matlab.json': json.dumps(MATLAB),
    'matlab_struct.m': MATLAB_STRUCT,
    'matlab_fields.m': MATLAB_FIELDS,
    'matlab_display.txt': MATLAB_DISPLAY,
    'matlab_matrix.txt': MATLAB_MATRIX,
    'Calib_Results.m': CALTECH,
    'orb_slam3.yaml': ORB_SLAM,
    'camodocal.yaml': CAMODOCAL,
    'euroc_sensor.yaml': EUROC,
    'librealsense.json': _librealsense(),
    'nerfstudio.json': _nerfstudio(),
}
_WRITERS: dict[str, Callable[[Path], None]] = {
    'opencv.yml': opencv,
    'opencv.xml': opencv,
    'opencv.json': opencv,
    'opencv.yml.gz': opencv,
    'opencv_bare.yml': opencv_bare,
    'opencv_bare.xml': opencv_bare,
}
NAMES = (*_TEXTS, *_WRITERS)
WITH_P = {name for name in _TEXTS if 'ost.' in name or 'topic' in name} | {
    'camera_calibration.yaml', 'crlf.yaml', 'rosbridge.json',
}  # fmt: skip
WITHOUT_SIZE = {'opencv_bare.yml', 'opencv_bare.xml'}


def write(folder: Path, name: str) -> Path:
    """Write one of NAMES; return its path."""
    path = folder / name
    if name in _WRITERS:
        _WRITERS[name](path)
    else:
        path.write_bytes(_TEXTS[name].encode())
    return path


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, K=K)
    return file.getvalue()


FOREIGN: dict[str, tuple[bytes, str, str]] = {  # name: bytes, format seen, remedy
    'camera.mat': (b'MATLAB 5.0 MAT-file, Platform: GLNXA64', 'MATLAB .mat file', 'jsonencode'),
    'camera.npz': (_npz(), 'NumPy .npz', 'as YAML'),
    'camera.npy': (b'\x93NUMPY\x01\0v\0', 'NumPy array', 'as YAML'),
    'camera.pkl': (b'\x80\x04\x95\0\0\0\0', 'Python pickle', 'as YAML'),
    'calibrationdata.tar.gz': (b'\x1f\x8b\x08\0' + bytes(20), 'gzip', 'unpack it'),
    'picture.png': (cv2.imencode('.png', np.zeros((2, 2)))[1].tobytes(), 'PNG', 'calibration'),
    'picture.jpg': (cv2.imencode('.jpg', np.zeros((2, 2)))[1].tobytes(), 'JPEG', 'calibration'),
    'bag.mcap': (b'\x89MCAP0\r\n', 'recording', 'ros2 topic echo --once'),
    'bag.db3': (b'SQLite format 3\0', 'recording', 'ros2 topic echo --once'),
    'page.html': (b'<!DOCTYPE html><html></html>', 'HTML', 'download'),
    'agisoft.xml': (b'<?xml version="1.0"?><calibration/>', 'XML of <calibration>', 'OpenCV'),
    'bomb.xml': (b'<!DOCTYPE a [<!ENTITY b "c">]><a/>', 'XML', 'OpenCV'),
    'cameras.txt': (b'# Camera list with one line of data per camera:\n', 'COLMAP', 'as YAML'),
    'calib.txt': (b'P0: 7.1e+02 0.0 6.0e+02 0.0\n', 'KITTI', 'as YAML'),
    'results-cam.txt': (b'Calibration results \n=====\n\tcam0 (/a):\n', "Kalibr's", 'camchain'),
    'ocam.txt': (b'#polynomial coefficients for the DIRECT mapping\n', 'OCamCalib', 'plumb_bob'),
    'depth.yaml': (b'/**:\n  ros__parameters:\n    a: 1\n', 'ROS parameters', 's calibration'),
    'stereo.yml': (b'%YAML:1.0\n---\nR: [1., 0.]\nT: [0., 0.]\n', "YAML with 'R', 'T'", 'OpenCV'),
    'notes.txt': (b'hello world\n', 'a text', 'camera_calibration'),
    'empty.yaml': (b'\n', 'empty', 'calibrate'),
    'noise.yaml': (bytes(range(256)), 'binary', 'as YAML'),
    'omni.yaml': (b'camera_model: omni\nintrinsics: [1, 6, 6, 3, 2]\n', "'omni'", 'equi'),
}  # fmt: skip
