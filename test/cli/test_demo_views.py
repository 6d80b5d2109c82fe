# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth demo --measured views`: a folder with poses, played as a camera that moves."""

import re
import shutil

import numpy as np
import pytest
from textured_room import CAMERA, TexturedRoom, walk, write_walk

pytest.importorskip('rclpy', reason='the demo needs ROS 2')
from msdepth_ros.cli import main
from msdepth_ros.demo.before_after import folder_truth
from msdepth_ros.demo.posed_folder import camera_of, poses_of


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_walk(tmp_path_factory.mktemp('demo') / 'walk', 16)


def test_camera_poses_and_true_depth_of_a_folder_are_published(folder, tmp_path):
    assert camera_of(folder).k[0] == CAMERA.fx
    assert np.allclose(poses_of(folder)['03'], walk()[3], atol=1e-5)
    assert np.allclose(folder_truth(folder)(3), TexturedRoom().render(walk()[3])[1], atol=2e-3)
    assert camera_of(tmp_path) is None
    assert poses_of(tmp_path) == {}


def test_a_folder_without_poses_is_refused(folder, tmp_path, capsys):
    bare = tmp_path / 'bare'
    shutil.copytree(folder, bare)
    (bare / 'poses.txt').unlink()
    arguments = ['--images', str(bare), '--measured', 'views', '--out', str(tmp_path / 'out')]
    assert main(['demo', '--headless', *arguments]) == 2
    assert 'poses.txt' in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_shows_depth_before_and_after(folder, tmp_path, capfd):
    out = tmp_path / 'out'
    arguments = ['--images', str(folder), '--measured', 'views', '--rate', '5', '--out', str(out)]
    assert main(['demo', '--headless', *arguments]) == 0
    assert re.search(r'off alone, \d+\.\d% with several views', capfd.readouterr().out)
    assert list(out.glob('demo_*.png'))
