# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in, decided request by request; and over real sockets."""

import contextlib
import http.client
from http import HTTPStatus
from pathlib import Path

import pytest
from patience import PATIENCE

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.access import LARGEST_MESSAGE, MOST_PAGES, Access, is_loopback, page_address

pytest.importorskip('viser', reason='the viewer needs viser')
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from msdepth_ros.viewer.server import PageServer

LOCAL = {'Host': '127.0.0.1:8080'}


@pytest.fixture
def network():
    return Access('0.0.0.0')


def status(access, path='/', headers=LOCAL, websocket=False, pages=0):
    refusal = access.refusal(path, headers, websocket, pages)
    return None if refusal is None else refusal[0]


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost', '::1', '127.0.1.1'])
def test_on_this_machine_no_token_is_needed(host):
    access = Access(host)
    assert access.token == ''
    assert status(access) is None


@pytest.mark.parametrize('host', ['0.0.0.0', '192.168.1.4', '::', 'robot.local'])
def test_elsewhere_a_token_is_and_each_time_another(host):
    assert len(Access(host).token) >= 20
    assert Access(host).token != Access(host).token


def test_a_name_of_the_web_that_leads_here_is_refused():
    """DNS rebinding: the browser takes us for evil.example, and lets its page talk to us."""
    for name in ('evil.example', 'evil.example:8080', '', '[', '127.0.0.1.evil.example'):
        assert status(Access('127.0.0.1'), headers={'Host': name}) == HTTPStatus.FORBIDDEN
    for name in ('localhost:8080', '127.0.0.1', '[::1]:8080'):
        assert status(Access('127.0.0.1'), headers={'Host': name}) is None


def test_a_web_socket_of_another_page_is_refused():
    access = Access('127.0.0.1')
    for origin in ('http://evil.example', 'http://127.0.0.1:9999', 'null'):
        headers = {**LOCAL, 'Origin': origin}
        assert status(access, headers=headers, websocket=True) == HTTPStatus.FORBIDDEN
    headers = {**LOCAL, 'Origin': 'http://127.0.0.1:8080'}
    assert status(access, headers=headers, websocket=True) is None


def test_the_token_opens_the_page_and_its_cookie_the_web_socket(network):
    assert status(network) == HTTPStatus.FORBIDDEN
    assert status(network, '/?token=wrong') == HTTPStatus.FORBIDDEN
    assert status(network, f'/?token={network.token}x') == HTTPStatus.FORBIDDEN
    path = f'/?token={network.token}'
    assert status(network, path) is None
    cookie = network.page_headers(path)['Set-Cookie']
    assert 'HttpOnly' in cookie
    assert 'SameSite=Strict' in cookie
    headers = {**LOCAL, 'Cookie': f'other=1; {cookie.split(";")[0]}'}
    assert status(network, headers=headers, websocket=True) is None
    wrong = {**LOCAL, 'Cookie': f'{network.cookie}=wrong'}
    assert status(network, headers=wrong, websocket=True) == HTTPStatus.FORBIDDEN


def test_the_cookie_is_given_to_those_alone_who_had_the_token(network):
    assert 'Set-Cookie' not in network.page_headers('/')
    assert network.token[:4] not in network.cookie


def test_a_token_that_is_no_text_is_refused(network):
    for path in ('/?token=%ff%fe', '/?token=\udc80', '/?token', '/?' + 'a=1&' * 5000):
        assert status(network, path) == HTTPStatus.FORBIDDEN


def test_pages_are_limited():
    access = Access('127.0.0.1')
    assert status(access, websocket=True, pages=MOST_PAGES - 1) is None
    assert status(access, websocket=True, pages=MOST_PAGES) == HTTPStatus.SERVICE_UNAVAILABLE


def test_addresses_are_for_people_to_open():
    assert page_address('127.0.0.1', 80, '', []) == ['http://127.0.0.1:80/']
    assert page_address('0.0.0.0', 80, 'T', ['10.0.0.2']) == ['http://10.0.0.2:80/?token=T']
    assert page_address('::1', 80, '', []) == ['http://[::1]:80/']


def test_names_that_may_lead_elsewhere_are_not_this_machine():
    assert not is_loopback('localhost.evil.example')
    assert not is_loopback('')


