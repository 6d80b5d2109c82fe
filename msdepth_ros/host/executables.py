# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nodes' executables; signals end them cleanly, even during Python's imports."""

import importlib
import os
import signal
import sys
from collections.abc import Callable

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.environment import check_middleware, missing_module


def depth_node() -> int:
    """Run the depth node; see depth_node.DepthNode."""
    return _run('node.depth_node')


def camera_player() -> int:
    """Run the camera player; see camera_player.CameraPlayer."""
    return _run('demo.camera_player')


def viewer() -> int:
    """Run the viewer; see viewer_node.ViewerNode."""
    return _run('viewer.viewer')


def _run(module: str) -> int:
    _on_signals(_end)
    try:
        check_middleware(os.environ)
        main = importlib.import_module(f'msdepth_ros.{module}').main
    except MsdepthError as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(missing_module(error.name or str(error), sys.executable), file=sys.stderr)
        return 2
    code: int = main()
    # With `ros2 launch` a process gets Ctrl-C twice, and Python removes its handlers at exit.
    _on_signals(signal.SIG_IGN)
    return code


def _on_signals(handler: Callable[..., None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _end(*_: object) -> None:
    """End the process at once: nothing is open yet, and an import could swallow an exception."""
    os._exit(0)
