# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth demo`: the node on real ROS 2 topics, with recorded or rendered images."""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.children import last_line, node_command, running
from msdepth_ros.host.memory import keep_freed_memory

if TYPE_CHECKING:
    from msdepth_ros.demo.recorder import Recording

HELP = 'run a camera player and the depth node on real ROS 2 topics, and show the result'

_NAMESPACE = '/msdepth_demo'
_START_LIMIT = 60.0  # seconds until the first depth image
_LAST_DEPTH = 2.0  # seconds to wait after the last image
_NEXT = """
  next:
    make demo WEB=1                                       see it in a browser, in 3D
    make demo MEASURED=scan                               depth corrected by a scan: before, after
    make demo VIDEO=walk.mp4 CAMERA_INFO=photo.jpg        your own recording, in metres
    ros2 launch msdepth_ros depth.launch.py image:=/camera/image_raw      your robot's camera
    docs/index.md                                         calibration, metric scale, Nav2, models"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--images', type=Path, metavar='DIR', help='play a folder of images')
    source.add_argument('--video', type=Path, metavar='FILE', help='play a video')
    source.add_argument(
        '--synthetic', action='store_true', help='play the shipped, rendered clip (default)'
    )
    parser.add_argument(
        '--out', type=Path, default=Path('out'), metavar='DIR', help='output folder (%(default)s)'
    )
    parser.add_argument('--rate', type=float, default=0.0, help="Hz (default: the video's, or 30)")
    parser.add_argument('--model', default='', help='name of a model, or path of its YAML')
    parser.add_argument(
        '--camera-info',
        type=Path,
        metavar='FILE',
        help='calibration file, or a photo taken with the same phone',
    )
    parser.add_argument(
        '--measured',
        choices=('none', 'scan', 'views'),
        default='none',
        help='correct the depth by a scan, simulated from the true depth of the shipped clip, or '
        'by earlier views of a dataset folder with poses.txt; the pictures show before and after',
    )
    parser.add_argument('--headless', action='store_true', help='do not open RViz')
    parser.add_argument(
        '--web', action='store_true', help='start the viewer, a page for any browser, until Ctrl-C'
    )


def run(arguments: argparse.Namespace) -> int:
    """Play, record, print the figures and write the pictures; return the exit code."""
    from msdepth_ros.demo.measured import HEIGHT, PITCH
    from msdepth_ros.demo.posed_folder import camera_of, poses_of
    from msdepth_ros.host.environment import check_environment
    from msdepth_ros.host.transport import transport_environment
    from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource

    check_environment(os.environ)
    path = (arguments.images or arguments.video or DEFAULT_CLIP).absolute()
    source = ImageSource(path)
    total = len(source)
    if not (source.camera or camera_of(path) or arguments.camera_info):
        print(f'  no calibration beside {path.name}: a field of view of 60 degrees is assumed;')
        print('  for metric depth give --camera-info FILE')
    out = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob('demo_*.png'):
            old.unlink()
    except OSError as error:
        raise MsdepthError(f'cannot write to {out}: {error.strerror}') from error
    # Fast DDS reads these when the first node of a process is created, here and in the children.
    os.environ.update(transport_environment(os.environ))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    player = {
        'path': str(path),
        'rate': arguments.rate,
        'loop': arguments.web,
        'wait_for_subscribers': 0 if arguments.web else 2,
    }
    if arguments.camera_info:
        player['camera_info_url'] = _calibration(arguments.camera_info, path, out)
    node: dict[str, Any] = {'model': arguments.model} if arguments.model else {}
    measured = arguments.measured
    if measured == 'scan' or (arguments.web and path == DEFAULT_CLIP):
        node['camera_pose'] = f'0 0 {HEIGHT} 0 {PITCH:.5f} 0'  # the page shows heights then
    if measured == 'scan':
        node['metric.sources'] = ['scan']
        node['measured.scan_pose'] = f'0 0 {HEIGHT} 0 0 0'  # level, in the camera's place
        player['measured'] = 'scan'
    if measured == 'views':
        if not poses_of(path):
            raise MsdepthError(
                f'--measured views needs poses: {path} must be a dataset folder with poses.txt, '
                'see docs/datasets.md'
            )
        node['metric.sources'] = ['views']
    if arguments.web:
        return _serve(node, player, out)
    with contextlib.ExitStack() as children:
        if not arguments.headless and shutil.which('rviz2') and os.environ.get('DISPLAY'):
            children.enter_context(_rviz(out))
        started = time.time()
        depth_node = children.enter_context(_node('node.depth_node', node, out, 'image:=image_raw'))
        player_process = children.enter_context(_node('demo.camera_player', player, out))
        recording = _record(depth_node, player_process, out, total, measured != 'none')
    if not recording.answered:
        raise MsdepthError(f'no depth image arrived: see {out}/depth_node.log')
    if measured != 'none':
        from msdepth_ros.demo.before_after import clip_truth, draw, folder_truth

        camera = source.camera or camera_of(path)
        truth = folder_truth(path) if measured == 'views' else clip_truth(path, camera)
        pictures, gain = draw(recording, truth, camera, arguments.model, measured, out)
    else:
        pictures, gain = _draw(recording, out), ''
    _report(recording, started, pictures, out, gain)
    print(_NEXT)
    return 0


def _serve(node: dict[str, Any], player: dict[str, Any], out: Path) -> int:
    """Play in a loop and run the viewer, until Ctrl-C."""
    viewer = {'nodes': f'[{_NAMESPACE}/msdepth]', 'recordings': str(out.absolute())}
    names = ('depth_node', 'camera_player', 'viewer')
    with contextlib.ExitStack() as children, contextlib.suppress(KeyboardInterrupt):
        processes = [
            children.enter_context(_node('node.depth_node', node, out, 'image:=image_raw')),
            children.enter_context(_node('demo.camera_player', player, out)),
            children.enter_context(_node('viewer.viewer', viewer, out)),
        ]
        printed = False
        while True:
            for name, process in zip(names, processes):
                if process.poll() is not None:
                    raise MsdepthError(last_line(out / f'{name}.log'))
            if not printed:
                found = re.search(r'open (http\S+)', (out / 'viewer.log').read_text())
                if found:
                    printed = True
                    print(f'  open {found[1]} in a browser; stop with Ctrl-C', flush=True)
            time.sleep(0.2)
    return 0


def _calibration(file: Path, pictures: Path, out: Path) -> str:
    """Return the URL of a calibration file; for a photo, write one."""
    from msdepth_ros.images.same_phone import camera_given, is_photo

    if is_photo(str(file)):
        camera = camera_given(str(file), pictures)
        file = out / 'camera.yaml'
        file.write_text(camera.to_yaml(), encoding='utf-8')
    return file.absolute().as_uri()


def _node(
    executable: str, parameters: dict[str, Any], out: Path, *remappings: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a node of this package in a child process, until the `with` block ends."""
    program = ('-m', f'msdepth_ros.{executable}')
    command = node_command(program, _NAMESPACE, parameters, remappings)
    return running(command, out / f'{Path(executable).suffix[1:]}.log')


