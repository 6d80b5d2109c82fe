# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The web server of viser, with access checks."""

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
    """viser's server, which checks each request by `Access`.

    viser has no setting for this. So while the server starts, the function `serve` of the library
    websockets is replaced. A version of viser that starts in another way is not used: without the
    checks, anybody could open the page.

    Raises
    ------
    MsdepthError
        If the address cannot be served, or this version of viser cannot be checked.
    """

    def __init__(self, host: str, port: int, access: Access) -> None:
        _check_address(host, port)
        self.access = access
        # otherwise each rejected request would be a traceback in the log
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
        """The addresses of the page."""
        return page_address(
            self.get_host(), self.get_port(), self.access.token, machine_addresses()
        )

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Do nothing; viser would make the page public through a server on the internet."""
        return None

    def _pages(self) -> int:
        """Return the number of open web sockets."""
        return len(self._websock_server._client_state_from_id)


@contextlib.contextmanager
def _guarded(access: Access, pages: Callable[[], int]) -> Iterator[list[bool]]:
    """Add the checks to each server that websockets starts; yield a list with one entry each."""
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

    # viser also prints an address, without the token.
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
    """Raise MsdepthError for an address that cannot be served; viser would hang."""
    try:
        kind = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*kind[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((kind[4][0], 0))
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise MsdepthError(
            f'cannot serve a page at {host}:{port}: {reason}; set host to an address of this '
            'machine, or to 0.0.0.0 for all of them'
        ) from error


def machine_addresses() -> list[str]:
    """Return this machine's IPv4 addresses for other machines, the most likely first."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(('10.255.255.255', 1))  # sends nothing; chooses the network interface
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    others = dict.fromkeys(address for address in found if not address.startswith('127.'))
    return list(others) or ['127.0.0.1']
