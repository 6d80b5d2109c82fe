# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names files that are not a calibration, or in a format that is not read; says what to do."""

import re

_AS_YAML = 'write its numbers as YAML, as config/camera.yaml shows'
_ECHO = 'run `ros2 topic echo --once CAMERA_INFO_TOPIC > camera.yaml`'
_UNPACK = 'unpack it and give its ost.yaml'
_CALIBRATION = "give the camera's calibration"
_STARTS = (
    (b'MATLAB 5.0 MAT', 'a MATLAB .mat file', 'write jsonencode(toStruct(parameters)) to a .json'),
    (b'MATLAB 7', 'a MATLAB .mat file', 'write jsonencode(toStruct(parameters)) to a .json'),
    (b'\x89HDF', 'an HDF5 file', _AS_YAML),
    (b'\x93NUMPY', 'a NumPy array', _AS_YAML),
    (b'\x80', 'a Python pickle', f'pickles are not read; {_AS_YAML}'),
    (b'PK\x03\x04', 'a zip archive or a NumPy .npz', f'{_UNPACK}, or {_AS_YAML}'),
    (b'\x1f\x8b', 'a gzip archive', _UNPACK),
    (b'BZh', 'a bzip2 archive', _UNPACK),
    (b'\xfd7zXZ', 'an xz archive', _UNPACK),
    (b'\x89PNG', 'a PNG image', _CALIBRATION),
    (b'\xff\xd8\xff', 'a JPEG image', _CALIBRATION),
    (b'%PDF', 'a PDF', _AS_YAML),
    (b'\x89MCAP', 'a recording (mcap)', f'play it and {_ECHO}'),
    (b'SQLite format 3', 'a recording (SQLite)', f'play it and {_ECHO}'),
    (b'#ROSBAG', 'a ROS 1 recording', f'play it and {_ECHO}'),
)
_TEXTS = (
    (r'(?i)^\s*<(!doctype )?html', 'an HTML page', 'download the file itself'),
    (r'^# Camera list with one line of data per camera', "COLMAP's cameras.txt", _AS_YAML),
    (r'(?m)^(P\d|P_rect_\d\d|calib_time): ', "KITTI's calibration", _AS_YAML),
    (r'^#polynomial coefficients', "OCamCalib's calib_results.txt",
     'calibrate with plumb_bob or equidistant'),
    (r'(?m)^Calibration results[ \t]*\n=+', "Kalibr's report", 'give its camchain YAML'),
    (r'(?m)^[ \t]*ros__parameters:', 'a file of ROS parameters', _CALIBRATION),
    (r'!!python/object', 'YAML of Python objects', f'{_AS_YAML}, with K.tolist()'),
    (r'^\s*<', 'XML', "only OpenCV's <opencv_storage> is read"),
)  # fmt: skip


def name_bytes(data: bytes) -> tuple[str, str] | None:
    """Return what a binary file is and what to do; None if it may be text."""
    for start, what, remedy in _STARTS:
        if data.startswith(start):
            return what, remedy
    if b'\0' in data[:1024] and not data.startswith((b'\xff\xfe', b'\xfe\xff')):
        return 'a binary file', _AS_YAML
    return None


def name_text(text: str) -> tuple[str, str] | None:
    """Return what a text is and what to do; None if it is not known."""
    for pattern, what, remedy in _TEXTS:
        if re.search(pattern, text[:4096]):
            return what, remedy
    return None
