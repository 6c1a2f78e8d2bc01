"""Who is let in, how many at a time, and how fast."""
import collections
import contextlib
import datetime
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from harness import PATIENCE, SANITIZED, Daemon, alive, eventually, needs_preload, preload
from load import ANSWERED, open_client, pool, read_answer, script, word_for
from test_control import wait_pool
from test_processes import AS_STRANGER, LOST_WITH_ITS_WORKER
from web import Client, Site, http

ENDLESS = script('echo $$; exec sleep 600')
# ip(7): the port is chosen at the connect, or thousands of tests' connections use all of them up.
IP_BIND_ADDRESS_NO_PORT = 24
DAYS = 'Mon Tue Wed Thu Fri Sat Sun'.split()


def connect(daemon, name, source='127.0.0.1', timeout=PATIENCE):
    """A connection from one of the addresses of this machine."""
    sock = socket.socket()
    sock.settimeout(timeout)
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((source, 0))
    sock.connect(('127.0.0.1', daemon.port(name)))
    return sock


def answer(sock, data=b'hello\n'):
    """What comes of an echo request up to the end, which may be a reset."""
    with sock:
        with contextlib.suppress(OSError):  # who is refused may be so before it has spoken
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        found = b''
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                found += piece
        return found


def asked_from(daemon, name, source):
    return answer(connect(daemon, name, source))


def refused(daemon, name='echo'):
    """{reason: how often} of all that were refused."""
    found = daemon.pool_status(name)
    return {key.removeprefix('refused_'): value for key, value in found.items()
            if key.startswith('refused_') and value}


# ---- addresses -----------------------------------------------------------------------

def test_the_longest_prefix_decides_who_is_served():
    conf = pool('echo', 'workers = 2', 'allow = { "127.0.0.0/24", "127.0.1.9" }',
                'deny = { "127.0.0.13", "127.0.1.0/24" }')
    with Daemon(conf) as daemon:
        served = {source for source in ('127.0.0.1', '127.0.0.12', '127.0.0.13', '127.0.0.14',
                                        '127.0.1.1', '127.0.1.9', '127.0.2.1')
                  if asked_from(daemon, 'echo', source) == b'hello\n'}
        assert served == {'127.0.0.1', '127.0.0.12', '127.0.0.14', '127.0.1.9'}
        assert refused(daemon) == {'access': 3}
        assert wait_pool(daemon, 'echo', idle=2)['accepted'] == 4


def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client():
    conf = pool('echo', 'workers = 1', 'allow = "127.0.0.2"', listen='[::]:0')
    with Daemon(conf) as daemon:
        assert asked_from(daemon, 'echo', '127.0.0.2') == b'hello\n'
        assert asked_from(daemon, 'echo', '127.0.0.1') == b''
        with socket.socket(socket.AF_INET6) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(('::1', daemon.port('echo')))
            assert answer(sock) == b''


def test_a_unix_client_is_let_in_by_its_own_word():
    conf = ''.join(pool(name, 'workers = 1', rule, listen='{dir}/' + name) for name, rule in (
        ('yes', 'allow = "unix"'), ('no', 'deny = "unix"'), ('other', 'allow = "127.0.0.1"')))
    with Daemon(conf) as daemon:
        assert answer(daemon.connect('yes')) == b'hello\n'
        assert answer(daemon.connect('no')) == answer(daemon.connect('other')) == b''


def test_who_is_refused_is_told_and_the_log_is_not_flooded():
    conf = pool('echo', 'workers = 2', 'deny = "127.0.0.2"',
                r'deny_message = "421 Service not available\r\n"')
    with Daemon(conf) as daemon:
        for _ in range(200):
            assert asked_from(daemon, 'echo', '127.0.0.2') == b'421 Service not available\r\n'
        assert refused(daemon) == {'access': 200}
        lines = re.findall(r'notice: pool echo: refused 127\.0\.0\.2:\d+: .*allow and deny', daemon.log())
        assert 1 <= len(lines) <= 4
        text = daemon.done('status')
        assert 'pool echo: 200 connections refused: 200 by allow and deny' in text
        assert asked_from(daemon, 'echo', '127.0.0.1') == b'hello\n'


