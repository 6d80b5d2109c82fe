# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rules for access to the page."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import SplitResult, parse_qs, urlsplit

MOST_PAGES = 8  # open at the same time
_MOST_FIELDS = 100  # in a query
LARGEST_MESSAGE = 64 << 10  # bytes of a message from a page


class Access:
    """Decides on each request for the page and for its web socket.

    - If the server can be reached from other machines, the address contains a token. The page gets
      a cookie in exchange, which its web socket needs.
    - Otherwise, only requests with a name of this machine are accepted, so that no page on the web
      gets in by its own name (DNS rebinding).
    - A web socket is accepted only from a page of this server.

    Attributes
    ----------
    token : token in the address; '' = none is needed.
    """

    def __init__(self, host: str) -> None:
        self.token = '' if is_loopback(host) else secrets.token_urlsafe(16)

    def refusal(
        self, path: str, headers: Mapping[str, str], websocket: bool, pages: int
    ) -> tuple[HTTPStatus, str] | None:
        """Return why a request is rejected, None if it is accepted.

        Parameters
        ----------
        path : path of the request, with its query.
        headers : headers of the request.
        websocket : whether it is for a web socket.
        pages : number of pages open now.
        """
        host = headers.get('Host', '')
        if not self.token and not is_loopback(_split(f'//{host}').hostname or ''):
            return HTTPStatus.FORBIDDEN, 'open this page as http://127.0.0.1 or http://localhost'
        if self.token and not self._has_token(path, headers):
            return HTTPStatus.FORBIDDEN, 'the address lacks its token: see the log of the viewer'
        if websocket:
            origin = headers.get('Origin')
            if origin is not None and _split(origin).netloc != host:
                return HTTPStatus.FORBIDDEN, f'pages of {origin[:80]} may not connect'
            if pages >= MOST_PAGES:
                return (
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f'{MOST_PAGES} pages are open already: close one',
                )
        return None

    def page_headers(self, path: str) -> dict[str, str]:
        """Return additional headers for the response to a request for the page."""
        headers = {
            'Content-Security-Policy': "frame-ancestors 'none'",
            'X-Content-Type-Options': 'nosniff',
            'Referrer-Policy': 'no-referrer',
            'Cache-Control': 'no-store',
        }
        if self.token and 'token' in _query(path):
            headers['Set-Cookie'] = f'{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict'
        return headers

    @property
    def cookie(self) -> str:
        """The name of the cookie, different for each token, because ports share cookies."""
        return f'msdepth_viewer_{hashlib.sha256(self.token.encode()).hexdigest()[:8]}'

    def _has_token(self, path: str, headers: Mapping[str, str]) -> bool:
        try:
            cookies = SimpleCookie(headers.get('Cookie', ''))
        except CookieError:
            cookies = SimpleCookie()
        given = [_query(path).get('token', '')]
        if self.cookie in cookies:
            given.append(cookies[self.cookie].value)
        expected = self.token.encode()
        return any(hmac.compare_digest(text.encode(errors='replace'), expected) for text in given)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback address."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def page_address(host: str, port: int, token: str, names: list[str]) -> list[str]:
    """Return the addresses to open the page at.

    Parameters
    ----------
    host, port : where the server listens.
    token : token of the address; '' = none.
    names : addresses of this machine, used if the server listens at all of them.
    """
    anywhere = host in ('0.0.0.0', '::', '')
    query = f'?token={token}' if token else ''
    hosts = (names or ['127.0.0.1']) if anywhere else [host]
    return [f'http://{f"[{name}]" if ":" in name else name}:{port}/{query}' for name in hosts]


def _split(url: str) -> SplitResult:
    """Return the parts of a URL, empty ones if it is not a URL."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit('')


def _query(path: str) -> dict[str, str]:
    try:
        found = parse_qs(_split(path).query, max_num_fields=_MOST_FIELDS)
    except ValueError:
        found = {}
    return {name: values[0] for name, values in found.items()}
