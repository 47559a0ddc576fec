"""The explorer's server: who is let in, what is answered, and who is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import as_completed, ThreadPoolExecutor
import inspect
from itertools import islice
import logging
from pathlib import Path
import socket

from explorer_web import BIG, MARKUP, PATIENCE, Running, serving, TOKEN
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.web.limits import Limits
from collab_robots.explorer.web.server import WebServer

API = '/api/v1'


@pytest.fixture(scope='module')
def web() -> Iterator[Running]:
    """For tests that leave it as it was."""
    with serving() as running:
        yield running


@pytest.fixture
def own() -> Iterator[Running]:
    """For tests that do not."""
    with serving() as running:
        yield running


@pytest.fixture(scope='module')
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    above = tmp_path_factory.mktemp('above')
    (above / 'secret.txt').write_text('secret')
    folder = above / 'static'
    (folder / 'assets').mkdir(parents=True)
    (folder / 'index.html').write_text('<!doctype html>the page')
    (folder / 'assets' / 'app.js').write_text('run()')
    (folder / 'assets' / 'out').symlink_to(above / 'secret.txt')
    return folder


@pytest.fixture(scope='module')
def paged(pages: Path) -> Iterator[Running]:
    with serving(pages=pages) as running:
        yield running


def is_error(reply: httpx.Response, status: int, said: str = '') -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers['content-type'] == 'application/json'
    assert reply.json()['error']['code'] == str(status)
    assert said in reply.json()['error']['message']
    is_guarded(reply)


def is_guarded(reply: httpx.Response) -> None:
    policy = reply.headers['content-security-policy']
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert reply.headers['x-content-type-options'] == 'nosniff'
    assert reply.headers['x-frame-options'] == 'DENY'
    assert reply.headers['referrer-policy'] == 'no-referrer'
    assert reply.headers['cross-origin-resource-policy'] == 'same-origin'
    assert not [name for name in reply.headers if name.startswith('access-control')]
    assert 'server' not in reply.headers


def test_answers_come_guarded_and_are_not_kept(web: Running) -> None:
    reply = web.get(f'{API}/overview', Origin=web.url)
    assert (reply.status_code, reply.json()['fleet']) == (200, 'tests')
    assert reply.headers['cache-control'] == 'no-store'
    is_guarded(reply)


def test_markup_in_a_ledger_stays_json(web: Running) -> None:
    for path in (f'{API}/overview', f'{API}/blocks/<script>', f'{API}/overview?time=<script>'):
        assert web.get(path, Accept='text/html').headers['content-type'] == 'application/json'
    assert web.get(f'{API}/overview').json()['source'] == MARKUP
    is_error(web.get(f'{API}/blocks/{MARKUP[:8]}'), 404, '<script>: no such block')


def test_openapi_has_a_route_for_every_question(web: Running) -> None:
    reply = web.get('/api/openapi.json')
    is_guarded(reply)
    paths = reply.json()['paths']
    listed = {path.removeprefix(f'{API}/').partition('?')[0] for path in paths}
    named = {'block': 'blocks/{identity}', 'robot': 'robots/{name}', 'task': 'tasks/{identity}'}
    questions = {
        named.get(name, name)
        for name, _ in inspect.getmembers(Reader, inspect.isfunction)
        if not name.startswith('_')
    }
    assert listed == questions
    for path in paths.values():
        assert set(path) == {'get'}
        assert path['get']['description']
        assert set(path['get']['responses']) == {'200', 'default'}


def test_without_built_pages_one_says_how_to_build_them(web: Running) -> None:
    reply = web.get('/blocks')
    assert reply.status_code == 404
    assert reply.headers['content-type'].startswith('text/plain')
    assert 'scripts/build_frontend.py' in reply.text
    is_guarded(reply)
    is_error(web.get('/assets/app.js'), 404)


def test_pages_are_files_and_else_the_single_page(paged: Running) -> None:
    for path in ('/', '/dag', '/blocks/0x12?time=3', '/robots/robot1', '/find?q=x'):
        reply = paged.get(path)
        assert (reply.status_code, reply.text) == (200, '<!doctype html>the page')
        assert reply.headers['content-type'].startswith('text/html')
        is_guarded(reply)
    script = paged.get('/assets/app.js')
    assert script.text == 'run()'
    assert script.headers['content-type'].startswith('text/javascript')
    assert script.headers['cache-control'] == 'no-cache'
    tag = script.headers['etag']
    assert paged.get('/assets/app.js', **{'If-None-Match': tag}).status_code == 304
    is_error(paged.get('/assets/other.js'), 404)
    is_error(paged.get('/api/v2/overview'), 404)
    is_error(paged.get(f'{API}/'), 404)


@pytest.mark.parametrize(
    'target',
    [
        '/../secret.txt',
        '/assets/../../secret.txt',
        '/%2e%2e/secret.txt',
        '/..%2fsecret.txt',
        '/assets/..%2f..%2fsecret.txt',
        '/%2e%2e%2fsecret.txt',
        '/..%5csecret.txt',
        '//../secret.txt',
        '/./../secret.txt',
        '/assets/%252e%252e/%252e%252e/secret.txt',
        '/assets/out',
        '/secret.txt%00.js',
        '/%00',
        '/' + 'a' * 1_000,
        '/%ff%fe',
        '{above}/secret.txt',
        '/{above}/secret.txt',
        '%2f{above}/secret.txt',
    ],
)
def test_no_path_leads_out_of_the_pages(pages: Path, paged: Running, target: str) -> None:
    answer = paged.ask_raw(target.replace('{above}', str(pages.parent)))
    assert answer.split(b' ')[1] in (b'200', b'404', b'400')
    assert b'secret' not in answer.partition(b'\r\n\r\n')[2].replace(b'secret.txt', b'')
    assert paged.get('/').text == '<!doctype html>the page'


@pytest.mark.parametrize('host', ['localhost', '127.0.0.1', '[::1]', '192.0.2.7', 'LOCALHOST'])
def test_it_answers_to_its_names_and_any_address(web: Running, host: str) -> None:
    for port in ('', f':{web.port}'):
        assert b'HTTP/1.1 200' in web.ask_raw(f'{API}/overview', host + port)


@pytest.mark.parametrize(
    'host',
    ['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil', '[', ''],
)
def test_it_answers_to_no_other_name(web: Running, host: str) -> None:
    for path in (f'{API}/overview', '/'):
        assert b'HTTP/1.1 421' in web.ask_raw(path, host)


def test_one_host_is_named_exactly(web: Running) -> None:
    get = f'GET {API}/overview HTTP/1.1\r\n'.encode()
    assert b'HTTP/1.1 400' in web.raw(get + b'\r\n')
    assert b'HTTP/1.1 400' in web.raw(get + b'Host: localhost\r\nHost: evil.example\r\n\r\n')


@pytest.mark.parametrize('origin', ['http://evil.example', 'null', 'http://127.0.0.1:1', ''])
def test_pages_of_other_sites_are_refused(web: Running, origin: str) -> None:
    is_error(web.get(f'{API}/overview', Origin=origin), 403)
    with pytest.raises(InvalidStatus) as refused, web.follow(Origin=origin):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize('method', ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
def test_nothing_can_be_written(web: Running, method: str) -> None:
    for path in (f'{API}/overview', f'{API}/blocks/0x12', '/', '/assets/app.js'):
        reply = web.client.request(method, path)
        assert reply.status_code == 405
        assert reply.headers['allow'] == 'GET'
        is_guarded(reply)


def test_a_preflight_gets_no_permission(web: Running) -> None:
    headers = {'Origin': 'http://evil.example', 'Access-Control-Request-Method': 'GET'}
    is_error(web.client.options(f'{API}/overview', headers=headers), 403)


def test_a_body_is_refused(web: Running) -> None:
    for body in (b'{}', iter([b'{}'])):
        is_error(web.client.request('GET', f'{API}/overview', content=body), 413)
    assert web.get(f'{API}/overview').status_code == 200


@pytest.mark.parametrize(
    ('query', 'said'),
    [
        ('blocks?limit=501', 'limit'),
        ('blocks?limit=0', 'limit'),
        ('blocks?since=nan', 'since'),
        ('blocks?until=inf', 'until'),
        ('blocks?state=lost', 'state'),
        ('blocks?page=' + 'x' * 201, 'page'),
        ('dag?limit=20001', 'limit'),
        ('find?q=' + 'x' * 201, 'q'),
        ('find', 'q'),
        ('trust?time=1&position=2', 'time or position'),
        ('trust?position=-1', 'position'),
        ('activity?intervals=1000000', 'intervals'),
        ('news', 'since'),
        ('news?since=' + '9' * 100, 'since'),
    ],
)
def test_what_makes_no_sense_is_not_asked(web: Running, query: str, said: str) -> None:
    is_error(web.get(f'{API}/{query}'), 400, said)


def test_huge_queries_are_refused(web: Running) -> None:
    is_error(web.get(f'{API}/find?q=' + 'x' * 3_000), 414)
    is_error(web.get('/' + 'x' * 3_000), 414)
    assert b'HTTP/1.1 400' in web.raw(b'GET /' + b'x' * 20_000)  # and no end of it
    is_error(web.get(f'{API}/blocks/' + 'x' * 200), 400, 'identity')


def test_many_requests_of_one_address_have_to_wait() -> None:
    with serving(limits=Limits(requests=0.01, seconds_saved=300)) as web:
        for _ in range(3):
            assert web.get(f'{API}/overview').status_code == 200
        reply = web.get(f'{API}/overview')
        is_error(reply, 429)
        assert 1 <= int(reply.headers['retry-after']) <= 100


def test_a_token_is_wanted_everywhere() -> None:
    with serving(token=TOKEN) as web:
        for path in (f'{API}/overview', '/', '/assets/app.js', '/api/openapi.json', '/nowhere'):
            reply = web.get(path)
            is_error(reply, 401, 'token')
            assert reply.headers['www-authenticate'] == 'Bearer'
            for wrong in ('Bearer', 'Bearer x', f'Bearer {TOKEN}x', f'Basic {TOKEN}', 'Bearer ü'):
                is_error(web.get(path, Authorization=wrong.encode()), 401)
            is_error(web.get(f'{path}?token=wrong'), 401)
        assert web.get(f'{API}/overview', Authorization=f'Bearer {TOKEN}').status_code == 200
        with pytest.raises(InvalidStatus) as refused, web.follow():
            pass
        assert refused.value.response.status_code == 401
        with web.follow(Authorization=f'Bearer {TOKEN}'):
            pass


def test_a_browser_gives_the_token_once(pages: Path) -> None:
    with serving(token=TOKEN, pages=pages) as web:
        reply = web.client.get('/dag', params={'token': TOKEN, 'time': '3', 'x': '<&'})
        assert (reply.status_code, reply.headers['location']) == (303, '/dag?time=3&x=%3C%26')
        cookie = reply.headers['set-cookie']
        assert 'HttpOnly' in cookie
        assert 'SameSite=strict' in cookie
        assert TOKEN not in cookie
        is_guarded(reply)
        assert web.get(reply.headers['location']).text == '<!doctype html>the page'
        assert web.get(f'{API}/overview').status_code == 200
        with web.follow(Cookie=cookie.partition(';')[0]):
            pass
        web.client.cookies.clear()
        name, _, value = cookie.partition(';')[0].partition('=')
        is_error(web.get(f'{API}/overview', Cookie=f'{name}={value[:-1]}'), 401)
        is_error(web.get(f'{API}/overview', Cookie=f'{name}={TOKEN}'), 401)


def test_a_token_leads_to_no_other_site() -> None:
    with serving(token='t' * 16) as web:
        answer = web.ask_raw('//evil.example/%2f?token=' + 't' * 16)
        assert b'\r\nlocation: /evil.example/%2f\r\n' in answer.replace(b'Location', b'location')


def test_others_are_let_in_only_with_a_token() -> None:
    with serving() as web, pytest.raises(ConfigError, match='cannot serve at'):
        WebServer('127.0.0.1', web.port)
    for host in ('0.0.0.0', '::'):
        with pytest.raises(ConfigError, match='token'):
            WebServer(host, 0)
    for token in ('', 'short', 'x' * 300, 'fifteen letters\n', 'ü' * 20):
        with pytest.raises(ConfigError, match='token'):
            WebServer('127.0.0.1', 0, token)
    with pytest.raises(ConfigError, match='cannot serve'):
        WebServer('no-such-host.invalid', 0, TOKEN)
    with WebServer('0.0.0.0', 0, TOKEN):
        pass


def test_faults_of_the_reader_have_their_status(
    own: Running, caplog: pytest.LogCaptureFixture
) -> None:
    is_error(own.get(f'{API}/blocks/0x12'), 404, '0x12: no such block')
    own.reader.damage = 'page 3 is damaged'
    damaged = own.get(f'{API}/overview')
    is_error(damaged, 503, 'page 3 is damaged')
    assert 'retry-after' not in damaged.headers
    with caplog.at_level(logging.ERROR):
        failed = own.get(f'{API}/models')
    is_error(failed, 500, 'internal error')
    assert 'secret' not in failed.text
    assert 'a secret' in caplog.text
    assert own.get(f'{API}/trust').json() == {'needed': 2, 'verdicts': [], 'disputes': []}


def test_questions_wait_in_a_bounded_queue() -> None:
    with serving(questions=3) as web, ThreadPoolExecutor(6) as pool:
        first = pool.submit(web.get, f'{API}/splits')
        web.reader.busy.wait()
        others = [pool.submit(web.get, f'{API}/trust') for _ in range(5)]
        refused = list(islice(as_completed(others), 3))
        for one in refused:
            is_error(one.result(), 503, 'too many questions wait')
            assert one.result().headers['retry-after'] == '1'
        web.reader.free.set()
        waited = [first, *(one for one in others if one not in refused)]
        assert [one.result().status_code for one in waited] == [200] * 3


def test_a_question_may_take_only_so_long() -> None:
    with serving(answer=0.2) as web:
        reply = web.get(f'{API}/splits')
        is_error(reply, 503, 'no answer within 0.2 s')
        assert reply.headers['retry-after'] == '1'
        web.reader.free.set()
        while web.get(f'{API}/trust').status_code != 200:
            pass


def test_who_hangs_up_is_not_answered(own: Running) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(own.get, f'{API}/splits')
        own.reader.busy.wait()
        for position in range(40):  # more than may wait
            with own.connect() as gone:
                gone.sendall(
                    f'GET {API}/trust?position={position} HTTP/1.1\r\n'.encode()
                    + b'Host: localhost\r\n\r\n'
                )
                gone.shutdown(socket.SHUT_WR)
        own.reader.free.set()
        assert first.result().status_code == 200
    assert own.get(f'{API}/trust?position=99').status_code == 200
    asked = [moment.position for moment in own.reader.asked]
    assert asked[-1] == 99


@pytest.mark.parametrize('begun', [b'', b'GET /api/v1/over', b'GET / HTTP/1.1\r\nHost: local'])
def test_a_request_that_does_not_end_is_cut_off(begun: bytes) -> None:
    with serving(exchange=0.2) as web:
        assert web.raw(begun) == b''


def test_an_answer_that_is_not_fetched_is_cut_off() -> None:
    with serving(exchange=2.0, connections=1) as web:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.settimeout(PATIENCE)
        slow.connect(('127.0.0.1', web.port))
        slow.sendall(f'GET {API}/dag HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode())
        head = slow.recv(4_096)
        assert b'200 OK' in head
        length = int(head.lower().partition(b'content-length: ')[2].partition(b'\r')[0])
        assert length > BIG * 66
        while True:
            try:
                assert web.get(f'{API}/overview').status_code == 200
                break
            except (httpx.ReadError, httpx.RemoteProtocolError):
                pass  # the slow client still holds the only place
        with slow:
            got = len(head)
            try:
                while part := slow.recv(65_536):
                    got += len(part)
            except ConnectionResetError:
                pass
        assert got < length


def test_no_more_connections_than_the_server_has_room_for() -> None:
    with serving(connections=2) as web:
        held = [web.connect() for _ in range(2)]
        assert web.raw(b'') == b''
        for connection in held:
            connection.close()
        while True:
            try:
                assert web.get(f'{API}/overview').status_code == 200
                break
            except (httpx.ReadError, httpx.RemoteProtocolError):
                pass


def test_followers_are_told_what_is_new(own: Running) -> None:
    with own.follow(1) as one, own.follow(1) as other, own.follow(0) as late:
        assert '"version":1,' in late.recv(PATIENCE)
        for version in (2, 3):
            own.reader.version = version
            for follower in (one, other, late):
                news = follower.recv(PATIENCE)
                assert news.startswith(f'{{"version":{version},')
                assert MARKUP in news
    assert own.get(f'{API}/news?since=1').json()['version'] == 3


def test_nobody_asks_for_news_that_nobody_follows(own: Running) -> None:
    with own.follow(0) as follower:
        follower.recv(PATIENCE)
    own.reader.version = 2
    before = len(own.reader.asked)
    with own.follow(1) as follower:
        follower.recv(PATIENCE)
    assert len(own.reader.asked) > before


def test_only_so_many_may_follow() -> None:
    with serving(followers=1) as web, web.follow() as follower:
        with pytest.raises(InvalidStatus) as refused, web.follow():
            pass
        assert refused.value.response.status_code == 503
        web.reader.version = 2
        follower.recv(PATIENCE)


@pytest.mark.parametrize('since', ['x', '', '9' * 200])
def test_followers_say_since_when(web: Running, since: str) -> None:
    with pytest.raises(InvalidStatus) as refused, web.follow(since):
        pass
    assert refused.value.response.status_code == 403


def test_followers_only_listen(web: Running) -> None:
    with web.follow() as follower:
        follower.send('hello')
        with pytest.raises(ConnectionClosed) as closed:
            follower.recv(PATIENCE)
        assert closed.value.rcvd.code == 1008


def test_a_follower_sends_nothing_large(web: Running) -> None:
    with web.follow() as follower:
        follower.send('x' * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            follower.recv(PATIENCE)
        assert closed.value.rcvd.code == 1009


def test_followers_hear_that_the_ledger_is_damaged(own: Running) -> None:
    with own.follow() as follower:
        own.reader.damage = 'damaged: ' + 'ü' * 200
        with pytest.raises(ConnectionClosed) as closed:
            follower.recv(PATIENCE)
        assert closed.value.rcvd.code == 1011
        assert closed.value.rcvd.reason.startswith('damaged: üüü')


def test_a_slow_follower_is_cut_off_and_the_others_are_not() -> None:
    with serving(send=0.2, hang_up=0.2, followers=2) as web:
        slow = web.connect()
        slow.sendall(
            f'GET {API}/news?since=0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n'
            'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
            'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'.encode()
        )
        with slow, web.follow(0) as quick:
            version = 1
            while True:  # until there is room for another one
                quick.recv(PATIENCE)
                try:
                    with web.follow(0):
                        pass
                    break
                except InvalidStatus:
                    version += 1
                    web.reader.warning = 'x' * 100_000
                    web.reader.version = version


def test_the_server_stops_although_clients_hold_on() -> None:
    with serving(hang_up=0.2) as web:
        idle = web.connect()
        assert web.get(f'{API}/overview').status_code == 200
    with idle:
        assert idle.recv(1) == b''
