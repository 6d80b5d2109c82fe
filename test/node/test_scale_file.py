# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The file with the calibrated scale: where it lies, and that ROS can read it."""

from pathlib import Path

import pytest
import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.scale.file import default_scale_file, read_scales, write_scale


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


def test_without_a_home_folder_the_reason_and_the_remedy_are_named(monkeypatch):
    def nobody(_):
        raise RuntimeError('Could not determine home directory.')

    monkeypatch.setattr(Path, 'expanduser', nobody)
    with pytest.raises(MsdepthError, match='no home folder: set HOME, or the parameter scale_file'):
        default_scale_file('/msdepth', {})


@pytest.mark.parametrize(
    'end', ['\n', '\r', '\r\n', '\x85', '\u2028', '\u2029', '\x0b', '\x0c', '\x07', '\ud800']
)
def test_a_note_cannot_break_the_yaml(end, tmp_path):
    """It names frames of other nodes, and who publishes them may call them as they like."""
    path = tmp_path / 'scale.yaml'
    write_scale(path, 1.5, '/msdepth', 'small', 'a' * 64, f"'camera{end}scales: {{}}{end}# '")
    (entry,) = read_scales(path).values()
    assert (entry['model'], entry['scale']) == ('small', 1.5)
    assert list(yaml.safe_load(path.read_text(encoding='utf-8'))) == ['scales']


def test_each_model_has_its_own_scale(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'scale.yaml'
    assert read_scales(path) == {}
    write_scale(path, 1.25, '/msdepth', 'one', '1' * 64, 'measured today')
    write_scale(path, 2, '/msdepth', 'two', '2' * 64)
    write_scale(path, 0.75, '/msdepth', 'one', '1' * 64, 'measured again')
    assert read_scales(path) == {
        '1' * 64: {'model': 'one', 'scale': 0.75, 'found': 'measured again'},
        '2' * 64: {'model': 'two', 'scale': 2.0, 'found': ''},
    }
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    'text',
    [
        '/**:\n  ros__parameters:\n    depth:\n      scale: 1.25\n',  # of which model?
        'scales: {aa: {scale: -1.0}}',
        'scales: {aa: {scale: .nan}}',
        'scales: {aa: 1.0}',
        'scales: [1.0]',
        '[',
        '\x00',
    ],
)
def test_what_is_no_file_of_scales_is_refused_with_the_remedy(text, tmp_path):
    path = tmp_path / 'scale.yaml'
    path.write_text(text)
    with pytest.raises(MsdepthError, match=r'scale\.yaml'):
        read_scales(path)
    with pytest.raises(MsdepthError):
        write_scale(path, 1.0, '/msdepth', 'one', '1' * 64)
    assert path.read_text() == text


def test_an_empty_file_holds_no_scale(tmp_path):
    (tmp_path / 's.yaml').touch()
    assert read_scales(tmp_path / 's.yaml') == {}
    assert read_scales(Path('/dev/null')) == {}


def test_an_unwritable_place_is_reported_with_the_remedy(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(MsdepthError, match='scale'):
        write_scale(tmp_path / 'file' / 's.yaml', 1.0, '/msdepth', 'one', '1' * 64)
