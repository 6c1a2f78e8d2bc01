"""The http service: how long a connection lasts, who waits for whom, and what is written of it."""
import base64
import collections
import contextlib
import datetime
import itertools
import json
import os
import random
import re
import resource
import select
import signal
import socket
import threading
import time

import pytest

from harness import PATIENCE, SANITIZED, alive, can_trace, eventually
from load import Sampler, paced
from test_control import silence
from test_processes import Strace
from web import HOST, Browsers, Client, Site, http, request, took

CLOSE = 'Connection: close'
FILES = {'file': b'file', 'hello.txt': b'Hello, world!\n'}
# How much later than its limit something may come.
LATE = 4
LONG = 'keepalive_timeout = 1h'


def ends(client, seconds=PATIENCE):
    """That the server ends the connection in order, without a word, within so many seconds."""
    client.sock.settimeout(seconds)
    try:
        return client.ended()
    except socket.timeout:
        raise AssertionError(f'still open after {seconds} s') from None
    finally:
        client.sock.settimeout(PATIENCE)


def drip(client, data, every):
    """Sends a byte every so often until an answer comes; the answer, None for an end without."""
    for _, byte in zip(paced(1 / every, PATIENCE), data):
        client.send(bytes([byte]))
        if select.select([client.sock], [], [], 0)[0]:
            break
    return client.response() if client.more() else None


@contextlib.contextmanager
def others_undisturbed(site):
    """While the block runs, a request of somebody else never takes long."""
    def one():
        began = time.monotonic()
        assert site.ask('/file').body == b'file'
        return time.monotonic() - began
    with Sampler(one, every=0.05) as sampler:
        yield
    assert len(sampler.answers) > 5 and max(sampler.answers) < LATE, sampler.answers


def workers(site, name='web'):
    """What the status says of the pool's workers: [(state, client, request)]."""
    return [(worker['state'], worker['client'], worker['request'])
            for worker in site.pool_status(name)['workers']]


def wait_state(site, client, state):
    """Waits until the worker of that client is in a state; what it says of its request."""
    name = '{}:{}'.format(*client.sock.getsockname())

    def found():
        return [each for each in workers(site) if each[:2] == (state, name)]
    return eventually(found, f'{state} for {name} in {workers(site)}')[0][2]


def wait_dripping(site, *clients):
    for client in clients:
        wait_state(site, client, 'reading')


def half(target='/file', *fields):
    """A request in two parts."""
    data = request(target, *fields)
    return data[:20], data[20:]


# ---- keep-alive --------------------------------------------------------------------------

def test_a_connection_is_kept_alive():
    with Site(http(options=('workers = 1',)), FILES) as site, site.client() as client:
        for _ in range(50):
            answer = client.ask('/file')
            assert (answer.body, answer['Connection']) == (b'file', None)


def test_keepalive_requests_limits_the_requests_of_a_connection():
    with Site(http('keepalive_requests = 3'), FILES) as site:
        for _ in range(2):
            with site.client() as client:
                assert [client.ask('/file').closes for _ in range(3)] == [False, False, True]
    with Site(http('keepalive_requests = 1'), FILES) as site, site.client() as client:
        assert client.ask('/file').closes


def test_the_last_answer_is_seen_by_a_client_that_goes_on_sending():
    """The server has closed by its own choice: no reset may take the answer away."""
    with Site(http('keepalive_requests = 2'), FILES) as site:
        address = site.address('web')
        for _ in range(100):
            with site.client(address=address) as client:
                client.send(request('/file') * 2)
                for _ in range(10):
                    client.send(b'GET /file HTTP/1.1\r\n')
                assert [client.response().closes for _ in range(2)] == [False, True]


def test_keepalive_requests_is_100_by_default():
    with Site(http(), FILES) as site, site.client() as client:
        client.send(request('/file') * 150)
        closes = [client.response().closes for _ in range(100)]
        assert closes == [False] * 99 + [True]


def test_keepalive_timeout_ends_an_idle_connection():
    with Site(http('keepalive_timeout = 1s'), FILES) as site, site.client() as client:
        client.ask('/file')
        with took(0.9, 1 + LATE):
            assert ends(client)
        with site.client() as client:
            for _ in paced(2, 2):  # a request every half second: longer than the limit
                assert client.ask('/file').body == b'file'
    with Site(http(LONG), FILES) as site, site.client() as patient, site.client() as other:
        patient.ask('/file')
        for _ in paced(10, 2):
            other.ask('/file')
        assert patient.ask('/file').body == b'file'


def test_http_1_0_closes_unless_it_asks_not_to():
    with Site(http(), FILES) as site:
        with site.client() as client:
            answer = client.ask('/file', version='1.0')
            assert (answer.body, answer.closes) == (b'file', True)
        with site.client() as client:
            for _ in range(3):
                answer = client.ask('/file', 'Connection: keep-alive', version='1.0')
                assert (answer.body, answer['Connection']) == (b'file', 'keep-alive')
            assert client.ask('/file', version='1.0').closes


def test_a_client_that_half_closes_gets_its_answers():
    with Site(http(), FILES) as site, site.client() as client:
        client.send(request('/file') * 3)
        client.sock.shutdown(socket.SHUT_WR)
        assert [client.response().body for _ in range(3)] == [b'file'] * 3
        assert client.ended()


