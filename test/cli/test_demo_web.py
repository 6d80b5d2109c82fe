# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth demo --web` serves a page until Ctrl-C."""

import re
import signal
import subprocess
import sys
import time
import urllib.request

import cv2
import numpy as np
import pytest
from patience import PATIENCE

from msdepth_ros.cli import demo, main

pytest.importorskip('rclpy', reason='the demo needs rclpy')
pytest.importorskip('viser', reason='the viewer needs viser')

COMMAND = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'


@pytest.mark.slow
def test_the_page_is_served_until_ctrl_c(tmp_path):
    log = tmp_path / 'log.txt'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'demo', '--web', '--out', str(tmp_path)],
            stdout=stream,
            stderr=stream,
        )
    try:
        end = time.monotonic() + PATIENCE
        while not (found := re.search(r'open (http://\S+)', log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        with urllib.request.urlopen(found[1], timeout=PATIENCE) as page:
            assert page.status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, log.read_text()
        assert 'Traceback' not in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_only_the_shipped_clip_has_a_known_mount(tmp_path, monkeypatch):
    node = {}
    monkeypatch.setattr(demo, '_serve', lambda parameters, *_: node.update(parameters) or 0)
    assert main(['demo', '--web', '--out', str(tmp_path)]) == 0
    assert node.pop('camera_pose').startswith('0 0 1.2 ')
    cv2.imwrite(str(tmp_path / 'picture.png'), np.zeros((60, 80, 3), np.uint8))
    assert main(['demo', '--web', '--images', str(tmp_path), '--out', str(tmp_path / 'out')]) == 0
    assert 'camera_pose' not in node
