# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The file with the calibrated scale: where it lies, and that ROS can read it."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.scale.file import default_scale_file, write_scale_file


@pytest.mark.parametrize(
    ('node', 'environment', 'path'),
    [
        ('/msdepth', {'HOME': '/home/me'}, '/home/me/.config/msdepth_ros/msdepth_scale.yaml'),
        (
            '/robot/front/msdepth',
            {'HOME': '/home/me', 'XDG_CONFIG_HOME': '/data/config'},
            '/data/config/msdepth_ros/robot_front_msdepth_scale.yaml',
        ),
    ],
)
def test_each_node_has_its_own_file_in_the_xdg_folder(node, environment, path):
    assert default_scale_file(node, environment) == Path(path)


@pytest.mark.parametrize(
    'end', ['\n', '\r', '\r\n', '\x85', '\u2028', '\u2029', '\x0b', '\x0c', '\x07', '\ud800']
)
def test_a_note_cannot_become_a_parameter(end, tmp_path):
    """It names frames of other nodes, and who publishes them may call them as they like."""
    path = tmp_path / 'scale.yaml'
    write_scale_file(path, 1.5, '/msdepth', f"'camera{end}    model: /tmp/theirs.yaml{end}# '")
    document = yaml.safe_load(path.read_text(encoding='utf-8'))
    assert document == {'/**': {'ros__parameters': {'depth': {'scale': 1.5}}}}
    lines = path.read_text(encoding='utf-8').splitlines()
    assert next(line for line in lines if not line.startswith('#')) == '/**:'


def test_the_file_is_a_ros_parameter_file(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'scale.yaml'
    write_scale_file(path, 1.25, '/msdepth', 'measured today')
    assert yaml.safe_load(path.read_text()) == {
        '/**': {'ros__parameters': {'depth': {'scale': 1.25}}}
    }
    assert '# measured today' in path.read_text()
    assert list(path.parent.iterdir()) == [path]


def test_a_whole_number_stays_a_floating_point_parameter(tmp_path):
    write_scale_file(tmp_path / 's.yaml', 2, '/msdepth', '')
    assert 'scale: 2.0' in (tmp_path / 's.yaml').read_text()


def test_an_unwritable_place_is_told_with_the_remedy(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(MsdepthError, match='scale_file'):
        write_scale_file(tmp_path / 'file' / 's.yaml', 1.0, '/msdepth', '')
