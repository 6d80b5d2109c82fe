# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The list of cameras: what each node gets, and how a wrong list is reported."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.launching.cameras import read_cameras

ARGUMENTS = ('namespace', 'image', 'base_frame', 'camera_frame', 'camera_pose', 'scan_frame')
ARGUMENTS += ('rviz', 'parameters')
SAMPLE = Path(__file__).resolve().parents[2] / 'config' / 'cameras.yaml'


def read(tmp_path, text, cores=4):
    (tmp_path / 'cameras.yaml').write_text(text)
    return read_cameras(tmp_path / 'cameras.yaml', ARGUMENTS, cores)


def parameters(camera):
    return yaml.safe_load(camera['parameters'])


def test_the_sample_is_two_cameras_that_share_the_cores():
    front, rear = read_cameras(SAMPLE, ARGUMENTS, 8)
    assert (front['namespace'], rear['namespace']) == ('front', 'rear')
    assert front['base_frame'] == rear['base_frame'] == 'base_link'
    assert CameraPose.parse(front['camera_pose']).z == 0.35
    assert parameters(front) == {'threads': 4}
    assert parameters(rear) == {'threads': 4, 'depth': {'max': 5.0}, 'points': {'color': False}}


@pytest.mark.parametrize(('cores', 'threads'), [(1, 1), (2, 1), (3, 1), (6, 2), (16, 5)])
def test_threads_never_outnumber_the_cores_unless_there_are_more_cameras(tmp_path, cores, threads):
    text = 'cameras: [{namespace: a}, {namespace: b}, {namespace: c}]'
    assert [parameters(c)['threads'] for c in read(tmp_path, text, cores)] == [threads] * 3


def test_a_camera_overrides_what_holds_for_all(tmp_path):
    text = """
    every_camera: {rviz: false, base_frame: base, parameters: {threads: 3, fit: pad}}
    cameras: [{namespace: a}, {namespace: b, rviz: true, parameters: {threads: 1}}]
    """
    a, b = read(tmp_path, text)
    assert (a['rviz'], b['rviz']) == ('false', 'true')
    assert a['base_frame'] == b['base_frame'] == 'base'
    assert parameters(a) == {'threads': 3, 'fit': 'pad'}
    assert parameters(b) == {'threads': 1, 'fit': 'pad'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('cameras: []', 'no list `cameras`'),
        ('- a', 'no list `cameras`'),
        ('', 'no list `cameras`'),
        ('cameras: [{namespace: a}, {namespace: a}]', "namespace 'a' is used twice"),
        ('cameras: [{image: /a}, {image: /b}]', "namespace '' is used twice"),
        ('cameras: [{threads: 2}]', "'threads' is not an argument .* under `parameters`"),
        ('cameras: [front]', "'front' is not a mapping"),
        ('cameras: [{parameters: 3}]', '`parameters` must be a mapping'),
        ('cameras: [', 'cannot read'),
    ],
)
def test_a_wrong_list_is_reported_in_one_line(tmp_path, text, message):
    with pytest.raises(MsdepthError, match=message) as error:
        read(tmp_path, text)
    assert '\n' not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(MsdepthError, match='cannot read'):
        read_cameras(tmp_path / 'none.yaml', ARGUMENTS, 2)
