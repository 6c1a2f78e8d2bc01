"""What the master does on a signal: reload, stop, reopen the log, one worker more or less."""
import contextlib
import os
import random
import re
from signal import (SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU,
                    SIGUSR1)

import pytest

from daemonized import Daemonized
from harness import ROOT, Daemon, alive, descriptors, eventually
from load import (ANSWERED, Load, crowd, held, open_client, outcome, paced, pool, read_answer,
                  script)

ONE_SECOND = script('read x; sleep 1; echo done')
ENDLESS = script('echo $$; exec sleep 600')
FOUR_WORKERS = ['workers = 4', 'graceful_timeout = 60s']


def refuses(address):
    """Whether nobody accepts at an address."""
    with contextlib.suppress(OSError):
        open_client(address, b'anybody there?\n').close()
        return False
    return True


def changed(text, value):
    """The same pool, with something of which its workers must know."""
    return text.rstrip()[:-1] + f'environment = {{ "CHANGED={value}" }}\n}}\n'


# --- storms ------------------------------------------------------------------------------

def settle(daemon):
    """Waits until all signals are handled.  Of those that wait together the lowest number is first,
    so that a HUP would overtake a TTOU.  The second answer is given behind them."""
    for _ in range(2):
        daemon.status()


def test_a_storm_of_signals_under_load_fails_no_request():
    numbers = [SIGHUP, SIGUSR1, SIGCHLD, SIGTTIN, SIGTTOU]
    conf = pool('fixed', 'workers = 8') + pool('dynamic', 'start_workers = 4', 'max_workers = 30')
    with Daemon(conf) as daemon:
        with Load(daemon.address('fixed'), rate=500, clients=4) as fixed, \
                Load(daemon.address('dynamic'), rate=500, clients=4) as dynamic:
            for _ in paced(rate=200, seconds=10):
                daemon.signal(random.choice(numbers))
        assert (fixed.failures, dynamic.failures) == ({}, {})
        assert fixed.answered > 500 and dynamic.answered > 500
        assert daemon.log().count('reload done') > 10
        settle(daemon)
        daemon.reload()
        daemon.wait_workers(8, 'fixed')
        assert 4 <= len(daemon.workers('dynamic')) <= 30
        eventually(lambda: not daemon.zombies(), 'no zombie')


def test_signals_to_all_processes_at_once_fail_no_request():
    with Daemon(pool('echo', 'workers = 5')) as daemon:
        with Load(daemon.address('echo'), rate=500) as load:
            for number in [SIGHUP, SIGUSR1, SIGCHLD, SIGTTIN, SIGTTOU, SIGHUP]:
                for pid in [daemon.pid, *daemon.workers()]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                load.wait_answered(50)
        assert load.failures == {}
        daemon.reload()
        assert daemon.wait_workers(5) and not daemon.zombies()


@pytest.mark.parametrize('number', [SIGINT, SIGTERM, SIGQUIT])
def test_a_stop_sent_to_all_processes_at_once_is_a_clean_stop(number):
    with Daemon(pool('echo', 'workers = 5')) as daemon:
        workers = daemon.wait_workers(5)
        for pid in [*workers, daemon.pid]:
            os.kill(pid, number)
        assert daemon.ended() == 0
        assert not any(map(alive, workers))


def test_ten_signals_at_once_end_in_the_state_that_the_last_file_asks_for():
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        for number in 6, 2, 5:
            daemon.write(pool('echo', f'workers = {number}'))
            for wanted in [SIGHUP, SIGUSR1, SIGCHLD, SIGHUP, SIGUSR1] * 2:
                daemon.signal(wanted)
            daemon.wait_workers(number)
        assert crowd(daemon.address('echo'), 50) == {ANSWERED: 50}


def test_a_reload_during_a_reload_is_not_forgotten():
    with Daemon(pool('echo', 'workers = 10')) as daemon:
        for number in range(20):
            old = daemon.workers()
            daemon.write(changed(pool('echo', 'workers = 20'), number))
            daemon.signal(SIGHUP)
            for _ in paced(rate=2000, seconds=number / 2000):
                pass  # a little later in the first reload every time
            daemon.write(changed(pool('echo', 'workers = 10'), number))
            daemon.signal(SIGHUP)
            daemon.wait_replaced(old, 10)
            assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED


@pytest.mark.parametrize('last', [SIGTERM, SIGQUIT])
def test_ten_signals_at_once_of_which_one_is_a_stop_end_in_a_stop(last):
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        workers = daemon.wait_workers(3)
        for number in [SIGHUP, SIGUSR1, SIGTTIN, last, SIGHUP, SIGTTOU, SIGCHLD, SIGHUP,
                       SIGUSR1, SIGTTIN]:
            daemon.signal(number)
        assert daemon.ended() == 0
        assert not any(map(alive, workers))


