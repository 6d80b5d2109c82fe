# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Get launch and launch_ros for machines without ROS 2, where PyPI has no package of their own.

They are taken from the PyPI wheel isaacsim-ros2, which carries them as pure Python (Apache-2.0).
That wheel as a whole is under NVIDIA's licence: only the packages named here are unpacked, and only
for these tests. Usage: fetch_launch.py FOLDER; prints the shell line that puts them on the path.
"""

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = 'isaacsim-ros2'
INSIDE = 'isaacsim/exts/isaacsim.ros2.core/jazzy/rclpy/'
PACKAGES = ('launch', 'launch_ros', 'launch_xml', 'launch_yaml', 'osrf_pycommon')
# launch_ros names this service for composable nodes and never calls it for other nodes.
COMPOSITION_STUB = '''\
"""Stands in for composition_interfaces, which PyPI does not have."""


class LoadNode:
    """Never called: this package composes no nodes."""

    class Request:
        """Empty."""

    class Response:
        """Empty."""
'''


def main(folder: Path) -> None:
    """Unpack the packages into `folder` unless Python finds them already."""
    if importlib.util.find_spec('launch_ros'):
        print('# launch_ros is installed')
        return
    say(f'no ROS 2 here: fetching launch and launch_ros from the PyPI wheel {WHEEL} (133 MB)')
    with tempfile.TemporaryDirectory() as download:
        wheel = fetch(Path(download))
        count = unpack(wheel, folder)
    (folder / 'composition_interfaces' / 'srv').mkdir(parents=True, exist_ok=True)
    (folder / 'composition_interfaces' / '__init__.py').write_text('')
    (folder / 'composition_interfaces' / 'srv' / '__init__.py').write_text(COMPOSITION_STUB)
    say(f'{count} files of {", ".join(PACKAGES)} are in {folder}')
    say('composition_interfaces is a stand-in of ten lines')
    print(f'export PYTHONPATH="{folder.absolute()}${{PYTHONPATH:+:$PYTHONPATH}}"')


def fetch(folder: Path) -> Path:
    """Download the wheel; its launch packages are pure Python, whatever this Python is."""
    constraints = Path(__file__).resolve().parents[2] / 'constraints.txt'
    command = [sys.executable, '-m', 'pip', 'download', '-qq', '--no-deps', '--dest', str(folder)]
    command += ['--python-version', '3.12', '--platform', 'manylinux_2_35_x86_64']
    command += ['--only-binary=:all:', '--constraint', str(constraints), WHEEL]
    subprocess.run(command, check=True)
    return next(folder.glob('*.whl'))


def unpack(wheel: Path, folder: Path) -> int:
    """Extract PACKAGES and their metadata (for entry points); return the number of files."""
    count = 0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            top, _, rest = name.removeprefix(INSIDE).partition('/')
            wanted = top in PACKAGES or (
                top.split('-')[0] in PACKAGES and top.endswith('.egg-info')
            )
            if name.startswith(INSIDE) and wanted and rest and not rest.endswith('/'):
                path = folder / top / rest
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
                count += 1
    return count


def say(text: str) -> None:
    """Tell the user; stdout is for the shell."""
    print(f'== {text}', file=sys.stderr)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
