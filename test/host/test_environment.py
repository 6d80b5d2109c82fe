# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Environments in which ROS 2 ends, or complains at length: one line, or the node works."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.environment import (
    check_domain,
    check_middleware,
    log_folder_problem,
    shared_memory_problem,
)
from msdepth_ros.host.transport import transport_environment

ROOT = Path(__file__).resolve().parents[2]
READY = 'depth_node is up'
CODE = f"""
import sys
from msdepth_ros.host import executables
if '__ns:=/environment' in sys.argv:
    import rclpy
    spin = rclpy.spin
    rclpy.spin = lambda *node: print({READY!r}, flush=True) or spin(*node)
sys.exit(executables.depth_node())
"""


@contextlib.contextmanager
def node(tmp_path, changes, *arguments):
    """Run the depth node's executable in another environment, None taking a variable away."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'HOME': str(tmp_path)}
    for name in ('ROS_LOG_DIR', 'ROS_HOME'):
        environment.pop(name, None)
    environment |= {name: value for name, value in changes.items() if value is not None}
    for name in (name for name, value in changes.items() if value is None):
        environment.pop(name, None)
    log = (tmp_path / 'log.txt').open('w')
    parameters = ['--ros-args', '-p', 'backend:=onnxruntime']
    process = subprocess.Popen(
        [sys.executable, '-c', CODE, *parameters, *arguments],
        env=environment, stdout=log, stderr=log, cwd=tmp_path,
    )  # fmt: skip
    try:
        yield process, tmp_path / 'log.txt'
    finally:
        process.kill()
        process.wait()
        log.close()


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'ROS_DOMAIN_ID': '300'}, ('ROS_DOMAIN_ID', "'300'", '232')),
        ({'ROS_DOMAIN_ID': '-1'}, ('ROS_DOMAIN_ID', "'-1'")),
        ({'ROS_DOMAIN_ID': 'robot'}, ('ROS_DOMAIN_ID', "'robot'")),
        ({'RMW_IMPLEMENTATION': 'rmw_none_cpp'}, ('rmw_none_cpp', 'not installed', 'unset')),
    ],
)
def test_an_environment_that_cannot_work_ends_with_one_line_and_exit_code_2(
    tmp_path, changes, words
):
    with node(tmp_path, changes) as (process, log):
        assert process.wait(PATIENCE) == 2
        text = log.read_text()
    assert text.count('\n') == 1, text
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'HOME': None}, 'HOME is not set'),
        ({'HOME': '/proc/self'}, '/proc/self/.ros/log'),
        ({'ROS_LOG_DIR': '/proc/self/log'}, '/proc/self/log'),
        ({'LANG': 'C', 'LC_ALL': 'C'}, ''),
        ({'LC_ALL': 'POSIX', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}, ''),
        ({'ROS_DOMAIN_ID': ''}, ''),
    ],
)
def test_an_environment_that_can_work_logs_at_most_one_line(tmp_path, changes, words):
    with node(tmp_path, changes, '-r', '__ns:=/environment') as (process, log):
        end = time.monotonic() + PATIENCE
        while READY not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        lines = [
            line
            for line in log.read_text().splitlines()
            if line and not line.startswith(('[INFO]', '[WARN]', READY))
        ]
    assert len(lines) == bool(words), lines
    assert words in ''.join(lines)


@pytest.mark.parametrize('command', [('demo', '--headless'), ('benchmark', '--layers', 'node')])
def test_commands_that_start_nodes_report_it_too(monkeypatch, capsys, tmp_path, command):
    from msdepth_ros.cli import main

    monkeypatch.setenv('ROS_DOMAIN_ID', '300')
    monkeypatch.chdir(tmp_path)
    assert main([*command]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert "ROS_DOMAIN_ID is '300'" in error


@pytest.mark.parametrize(
    ('name', 'words'), [('numpy', 'python3 -m colcon build'), ('rclpy', 'source ROS 2 first')]
)
def test_a_missing_module_is_one_line_that_names_the_python(tmp_path, name, words):
    code = (
        f'import sys; sys.modules[{name!r}] = None; ' + 'from msdepth_ros.host import executables'
    )
    code += '; sys.exit(executables.depth_node())'
    result = subprocess.run(
        [sys.executable, '-c', code], text=True, capture_output=True, cwd=tmp_path,
        timeout=PATIENCE, env={**os.environ, 'PYTHONPATH': str(ROOT)}, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1, result.stderr
    assert f'{name} is not found by {sys.executable}' in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize('domain', ['', '0', '101', '232'])
def test_valid_domains_are_accepted(domain):
    check_domain({'ROS_DOMAIN_ID': domain})
    check_domain({})


@pytest.mark.parametrize('domain', ['233', '-0', '1.0', '\u0661', ' 1', '0x1'])
def test_invalid_domains_are_refused(domain):
    with pytest.raises(MsdepthError, match='ROS_DOMAIN_ID'):
        check_domain({'ROS_DOMAIN_ID': domain})


def test_a_middleware_that_is_not_installed_is_named_beside_those_that_are(tmp_path):
    for name in ('librmw_fastrtps_cpp.so', 'librmw_zenoh_cpp.so', 'librmw_dds_common__x_cpp.so'):
        (tmp_path / 'lib' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'lib' / name).touch()
    for folders in (
        {'AMENT_PREFIX_PATH': str(tmp_path), 'ROS_DISTRO': 'jazzy'},
        {'LD_LIBRARY_PATH': f'{tmp_path}/lib:relative', 'ROS_DISTRO': 'jazzy'},
    ):
        check_middleware({**folders, 'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'})
        check_middleware(folders)
        with pytest.raises(MsdepthError) as error:
            check_middleware({**folders, 'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'})
        assert '(there is rmw_fastrtps_cpp, rmw_zenoh_cpp)' in str(error.value)
        assert 'apt install ros-jazzy-rmw-cyclonedds-cpp' in str(error.value)
    check_middleware({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'})  # nothing known of this system


def test_the_folder_of_log_files(tmp_path):
    assert log_folder_problem({'HOME': str(tmp_path)}) == ''
    assert log_folder_problem({'ROS_HOME': str(tmp_path / 'ros')}) == ''
    assert log_folder_problem({'HOME': str(tmp_path), 'ROS_LOG_DIR': '~/logs'}) == ''
    assert (tmp_path / 'logs').is_dir()
    (tmp_path / 'file').touch()
    problem = log_folder_problem({'ROS_LOG_DIR': str(tmp_path / 'file')})
    assert 'cannot be created' in problem


def test_room_in_shared_memory(tmp_path):
    ours = transport_environment({})
    assert shared_memory_problem({}, tmp_path) == ''
    assert shared_memory_problem(ours, tmp_path) == ''
    assert shared_memory_problem(ours, tmp_path / 'missing') == ''
    profile = tmp_path / 'large.xml'
    text = Path(ours['FASTRTPS_DEFAULT_PROFILES_FILE']).read_text()
    profile.write_text(text.replace('>67108864<', f'>{1 << 55}<'))
    large = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)}
    problem = shared_memory_problem(large, tmp_path)
    assert str(profile) in problem
    assert '--shm-size=1g' in problem
    assert shared_memory_problem({**large, 'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'}, tmp_path) == ''
    profile.write_text('no xml')
    assert shared_memory_problem(large, tmp_path) == ''