# --- stop --------------------------------------------------------------------------------

def test_a_graceful_stop_answers_24_requests_of_one_second_on_4_workers():
    names = ['tcp', 'path', 'abstract']
    conf = (pool('tcp', *FOUR_WORKERS, ONE_SECOND, service='exec')
            + pool('path', *FOUR_WORKERS, ONE_SECOND, service='exec', listen='{dir}/socket')
            + pool('abstract', *FOUR_WORKERS, ONE_SECOND, service='exec',
                   listen='@preforkd-test-%d' % os.getpid()))
    with Daemon(conf) as daemon:
        addresses = [daemon.address(name) for name in names]
        clients = {name: [open_client(address, b'go\n') for _ in range(24)]
                   for name, address in zip(names, addresses)}
        eventually(lambda: daemon.log().count(' started /bin/sh ') >= 12, '12 programs at work')
        daemon.signal(SIGQUIT)
        answers = {name: [read_answer(sock) for sock in clients[name]] for name in names}
        assert answers == {name: [b'done\n'] * 24 for name in names}
        assert daemon.ended() == 0
        assert all(map(refuses, addresses)) and not (daemon.dir / 'socket').exists()


def test_a_graceful_stop_that_a_terminal_sends_to_all_processes_answers_the_queue_too():
    conf = pool('tcp', *FOUR_WORKERS, ONE_SECOND, service='exec')
    with Daemon(conf) as daemon:
        clients = [open_client(daemon.address('tcp'), b'go\n') for _ in range(12)]
        eventually(lambda: daemon.log().count(' started /bin/sh ') >= 4, '4 programs at work')
        for pid in [*daemon.workers(), daemon.pid]:
            os.kill(pid, SIGQUIT)
        assert [read_answer(sock) for sock in clients] == [b'done\n'] * 12
        assert daemon.ended() == 0


def test_a_graceful_stop_answers_the_queue_beside_a_worker_from_before_a_reload():
    conf = pool('echo', 'workers = 1')
    with Daemon(conf) as daemon:
        with held(daemon, 'echo', 1):
            daemon.reload(changed(conf, 'yes'))
            with held(daemon, 'echo', 1):
                waiting = [open_client(daemon.address('echo'), b'waits\n') for _ in range(5)]
                daemon.signal(SIGQUIT)
                daemon.wait_log(r'stopping gracefully')
        assert [read_answer(sock) for sock in waiting] == [b'waits\n'] * 5
        assert daemon.ended() == 0


def busy_forever(daemon):
    """A client of an endless program: (its connection, the program's pid)."""
    client = daemon.connect('busy')
    return client, int(client.recv(20))


@pytest.mark.parametrize('number', [SIGTERM, SIGINT])
def test_a_fast_stop_does_not_wait_for_busy_workers(number):
    with Daemon(pool('busy', 'workers = 3', ENDLESS, service='exec')) as daemon:
        client, program = busy_forever(daemon)
        daemon.signal(number)
        assert daemon.ended(15) == 0
        assert not alive(program) and client.recv(1) == b''


@pytest.mark.parametrize('second', [SIGQUIT, SIGTERM])
def test_a_second_signal_makes_a_graceful_stop_fast(second):
    with Daemon(pool('busy', *FOUR_WORKERS, ENDLESS, service='exec')) as daemon:
        client, program = busy_forever(daemon)
        daemon.signal(SIGQUIT)
        daemon.wait_log(r'stopping gracefully')
        eventually(lambda: len(daemon.workers()) == 1, 'the end of idle workers')
        assert alive(program) and daemon.process.poll() is None
        daemon.signal(second)
        assert daemon.ended(15) == 0
        assert not alive(program) and client.recv(1) == b''


def test_a_graceful_stop_ends_what_outlives_the_graceful_timeout():
    conf = pool('busy', 'workers = 2', 'graceful_timeout = 1s', ENDLESS, service='exec')
    with Daemon(conf) as daemon:
        client, program = busy_forever(daemon)
        daemon.signal(SIGQUIT)
        assert daemon.ended(20) == 0
        assert not alive(program) and client.recv(1) == b''


# --- reload ------------------------------------------------------------------------------

