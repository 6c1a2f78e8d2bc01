"""Requests that take too long, and pools that have too many of them."""
import contextlib
import os
import re
import signal
import time

import pytest

from harness import Daemon, alive, can_trace, check_config, eventually
from load import ANSWERED, Load, held, open_client, pool, read_answer, script, word_for
from test_control import silence, wait_pool
from test_processes import LOST_WITH_ITS_WORKER

ENDLESS = script('echo $$; exec sleep 600')
STUBBORN = script("trap '' TERM; echo $$; while :; do sleep 1; done")


def told(daemon, option, name='busy'):
    """What the log says of requests over a limit: [(worker, client, request, seconds, why)]."""
    return re.findall(rf'warning: pool {name}: worker (\d+), client (\S+): request (\d+)[^:]* '
                      rf'runs for ([\d.]+) s \({option}\): (.*)', daemon.log())


def wait_told(daemon, option, name='busy'):
    return eventually(lambda: told(daemon, option, name), f'a warning of {option}')


def name_of(client):
    host, port = client.getsockname()
    return f'{host}:{port}'


def ends(client):
    """Waits for the end of a connection, in order or not."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while client.recv(65536):
            pass
    return True


# --- slow_request ------------------------------------------------------------------------

def test_a_slow_program_is_told_once_and_let_alone():
    conf = pool('busy', 'workers = 2', 'slow_request = 500ms', ENDLESS, service='exec')
    with Daemon(conf) as daemon, daemon.connect('busy') as client:
        program = int(client.recv(20))
        (worker, peer, _, seconds, why), = wait_told(daemon, 'slow_request')
        assert int(worker) in daemon.workers() and peer == name_of(client)
        assert 0.5 <= float(seconds) < 30
        assert str(program) in why
        with daemon.connect('busy') as second:  # the next one is told when its time has come
            second.recv(20)
            eventually(lambda: len(told(daemon, 'slow_request')) == 2, 'a warning for the second')
        assert [each[1] for each in told(daemon, 'slow_request')].count(peer) == 1
        assert alive(program)


@pytest.mark.parametrize('service', ['echo', 'rot13'])
def test_a_slow_client_is_told_with_what_its_worker_waits_for(service):
    conf = pool('busy', 'workers = 2', 'slow_request = 500ms', service=service)
    with Daemon(conf) as daemon, daemon.connect('busy') as client:
        client.sendall(b'123\n')
        assert client.recv(4) == b'123\n'
        (worker, peer, request, _, why), = wait_told(daemon, 'slow_request')
        assert (peer, request) == (name_of(client), '1') and int(worker) in daemon.workers()
        assert why.strip()
        client.sendall(b'456\n')
        assert client.recv(4) == b'456\n'


def test_quick_requests_are_not_told():
    conf = pool('quick', 'workers = 2', 'slow_request = 2s') + pool(
        'busy', 'workers = 1', 'slow_request = 1s')
    with Daemon(conf) as daemon, held(daemon, 'busy', 1):
        with Load(daemon.address('quick'), rate=400, clients=2) as load:
            wait_told(daemon, 'slow_request')
            load.wait_answered(200)
        assert told(daemon, 'slow_request', 'quick') == []


# --- request_timeout ---------------------------------------------------------------------

def test_a_program_over_its_time_is_ended_with_its_connection():
    conf = pool('busy', 'workers = 2', 'request_timeout = 1s', ENDLESS, service='exec')
    with Daemon(conf) as daemon, daemon.connect('busy') as client:
        program = int(client.recv(20))
        assert ends(client)
        eventually(lambda: not alive(program), 'the end of the program')
        (worker, peer, _, seconds, why), = wait_told(daemon, 'request_timeout')
        assert peer == name_of(client) and int(worker) > 1
        assert 1 <= float(seconds) < 30 and why.endswith('TERM')
        wait_pool(daemon, 'busy', idle=2, total=2)
        with daemon.connect('busy') as next_one:
            assert int(next_one.recv(20)) != program


@pytest.mark.parametrize('service', ['echo', 'rot13'])
def test_a_client_over_its_time_is_cut_off_however_busy_it_is(service):
    conf = pool('busy', 'workers = 2', 'request_timeout = 1s', service=service)
    with Daemon(conf) as daemon, daemon.connect('busy') as client:

        def still_there():
            client.sendall(b'12\n')
            return client.recv(16)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            eventually(lambda: not still_there(), 'the end of the connection', every=0.1)
        (_, peer, *_), = wait_told(daemon, 'request_timeout')
        assert peer == name_of(client)
        wait_pool(daemon, 'busy', idle=2, total=2)
        assert daemon.ask('busy', b'12\n') == b'12\n'


def test_a_program_and_a_worker_that_do_not_react_to_term_are_killed_after_the_grace():
    conf = pool('busy', 'workers = 1', 'request_timeout = 1s', STUBBORN, service='exec') + pool(
        'stuck', 'workers = 1', 'request_timeout = 1s')
    with Daemon(conf) as daemon, daemon.connect('busy') as client, \
            held(daemon, 'stuck', 1) as stuck:
        program, (worker,) = int(client.recv(20)), daemon.workers('stuck')
        os.kill(worker, signal.SIGSTOP)
        wait_told(daemon, 'request_timeout')
        wait_told(daemon, 'request_timeout', 'stuck')
        assert alive(program) and alive(worker)
        eventually(lambda: not alive(program), 'the end of the program')
        daemon.wait_log(rf'pool stuck: worker {worker}.*: KILL')
        eventually(lambda: not alive(worker), 'the end of the worker')
        assert ends(client) and ends(*stuck)
        for name in 'busy', 'stuck':
            wait_pool(daemon, name, idle=1, total=1)
        assert daemon.ask('stuck', b'hello\n') == b'hello\n'


def test_an_idle_worker_is_never_ended():
    conf = pool('busy', 'workers = 1', 'request_timeout = 1s') + pool(
        'idle', 'workers = 3', 'request_timeout = 1s')
    with Daemon(conf) as daemon:
        workers = daemon.wait_workers(3, 'idle')
        for sock in [open_client(daemon.address('idle'), b'once\n') for _ in workers]:
            assert read_answer(sock) == b'once\n'
        for _ in range(2):  # twice the time
            with daemon.connect('busy') as client:
                assert ends(client)
        assert daemon.workers('idle') == workers
        assert told(daemon, 'request_timeout', 'idle') == []


def test_many_short_requests_under_a_short_limit_are_all_answered():
    conf = pool('busy', 'workers = 2', 'request_timeout = 2s') + pool(
        'long', 'workers = 1', 'request_timeout = 2s')
    with Daemon(conf) as daemon:
        workers = daemon.wait_workers(2, 'busy')
        with Load(daemon.address('busy'), rate=400, clients=3) as load:
            with daemon.connect('long') as client:
                assert ends(client)
        assert load.failures == {} and load.answered > 400
        assert daemon.workers('busy') == workers


def test_a_limit_that_a_reload_sets_counts_for_who_is_in():
    with Daemon(pool('busy', 'workers = 2')) as daemon:
        workers = daemon.wait_workers(2)
        with held(daemon, 'busy', 1) as (client,):
            daemon.reload(pool('busy', 'workers = 2', 'request_timeout = 1s'))
            assert set(daemon.workers()) == set(workers)
            assert ends(client)
        wait_told(daemon, 'request_timeout')


def test_a_draining_worker_has_the_limit_too():
    with Daemon(pool('busy', 'workers = 2', 'request_timeout = 2s')) as daemon:
        old = daemon.wait_workers(2)
        with held(daemon, 'busy', 1) as (client,):
            daemon.reload(pool('busy', 'workers = 2', 'request_timeout = 2s', 'nice = 5'))
            assert ends(client)
        daemon.wait_replaced(old, 2)


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_limits_cost_nothing_while_nobody_is_there():
    conf = pool('busy', 'workers = 3', 'request_timeout = 1s', 'slow_request = 500ms',
                'max_queue_wait = 1s', 'max_requests_per_worker = 1000', 'max_worker_age = 1d',
                'max_worker_memory = 1G')
    with Daemon(conf) as daemon:
        with daemon.connect('busy') as client:
            assert ends(client)
        wait_pool(daemon, 'busy', idle=3, total=3)
        for sock in [open_client(daemon.address('busy'), b'once\n') for _ in range(3)]:
            assert read_answer(sock) == b'once\n'
        wait_pool(daemon, 'busy', idle=3, total=3)

        assert silence(daemon)


# --- saturation --------------------------------------------------------------------------

SATURATED = (r'warning: pool {}: all (\d+) workers? (?:is|are) busy and (\d+) connections? waits?'
             r'(?:: raise)?')
RELIEVED = (r'notice: pool {}: no longer saturated, after ([\d.]+) s; '
            r'at most (\d+) connections? waited')


def test_a_saturation_has_one_warning_and_one_end():
    sizes = {'fixed': ['workers = 2'], 'dynamic': ['start_workers = 1', 'max_workers = 2']}
    with Daemon(''.join(pool(name, *size) for name, size in sizes.items())) as daemon:
        with held(daemon, 'fixed', 2), held(daemon, 'dynamic', 2):
            clients = [open_client(daemon.address(name), b'waits\n')
                       for name in sizes for _ in range(7)]
            for name in sizes:
                daemon.wait_log(SATURATED.format(name))
                assert wait_pool(daemon, name, queue_length=7)['saturated_ms'] > 0
                eventually(lambda: daemon.pool_status(name)['saturated_ms'] >= 1300,
                           'the saturation to last')
        assert [read_answer(sock) for sock in clients] == [b'waits\n'] * 14
        for name in sizes:
            daemon.wait_log(RELIEVED.format(name))
            (workers, waited), = re.findall(SATURATED.format(name), daemon.log())
            (seconds, most), = re.findall(RELIEVED.format(name), daemon.log())
            assert workers == '2' and 1 <= int(waited) <= 7
            assert 0.9 <= float(seconds) < 60 and most == '7'
            wait_pool(daemon, name, saturated_ms=0)


def test_busy_workers_with_nobody_waiting_are_no_saturation():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        with held(daemon, 'echo', 2):
            assert wait_pool(daemon, 'echo', busy=2)['saturated_ms'] == 0
            assert not re.search(SATURATED.format('echo'), daemon.log())
            with open_client(daemon.address('echo'), b'waits\n'):
                daemon.wait_log(SATURATED.format('echo'))


def test_saturation_that_comes_and_goes_does_not_flood_the_log():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        for _ in range(20):
            with held(daemon, 'echo', 2):
                clients = [open_client(daemon.address('echo'), b'waits\n') for _ in range(3)]
                daemon.wait_log(SATURATED.format('echo'))
                wait_pool(daemon, 'echo', queue_length=3)
            assert [read_answer(sock) for sock in clients] == [b'waits\n'] * 3
        assert 1 <= len(re.findall(SATURATED.format('echo'), daemon.log())) <= 4
        assert len(re.findall('saturated', daemon.log())) <= 6


def test_the_way_out_of_a_saturation_is_told_also_when_workers_are_added():
    with Daemon(pool('echo', 'workers = 1')) as daemon, held(daemon, 'echo', 1):
        waiting = open_client(daemon.address('echo'), b'waits\n')
        daemon.wait_log(SATURATED.format('echo'))
        daemon.done('scale', 'echo', '+1')
        assert read_answer(waiting) == b'waits\n'
        daemon.wait_log(RELIEVED.format('echo'))


# --- max_queue_wait ----------------------------------------------------------------------

@contextlib.contextmanager
def after_a_jam(*options):
    """One busy worker, five that wait for two seconds, then a fresh one as it ends."""
    with Daemon(pool('echo', 'workers = 1', *options)) as daemon:
        where = daemon.address('echo')
        with held(daemon, 'echo', 1):
            old = [open_client(where, b'old\n') for _ in range(5)]
            end = time.monotonic() + 2
            eventually(lambda: time.monotonic() > end, 'two seconds', every=0.1)
            fresh = open_client(where, b'fresh\n')
        words = [word_for(b'old\n', lambda: read_answer(sock)) for sock in old]
        yield words, read_answer(fresh), daemon


def test_who_has_waited_too_long_is_let_go_and_who_has_just_come_is_served():
    with after_a_jam('max_queue_wait = 1s') as (words, fresh, daemon):
        assert fresh == b'fresh\n'
        assert ANSWERED not in words and set(words) <= LOST_WITH_ITS_WORKER
        assert wait_pool(daemon, 'echo', idle=1)['shed'] == 5
        line = daemon.wait_log(r'warning: pool echo: closed a connection that had waited '
                               r'([\d.]+) s \(max_queue_wait\b')
        assert 1 <= float(line.group(1)) < 60
        assert daemon.log().count('max_queue_wait') <= 5


def test_http_says_that_it_was_too_busy():
    request = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    conf = pool('web', 'workers = 1', 'max_queue_wait = 500ms',
                'http { document_root = "/" keepalive_timeout = 0 }', service='http')
    with Daemon(conf) as daemon, daemon.connect('web') as slow:
        slow.sendall(request[:10])
        wait_pool(daemon, 'web', busy=1)
        waiting = open_client(daemon.address('web'), request)
        end = time.monotonic() + 1
        eventually(lambda: time.monotonic() > end, 'a second', every=0.1)
        slow.sendall(request[10:])
        answer = read_answer(waiting)
        assert answer.startswith(b'HTTP/1.1 503 ') and b'\r\nRetry-After: 1\r\n' in answer
        assert wait_pool(daemon, 'web', idle=1)['shed'] == 1


def test_without_max_queue_wait_everybody_is_served():
    with after_a_jam() as (words, fresh, daemon):
        assert (words, fresh) == ([ANSWERED] * 5, b'fresh\n')
        assert daemon.pool_status('echo')['shed'] == 0


def test_a_client_that_speaks_late_has_not_waited_in_the_queue():
    with Daemon(pool('echo', 'workers = 2', 'max_queue_wait = 500ms')) as daemon:
        with held(daemon, 'echo', 1) as (client,):
            first = wait_pool(daemon, 'echo', busy=1)
            began = time.monotonic()
            eventually(lambda: time.monotonic() > began + 1, 'a second', every=0.1)
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n'
        with Load(daemon.address('echo'), rate=200, clients=2) as load:
            load.wait_answered(200)
        assert load.failures == {} and first['shed'] == 0
        assert daemon.pool_status('echo')['shed'] == 0


@pytest.mark.parametrize('listen', ['/tmp/preforkd-test-socket', '@preforkd-test'])
def test_max_queue_wait_is_refused_on_a_unix_socket(listen, tmp_path):
    daemon = Daemon(pool('echo', 'max_queue_wait = 1s', listen=listen), dir=tmp_path)
    result = check_config(daemon.conf_path, '-n')
    assert result.returncode == 1
    assert re.match(rf'{daemon.conf_path}:\d+: .*max_queue_wait', result.stderr)
    daemon.write(pool('echo', 'max_queue_wait = 1s'))
    assert check_config(daemon.conf_path, '-n').returncode == 0
    daemon.write(pool('echo', 'max_queue_wait = 0', listen=listen))
    assert check_config(daemon.conf_path, '-n').returncode == 0