def test_refusals_wake_nobody_and_change_no_size():
    conf = pool('echo', 'start_workers = 2', 'min_spare_workers = 2', 'deny = "127.0.0.2"')
    with Daemon(conf) as daemon:
        workers = daemon.wait_workers(2)
        for _ in range(100):
            assert asked_from(daemon, 'echo', '127.0.0.2') == b''
        assert daemon.workers() == workers
        assert wait_pool(daemon, 'echo', idle=2)['accepted'] == 0


def test_http_answers_who_is_refused():
    conf = http(options=('workers = 2', 'deny = "127.0.0.2"')) + http(
        name='few', options=('workers = 2', 'max_connections_per_source = 1'))
    with Site(conf, files={'index.html': b'hello'}) as site:
        response = Client(connect(site, 'web', '127.0.0.2')).ask('/')
        assert (response.status, response.body) == (403, b'')
        assert site.ask('/').body == b'hello'
        with site.client('few') as first:
            assert first.ask('/').status == 200
            second = Client(connect(site, 'few')).ask('/')
            assert (second.status, second['Retry-After']) == (429, '1')
            assert Client(connect(site, 'few', '127.0.0.2')).ask('/').status == 200
            assert first.ask('/').status == 200


# ---- times, load ---------------------------------------------------------------------

def test_the_time_of_day_decides():
    today = datetime.date.today().weekday()
    others = ', '.join(f'"{DAYS[(today + n) % 7]}"' for n in (2, 3, 4, 5))  # whatever midnight does
    conf = (pool('never', 'workers = 1', f'access_times = {{ {others} }}', 'deny_message = "no"')
            + pool('always', 'workers = 1', 'access_times = { "00:00-12:00", "12:00-24:00" }'))
    with Daemon(conf) as daemon:
        assert answer(daemon.connect('never')) == b'no'
        assert answer(daemon.connect('always')) == b'hello\n'
        assert (refused(daemon, 'never'), refused(daemon, 'always')) == ({'times': 1}, {})
        daemon.wait_log('refused .*access_times')


@needs_preload
def test_the_load_decides(tmp_path):
    fake = preload(tmp_path, '#include <sys/sysinfo.h>\n#include <string.h>\n'
                   'int sysinfo(struct sysinfo *i) {\n'
                   '  memset(i, 0, sizeof *i); i->loads[0] = (5 << 16) + (1 << 15); return 0; }')
    conf = ''.join(pool(f'at{limit}', 'workers = 1', f'max_load = {limit}', 'deny_message = "no"')
                   for limit in (5.4, 5.5, 5.6, 0))
    with Daemon(conf, env=fake) as daemon:
        assert [answer(daemon.connect(f'at{limit}')) for limit in (5.4, 5.5, 5.6, 0)] == [
            b'no', b'no', b'hello\n', b'hello\n']
        assert refused(daemon, 'at5.5') == {'load': 1}
        daemon.wait_log('refused .*max_load')


# ---- banner --------------------------------------------------------------------------

def test_the_banner_comes_first_and_to_those_who_are_served():
    conf = pool('echo', 'workers = 1', r'banner = "welcome\r\n"', 'deny = "127.0.0.2"') + pool(
        'run', 'workers = 1', r'banner = "welcome\r\n"', script('echo hello'), service='exec')
    with Daemon(conf) as daemon:
        assert asked_from(daemon, 'echo', '127.0.0.1') == b'welcome\r\nhello\n'
        assert asked_from(daemon, 'echo', '127.0.0.2') == b''
        assert daemon.ask('run') == b'welcome\r\nhello\n'


def of_file(*options):
    """Two pools with a banner from a file."""
    file = 'banner_file = "{dir}/motd"'
    return pool('echo', 'workers = 2', file, *options) + pool(
        'run', 'workers = 1', file, script('echo hello'), service='exec')


def with_file(*options):
    """A daemon with these pools, whose file is there."""
    daemon = Daemon(of_file(*options))
    (daemon.dir / 'motd').write_text('from a file\n')
    return daemon


