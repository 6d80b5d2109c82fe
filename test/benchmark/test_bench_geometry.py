# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The geometry benchmark runs, and times grow with the image."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_every_step_of_every_size(tmp_path):
    command = [sys.executable, str(ROOT / 'bench' / 'geometry.py'), '--runs', '3']
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    run = subprocess.run(
        [*command, '--json', str(tmp_path / 'figures.json')],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads((tmp_path / 'figures.json').read_text())
    sizes = ('320x240', '640x480', '1280x720', '1920x1080', '3840x2160')
    for size in sizes:
        assert set(figures[size]) == {'map, validate', 'upsample', 'cloud', 'whole'}
        assert all(0 < times['min'] <= times['median'] for times in figures[size].values())
        assert size in run.stdout
    assert figures['3840x2160']['upsample']['min'] > figures['320x240']['upsample']['min']
