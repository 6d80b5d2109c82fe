# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The web server: viser's, behind a guard at its door."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import rich
import viser
import websockets.asyncio.server as websockets_server
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.access import LARGEST_MESSAGE, Access, page_address

_building = threading.Lock()


class PageServer(viser.ViserServer):
    """viser's server, which asks `Access` before it answers.

    viser has no setting for it, so the function of the library websockets that serves it is
    replaced while the server starts. A viser that starts in another way is not used: without
    its guard the page would be open to everybody.

    Raises
    ------
    MsdepthError
        If the address cannot be served, or this version of viser cannot be guarded.
    """

    def __init__(self, host: str, port: int, access: Access) -> None:
        _check_address(host, port)
        self.access = access
        # else each request that is refused is a traceback in the log
        logging.getLogger('websockets.server').setLevel(logging.CRITICAL)
        with _building, _guarded(access, self._pages) as guarded:
            super().__init__(host=host, port=port, label='msdepth', verbose=False)
        if not guarded:
            self.stop()
            raise MsdepthError(
                f'viser {viser.__version__} cannot be guarded: install the version that '
                'constraints.txt names'
            )

    @property
    def addresses(self) -> list[str]:
        """Where the page is."""
        return page_address(
            self.get_host(), self.get_port(), self.access.token, machine_addresses()
        )

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse: viser would make the page public through a server of its makers."""
        return None

    def _pages(self) -> int:
        """Return how many web sockets are open."""
        return len(self._websock_server._client_state_from_id)


@contextlib.contextmanager
def _guarded(access: Access, pages: Callable[[], int]) -> Iterator[list[bool]]:
    """Put the guard before every server that websockets starts; the list fills when one does."""
    started: list[bool] = []
    serve = websockets_server.serve

    def guarded_serve(handler: Any, host: str, port: int, **options: Any) -> Any:
        answer = options.pop('process_request')
        options |= {'max_size': LARGEST_MESSAGE, 'max_queue': 4, 'server_header': None}
        started.append(True)
        return serve(handler, host, port, process_request=guard(answer), **options)

    def guard(answer: Callable[[Any, Request], Response | None]) -> Callable[..., Any]:
        def guarded_answer(connection: Any, request: Request) -> Response | None:
            websocket = 'websocket' in request.headers.get('Upgrade', '').lower()
            refusal = access.refusal(request.path, request.headers, websocket, pages())
            if refusal is not None:
                return _refuse(*refusal)
            response = answer(connection, request)
            if response is not None:
                response.headers.update(access.page_headers(request.path))
            return response

        return guarded_answer

    # viser also prints a box with an address, which lacks the token.
    with (
        _replaced(websockets_server, 'serve', guarded_serve),
        _replaced(rich, 'print', lambda *_, **__: None),
    ):
        yield started


@contextlib.contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _refuse(status: HTTPStatus, reason: str) -> Response:
    body = f'{status.phrase}: {reason}\n'.encode()
    headers = Headers({'Content-Type': 'text/plain', 'Content-Length': str(len(body))})
    return Response(status.value, status.phrase, headers, body)


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be served: viser would try a thousand ports and then hang."""
    try:
        kind = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*kind[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((kind[4][0], 0))
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise MsdepthError(
            f'cannot serve a page at {host}:{port}: {reason}; host is an address of this machine, '
            'or 0.0.0.0 for all of them'
        ) from error


def machine_addresses() -> list[str]:
    """Return the IPv4 addresses by which other machines may reach this one, likeliest first."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(('10.255.255.255', 1))  # sends nothing; asks which way it would
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    others = dict.fromkeys(address for address in found if not address.startswith('127.'))
    return list(others) or ['127.0.0.1']