def test_a_banner_from_a_file_is_read_for_each_connection():
    with with_file('deny = "127.0.0.2"') as daemon:
        assert asked_from(daemon, 'echo', '127.0.0.1') == b'from a file\nhello\n'
        assert asked_from(daemon, 'echo', '127.0.0.2') == b''
        assert daemon.ask('run') == b'from a file\nhello\n'
        for text in 'another one\n', '', 'x' * 16383 + '\n':
            (daemon.dir / 'motd').write_text(text)
            assert daemon.ask('run') == text.encode() + b'hello\n'


@pytest.mark.parametrize('spoil, why', [
    (lambda path: path.unlink(), 'No such file or directory'),
    (lambda path: path.write_text('x' * 16385), 'File too large'),
    (lambda path: (path.unlink(), os.mkfifo(path)), 'Invalid argument'),
    (lambda path: path.chmod(0), 'Permission denied')], ids=['gone', 'long', 'fifo', 'mode'])
def test_a_banner_file_that_is_lost_is_logged_once_until_it_is_back(spoil, why):
    with with_file() as daemon:
        path = daemon.dir / 'motd'
        for _ in range(2):
            mark = daemon.mark()
            spoil(path)
            assert {daemon.ask('echo', b'1') for _ in range(5)} == {b'1'}
            daemon.wait_log(rf'warning: pool echo: banner_file: {path}: {why}; until it is back there '
                            'is none$', since=mark)
            assert daemon.log()[mark:].count('banner_file') == 1
            path.unlink(missing_ok=True)
            path.write_text('back\n')
            assert daemon.ask('echo', b'1') == b'back\n1'


@pytest.mark.parametrize('text, why', [(None, 'No such file or directory'),
                                       ('x' * 16385, 'is longer than 16384 bytes')],
                         ids=['gone', 'long'])
def test_without_its_banner_file_a_pool_neither_starts_nor_reloads(text, why):
    def put(daemon):
        (daemon.dir / 'motd').unlink(missing_ok=True)
        if text:
            (daemon.dir / 'motd').write_text(text)
    daemon = with_file()
    put(daemon)
    assert why in daemon.refusal()
    with with_file() as daemon:
        put(daemon)
        assert why in daemon.reload(of_file('nice = 1'), expect='refused')


@pytest.mark.root
def test_a_banner_file_is_read_by_the_pool_inside_of_its_chroot():
    daemon = Daemon(pool('echo', 'workers = 1', 'chroot = "{dir}"', 'banner_file = "/motd"'))
    (daemon.dir / 'motd').write_text('from a file\n')
    with daemon:
        assert daemon.ask('echo', b'1') == b'from a file\n1'


# ---- connections of a source ---------------------------------------------------------

def hold(daemon, name, source='127.0.0.1'):
    """An echo connection that has its worker, or None if it was refused."""
    sock = connect(daemon, name, source)
    try:
        sock.sendall(b'held\n')
        if sock.recv(5) == b'held\n':
            return sock
    except (ConnectionResetError, BrokenPipeError):
        pass
    sock.close()
    return None


def hold_again(daemon, name, source='127.0.0.1'):
    """The same as soon as the worker of one that has ended is free."""
    return eventually(lambda: hold(daemon, name, source), f'a place for {source}')


def test_a_source_has_so_many_connections_and_another_one_too():
    with Daemon(pool('echo', 'workers = 8', 'max_connections_per_source = 2')) as daemon:
        held = [hold(daemon, 'echo') for _ in range(2)]
        assert all(held) and not hold(daemon, 'echo')
        others = [hold(daemon, 'echo', '127.0.0.2') for _ in range(2)]
        assert all(others) and not hold(daemon, 'echo', '127.0.0.2')
        assert refused(daemon) == {'source': 2}
        held.pop().close()
        with hold_again(daemon, 'echo'):
            assert not hold(daemon, 'echo')
        for sock in held + others:
            sock.close()