def test_fifty_reloads_of_which_half_change_the_pool_fail_none_of_1000_requests_a_second():
    conf = pool('echo', 'workers = 8')
    with Daemon(conf) as daemon:
        with Load(daemon.address('echo'), rate=1000) as load:
            for number in range(50):
                daemon.reload(changed(conf, number // 2))
                load.wait_answered(100)
        assert load.failures == {}
        assert daemon.log().count('reload done') == 50
        daemon.wait_workers(8)


RELOADED = ['keep', 'grow', 'shrink', 'change']


def before_and_after(drop_or_new, grow, shrink, value):
    return (pool('keep', 'workers = 2') + pool('grow', f'workers = {grow}')
            + pool('shrink', f'workers = {shrink}') + pool(drop_or_new, 'workers = 2')
            + changed(pool('change', 'workers = 3'), value))


def test_a_reload_touches_only_the_workers_that_it_must():
    with Daemon(before_and_after('drop', 2, 5, 'no')) as daemon:
        daemon.wait_workers(14)
        old = {name: set(daemon.workers(name)) for name in [*RELOADED, 'drop']}
        where = {name: daemon.address(name) for name in [*RELOADED, 'drop']}
        daemon.reload(before_and_after('new', 5, 2, 'yes'))
        daemon.wait_replaced(old['drop'] | old['change'], 14)
        new = {name: set(daemon.workers(name)) for name in [*RELOADED, 'new']}
        assert new['keep'] == old['keep']
        assert new['grow'] > old['grow'] and len(new['grow']) == 5
        assert new['shrink'] < old['shrink'] and len(new['shrink']) == 2
        assert not new['change'] & old['change'] and len(new['change']) == 3
        eventually(lambda: refuses(where['drop']), 'the port of the dropped pool to be closed')
        for name in RELOADED:
            assert outcome(where[name], b'on the old port\n') == ANSWERED
        assert daemon.ask('new', b'hello\n') == b'hello\n'


def test_connections_of_changed_and_dropped_pools_are_served_to_their_end():
    kept = pool('keep', 'workers = 1')
    change = pool('change', 'workers = 3')
    with Daemon(kept + change + pool('drop', 'workers = 3')) as daemon:
        old = set(daemon.workers())
        with held(daemon, 'change', 2) as of_changed, held(daemon, 'drop', 2) as of_dropped:
            daemon.reload(kept + changed(change, 'yes'))
            eventually(lambda: len(old & set(daemon.workers())) == 1 + 2 + 2,
                       'only the busy ones to stay')
            for sock in of_changed + of_dropped:
                sock.sendall(b'more\n')
                assert sock.recv(5) == b'more\n'
        daemon.wait_workers(1 + 3)
        assert len(old & set(daemon.workers())) == 1


REFUSED = {
    'a syntax error': 'pool "x" {',
    'an unknown option': pool('x', 'wrokers = 3'),
    'an unknown service': pool('x', service='ftp'),
    'a missing command': pool('x', 'exec { command = { "/nowhere/to/be/found" } }',
                              service='exec'),
    'a missing directory': pool('x', 'directory = "/nowhere/to/be/found"'),
    'a limit below another': pool('x', 'max_workers = 3', 'start_workers = 4'),
    'a bad address': pool('x', listen='127.0.0.1:99999'),
    'two pools with one name': pool('keep', 'workers = 2'),
}


@pytest.mark.parametrize('why', REFUSED)
def test_a_refused_reload_changes_nothing_and_a_good_one_after_it_does(why):
    with Daemon(pool('keep', 'workers = 2') + pool('drop', 'workers = 2')) as daemon:
        workers, open_before = daemon.wait_workers(4), descriptors(daemon.pid)
        line = daemon.reload(pool('keep', 'workers = 5') + REFUSED[why], expect='refused')
        assert re.search(r'error: reload refused, nothing was changed: '
                         rf'{daemon.conf_path}:\d+: ', line)
        assert daemon.workers() == workers and descriptors(daemon.pid) == open_before
        for name in 'keep', 'drop':
            assert daemon.ask(name, b'as before\n') == b'as before\n'
        daemon.reload(pool('keep', 'workers = 3'))
        daemon.wait_workers(3)


def test_a_reload_whose_new_workers_cannot_start_is_taken_back():
    # The right to a better priority is gone: only the worker itself finds out.
    wrap = ['setpriv', '--bounding-set=-sys_nice'] if ROOT else []
    with Daemon(three_pools('nice = 0', 'no', 2), wrap=wrap) as daemon:
        workers = daemon.wait_workers(8)
        with Load(daemon.address('echo'), rate=300) as load:
            daemon.reload(three_pools('nice = -5', 'yes', 4), expect='refused')
            load.wait_answered(100)
        assert load.failures == {}
        daemon.wait_workers(8)
        assert daemon.workers() == workers
        daemon.reload(three_pools('nice = 5', 'yes', 2))
        daemon.wait_replaced(set(workers) - set(daemon.workers('resized')), 8)


def three_pools(nice, value, resized):
    return (pool('echo', 'workers = 3', nice) + changed(pool('ready', 'workers = 3'), value)
            + pool('resized', f'workers = {resized}'))


def test_a_changed_listen_address_leaves_nobody_behind_in_the_old_queue():
    conf = pool('echo', 'workers = 1')
    with Daemon(conf) as daemon:
        old = daemon.address('echo')
        with held(daemon, 'echo', 1) as (busy,):
            queued = [open_client(old, b'queued\n') for _ in range(10)]
            daemon.reload(conf.replace('127.0.0.1', '127.0.0.2'))
            assert daemon.address('echo')[1][0] == '127.0.0.2'
            assert daemon.ask('echo', b'new address\n') == b'new address\n'
            busy.sendall(b'more\n')
            assert busy.recv(5) == b'more\n'
        assert [read_answer(sock) for sock in queued] == [b'queued\n'] * 10
        eventually(lambda: refuses(old), 'the old address to be closed')


def test_a_changed_unix_socket_leaves_nobody_behind_in_the_old_queue():
    conf = pool('echo', 'workers = 1', listen='{dir}/old')
    with Daemon(conf) as daemon:
        with held(daemon, 'echo', 1):
            queued = [open_client(daemon.address('echo'), b'queued\n') for _ in range(10)]
            daemon.reload(conf.replace('/old', '/new'))
            assert daemon.ask('echo', b'new path\n') == b'new path\n'
        assert [read_answer(sock) for sock in queued] == [b'queued\n'] * 10
        eventually(lambda: not (daemon.dir / 'old').exists(), 'the old path to be removed')


def test_a_log_level_that_a_reload_changes_counts_for_kept_workers_too():
    conf = pool('exec', 'workers = 1', script('true'), service='exec')
    with Daemon(conf, level='notice') as daemon:
        workers = daemon.wait_workers(1)
        for level, lines in ('info', 1), ('notice', 0), ('info', 1):
            daemon.level = level
            daemon.reload(conf)
            mark = daemon.mark()
            assert daemon.ask('exec') == b''
            assert daemon.log()[mark:].count(' started /bin/sh as pid ') == lines
        assert daemon.workers() == workers


# --- one worker more or less -------------------------------------------------------------

def test_ttin_and_ttou_give_every_pool_one_worker_more_and_one_less():
    conf = pool('a', 'workers = 2') + pool('b', 'workers = 3') + pool('c', 'spare_timeout = 200ms')
    with Daemon(conf) as daemon:
        old = set(daemon.wait_workers(2 + 3 + 5))
        for number, more in (SIGTTIN, 1), (SIGTTIN, 2), (SIGTTOU, 1), (SIGTTOU, 0):
            daemon.signal(number)
            for name, workers in ('a', 2), ('b', 3), ('c', 5):
                daemon.wait_workers(workers + more, name)
        assert crowd(daemon.address('a'), 20) == {ANSWERED: 20}
        assert old & set(daemon.workers())


# --- reopening the log -------------------------------------------------------------------

ECHO_TO_LOG = script('read x; echo said $x >&2')


def reopen_log(daemon, number):
    """What logrotate does: the path of the old file."""
    old = daemon.log_path.rename(daemon.dir / f'log.{number}')
    daemon.signal(SIGUSR1)
    eventually(daemon.log_path.exists, 'a new log file')
    return old


def test_after_usr1_master_and_workers_write_to_the_new_file_only():
    with Daemonized(pool('exec', 'workers = 3', ECHO_TO_LOG, service='exec')) as daemon:
        address, workers = daemon.address('exec'), daemon.wait_workers(3)
        assert read_answer(open_client(address, b'first\n')) == b''
        daemon.wait_log('said first')
        old = reopen_log(daemon, 1)
        for word in b'second\n', b'third\n', b'fourth\n':  # idle workers take turns
            assert read_answer(open_client(address, word)) == b''
        daemon.wait_log('said fourth')
        os.kill(workers[0], SIGKILL)
        daemon.wait_log(f'worker {workers[0]} killed by signal 9')
        assert 'said first' in old.read_text()
        assert not re.search('said (second|third|fourth)|killed by', old.read_text())
        assert {'said second', 'said third'} <= set(re.findall(r'said \w+', daemon.log()))


def test_no_line_is_lost_while_the_log_is_rotated_again_and_again():
    with Daemonized(pool('exec', 'workers = 4', ECHO_TO_LOG, service='exec')) as daemon:
        address, files, words = daemon.address('exec'), [daemon.log_path], []
        for number in range(10):
            files.append(reopen_log(daemon, number))
            clients = []
            for _ in range(10):
                words.append(f'word{len(words)}')
                clients.append(open_client(address, words[-1].encode() + b'\n'))
            assert [read_answer(sock) for sock in clients] == [b''] * 10

        def written():
            return sorted(re.findall(r'said (word\d+)', ''.join(
                path.read_text() for path in files)))
        eventually(lambda: written() == sorted(words), 'every line exactly once')
