# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes in processes of their own and clients in this one, joined by DDS as on a robot."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rclpy
from client import Client
from oracle import write_color_model
from ros_process import RosProcess


class Graph:
    """Starts processes and clients, each pair in a namespace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fresh = False  # whether processes are no forks
        self._numbers = itertools.count(1)

    @contextmanager
    def process(
        self,
        module: str,
        parameters: dict[str, Any],
        remappings: tuple[str, ...] = (),
        preamble: str = '',
    ) -> Iterator[RosProcess]:
        """Run an executable; whatever happens, it has ended at the end of the block."""
        name = f'{module.rpartition(".")[2]}_{next(self._numbers)}'
        process = RosProcess(
            module, f'/{name}', self.folder / name, parameters, remappings, preamble, self.fresh
        )
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def client(self, process: RosProcess, **options: Any) -> Iterator[Client]:
        """Join the graph in the namespace of a process."""
        client = Client(process.namespace, **options)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def depth_node(
        self,
        parameters: dict[str, Any],
        state: str = 'active',
        remappings: tuple[str, ...] = (),
        joined: bool = True,
        preamble: str = '',
        **client_options: Any,
    ) -> Iterator[tuple[RosProcess, Client]]:
        """Run the depth node and a client; wait for a lifecycle state, and for joined topics.

        The network runs on ONNX Runtime, in FP32, so that answers are known exactly. A test that
        passes has also shown that the node ends cleanly on SIGINT.
        """
        parameters = {'backend': 'onnxruntime', **parameters}
        with (
            self.process('node.depth_node', parameters, remappings, preamble) as process,
            self.client(process, **client_options) as client,
        ):
            client.wait_until(
                lambda: not process.running or client.state() == state, f'the node is {state}'
            )
            assert process.running, process.output
            if joined and state == 'active':
                client.wait_until(client.infos.get_subscription_count, 'the node subscribes')
            yield process, client
            if process.running:
                process.end_cleanly()


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """Return the graph.

    It ends with its module: Fast DDS can deadlock where one process ends a participant while it
    has another.
    """
    folder = tmp_path_factory.mktemp('graph')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_LOG_DIR', str(folder / 'ros'))
        rclpy.init()
        anchor = rclpy.create_node('graph_tests')  # keeps this process in the graph
        yield Graph(folder)
        anchor.destroy_node()
        rclpy.try_shutdown()  # a test may have ended the context


@pytest.fixture(scope='session')
def color_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a model whose depth is 0.5 + 0.001 R + 0.003 G + 0.01 B metres."""
    return str(write_color_model(tmp_path_factory.mktemp('color_model')))