@pytest.mark.root
def test_a_source_of_a_unix_socket_is_a_user():
    with Daemon(pool('echo', 'workers = 4', 'max_connections_per_source = 1', 'listen_mode = "0666"',
                     listen='{dir}/sock')) as daemon:
        ask = ('import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); '
               's.sendall(b"x"); s.shutdown(1); print(len(s.recv(9)))')
        with daemon.connect('echo') as mine:
            mine.sendall(b'mine')
            assert mine.recv(4) == b'mine'
            assert answer(daemon.connect('echo')) == b''
            other = subprocess.run([*AS_STRANGER, sys.executable, '-c', ask,
                                    daemon.address('echo')[1]],
                                   capture_output=True, text=True, timeout=PATIENCE)
            assert other.stdout == '1\n', other


def test_of_a_crowd_of_one_source_as_many_as_may_get_in():
    """All at the same moment, again and again: neither more nor fewer."""
    with Daemon(pool('echo', 'workers = 20', 'max_connections_per_source = 4')) as daemon:
        daemon.wait_workers(20)
        for _ in range(20):
            socks = [connect(daemon, 'echo') for _ in range(20)]
            random.shuffle(socks)
            words = collections.Counter()
            for sock in socks:
                sock.settimeout(PATIENCE)
                with contextlib.suppress(OSError):
                    sock.sendall(b'held\n')
            for sock in socks:
                words[word_for(b'held\n', lambda sock=sock: sock.recv(5))] += 1
            for sock in socks:
                sock.close()
            assert words[ANSWERED] == 4, words
            wait_pool(daemon, 'echo', idle=20)


def test_a_kept_connection_counts_across_a_reload():
    def conf(nice):
        return pool('echo', 'workers = 4', 'max_connections_per_source = 2', f'nice = {nice}')
    with Daemon(conf(1)) as daemon:
        first = hold(daemon, 'echo')
        daemon.reload(conf(2))
        second = hold(daemon, 'echo')
        assert first and second and not hold(daemon, 'echo')
        first.close()
        with hold_again(daemon, 'echo'):
            assert not hold(daemon, 'echo')
        second.close()


def test_no_death_takes_a_place_away():
    conf = pool('run', 'workers = 20', 'max_connections_per_source = 4', ENDLESS, service='exec')

    def begin():
        """The pid of a program, and its connection; or None."""
        sock = connect(daemon, 'run')
        with contextlib.suppress(ConnectionResetError):
            pid = sock.recv(20)
            if pid:
                return int(pid), sock
        sock.close()
        return None
    with Daemon(conf) as daemon:
        for victims in ('programs', 'workers', 'both'):
            served = dict(found for found in [begin() for _ in range(20)] if found)
            workers = {worker['program']: worker['pid']
                       for worker in daemon.pool_status('run')['workers'] if worker['program']}
            assert len(served) == 4 and set(served) == set(workers)
            for i, program in enumerate(served):
                if victims == 'programs' or (victims == 'both' and i % 2):
                    os.kill(program, signal.SIGKILL)
                else:
                    os.kill(workers[program], signal.SIGKILL)
            eventually(lambda: not any(map(alive, served)), 'the end of the programs')
            for sock in served.values():
                sock.close()
            wait_pool(daemon, 'run', busy=0, total=20)
        # Nothing is left of them: as many as ever get in, at once.
        assert len([found for found in [begin() for _ in range(5)] if found]) == 4


# ---- rates ---------------------------------------------------------------------------

class Crowd:
    """So many echo clients, connected at once from one address, read in a thread each as
    their answers come: `answered` counts."""

    def __init__(self, daemon, name, number, source='127.0.0.1'):
        self.began = time.monotonic()
        self.answered, self.words = 0, collections.Counter()
        self.clients = []
        for i in range(number):
            sock, line = connect(daemon, name, source), b'client %d\n' % i
            with contextlib.suppress(OSError):  # as in answer()
                sock.sendall(line)
                sock.shutdown(socket.SHUT_WR)
            self.clients.append((sock, line))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for sock, line in self.clients:
            self.words[word_for(line, lambda sock=sock: read_answer(sock))] += 1
            self.answered = self.words[ANSWERED]
        self.seconds = time.monotonic() - self.began

    def wait(self):
        self.thread.join(2 * PATIENCE)
        assert not self.thread.is_alive()
        return dict(self.words)


