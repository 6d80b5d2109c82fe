# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth demo --web` serves a page until Ctrl-C."""

import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from patience import PATIENCE

pytestmark = pytest.mark.slow

pytest.importorskip('rclpy', reason='the demo needs rclpy')
pytest.importorskip('viser', reason='the viewer needs viser')

COMMAND = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'


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