@pytest.mark.parametrize('data', [b'', b'\r\n', b'GET', request('/file')[:-2],
                                  request('/file')[:-1]])
def test_a_client_that_half_closes_in_a_head_gets_no_file(data):
    with Site(http(options=('workers = 1',)), FILES) as site:
        with site.client() as client:
            client.send(data)
            client.sock.shutdown(socket.SHUT_WR)
            with took(most=10):
                if client.more():
                    assert client.response().status == 400
        assert site.ask('/file').body == b'file'


def test_a_site_on_a_unix_socket():
    conf = http(listen='{dir}/http.sock')
    with Site(conf.replace('listen =', 'listen_mode = "0666"\nlisten ='), FILES) as site:
        with site.client() as client:
            for _ in range(3):
                assert client.ask('/file').body == b'file'


# ---- pipelining --------------------------------------------------------------------------

def test_pipelined_requests_are_answered_in_order():
    files = {f'{number}': b'%d' % number * number for number in range(200)}
    with Site(http('keepalive_requests = 1000'), files) as site, site.client() as client:
        expected, data = [], b''
        for number in range(200):
            kind = number % 5
            data += [request(f'/{number}'), request(f'/{number}', method='HEAD'),
                     request(f'/no-{number}'), request(f'/{number}', 'If-None-Match: *'),
                     request(f'/{number}', method='POST', body=b'x' * number)][kind]
            expected.append([(200, files[f'{number}']), (200, b''), (404, None), (304, b''),
                             (405, None)][kind])
        data += request('/1', CLOSE)
        sender = threading.Thread(target=client.send, args=[data], daemon=True)
        sender.start()
        for number, (status, body) in enumerate(expected):
            answer = client.response('HEAD' if number % 5 == 1 else 'GET')
            assert answer.status == status and body in (None, answer.body), number
        assert client.response().closes
        sender.join()


def test_small_answers_to_pipelined_requests_do_not_wait_for_acknowledgements():
    """Each of these batches would wait for 40 ms at least (tcp(7): TCP_NODELAY)."""
    with Site(http('keepalive_requests = 10000'), FILES) as site, site.client() as client:
        with took(0, 4):
            for _ in range(150):
                client.send(request('/file') * 10)
                for _ in range(10):
                    assert client.response().status == 200


def test_many_large_files_may_be_pipelined():
    content = bytes(range(256)) * 4000
    with Site(http(), {'large': content}) as site, site.client() as client:
        client.send(request('/large') * 19 + request('/large', CLOSE))
        for _ in range(20):
            assert client.response().body == content


# ---- slow clients ------------------------------------------------------------------------

SLOW = http('header_timeout = 2s', LONG)


@pytest.mark.parametrize('before', [b'', b'\r\n', request('/file')[:-2] + b'X-Slow: '],
                         ids=['its first line', 'an empty line', 'a field'])
def test_a_head_that_drips_is_answered_408_in_time(before):
    with Site(SLOW, FILES) as site, others_undisturbed(site), site.client() as client:
        with took(1.9, 2 + LATE):
            answer = drip(client.send(before), b'GET' + b'x' * 1000, every=0.5)
        assert (answer.status, answer.closes) == (408, True)


def test_a_head_that_drips_on_a_kept_alive_connection_is_answered_408_in_time():
    with Site(SLOW, FILES) as site, others_undisturbed(site), site.client() as client:
        for _ in paced(2, 2.5):  # the time of others before it does not count
            client.ask('/file')
        with took(1.9, 2 + LATE):
            answer = drip(client, request('/file', 'X-Slow: ' + 'x' * 1000), every=0.5)
        assert (answer.status, answer.closes) == (408, True)


def test_a_head_that_comes_slowly_but_in_time_is_answered():
    with Site(SLOW, FILES) as site, site.client() as client:
        data = request('/file')
        for start, _ in zip(range(0, len(data), 8), paced(5, 10)):
            client.send(data[start:start + 8])
        assert client.response().body == b'file'


def test_a_silent_client_is_gone_in_time():
    with Site(SLOW, FILES) as site, others_undisturbed(site), site.client() as client:
        with took(1.9, 2 + LATE):
            if client.more():
                assert client.response().status == 408


@pytest.mark.parametrize('field', ['Content-Length: 1000', 'Transfer-Encoding: chunked'])
def test_a_body_that_drips_ends_in_time(field):
    conf = http('body_timeout = 2s', 'body_min_rate = 500', LONG)
    piece = b'x' if 'Length' in field else b'1\r\nx\r\n'
    with Site(conf, FILES) as site, others_undisturbed(site), site.client() as client:
        with took(1.9, 2 + LATE):
            client.send(request('/file', field, method='PUT'))
            assert client.response().status == 405
            for _ in paced(2, PATIENCE):
                if select.select([client.sock], [], [], 0)[0]:
                    break
                client.send(piece)
            assert client.ended()


def test_a_body_that_comes_fast_enough_may_take_its_time():
    conf = http('body_timeout = 1s', 'body_min_rate = 500', LONG)
    with Site(conf, FILES) as site, site.client() as client:
        client.send(request('/file', 'Content-Length: 12000', method='PUT'))
        with took(least=2.5):
            for _ in paced(10, 3):
                client.send(b'x' * 400)
        assert client.response().status == 405
        assert client.ask('/file').body == b'file'