def test_a_thousand_at_once_are_delayed_and_none_is_refused():
    conf = pool('echo', 'max_workers = 30', 'rate_limit = 200', 'listen_backlog = 2000')
    with Daemon(conf) as daemon:
        crowd = Crowd(daemon, 'echo', 1000)
        # The socket listens all the time, and who comes now has its turn behind them.
        with connect(daemon, 'echo') as late:
            assert wait_pool(daemon, 'echo', state='running')['queue_limit'] > 511
            assert crowd.wait() == {ANSWERED: 1000}
            assert answer(late) == b'hello\n'
        assert 4.9 <= crowd.seconds < 4.9 + PATIENCE
        found = daemon.pool_status('echo')
        assert found['delayed'] >= 990 and refused(daemon) == {}
        assert found['accepted'] == 1001
        daemon.wait_log('raise max_workers or the rate limits')
        assert 'connections delayed by rate limits' in daemon.done('status')


def test_a_burst_is_not_delayed():
    with Daemon(pool('echo', 'workers = 4', 'rate_limit = 1', 'rate_burst = 50')) as daemon:
        assert Crowd(daemon, 'echo', 50).wait() == {ANSWERED: 50}
        assert daemon.pool_status('echo')['delayed'] == 0


def test_one_source_over_its_rate_delays_no_other():
    """Each delayed connection has a worker, so there must be enough of them."""
    number = 100 if SANITIZED else 1000
    limit = number // 5
    conf = f'max_workers = {number + 20}\n' + pool(
        'echo', f'max_workers = {number + 20}', f'rate_limit_per_source = {limit}',
        f'max_connections_per_source = {number}', 'listen_backlog = 2000')
    with Daemon(conf) as daemon:
        crowd = Crowd(daemon, 'echo', number)
        for i in range(5):
            assert asked_from(daemon, 'echo', f'127.0.0.{2 + i}') == b'hello\n'
        assert crowd.answered < 0.8 * number  # so these have overtaken them
        assert crowd.wait() == {ANSWERED: number}
        assert crowd.seconds > (number - 1) / limit * 0.98
        assert number * 0.9 <= daemon.pool_status('echo')['delayed'] <= number
        assert refused(daemon) == {}


def test_one_source_over_its_rate_has_a_quarter_of_the_workers_and_further_ones_are_refused():
    conf = pool('echo', 'workers = 8', 'rate_limit_per_source = 1', 'listen_backlog = 100')
    with Daemon(conf) as daemon:
        crowd = Crowd(daemon, 'echo', 40)
        # None of those takes a turn from any other.
        words = crowd.wait()
        assert 3 <= words.pop(ANSWERED) <= 3 + crowd.seconds
        assert set(words) <= {'ECONNRESET', 'EPIPE', 'no answer'}
        assert refused(daemon)['source'] >= 30
        daemon.wait_log(r'refused 127\.0\.0\.1:\d+: too many of its source wait for rate_limit_per_source')
        assert 'by the limits of a source' in daemon.done('status')

        daemon.reload(conf.replace('workers = 8', 'workers = 20'))
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(connect(daemon, 'echo'))
            wait_pool(daemon, 'echo', busy=5)
            assert asked_from(daemon, 'echo', '127.0.0.2') == b'hello\n'


def leave_by_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


@pytest.mark.parametrize('option', ['rate_limit', 'rate_limit_per_source'])
@pytest.mark.parametrize('service, unix, leave', [
    ('echo', False, leave_by_reset), ('echo', True, socket.socket.close),
    ('http', False, leave_by_reset), ('http', False, socket.socket.close)])
def test_who_waits_and_goes_costs_no_worker(tmp_path, option, service, unix, leave):
    number = int(2 * PATIENCE)  # that many seconds to wait, if it did
    conf = pool('p', f'workers = {number}', f'{option} = 1', f'max_connections_per_source = {number}',
                'http { document_root = "/" }' if service == 'http' else '', service=service,
                listen=str(tmp_path / 'socket') if unix else '127.0.0.1:0')
    with Daemon(conf) as daemon:
        socks = [daemon.connect('p') for _ in range(number)]
        for sock in socks:
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        eventually(lambda: daemon.pool_status('p')['busy'] >= number - 2, 'all of them at a worker')
        for sock in socks:
            leave(sock)
        wait_pool(daemon, 'p', busy=0)
        assert daemon.pool_status('p')['delayed'] == number - 1


