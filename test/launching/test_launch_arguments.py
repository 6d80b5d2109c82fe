# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments typed on the command line of `ros2 launch`."""

import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.launching.arguments import existing, file_url, flag, positive


def test_flag():
    assert flag('rviz', 'true') is True
    assert flag('rviz', 'False') is False
    with pytest.raises(MsdepthError, match="rviz must be 'true' or 'false', not '1'"):
        flag('rviz', '1')


def test_positive():
    assert positive('rate', '29.97', 'frames a second') == 29.97
    for text in ('', '0', '-1', 'nan', 'inf', 'fast'):
        with pytest.raises(MsdepthError, match='positive number of pixels'):
            positive('fx', text, 'pixels')


def test_file_url_makes_paths_absolute_and_leaves_urls_alone(tmp_path, monkeypatch):
    (tmp_path / 'my camera.yaml').touch()
    monkeypatch.chdir(tmp_path)
    assert file_url('url', 'my camera.yaml') == f'file://{tmp_path}/my%20camera.yaml'
    assert file_url('url', 'package://driver/camera.yaml') == 'package://driver/camera.yaml'
    chosen = f'{tmp_path}/my camera.yaml#cam1'  # one camera of several in a file
    assert file_url('url', 'my camera.yaml#cam1') == chosen
    for url in ('${ROS_HOME}/camera_info/front.yaml', 'file://${ROS_HOME}/${NAME}.yaml'):
        assert file_url('url', url) == url
    with pytest.raises(MsdepthError, match=f'images: there is no file or folder {tmp_path}/gone'):
        existing('images', 'gone')
