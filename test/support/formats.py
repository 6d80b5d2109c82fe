# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny datasets of each foreign format, written as their own tools write them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

COLORS = ((200, 30, 10), (20, 180, 40), (60, 70, 220))  # BGR, frame by frame


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Return a picture of one colour with a white corner at the top left."""
    image = np.full((height, width, 3), COLORS[index % 3], np.uint8)
    image[: height // 4, : width // 4] = 255
    return image


def png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_nyu(folder: Path, count: int = 4, **changes) -> Path:
    """Write a labelled set of 32x24 images in HDF5 as MATLAB 7.3 does: axes reversed."""
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'nyu_depth_v2_labeled.mat'
    images = np.stack([picture(i, 32, 24)[..., ::-1].transpose(2, 1, 0) for i in range(count)])
    depths = np.stack([np.full((32, 24), 1 + i, np.float32) for i in range(count)])
    raw = depths.copy()
    raw[:, :8] = 0
    arrays = {'images': images, 'depths': depths, 'rawDepths': raw, **changes}
    with h5py.File(path, 'w', userblock_size=512) as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
        for name, values in (('scenes', 'a_0001'), ('sceneTypes', 'kitchen')):
            cells = [f'{values}{i % 2}' for i in range(count)]
            references = file.create_dataset(name, (1, count), h5py.ref_dtype)
            for i, text in enumerate(cells):
                data = np.array([[ord(c)] for c in text], np.uint16)
                references[0, i] = file.create_dataset(f'#refs#/{name}{i}', data=data).ref
    with path.open('r+b') as file:
        file.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(116) + b' ' * 8 + b'\0\x02IM')
    return path


def write_splits(folder: Path, train: list[int], test: list[int]) -> None:
    """Write splits.mat as it is published: MATLAB 5, columns of numbers from 1 on."""
    from scipy.io import savemat

    columns = {'trainNdxs': train, 'testNdxs': test}
    savemat(
        folder / 'splits.mat',
        {name: np.array(values, np.uint16)[:, None] for name, values in columns.items()},
    )


def write_tum(folder: Path, count: int = 3, width: int = 64, height: int = 48) -> Path:
    """Write a sequence: image i at 100 + 0.1 i s, its depth of i + 1 m 15 ms later."""
    lists = {'rgb': ['# color images', '# timestamp filename'], 'depth': ['# depth maps']}
    for i in range(count):
        at = {'rgb': 100 + 0.1 * i, 'depth': 100.015 + 0.1 * i}
        depth = np.full((height, width), 5000 * (i + 1), np.uint16)
        depth[:4] = 0
        for part, image in (('rgb', picture(i, width, height)), ('depth', depth)):
            name = f'{part}/{at[part]:.6f}.png'
            png(folder / name, image)
            lists[part].append(f'{at[part]:.6f} {name}')
    for part, lines in lists.items():
        (folder / f'{part}.txt').write_text('\n'.join(lines) + '\n')
    return folder


def write_kitti(folder: Path, drives: tuple[str, ...] = ('0001', '0002'), count: int = 2) -> Path:
    """Write drives of two days as downloaded: raw/DATE/DRIVE and depth/train/DRIVE."""
    for number, drive in enumerate(drives):
        date = f'2011_09_{26 + number}'
        name = f'{date}_drive_{drive}_sync'
        for i in range(count + 2):
            png(folder / 'raw' / date / name / f'image_02/data/{i:010}.png', picture(i, 80, 24))
        for i in range(1, count + 1):  # the first and the last image have no depth
            depth = np.zeros((24, 80), np.uint16)
            depth[::4, ::4] = 256 * (10 * number + i)
            file = f'proj_depth/groundtruth/image_02/{i:010}.png'
            png(folder / 'depth/train' / name / file, depth)
        numbers = f'{70.5 + number} 0 40.25 4.5 0 {71.5 + number} 12.75 0.2 0 0 1 0.003'
        (folder / 'raw' / date / 'calib_cam_to_cam.txt').write_text(
            'calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.95e-02\n'
            f'S_rect_00: 8.0e+01 2.4e+01\nP_rect_00: {"1 " * 12}\n'
            f'S_rect_02: 8.0e+01 2.4e+01\nR_rect_02: {"1 " * 9}\nP_rect_02: {numbers}\n'
        )
    return folder


COLOR_TOPIC = '/camera/color/image_raw'
DEPTH_TOPIC = '/camera/aligned_depth_to_color/image_raw'
INFO_TOPIC = '/camera/color/camera_info'
OPTICAL_FRAME = 'camera_color_optical_frame'


class BagWriter:
    """Writes a rosbag2 of messages given as fields.

    Parameters
    ----------
    path : folder of the recording, replaced.
    storage : 'mcap' or 'sqlite3'.
    compression : 'none', 'file', 'message' or, in mcap, 'storage'.
    received : when the n-th message was received, ns; None: 3 ms after its stamp.
    """

    def __init__(
        self,
        path: Path,
        storage: str = 'mcap',
        compression: str = 'none',
        received: Callable[[int], int] | None = None,
    ) -> None:
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        shutil.rmtree(path, ignore_errors=True)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
        self._writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._connections = {}
        self._received = received
        self._count = 0

    def __enter__(self) -> 'BagWriter':
        self._writer.open()
        return self

    def __exit__(self, *_) -> None:
        self._writer.close()

    def write(self, topic: str, kind: str, ns: int, frame_id: str = OPTICAL_FRAME, **fields):
        """Write one message, stamped `ns`."""
        types = self._store.types
        stamp = types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)
        header = types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id)
        self._send(topic, f'sensor_msgs/msg/{kind}', ns, header=header, **fields)

    def _send(self, topic: str, name: str, ns: int, **fields) -> None:
        if topic not in self._connections:
            connection = self._writer.add_connection(topic, name, typestore=self._store)
            self._connections[topic] = connection
        data = self._store.serialize_cdr(self._store.types[name](**fields), name)
        received = ns + 3_000_000 if self._received is None else self._received(self._count)
        self._count += 1
        self._writer.write(self._connections[topic], received, data)

    def scan(
        self, topic: str, ranges, first: float, step: float, ns: int, frame_id='laser'
    ) -> None:
        """Write a LaserScan, all of it measured at once: ranges from the angle `first` on."""
        values = {
            'angle_min': first, 'angle_max': first + step * (len(ranges) - 1),
            'angle_increment': step, 'time_increment': 0.0, 'scan_time': 0.0, 'range_min': 0.05,
            'range_max': 20.0, 'ranges': np.asarray(ranges, np.float32),
            'intensities': np.zeros(0, np.float32),
        }  # fmt: skip
        self.write(topic, 'LaserScan', ns, frame_id, **values)

    def odometry(self, topic: str, position, quaternion, ns: int, child='base_link') -> None:
        """Write an Odometry in the frame odom; the quaternion is x, y, z, w."""
        types = self._store.types
        point = types['geometry_msgs/msg/Point'](*position)
        turn = types['geometry_msgs/msg/Quaternion'](*quaternion)
        none = types['geometry_msgs/msg/Vector3'](0.0, 0.0, 0.0)
        twist = types['geometry_msgs/msg/Twist'](none, none)
        covariance = np.zeros(36)
        stamp = types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)
        self._send(
            topic, 'nav_msgs/msg/Odometry', ns, child_frame_id=child,
            header=types['std_msgs/msg/Header'](stamp=stamp, frame_id='odom'),
            pose=types['geometry_msgs/msg/PoseWithCovariance'](
                types['geometry_msgs/msg/Pose'](point, turn), covariance
            ),
            twist=types['geometry_msgs/msg/TwistWithCovariance'](twist, covariance),
        )  # fmt: skip

    def static_transform(self, parent: str, child: str, position, quaternion, ns: int) -> None:
        types = self._store.types
        stamp = types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)
        transform = types['geometry_msgs/msg/TransformStamped'](
            types['std_msgs/msg/Header'](stamp, parent),
            child,
            types['geometry_msgs/msg/Transform'](
                types['geometry_msgs/msg/Vector3'](*position),
                types['geometry_msgs/msg/Quaternion'](*quaternion),
            ),
        )
        self._send('/tf_static', 'tf2_msgs/msg/TFMessage', ns, transforms=[transform])

    def image(self, topic: str, encoding: str, pixels: np.ndarray, ns: int, **fields) -> None:
        """Write an Image whose rows are padded by 8 bytes."""
        rows = pixels.reshape(len(pixels), -1).view(np.uint8)
        data = np.pad(rows, ((0, 0), (0, 8)))
        self.write(
            topic, 'Image', ns, **fields, encoding=encoding, height=pixels.shape[0],
            width=pixels.shape[1], step=data.shape[1], is_bigendian=0, data=data.ravel(),
        )  # fmt: skip

    def compressed(self, topic: str, format: str, data: bytes, ns: int) -> None:
        pixels = np.frombuffer(data, np.uint8)
        self.write(topic, 'CompressedImage', ns, format=format, data=pixels)

    def camera_info(self, topic: str, width: int, height: int, focal: float, ns: int, **fields):
        """Write a CameraInfo of square pixels, its P of the same numbers as its K."""
        roi = self._store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        values = {
            'height': height, 'width': width, 'distortion_model': 'plumb_bob', 'd': [0.0] * 5,
            'k': [focal, 0, cx, 0, focal, cy, 0, 0, 1], 'r': [1, 0, 0, 0, 1, 0, 0, 0, 1],
            'p': [focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1, 0],
            'binning_x': 0, 'binning_y': 0, 'roi': roi, **fields,
        }  # fmt: skip
        for key in 'dkrp':
            values[key] = np.array(values[key], np.float64)
        self.write(topic, 'CameraInfo', ns, **values)


def write_bag(path: Path, storage: str = 'mcap', compression: str = 'none', count: int = 3) -> Path:
    """Record `count` frames of 64x48: rgb8, 16UC1 of i + 1 metres 10 ms later, camera_info."""
    with BagWriter(path, storage, compression) as bag:
        for i in range(count):
            ns = 1_700_000_000_000_000_000 + i * 100_000_000
            depth = np.full((48, 64), 1000 * (i + 1), np.uint16)
            depth[:4] = 0
            bag.camera_info(INFO_TOPIC, 64, 48, 55.0, ns)
            bag.image(COLOR_TOPIC, 'rgb8', picture(i, 64, 48)[..., ::-1].copy(), ns)
            bag.image(DEPTH_TOPIC, '16UC1', depth, ns + 10_000_000)
    return path