def _rviz(out: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    from msdepth_ros.resources import share_directory

    remaps = [f'{topic}:={_NAMESPACE}{topic}' for topic in ('/points', '/depth/image_rect')]
    remaps.append(f'/camera/image_raw:={_NAMESPACE}/image_raw')
    command = ['rviz2', '-d', str(share_directory() / 'config' / 'depth.rviz'), '--ros-args']
    command += [word for remap in remaps for word in ('-r', remap)]
    return running(command, out / 'rviz.log')


def _record(
    depth_node: subprocess.Popen[bytes],
    camera: subprocess.Popen[bytes],
    out: Path,
    total: int,
    measured: bool,
) -> 'Recording':
    """Record until the camera player ends."""
    import rclpy
    from tqdm import tqdm

    from msdepth_ros.demo.recorder import Recorder

    keep_freed_memory()
    rclpy.init()
    recorder = Recorder(_NAMESPACE, sample_period=1.0, confidence=measured)
    recording = recorder.recording
    deadline = time.monotonic() + _START_LIMIT
    ended = None
    try:
        with tqdm(total=total or None, unit='image', disable=None) as progress:
            while ended is None or time.monotonic() < ended + _LAST_DEPTH:
                rclpy.spin_once(recorder, timeout_sec=0.1)
                recorder.watch_images()
                progress.update(len(recording.answered) - progress.n)
                if depth_node.poll() is not None:
                    raise MsdepthError(f'the depth node ended: {last_line(out / "depth_node.log")}')
                if recording.error:
                    raise MsdepthError(recording.error)
                if not recording.answered and time.monotonic() > deadline:
                    raise MsdepthError(
                        f'no depth image in {_START_LIMIT:.0f} s: '
                        f'{last_line(out / "depth_node.log")}'
                    )
                if ended is None and camera.poll() is not None:
                    if camera.returncode:
                        raise MsdepthError(last_line(out / 'camera_player.log'))
                    ended = time.monotonic()
                if ended and len(recording.answered) == len(recording.played):
                    break
    finally:
        recorder.destroy_node()
        rclpy.try_shutdown()
    return recording


def _draw(recording: 'Recording', out: Path) -> list[Path]:
    import cv2

    from msdepth_ros.images.pictures import side_by_side

    paths: list[Path] = []
    for sample in recording.samples.values():
        arrays = sample.arrays()
        if arrays is None:
            continue
        path = out / f'demo_{len(paths):03d}.png'
        if not cv2.imwrite(str(path), side_by_side(*arrays)):
            raise MsdepthError(f'cannot write {path}: is the disk full?')
        paths.append(path)
    return paths


def _report(
    recording: 'Recording', started: float, pictures: list[Path], out: Path, gain: str
) -> None:
    import numpy as np

    p50, p95, p99 = 1e3 * np.percentile(recording.latencies(), (50, 95, 99))
    first = min(recording.answered.values()) - started
    stages = recording.diagnostics
    median = {
        name: float(stages.get(f'{name} (ms)', 'nan').split(' / ')[0])
        for name in ('wait', 'prepare', 'infer', 'publish', 'age')
    }
    transport = p50 - sum(median[name] for name in ('wait', 'prepare', 'infer', 'publish'))
    unanswered = len(recording.played - recording.answered.keys())
    rows = {
        'model': f'{stages.get("model", "?")} on {stages.get("backend", "?")}',
        'images in': f'{len(recording.played)}',
        'depth images out': f'{len(recording.answered)}',
        'clouds out': f'{len(recording.clouds)}',
        'dropped': f'{unanswered}',
        'rate': f'{recording.rate():.1f} Hz',
        'latency p50 / p95 / p99': f'{p50:.1f} / {p95:.1f} / {p99:.1f} ms, publish to received',
        'network p50': f'{median["infer"]:.1f} ms',
        'the rest of p50': f'{p50 - median["infer"]:.1f} ms: wait {median["wait"]:.1f}, prepare '
        f'{median["prepare"]:.1f}, publish {median["publish"]:.1f}, transport {transport:.1f}',
        'first depth image': f'{first:.1f} s after the node was started',
        'pictures': f'{len(pictures)} in {out}/demo_*.png: image, depth, cloud from above',
    }
    if gain:
        rows['pictures'] = f'{len(pictures)} in {out}/demo_*.png: image, depth before and after, '
        rows['pictures'] += 'confidence'
        rows['metres'] = gain
    for name, value in rows.items():
        print(f'  {name:24s} {value}')
