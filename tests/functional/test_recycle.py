"""Workers that are replaced in good time, and how many may be there meanwhile.

A worker is due after so many requests, at an age, with so much memory; its replacement is
ready before it leaves.  Old generations leave room for each other.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal

import pytest

from harness import PATIENCE, Daemon, alive, eventually, needs_preload, preload
from load import ANSWERED, Load, Sampler, held, outcome, pool, read_answer, open_client
from test_services import stream
from test_signals import changed

DUE = r'pool {}: worker (\d+) is due for replacement: (.*)'


def due(daemon, name='echo'):
    """[(pid, why), ...] of all workers that were due so far."""
    return [(int(pid), why) for pid, why in re.findall(DUE.format(name), daemon.log())]


def wait_due(daemon, number, name='echo'):
    return eventually(lambda: len(due(daemon, name)) >= number and due(daemon, name),
                      f'{number} workers of {name} to be due')


def processes(daemon):
    """How many children the master has just now; cheap, for a Sampler."""
    return len(pathlib.Path(f'/proc/{daemon.pid}/task/{daemon.pid}/children').read_text().split())


def serving(daemon, name='echo'):
    """(idle and busy workers, all processes) of a pool, as it says itself."""
    records, _ = daemon.request(f'status {name}')
    fields = next(fields for kind, fields in records if kind == 'pool')
    return int(fields['idle']) + int(fields['busy']), int(fields['total'])


# --- requests ----------------------------------------------------------------------------

def test_workers_with_a_quota_are_replaced_a_few_at_a_time_and_nothing_is_lost():
    with Daemon(pool('echo', 'workers = 16', 'max_requests_per_worker = 100')) as daemon:
        first = daemon.wait_workers(16)
        eventually(lambda: serving(daemon) == (16, 16), '16 that serve')
        with Sampler(lambda: processes(daemon)) as count, Sampler(lambda: serving(daemon)) as pools:
            with Load(daemon.address('echo'), rate=800) as load:
                wait_due(daemon, 20)
                eventually(lambda: not any(map(alive, first)), 'the end of all first workers')
        assert load.failures == {} and load.answered > 1000
        assert max(count.answers) <= 16 + 1
        assert min(serve for serve, _ in pools.answers) >= 16
        assert max(total for _, total in pools.answers) <= 16 + 1
        eventually(lambda: serving(daemon) == (16, 16), '16 again')
        assert daemon.pool_status('echo')['crashes'] == 0
        assert 'warning' not in daemon.log()


def test_workers_of_a_fixed_pool_do_not_all_go_at_the_same_count():
    with Daemon(pool('echo', 'workers = 16', 'max_requests_per_worker = 200')) as daemon:
        daemon.wait_workers(16)
        with Load(daemon.address('echo'), rate=1500):
            wait_due(daemon, 16)
        counts = [int(re.match(r'(\d+) requests', why).group(1)) for _, why in due(daemon)]
        assert min(counts) >= 180
        assert len(set(counts)) > 3


def test_without_a_quota_nobody_is_due():
    with Daemon(pool('echo', 'workers = 2') + pool('due', 'workers = 2',
                                                   'max_requests_per_worker = 50')) as daemon:
        workers = daemon.wait_workers(2, 'echo')
        with Load(daemon.address('echo'), rate=400, clients=4) as load, \
                Load(daemon.address('due'), rate=400, clients=4):
            wait_due(daemon, 4, 'due')
            load.wait_answered(200)
        assert daemon.workers('echo') == workers and due(daemon, 'echo') == []


def test_a_dynamic_pool_with_a_quota_loses_nothing():
    conf = pool('echo', 'start_workers = 4', 'min_spare_workers = 2', 'max_spare_workers = 4',
                'max_workers = 12', 'spare_timeout = 300ms', 'max_requests_per_worker = 50')
    with Daemon(conf) as daemon:
        with Sampler(lambda: processes(daemon)) as count, \
                Load(daemon.address('echo'), rate=600) as load:
            wait_due(daemon, 20)
        assert load.failures == {}
        # One more for recycling, and those that shrinking has told to leave.
        assert max(count.answers) <= 12 + 1 + 12


def test_at_max_workers_and_saturated_they_are_replaced_all_the_same():
    conf = pool('echo', 'start_workers = 2', 'min_spare_workers = 1', 'max_workers = 4',
                'max_requests_per_worker = 30')
    with Daemon(conf) as daemon:
        with Sampler(lambda: processes(daemon)) as count, \
                Load(daemon.address('echo'), rate=100000, clients=12) as load:
            wait_due(daemon, 12)
        assert load.failures == {}
        assert max(count.answers) <= 4 + 1 + 4


def test_a_quota_and_reloads_together_lose_nothing():
    conf = pool('echo', 'workers = 6', 'max_requests_per_worker = 15')
    with Daemon(conf) as daemon:
        with Sampler(lambda: processes(daemon)) as count, \
                Load(daemon.address('echo'), rate=500) as load:
            for number in range(10):
                daemon.reload(changed(conf, number))
                load.wait_answered(100)
        assert load.failures == {}
        assert due(daemon)
        assert max(count.answers) <= 6 + 6 + 1
        daemon.wait_workers(6)


def test_a_quota_that_a_reload_sets_counts_for_the_workers_that_stay():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        old = daemon.wait_workers(2)
        with Load(daemon.address('echo'), rate=300, clients=4) as load:
            load.wait_answered(200)
            daemon.reload(pool('echo', 'workers = 2', 'max_requests_per_worker = 50'))
            eventually(lambda: not any(map(alive, old)), 'the end of the old workers')
        assert load.failures == {}


def test_a_replacement_that_cannot_start_leaves_the_old_ones_serving():
    conf = pool('echo', 'workers = 3', 'directory = "{dir}/home"', 'max_requests_per_worker = 50')
    daemon = Daemon(conf)
    (daemon.dir / 'home').mkdir()
    with daemon:
        old = daemon.wait_workers(3)
        shutil.rmtree(daemon.dir / 'home')
        with Load(daemon.address('echo'), rate=300, clients=4) as load:
            wait_due(daemon, 1)
            daemon.wait_log('pool echo: a worker cannot start: directory ')
            load.wait_answered(600)
            assert set(old) <= set(daemon.workers())
            # Not for ever ever faster: it is tried now and then.
            assert daemon.log().count('exited with status 70') <= 30
            (daemon.dir / 'home').mkdir()
            daemon.reload()
            eventually(lambda: not any(map(alive, old)), 'the end of the old workers')
        assert load.failures == {}


# --- age and memory ----------------------------------------------------------------------

@pytest.mark.parametrize('sizes', [['workers = 4'], ['start_workers = 4', 'min_spare_workers = 2']],
                         ids=['fixed', 'dynamic'])
def test_workers_are_replaced_at_an_age(sizes):
    with Daemon(pool('echo', *sizes, 'max_worker_age = 1s')) as daemon:
        first = daemon.wait_workers(4)
        with Load(daemon.address('echo'), rate=200, clients=4) as load:
            eventually(lambda: not any(map(alive, first)), 'the end of the first workers')
            wait_due(daemon, 8)
        assert load.failures == {}
        assert all('old' in why for _, why in due(daemon))


def test_idle_workers_grow_old_too_and_never_all_leave_at_once():
    with Daemon(pool('echo', 'workers = 3', 'max_worker_age = 1s')) as daemon:
        eventually(lambda: serving(daemon) == (3, 3), 'three that serve')
        first = daemon.workers()
        with Sampler(lambda: serving(daemon)) as pools:
            eventually(lambda: not any(map(alive, first)), 'the end of the first workers')
        assert min(serve for serve, _ in pools.answers) >= 3
        assert max(total for _, total in pools.answers) <= 3 + 1


def test_a_worker_that_is_due_while_it_is_busy_finishes():
    with Daemon(pool('echo', 'workers = 1', 'max_worker_age = 1s')) as daemon:
        worker, = daemon.wait_workers(1)
        with held(daemon, 'echo', 1) as (client,):
            wait_due(daemon, 1)
            # The replacement serves meanwhile.
            assert outcome(daemon.address('echo'), b'others\n') == ANSWERED
            assert alive(worker)
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n'
        eventually(lambda: not alive(worker), 'its end')


def test_a_young_pool_beside_an_old_one_is_let_alone():
    with Daemon(pool('echo', 'workers = 1', 'max_worker_age = 1s')
                + pool('young', 'workers = 1', 'max_worker_age = 1h')) as daemon:
        young = daemon.wait_workers(1, 'young')
        wait_due(daemon, 3)
        assert daemon.workers('young') == young


# Each connection leaves 4 MiB behind.
LEAK = '''
#include <stdlib.h>
#include <string.h>
int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int) =
        (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
    int conn = real(fd, sa, len, flags);
    char *leak = conn >= 0 ? malloc(4 << 20) : NULL;
    if (leak)
        memset(leak, 1 + conn, 4 << 20);
    return conn;
}
'''


@needs_preload
def test_workers_that_grow_are_replaced(tmp_path):
    os.chmod(tmp_path, 0o755)
    conf = pool('echo', 'workers = 3', 'max_worker_memory = 40M') + pool('more', 'workers = 1')
    with Daemon(conf, env=preload(tmp_path, LEAK)) as daemon:
        first, other = daemon.wait_workers(3, 'echo'), daemon.workers('more')
        with Load(daemon.address('echo'), rate=30, clients=3) as load:
            eventually(lambda: not any(map(alive, first)), 'the end of the first workers')
        assert load.failures == {}
        assert all('memory' in why for _, why in due(daemon))
        for _ in range(20):
            assert outcome(daemon.address('more'), b'grows without a limit\n') == ANSWERED
        assert daemon.workers('more') == other


@needs_preload
def test_workers_that_have_not_grown_are_not_replaced(tmp_path):
    os.chmod(tmp_path, 0o755)
    conf = pool('echo', 'workers = 2', 'max_worker_memory = 400M') + pool(
        'small', 'workers = 1', 'max_worker_memory = 20M')
    with Daemon(conf, env=preload(tmp_path, LEAK)) as daemon:
        workers, small = daemon.wait_workers(2, 'echo'), daemon.workers('small')
        for _ in range(20):
            assert outcome(daemon.address('echo'), b'grows within the limit\n') == ANSWERED
        eventually(lambda: outcome(daemon.address('small'), b'grows\n') == ANSWERED
                   and not any(map(alive, small)), 'the end of the small one', every=0.1)
        assert daemon.workers('echo') == workers and due(daemon) == []


def test_a_worker_leaves_before_rlimit_cpu_kills_it():
    conf = pool('echo', 'workers = 1', 'rlimit_cpu = 1')
    with Daemon(conf) as daemon:
        first, = daemon.wait_workers(1, 'echo')
        line = bytes(1 << 16)
        while alive(first):  # it works for a second at most, whatever the time
            with daemon.connect('echo') as sock:
                stream(sock, line, 300, line)
        eventually(lambda: due(daemon), 'its replacement')
        assert all('half of its rlimit_cpu' in why for _, why in due(daemon))
        assert 'killed by signal' not in daemon.log()


# --- old generations ---------------------------------------------------------------------

def test_ten_reloads_with_long_connections_stay_within_the_limit_and_cut_nothing():
    conf = pool('echo', 'workers = 4', 'old_generation_max = 3')
    with Daemon(conf) as daemon, contextlib.ExitStack() as stack:
        daemon.wait_workers(4)
        with Sampler(lambda: processes(daemon), every=0.001) as count, \
                Load(daemon.address('echo'), rate=100, clients=2) as load:
            clients = []
            for number in range(10):
                client, = stack.enter_context(held(daemon, 'echo', 1))
                clients.append(client)
                daemon.reload(changed(conf, number))
                if len(clients) == 3:
                    clients.pop(0).close()
                for sock in clients:
                    sock.sendall(b'more\n')
                    assert sock.recv(5) == b'more\n'
                load.wait_answered(20)
        assert max(count.answers) <= 4 + 3
        assert load.failures == {}


def test_a_reload_without_room_beside_the_old_workers_waits_for_them():
    conf = pool('echo', 'workers = 4', 'old_generation_max = 2', 'graceful_timeout = 5m')
    with Daemon(conf) as daemon, Sampler(lambda: processes(daemon), every=0.001) as count:
        with held(daemon, 'echo', 4) as clients:
            daemon.reload(changed(conf, 'one'))
            # Four old ones and two new ones: all places are taken.
            assert outcome(daemon.address('echo'), b'served by a new one\n') == ANSWERED
            daemon.write(changed(conf, 'two'))
            with daemon.ctl_begun('reload') as reload:
                daemon.wait_log('pool echo: .*old_generation_max')
                assert outcome(daemon.address('echo'), b'served meanwhile\n') == ANSWERED
                for sock in clients:
                    sock.sendall(b'more\n')
                    assert sock.recv(5) == b'more\n'
                assert reload.poll() is None
                for sock in clients:
                    sock.close()
                assert reload.wait(PATIENCE) == 0
        eventually(lambda: serving(daemon) == (4, 4), 'four of the last generation')
    assert max(count.answers) <= 4 + 2


def test_with_all_workers_busy_a_reload_serves_a_new_request_at_once():
    conf = pool('echo', 'workers = 4')
    with Daemon(conf) as daemon:
        with held(daemon, 'echo', 4) as clients:
            waiting = open_client(daemon.address('echo'), b'waited before the reload\n')
            daemon.reload(changed(conf, 'yes'))
            assert outcome(daemon.address('echo'), b'came after it\n') == ANSWERED
            assert read_answer(waiting) == b'waited before the reload\n'
            for sock in clients:
                sock.sendall(b'more\n')
                assert sock.recv(5) == b'more\n'
        daemon.wait_workers(4)


def test_one_long_connection_does_not_hold_up_the_next_reloads():
    conf = pool('echo', 'workers = 4')
    with Daemon(conf) as daemon:
        with held(daemon, 'echo', 1) as (client,):
            for number in range(5):
                daemon.reload(changed(conf, number))
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n'
        assert 'TERM' not in daemon.log()


def test_a_dynamic_pool_stays_within_the_limit_too():
    conf = pool('echo', 'start_workers = 3', 'min_spare_workers = 2', 'max_spare_workers = 3',
                'max_workers = 6', 'old_generation_max = 2', 'spare_timeout = 200ms')
    with Daemon(conf) as daemon:
        with Sampler(lambda: processes(daemon), every=0.001) as count, \
                Load(daemon.address('echo'), rate=300, clients=4) as load:
            for number in range(10):
                daemon.reload(changed(conf, number))
                load.wait_answered(20)
        assert load.failures == {}
        assert max(count.answers) <= 6 + 2


def test_a_crash_among_replacements_and_reloads_is_made_good():
    conf = pool('echo', 'workers = 4', 'max_requests_per_worker = 20')
    with Daemon(conf) as daemon:
        with Load(daemon.address('echo'), rate=300, clients=4) as load:
            for number in range(5):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(daemon.workers()[0], signal.SIGKILL)
                daemon.reload(changed(conf, number))
                load.wait_answered(50)
        assert sum(load.failures.values()) <= 5
        eventually(lambda: serving(daemon) == (4, 4), 'four that serve')
