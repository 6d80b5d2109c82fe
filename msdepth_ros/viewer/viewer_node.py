# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer's node: serves the page, and subscribes to depth nodes while a page is open."""

import threading
from typing import Any

import viser
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from msdepth_ros.node.process import destroyed_unless_made
from msdepth_ros.resources import user_path
from msdepth_ros.viewer.access import Access
from msdepth_ros.viewer.cameras import Cameras
from msdepth_ros.viewer.page import Options, Page
from msdepth_ros.viewer.recording import recordings_folder
from msdepth_ros.viewer.server import PageServer

_PERIOD = 0.5  # seconds between two checks for pages and depth nodes


class ViewerNode(Node):
    """Shows depth nodes in a browser.

    ROS parameters, read at the start:

    - `host`: address to serve at; 127.0.0.1 = this machine only, 0.0.0.0 = the network, with a
      token in the address.
    - `port`: TCP port; if it is taken, the next free one.
    - `nodes`: full names of depth nodes; empty = all nodes called msdepth.
    - `read_only`: pages set no parameters and write no files.
    - `recordings`: folder; '' = the XDG data folder.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('viewer', **node_options)
        self._pages: dict[int, Page] = {}
        self._lock = threading.Lock()
        self._server: PageServer | None = None
        self._cameras: Cameras | None = None
        with destroyed_unless_made(self):
            host = self._declare('host', '127.0.0.1', 'Address to serve at; 0.0.0.0: the network.')
            port = self._declare('port', 8080, 'TCP port, or the next free one.', (0, 65535))
            nodes = self._declare('nodes', [''], 'Depth nodes to show; empty: all called msdepth.')
            read_only = self._declare(
                'read_only', False, 'Pages set no parameters and write no files.'
            )
            folder = self._declare(
                'recordings', '', 'Folder for recordings; empty: the XDG data folder.'
            )
            self._cameras = Cameras(self, filter(None, nodes), keep=not read_only)
            self._options = Options(read_only, user_path(folder) if folder else recordings_folder())
            self._server = PageServer(host, port, Access(host))
            self._server.on_client_connect(self._on_connect)
            self._server.on_client_disconnect(self._on_disconnect)
            self._log_addresses(host, read_only)
            self.create_timer(_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def destroy_node(self) -> None:
        """Close the pages and the server."""
        if self._server is not None:
            self._server.stop()
        with self._lock:
            pages, self._pages = self._pages, {}
        for page in pages.values():
            page.close()
        if self._cameras is not None:
            self._cameras.close()
        super().destroy_node()

    def _declare(self, name: str, default: Any, text: str, limits: tuple[int, ...] = ()) -> Any:
        descriptor = ParameterDescriptor(description=text, read_only=True)
        if limits:
            low, high = limits
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return self.declare_parameter(name, default, descriptor).value

    def _log_addresses(self, host: str, read_only: bool) -> None:
        assert self._server is not None
        rights = 'look' if read_only else 'look and set parameters'
        for address in self._server.addresses:
            self.get_logger().info(f'open {address}')
        if self._server.access.token:
            self.get_logger().warning(
                f'host {host}: anybody on this network who has the address above, with its token, '
                f'can {rights}. It is not encrypted. With host 127.0.0.1 only this machine can'
            )

    def _look(self) -> None:
        """Subscribe while a page is open, on the executor's thread."""
        assert self._cameras is not None
        with self._lock:
            awake = any(page.awake for page in self._pages.values())
        if awake:
            self._cameras.update()
        elif self._cameras.all:
            self._cameras.close()

    # On the server's threads.

    def _on_connect(self, client: viser.ClientHandle) -> None:
        assert self._cameras is not None
        page = Page(client, self._cameras, self._options)
        with self._lock:
            self._pages[client.client_id] = page
        page.start()

    def _on_disconnect(self, client: viser.ClientHandle) -> None:
        with self._lock:
            page = self._pages.pop(client.client_id, None)
        if page is not None:
            page.close()