def test_who_waits_is_seen_waiting_and_not_as_a_request_that_takes_too_long():
    conf = pool('echo', 'workers = 3', 'rate_limit = 1', 'request_timeout = 1s', 'slow_request = 500ms')
    with Daemon(conf) as daemon:
        assert asked_from(daemon, 'echo', '127.0.0.1') == b'hello\n'
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(connect(daemon, 'echo')) for _ in range(3)]
            names = {'%s:%d' % sock.getsockname() for sock in socks}

            def waiting():
                workers = daemon.pool_status('echo')['workers']
                return {worker['client'] for worker in workers if worker['state'] == 'waiting'}
            eventually(lambda: len(waiting()) >= 2 and waiting() <= names, 'two that wait')
            assert daemon.pool_status('echo')['busy'] >= 2
            for sock in socks:
                assert answer(sock) == b'hello\n'
        assert 'request_timeout' not in daemon.log() and 'slow_request' not in daemon.log()
        daemon.wait_log(r'pool echo: 127\.0\.0\.1:\d+ waits [\d.]+ s for its turn \(rate_limit\)')


@pytest.mark.parametrize('how', ['reload', 'stop', 'recycle'])
def test_who_waits_for_its_turn_is_served_by_a_worker_that_is_to_leave(how):
    def conf(nice=0):
        return pool('echo', 'workers = 4', 'rate_limit = 10', 'listen_backlog = 100', f'nice = {nice}')
    with Daemon(conf()) as daemon:
        old = daemon.wait_workers(4)
        crowd = Crowd(daemon, 'echo', 20)
        wait_pool(daemon, 'echo', busy=4)
        if how == 'reload':
            daemon.reload(conf(1))
        elif how == 'recycle':
            daemon.done('recycle')
        else:
            daemon.signal(signal.SIGQUIT)
        assert crowd.wait() == {ANSWERED: 20}
        if how == 'stop':
            assert daemon.ended() == 0
        else:
            daemon.wait_replaced(old, 4)


def test_a_fast_stop_does_not_wait_for_turns():
    with Daemon(pool('echo', 'workers = 60', 'rate_limit = 1')) as daemon:
        crowd = Crowd(daemon, 'echo', 60)
        wait_pool(daemon, 'echo', busy=58)
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        assert time.monotonic() - crowd.began < 50  # the turns would have lasted a minute


def test_the_death_of_one_that_waits_takes_its_own_connection_only():
    with Daemon(pool('echo', 'workers = 4', 'rate_limit = 5')) as daemon:
        crowd = Crowd(daemon, 'echo', 20)
        wait_pool(daemon, 'echo', busy=4)
        for worker in daemon.pool_status('echo')['workers'][:2]:
            os.kill(worker['pid'], signal.SIGKILL)
        words = crowd.wait()
        assert words[ANSWERED] >= 18 and set(words) - {ANSWERED} <= LOST_WITH_ITS_WORKER
        assert asked_from(daemon, 'echo', '127.0.0.1') == b'hello\n'


# ---- what a rule costs ---------------------------------------------------------------

def test_a_pool_without_rules_reads_none_and_one_with_them_serves_the_same():
    rules = ['allow = { "127.0.0.0/8", "::1" }', 'deny = "127.0.0.13"', 'max_connections_per_source = 100',
             'rate_limit = 1000000', 'rate_burst = 1000', 'rate_limit_per_source = 1000000',
             'rate_burst_per_source = 1000', 'access_times = "00:00-24:00"', 'max_load = 100000']
    with Daemon(pool('echo', 'workers = 4', *rules)) as daemon:
        assert Crowd(daemon, 'echo', 500).wait() == {ANSWERED: 500}
        assert refused(daemon) == {}