def deaf(site, target, *fields):
    """A client that asks for a file and reads nothing; its kernel takes little for it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(PATIENCE)
    sock.connect(site.address('web')[1])
    return Client(sock).send(request(target, *fields))


def large(site, size=64 << 20):
    with open(site.root / 'large', 'wb') as file:
        file.truncate(size)
    return size


def test_a_client_that_stops_reading_is_gone_in_time():
    conf = http('send_timeout = 2s', options=('workers = 1',))
    with Site(conf, FILES) as site:
        large(site)
        with deaf(site, '/large') as client:
            with took(1.5, 2 + LATE):
                assert site.ask('/file').body == b'file'
            number = 0
            with contextlib.suppress(ConnectionResetError):
                while client.more():
                    number += len(client.buffer)
                    client.buffer = b''
            assert number < 64 << 20


def test_a_client_that_stops_reading_disturbs_nobody():
    with Site(http('send_timeout = 2s'), FILES) as site:
        large(site)
        with deaf(site, '/large'), deaf(site, '/large'), others_undisturbed(site):
            eventually(lambda: {state for state, *_ in workers(site)} != {'idle'}, 'it to be sent')
            eventually(lambda: [state for state, *_ in workers(site)].count('writing') == 0,
                       'the end of both')


def test_a_client_that_reads_slowly_gets_all_of_it():
    with Site(http('send_timeout = 1s'), FILES) as site:
        size = large(site, 16 << 20)
        with deaf(site, '/large') as client:
            assert client.head()['Content-Length'] == str(size)
            for _ in paced(5, 3):  # three times the limit
                client.take(16384)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            assert len(client.take(size - 15 * 16384)) == size - 15 * 16384
            assert client.ask('/file').body == b'file'


# ---- bodies that nobody wants ------------------------------------------------------------

def bodies(size):
    yield request('/file', method='PUT', body=b'x' * size)
    yield request('/file', body=b'x' * size)
    yield request('/file', 'Transfer-Encoding: chunked', method='PUT') + \
        b'%x\r\n' % size + b'x' * size + b'\r\n0\r\n\r\n'


@pytest.mark.parametrize('size', [1, 1000, 30000, 65000])
def test_a_small_body_is_dropped_and_the_connection_goes_on(size):
    with Site(http(), FILES) as site, site.client() as client:
        for data in bodies(size):
            answer = client.send(data).response()
            assert (answer.status, answer.closes) == (200 if data[:3] == b'GET' else 405, False)
            assert client.ask('/file').body == b'file'


@pytest.mark.parametrize('size', [70000, 200_000, 900_000])
def test_a_large_body_ends_the_connection_but_the_answer_is_seen(size):
    with Site(http(), FILES) as site:
        for data in bodies(size):
            for _ in range(3):
                with site.client() as client:  # sends all of it before it looks for an answer
                    answer = client.send(data + request('/file')).response()
                    assert answer.status == (200 if data[:3] == b'GET' else 405)
                    assert answer.closes or b'chunked' in data  # who knows how long that is
                    assert client.ended()


def test_a_body_beyond_the_limit_is_413_and_the_answer_is_seen():
    with Site(http('limit_request_body = 1k'), FILES) as site:
        for size in 1025, 5000, 500_000:
            for _ in range(3):
                with site.client() as client:
                    client.send(request('/file', method='PUT', body=b'x' * size))
                    answer = client.response()
                    assert (answer.status, answer.closes) == (413, True)
        with site.client() as client:
            assert client.ask('/file', method='PUT', body=b'x' * 1024).status == 405
            assert client.ask('/file').body == b'file'
        site.wait_log(r'info: pool web: 127\.0\.0\.1:\d+: 413: the body is too long')


def test_a_client_that_waits_for_the_end_of_a_large_body_sees_the_end():
    """The server does not wait for a body of which nothing comes."""
    with Site(http(options=('workers = 1',)), FILES) as site, site.client() as client:
        client.send(request('/file', 'Content-Length: 1000000', method='PUT') + b'x' * 1000)
        with took(most=10):
            assert client.response().status == 405
        client.sock.close()
        with took(most=10):
            assert site.ask('/file').body == b'file'


@pytest.mark.parametrize('fields', [('Content-Length: 5',), ('Transfer-Encoding: chunked',)])
@pytest.mark.parametrize('method, status', [('GET', 200), ('PUT', 405)])
def test_who_expects_100_is_answered_at_once_without_it(method, status, fields):
    with Site(http('body_timeout = 1h'), FILES) as site, site.client() as client:
        client.send(request('/file', 'Expect: 100-continue', *fields, method=method))
        with took(most=10):
            answer = client.response()  # fails for an interim response
        assert answer.status == status


# ---- keep-alive gives way ----------------------------------------------------------------

def full(number):
    return ('start_workers = 2', 'min_spare_workers = 1', 'max_spare_workers = 3',
            f'max_workers = {number}')


def idle_crowd(stack, site, number):
    """So many connections, each with one request answered and no other one to come."""
    address, clients = site.address('web'), []
    for _ in range(number):
        client = stack.enter_context(site.client(address=address))
        assert client.ask('/file').body == b'file'
        clients.append(client)
    return clients


def test_ten_idle_clients_do_not_keep_the_eleventh_waiting():
    conf = http(LONG, options=full(10))
    with Site(conf, FILES) as site, contextlib.ExitStack() as stack:
        clients = idle_crowd(stack, site, 10)
        assert all(client.is_open() for client in clients)
        with took(most=LATE):
            assert site.ask('/file').body == b'file'
        # One has made way, and only one (where all is slow, perhaps another); the others go on.
        eventually(lambda: not all(client.is_open() for client in clients), 'one to give way')
        rest = [client for client in clients if client.is_open()]
        assert len(rest) >= (8 if SANITIZED else 9)
        assert [client.ask('/file').body for client in rest] == [b'file'] * len(rest)
        with took(most=5 * LATE):
            for _ in range(50):
                assert site.ask('/file').body == b'file'


def a_kept_client(stack, site):
    """A connection that holds a worker, and nobody waits."""
    def found():
        client = site.client(address=site.web)
        if not client.ask('/file').closes:
            return stack.enter_context(client)
        client.sock.close()
        return None
    return eventually(found, 'a connection that is kept', every=0.001)


def test_a_client_that_does_not_close_its_side_holds_no_worker_that_others_want():
    conf = http('keepalive_requests = 1', options=('workers = 1',))
    with Site(conf, FILES) as site, contextlib.ExitStack() as stack:
        for _ in range(4):
            with took(most=LATE):
                assert stack.enter_context(site.client()).ask('/file').closes


@pytest.mark.parametrize('data', [b'', b'\r\n'])
def test_who_has_asked_for_nothing_holds_no_worker_that_others_want(data):
    conf = http('header_timeout = 1h', options=('workers = 1',))
    with Site(conf, FILES) as site, site.client() as silent:
        silent.send(data)
        eventually(lambda: site.pool_status('web')['workers'][0]['state'] == 'keepalive', 'silence')
        assert silent.is_open()
        with took(most=LATE):
            assert site.ask('/file').body == b'file'
        assert silent.ended()


def test_a_worker_that_leaves_serves_who_has_not_asked_yet():
    with Site(http('header_timeout = 1h', options=('workers = 1',)), FILES) as site, \
            site.client() as silent:
        eventually(lambda: site.pool_status('web')['workers'][0]['state'] == 'keepalive', 'silence')
        site.signal(signal.SIGQUIT)
        site.wait_log('notice: stopping')
        answer = silent.ask('/file')
        assert (answer.body, answer.closes) == (b'file', True)


@pytest.mark.parametrize('field', ['Content-Length: 60000', 'Transfer-Encoding: chunked'])
def test_who_has_an_answer_and_owes_a_body_holds_no_worker_that_others_want(field):
    conf = http('body_timeout = 1h', options=('workers = 1',))
    with Site(conf, FILES) as site, site.client() as client:
        assert not client.send(request('/file', field)).response().closes
        with took(most=LATE):
            assert site.ask('/file').body == b'file'
        assert client.ended()
    with Site(conf, FILES) as site, site.client() as client:
        assert client.send(request('/file', 'Content-Length: 5') + b'four').response().status == 200
        assert client.send(b'5' + request('/file')).response().body == b'file'


def test_a_new_client_is_answered_at_once_each_time():
    with Site(http(LONG, options=('workers = 1',)), FILES) as site, contextlib.ExitStack() as stack:
        site.web, times = site.address('web'), []
        for _ in range(12):
            a_kept_client(stack, site)
            with site.client(address=site.web) as other:
                began = time.monotonic()
                assert other.ask('/file', CLOSE).body == b'file'
                times.append(time.monotonic() - began)
        assert sorted(times)[8] < 0.1, times  # not each one: the machine may be busy
        assert max(times) < LATE, times


def test_a_crowd_of_new_clients_at_one_time_is_answered_at_once():
    with Site(http(LONG, options=full(10)), FILES) as site, contextlib.ExitStack() as stack:
        idle_crowd(stack, site, 10)
        address = site.address('web')
        with took(most=3 * LATE):
            crowd = [stack.enter_context(site.client(address=address)) for _ in range(40)]
            for client in crowd:
                client.send(request('/file'))
            assert [client.response().body for client in crowd] == [b'file'] * 40


def test_600_idle_clients_do_not_keep_another_one_waiting():
    number, limit = (150, 40) if SANITIZED else (600, 256)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < number + 200:
        pytest.skip(f'needs {number + 200} open files')
    with Site(http(LONG, options=full(limit)), FILES) as site, contextlib.ExitStack() as stack:
        clients = idle_crowd(stack, site, number)
        for _ in range(5):
            with took(most=LATE):
                assert site.ask('/file').body == b'file'
        assert 0 < sum(client.is_open() for client in clients) <= limit


def test_a_request_that_has_begun_does_not_give_way():
    first, second = half()
    with Site(http(LONG, options=('workers = 3',)), FILES) as site:
        with site.client() as begun, site.client() as writing, site.client() as idle:
            large(site)
            begun.ask('/file')
            begun.send(first)
            writing.send(request('/large'))
            idle.ask('/file')
            wait_state(site, begun, 'reading')
            wait_state(site, writing, 'writing')
            for _ in range(5):
                with took(most=LATE):
                    assert site.ask('/file').body == b'file'
            assert ends(idle)
            answer = begun.send(second).response()
            assert answer.body == b'file'
            assert len(writing.response().body) == 64 << 20


def one_answer(site):
    with site.client() as client:
        return client.ask('/file')


def test_while_somebody_waits_no_connection_is_kept_alive():
    first, second = half()
    with Site(http(LONG, options=('workers = 1',)), FILES) as site:
        with site.client() as begun, site.client() as waiting:
            begun.send(first)
            wait_state(site, begun, 'reading')
            waiting.send(request('/file'))
            eventually(lambda: site.pool_status('web')['saturated_ms'] > 0, 'it to be seen')
            answer = begun.send(second).response()
            assert (answer.body, answer.closes) == (b'file', True)
            assert waiting.response().body == b'file'
        # And when nobody waits any more they are kept again.
        eventually(lambda: not one_answer(site).closes, 'a connection that is kept')


def test_clients_that_wait_for_each_other_s_workers_lose_no_request():
    conf = http(LONG, 'keepalive_requests = 1000000', options=('workers = 4',))
    with Site(conf, FILES) as site:
        with Browsers(site, clients=4) as kept, Browsers(site, clients=4, fields=[CLOSE]) as others:
            for browsers in kept, others:
                browsers.wait_answered(1000)
        assert (kept.failures, others.failures) == ({}, {})


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_while_nobody_waits_idle_connections_cost_no_system_call():
    with Site(http(LONG, options=('workers = 4',)), FILES) as site, contextlib.ExitStack() as stack:
        site.wait_workers(4)
        idle_crowd(stack, site, 3)
        assert silence(site)


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_a_small_file_on_a_kept_connection_costs_seven_system_calls():
    number, conf = 300, logged('combined', 'keepalive_requests = 1000', options=('workers = 1',))
    with Site(conf, FILES) as site, site.client() as client:
        client.ask('/file')
        with Strace(site, 'calls') as trace:
            for _ in range(number):
                assert client.ask('/file').body == b'file'
        calls = collections.Counter(trace.calls)
        # For a request that comes late there is a recv(2) in vain and a poll(2) more.
        at_once = calls.pop('recvfrom') - calls.pop('poll', 0)
        assert abs(at_once - number) < 5, trace.calls  # strace came into one of them
        assert sum(calls.values()) <= 6 * number + 50, trace.calls  # the master has its own


# ---- reload, stop, recycling -------------------------------------------------------------

def versioned(number):
    return http(LONG, f'header = {{ "X-Version: {number}" }}')


def test_a_reload_ends_idle_connections_at_once_and_no_others():
    first, second = half()
    with Site(versioned(1), FILES) as site, contextlib.ExitStack() as stack:
        idle = idle_crowd(stack, site, 2)
        new, kept = (stack.enter_context(site.client()) for _ in range(2))
        kept.ask('/file')
        for client in new, kept:
            client.send(first)
        wait_dripping(site, new, kept)
        site.reload(versioned(2))
        for client in idle:
            assert ends(client, seconds=10)
        assert site.ask('/file')['X-Version'] == '2'
        for client in new, kept:
            answer = client.send(second).response()
            assert (answer.body, answer.closes, answer['X-Version']) == (b'file', True, '1')


def test_a_download_goes_on_over_a_reload():
    with Site(versioned(1), FILES) as site, site.client() as client:
        size = large(site)
        head = client.send(request('/large')).head()
        site.reload(versioned(2))
        assert (head['X-Version'], head['Content-Length']) == ('1', str(size))
        assert len(client.take(size)) == size
        assert client.ended()


def test_a_reload_that_changes_nothing_of_a_pool_keeps_its_connections():
    with Site(versioned(1), FILES) as site, site.client() as client:
        client.ask('/file')
        site.reload(versioned(1))
        assert client.ask('/file')['X-Version'] == '1'


def test_workers_made_after_a_reload_in_place_serve_as_those_before_it():
    def workers(number):
        return http(LONG, 'header = { "X-Version: 1" }', options=[f'workers = {number}'])
    with Site(workers(2), FILES) as site:
        first = site.wait_workers(2)
        assert 'changed in place web' in site.reload(workers(3))
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        site.wait_replaced(first, 3)
        for _ in range(6):
            assert site.ask('/file')['X-Version'] == '1'


def test_reloads_under_load_lose_no_request():
    with Site(versioned(0), FILES) as site, Browsers(site, clients=4) as browsers:
        browsers.wait_answered(50)
        for number in range(1, 11):
            site.reload(versioned(number))
            browsers.wait_answered(50)
        assert site.ask('/file')['X-Version'] == '10'
        assert browsers.failures == {}
    assert browsers.failures == {}


@pytest.mark.parametrize('how', ['signal', 'preforkctl'])
def test_a_graceful_stop_ends_idle_connections_at_once_and_finishes_the_others(how):
    first, second = half()
    with Site(http(LONG), FILES) as site, contextlib.ExitStack() as stack:
        idle = idle_crowd(stack, site, 2)
        new, kept = (stack.enter_context(site.client()) for _ in range(2))
        kept.ask('/file')
        for client in new, kept:
            client.send(first)
        wait_dripping(site, new, kept)
        if how == 'signal':
            site.signal(signal.SIGQUIT)
        else:
            stack.enter_context(site.ctl_begun('stop'))
        for client in idle:
            assert ends(client, seconds=10)
        for client in new, kept:
            answer = client.send(second).response()
            assert answer.body == b'file' and (answer.closes or ends(client, seconds=10))
        assert site.ended(10) == 0


def test_a_graceful_stop_under_load_answers_all_that_has_come():
    first, second = half()
    with Site(http(LONG), FILES) as site:
        clients = [site.client() for _ in range(40)]  # far more than workers
        for client in clients:
            client.send(request('/file', CLOSE))
        site.signal(signal.SIGQUIT)
        assert [client.response().body for client in clients] == [b'file'] * 40
        assert site.ended(10) == 0


def requests_until_it_ends(client):
    """How many requests of a connection are answered."""
    for number in itertools.count():
        with contextlib.suppress(BrokenPipeError):
            client.send(request('/file'))
        if not client.more():
            return number
        answer = client.response()
        assert answer.body == b'file'
        if answer.closes:
            return number + 1


def test_a_worker_that_is_due_does_not_keep_its_connection():
    conf = http(LONG, 'keepalive_requests = 1000000',
                options=('workers = 1', 'max_requests_per_worker = 100'))
    with Site(conf, FILES) as site, site.client() as client:
        old = site.wait_workers(1)
        with took(most=PATIENCE):
            assert 90 <= requests_until_it_ends(client) < 100000
        site.wait_replaced(old, 1)


def test_recycled_workers_lose_no_request():
    conf = http(LONG, options=('workers = 2', 'max_requests_per_worker = 150'))
    with Site(conf, FILES) as site:
        old = site.wait_workers(2)
        with Browsers(site, clients=2) as browsers:
            for _ in range(3):
                old = site.wait_replaced(old, 2)
            browsers.wait_answered(100)
        assert browsers.failures == {}


# ---- the access log ----------------------------------------------------------------------

def logged(form, *lines, options=('workers = 4',), **rest):
    return http(*lines, options=(*options, 'access_log = "{dir}/access.log"',
                                 f"access_format = '{form}'"), **rest)


QUOTED = rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\bnrtvf]|\\x[0-9a-f]{2})*)"'
TIME = rb'\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]'
COMMON = rb'127\.0\.0\.1 - - %s %s (\d{3}) (\d+|-)' % (TIME, QUOTED)
COMBINED = COMMON + rb' %s %s' % (QUOTED, QUOTED)


def test_common_and_combined_are_those_of_apache():
    for form, pattern in ('common', COMMON), ('combined', COMBINED):
        with Site(logged(form), FILES) as site:
            site.ask('/hello.txt?q', 'Referer: http://r.test/', 'User-Agent: tester/1.0 (x)')
            site.ask('/nothing')
            site.ask('/file', method='HEAD')
            first, second, third = [re.fullmatch(pattern, line) for line in site.wait_lines(3)]
            assert (first[2], first[3], first[4]) == (b'GET /hello.txt?q HTTP/1.1', b'200', b'14')
            assert (second[2], second[3]) == (b'GET /nothing HTTP/1.1', b'404')
            assert (third[2], third[3], third[4]) == (b'HEAD /file HTTP/1.1', b'200', b'-')
            when = datetime.datetime.strptime(first[1].decode(), '%d/%b/%Y:%H:%M:%S %z')
            assert abs(time.time() - when.timestamp()) < PATIENCE
            if form == 'combined':
                assert (first[5], first[6]) == (b'http://r.test/', b'tester/1.0 (x)')
                assert (second[5], second[6]) == (b'-', b'-')


def test_the_letters_of_a_template():
    letters = {'%h': '127.0.0.1', '%a': '127.0.0.1', '%l': '-', '%u': '-', '%%': '%', '%m': 'GET',
               '%U': '/hello.txt', '%q': '?a=b', '%H': 'HTTP/1.1', '%s': '200', '%>s': '200',
               '%b': '14', '%B': '14', '"%r"': '"GET /hello.txt?a=b HTTP/1.1"',
               '%{Referer}i': 'from',
               '%{X-None}i': '-', '"%{Content-Type}o"': '"text/plain; charset=utf-8"',
               '%{content-length}o': '14', '%V': HOST, '%X': '-', '%k': '0', '%T': '0'}
    numbers = '%p', '%P', '%D', '%I', '%O', '%{%Y}t'
    form = '|'.join([*letters, *numbers])
    with Site(logged(form), FILES) as site:
        with site.client() as client:
            client.send(request('/hello.txt?a=b', 'Referer: from', CLOSE))
            data = client.rest()
        line, = site.wait_lines(1)
        fields = line.decode().split('|')
        assert dict(zip(letters, fields)) == letters
        port, pid, micros, received, sent, year = map(int, fields[len(letters):])
        assert port == site.port('web') and pid in site.workers() and micros < PATIENCE * 10 ** 6
        assert received == len(request('/hello.txt?a=b', 'Referer: from', CLOSE))
        assert sent == len(data) and abs(year - time.gmtime().tm_year) <= 1


def test_keep_alive_in_the_log():
    with Site(logged('%k %X'), FILES) as site, site.client() as client:
        for _ in range(3):
            client.ask('/file')
        client.ask('/file', CLOSE)
        assert site.wait_lines(4) == [b'0 +', b'1 +', b'2 +', b'3 -']


@pytest.mark.parametrize('fields', [(), ('Range: bytes=0-60000000',),
                                    ('Range: bytes=0-0,1-60000000',)])
def test_a_client_that_goes_away_shows_in_the_log_with_what_it_had(fields):
    with Site(logged('%U %X %B %O'), FILES) as site:
        size, had = large(site), 1000000
        with deaf(site, '/large', *fields) as client:
            client.head()
            wait_state(site, client, 'writing')
            client.take(had)
        line, = site.wait_lines(1)
        target, sign, body, sent = line.split()
        assert (target, sign) == (b'/large', b'X')
        assert had <= int(body) < size and 0 < int(sent) - int(body) < 1000


def every_byte():
    """(name, byte, request): each byte in a target, in Referer and in User-Agent."""
    for number in range(256):
        byte = bytes([number])
        yield 'target', byte, request('/x?y', CLOSE).replace(b'?', byte)
        yield 'referer', byte, request('/file', b'Referer: a' + byte + b'b', CLOSE)
        yield 'user_agent', byte, request('/file', b'User-Agent: a' + byte + b'b', CLOSE)


def send_every_byte(site):
    address, number = site.address('web'), 0
    for number, (_, _, data) in enumerate(every_byte(), 1):
        with site.client(address=address) as client:
            assert client.send(data).response().status in (200, 400, 404), data
    return number


def test_each_line_of_json_is_valid_for_every_byte():
    with Site(logged('json', options=('workers = 1',)), FILES) as site:
        lines = site.wait_lines(send_every_byte(site))
        for line, (name, byte, _) in zip(lines, every_byte()):
            record = json.loads(line.decode('utf-8'))
            if record['status'] == 400:
                continue
            assert byte >= b' ' or name != 'target' and byte == b'\t'
            before, after = ('/x', 'y') if name == 'target' else ('a', 'b')
            assert record[name] == before + byte.decode('latin-1') + after
        assert sum(b'"status":400' not in line for line in lines) > 2 * 200


def test_utf_8_in_json_is_what_it_was():
    text = 'gr\u00fc\u00df \u65e5\u672c \U0001f600'
    with Site(logged('json'), FILES) as site:
        site.ask('/file', f'User-Agent: {text}')
        line, = site.wait_lines(1)
        assert json.loads(line)['user_agent'] == text


@pytest.mark.parametrize('form, pattern', [
    ('common', COMMON), ('combined', COMBINED),
    ('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"', COMBINED)])
def test_no_byte_can_forge_a_line(form, pattern):
    with Site(logged(form), FILES) as site:
        for line in site.wait_lines(send_every_byte(site)):
            assert re.fullmatch(pattern, line), line


def test_a_name_of_a_user_can_forge_nothing():
    user = base64.b64encode(b'x" 200 1\n127.0.0.1 - y [x] :pass').decode()
    with Site(logged('common'), FILES) as site:
        site.ask('/file', f'Authorization: Basic {user}')
        line, = site.wait_lines(1)
        assert re.fullmatch(COMMON, line), line


def test_there_is_one_line_for_each_request_also_for_the_wrong_ones():
    conf = logged('%>s "%r"', 'header_timeout = 1s', 'limit_request_body = 10')
    with Site(conf, FILES) as site:
        cases = [(request('/file', CLOSE), b'200 "GET /file HTTP/1.1'),
                 (b'GET /a b HTTP/1.1\r\n\r\n', b'400 "GET /a b HTTP/1.1'),
                 (b'GET /a HTTP/3.0\r\n\r\n', b'505 "GET /a HTTP/3.0'),
                 (b'GET /a HTTP/1.1\r\n\r\n', b'400 "GET /a HTTP/1.1'),
                 (b'GET /a HTTP/1.1\r\nHost: h\r\n', b'408 "'),
                 (b'GET /a', b'408 "'),
                 (request('/' + 'x' * 9000), b'414 "'),
                 (request('/file', 'X: ' + 'x' * 9000), b'431 "GET /file HTTP/1.1'),
                 (request('/file', body=b'x' * 11), b'413 "GET /file HTTP/1.1'),
                 (request('/file', 'Expect: x'), b'417 "GET /file HTTP/1.1'),
                 (request('/file', 'Transfer-Encoding: x'), b'501 "GET /file HTTP/1.1'),
                 (request('/file', CLOSE, method='PUT'), b'405 "PUT /file HTTP/1.1'),
                 (request('/file', CLOSE, method='X'), b'501 "X /file HTTP/1.1'),
                 (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc', b'400 "\\x16\\x03\\x01\\x02')]
        for number, (data, line) in enumerate(cases, 1):
            site.raw(data)
            assert site.wait_lines(number)[-1].startswith(line)
        with site.client() as client:
            client.send(request('/file') * 5 + request('/nothing', CLOSE))
            client.rest()
        assert len(site.wait_lines(len(cases) + 6)) == len(cases) + 6


def test_a_connection_without_a_request_is_not_in_the_log():
    with Site(logged('%>s "%r"', 'keepalive_timeout = 1s'), FILES) as site:
        with site.client() as client:
            client.sock.shutdown(socket.SHUT_WR)
            client.rest()
        with site.client() as client:
            client.ask('/file')
            assert ends(client)
        site.ask('/hello.txt')
        assert site.wait_lines(2) == [b'200 "GET /file HTTP/1.1"', b'200 "GET /hello.txt HTTP/1.1"']


def test_a_very_long_request_makes_one_line():
    with Site(logged('combined'), FILES) as site:
        site.ask('/file?' + '"' * 8000, 'Referer: ' + '\\' * 8000, b'User-Agent: ' + b'\xff' * 8000)
        site.ask('/file')
        long, short = site.wait_lines(2)
        assert re.fullmatch(COMBINED, short)
        assert re.fullmatch(COMBINED, long) and b'" 200 4 "' in long, long


def test_usr1_opens_a_new_log_and_no_line_is_lost():
    with Site(logged('%>s %U', 'keepalive_requests = 1000000'), FILES) as site:
        old = []
        with Browsers(site, clients=4, fields=['X-From: browser']) as browsers:
            for number in range(5):
                browsers.wait_answered(100)
                moved = site.dir / f'access.log.{number}'
                site.access_path.rename(moved)
                old.append(moved)
                site.signal(signal.SIGUSR1)
                eventually(site.access_path.exists, 'a new log')
                # Nobody writes to the old one any more.
                eventually(lambda: len(site.access_log()) > 50, 'lines in the new log')
        assert browsers.failures == {}
        lines = [line for path in [*old, site.access_path]
                 for line in path.read_bytes().split(b'\n')[:-1]]
        assert collections.Counter(lines) == {b'200 /file': browsers.answered}


def test_a_reload_writes_to_the_same_log():
    with Site(logged('%U'), FILES) as site:
        site.ask('/file')
        old = site.workers()
        site.reload(logged('%U changed'))
        eventually(lambda: not any(map(alive, old)), 'the old workers to leave')
        site.ask('/file')
        assert site.wait_lines(2) == [b'/file', b'/file changed']


@pytest.mark.parametrize('form, place', [
    ('%h %Z', '%Z'), ('%{Referer', '%{Referer'), ('%{Referer}z', '%{Referer}z'), ('%', '%')])
def test_a_wrong_format_is_refused_with_its_place(form, place):
    said = Site(logged(form), FILES).refusal()
    assert 'access_format' in said and place in said


def test_an_access_log_that_cannot_be_opened_is_refused():
    said = Site(http(options=('access_log = "/no/such/directory/access.log"',)), FILES).refusal()
    assert '/no/such/directory/access.log' in said and 'No such file' in said


# ---- the status --------------------------------------------------------------------------

def test_the_status_shows_what_each_worker_does_for_whom():
    with Site(http(LONG, options=('workers = 4',)), FILES) as site:
        large(site)
        with site.client() as reading, site.client() as kept, deaf(site, '/large?q=1') as writing:
            reading.send(b'GET /half')
            kept.ask('/hello.txt')
            wait_state(site, reading, 'reading')
            wait_state(site, kept, 'keepalive')
            assert wait_state(site, writing, 'writing') == 'GET /large?q=1 HTTP/1.1'
            assert sorted(state for state, *_ in workers(site)) == [
                'idle', 'keepalive', 'reading', 'writing']
            assert 'GET /large?q=1' in site.done('workers', 'web')
        eventually(lambda: {state for state, *_ in workers(site)} == {'idle'}, 'all to be idle')


def test_the_status_counts_requests_and_not_connections():
    with Site(http(LONG, options=('workers = 1',)), FILES) as site:
        with site.client() as client:
            for _ in range(10):
                client.ask('/file')
        site.ask('/file')
        worker, = site.pool_status('web')['workers']
        assert worker['requests'] == 11


def test_control_bytes_of_a_request_do_not_reach_the_terminal():
    with Site(http(LONG, options=('workers = 1',)), FILES) as site, site.client() as client:
        assert client.ask('/%1b[31m').status == 404
        with site.client() as bad:
            bad.send(b'GET /\x1b[31m HTTP/1.1\r\n\r\n')
            bad.more()
            assert '\x1b' not in site.done('workers') + site.done('status', '--json')


def test_slow_request_tells_which_request_is_slow():
    conf = http(LONG, options=('workers = 2', 'slow_request = 500ms'))
    with Site(conf, FILES) as site:
        large(site)
        with site.client() as idle, deaf(site, '/large?slow'):
            idle.ask('/file')
            line = site.wait_log(r'warning: pool web: .*\(slow_request\).*').group(0)
            assert 'GET /large?slow' in line
            site.wait_log(r'ready')
        assert '/file' not in ''.join(re.findall(r'.*slow_request.*', site.log()))


def test_request_timeout_ends_a_request_but_no_idle_connection():
    conf = http(LONG, options=('workers = 2', 'request_timeout = 1s'))
    with Site(conf, FILES) as site:
        large(site)
        with site.client() as idle, deaf(site, '/large') as slow:
            idle.ask('/file')
            site.wait_log(r'warning: pool web: .*\(request_timeout\).*')
            with contextlib.suppress(ConnectionResetError):
                while slow.more():
                    slow.buffer = b''
            assert idle.ask('/file').body == b'file'
