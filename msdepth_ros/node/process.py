# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a node's process: clean shutdown on SIGINT and SIGTERM, errors in one line."""

import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.environment import (
    check_domain,
    log_folder_problem,
    shared_memory_problem,
)
from msdepth_ros.host.memory import keep_freed_memory


class RosLogHandler(logging.Handler):
    """Passes the log records of the ROS-free modules to a node's logger."""

    def __init__(self, node: Node) -> None:
        super().__init__(logging.INFO)
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; rclpy needs a separate call site for each severity."""
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


_LOGGER = logging.getLogger('msdepth_ros')
AnyNode = TypeVar('AnyNode', bound=Node)
_WITHOUT_LOG_FILE = ('--ros-args', '--disable-external-lib-logs')


def run_node(
    make: Callable[[], AnyNode], run: Callable[[AnyNode, Executor], None], args: list[str] | None
) -> int:
    """Make a node, run it, destroy it, and return the exit code.

    `run` is called with the node and an executor. The exit code is 0 if `run` returns or a signal
    ends it, and 2, with one line on stderr, if the node rejects its parameters.

    SIGINT is handled like SIGTERM: rclpy shuts the context down. A KeyboardInterrupt could be
    raised anywhere, also in rclpy's C++ code, which turns it into other errors.
    """
    keep_freed_memory()
    node: AnyNode | None = None
    log_handler: RosLogHandler | None = None
    executor: Executor | None = None
    initialized, code = False, 0
    before = {
        number: signal.signal(number, lambda *_: None)  # rclpy's handlers also call these
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        _init(args)
        initialized = True
        node = make()
        executor = SingleThreadedExecutor()
        log_handler = RosLogHandler(node)
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.addHandler(log_handler)
        run(node, executor)
    except (MsdepthError, ParameterException) as error:
        print(' '.join(str(error).split()), file=sys.stderr)
        code = 2
    except ExternalShutdownException:
        pass
    except Exception:
        if rclpy.ok() or not initialized:
            raise
        # otherwise a signal shut the context down during a call that needed it
    finally:
        if log_handler is not None:
            _LOGGER.removeHandler(log_handler)
        if node is not None:
            node.destroy_node()
        if executor is not None:
            executor.shutdown()
        rclpy.try_shutdown()
        # Reference cycles in rclpy keep the node, and so the threads of Fast DDS, alive. At the end
        # of the process these would read data that its static destructors have freed. The same
        # holds for an executor that a signal interrupted within a callback; rclpy never ends its
        # global one.
        node = log_handler = executor = None
        gc.collect()
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


@contextlib.contextmanager
def destroyed_unless_made(node: Node) -> Iterator[None]:
    """Destroy a node if its constructor raises in this block; its threads would keep it alive."""
    try:
        yield
    except Exception:
        node.destroy_node()
        raise


def _init(args: list[str] | None) -> None:
    """Initialise rclpy; if no log file can be written (full disk), without a log file.

    Raises
    ------
    MsdepthError
        If ROS_DOMAIN_ID is not valid.
    """
    check_domain(os.environ)
    if problem := shared_memory_problem(os.environ):
        print(problem, file=sys.stderr)
    if problem := log_folder_problem(os.environ):
        print(f'no log file is written, set ROS_LOG_DIR to a folder: {problem}', file=sys.stderr)
        args = [*(sys.argv if args is None else args), *_WITHOUT_LOG_FILE]
    try:
        rclpy.init(args=args)
    except RuntimeError as error:
        if 'log' not in str(error):
            raise
        rclpy.try_shutdown()
        reason = ' '.join(str(error).split())
        print(
            f'no log file is written, set ROS_LOG_DIR to another folder: {reason}', file=sys.stderr
        )
        rclpy.init(args=[*(sys.argv if args is None else args), *_WITHOUT_LOG_FILE])