# Over real sockets.


@pytest.fixture(scope='module')
def local():
    server = PageServer('127.0.0.1', 8300, Access('127.0.0.1'))
    yield server
    server.stop()


@pytest.fixture(scope='module')
def open_server():
    server = PageServer('0.0.0.0', 8350, Access('0.0.0.0'))
    yield server
    server.stop()


def get(server, path='/', host=None):
    client = http.client.HTTPConnection('127.0.0.1', server.get_port(), timeout=PATIENCE)
    client.request('GET', path, headers={} if host is None else {'Host': host})
    answer = client.getresponse()
    body = answer.read()
    client.close()
    return answer.status, dict(answer.headers), body


def socket_to(server, **options):
    import viser

    protocols = [f'viser-v{viser.__version__}']
    return connect(f'ws://127.0.0.1:{server.get_port()}', subprotocols=protocols, **options)


def test_the_page_comes_and_may_not_be_framed(local):
    code, headers, body = get(local)
    assert code == 200
    assert b'<html' in body[:300].lower()
    assert headers['Content-Security-Policy'] == "frame-ancestors 'none'"
    assert get(local, host='evil.example')[0] == 403


def test_it_listens_to_this_machine_alone(local):
    with Path('/proc/net/tcp').open() as table:
        listening = [row.split()[1] for row in table if row.split()[3] == '0A']
    port = f':{local.get_port():04X}'
    assert [address for address in listening if address.endswith(port)] == [f'0100007F{port}']


def test_an_open_server_wants_its_token(open_server):
    assert get(open_server)[0] == 403
    token = open_server.access.token
    code, headers, _ = get(open_server, f'/?token={token}')
    assert code == 200
    with pytest.raises(InvalidStatus) as error:
        socket_to(open_server)
    assert error.value.response.status_code == 403
    cookie = headers['Set-Cookie'].split(';')[0]
    with socket_to(open_server, additional_headers={'Cookie': cookie}) as page:
        assert page.recv(timeout=PATIENCE)


def test_a_foreign_page_does_not_get_a_web_socket(local):
    with pytest.raises(InvalidStatus) as error:
        socket_to(local, origin='http://evil.example')
    assert error.value.response.status_code == 403


def test_one_page_too_many_is_refused_and_let_in_when_one_has_gone(local):
    pages = [socket_to(local) for _ in range(MOST_PAGES)]
    try:
        for page in pages:
            page.recv(timeout=PATIENCE)
        with pytest.raises(InvalidStatus) as error:
            socket_to(local)
        assert error.value.response.status_code == 503
    finally:
        for page in pages:
            page.close()
    for _ in range(100):
        try:
            with socket_to(local) as page:
                page.recv(timeout=PATIENCE)
            break
        except InvalidStatus:  # the server has not yet seen that they closed
            continue
    else:
        pytest.fail('none was let in again')


def test_a_message_that_is_too_large_ends_its_connection(local):
    with socket_to(local) as page:
        page.recv(timeout=PATIENCE)
        page.send(bytes(LARGEST_MESSAGE + 1))
        with contextlib.suppress(ConnectionClosed):
            while page.recv(timeout=PATIENCE):
                pass
        assert page.protocol.close_rcvd.code == 1009


def test_the_page_cannot_be_made_public(local):
    assert local.request_share_url() is None


@pytest.mark.parametrize('host', ['203.0.113.7', 'no such host'])
def test_an_address_that_cannot_be_served_is_reported(host):
    with pytest.raises(MsdepthError, match='cannot serve a page'):
        PageServer(host, 8400, Access(host))


def test_a_viser_that_cannot_be_guarded_is_not_used(monkeypatch):
    """Another version might serve by another function: then nothing asks for the token."""
    import websockets.asyncio.server as websockets_server

    import msdepth_ros.viewer.server as server_module

    class Other:
        serve = staticmethod(websockets_server.serve)

    monkeypatch.setattr(server_module, 'websockets_server', Other)
    with pytest.raises(MsdepthError, match='cannot be guarded'):
        PageServer('127.0.0.1', 8450, Access('127.0.0.1'))
