"""How many workers a pool has: fixed, dynamic, on demand, and at its limits."""
import os
import signal
import time

import pytest

from harness import PATIENCE, Daemon, alive, eventually
from load import Load, held, open_client, pool, read_answer, script

# A pool that follows the load quickly, so that shrinking can be seen.
QUICK = ['start_workers = 2', 'min_spare_workers = 2', 'max_spare_workers = 4',
         'max_workers = 40', 'spare_timeout = 300ms']
ON_DEMAND = ['start_workers = 0', 'min_spare_workers = 0', 'max_workers = 20',
             'spare_timeout = 300ms']
ONE_SECOND = script('read x; sleep 1; echo done')


def spare_between(daemon, name, least, most, busy=0):
    """Waits until the pool has its busy workers and this many spare ones."""
    return eventually(lambda: least <= len(daemon.workers(name)) - busy <= most,
                      f'{least} to {most} spare workers of {name}, not '
                      f'{len(daemon.workers(name)) - busy}')


def ask_all(address, number, request=b'go\n'):
    """So many simultaneous requests: their answers, in order."""
    clients = [open_client(address, request) for _ in range(number)]
    return [read_answer(sock) for sock in clients]


def test_a_fixed_pool_has_its_workers_from_start_to_end():
    with Daemon(pool('fixed', 'workers = 3')) as daemon:
        pids = daemon.wait_workers(3, 'fixed')
        with held(daemon, 'fixed', 3):
            assert daemon.workers('fixed') == pids
            waiting = open_client(daemon.address('fixed'), b'waits\n')
            assert daemon.workers('fixed') == pids
        assert read_answer(waiting) == b'waits\n'
        assert daemon.workers('fixed') == pids


def test_a_dynamic_pool_starts_with_its_start_workers():
    with Daemon(pool('dynamic', 'start_workers = 7', 'min_spare_workers = 2')) as daemon:
        daemon.wait_workers(7, 'dynamic')


def test_a_dynamic_pool_grows_at_once_when_its_spare_workers_go():
    with Daemon(pool('www', *QUICK, ONE_SECOND, service='exec')) as daemon:
        began = time.monotonic()
        answers = ask_all(daemon.address('www'), 40)
        took = time.monotonic() - began
        assert answers == [b'done\n'] * 40
        assert took < 15  # two workers alone need 20


def test_every_held_connection_gets_a_worker_and_the_pool_shrinks_behind_them():
    with Daemon(pool('echo', *QUICK)) as daemon:
        with held(daemon, 'echo', 20):
            spare_between(daemon, 'echo', 2, 4, busy=20)
        spare_between(daemon, 'echo', 2, 4)
        assert daemon.ask('echo', b'still here\n') == b'still here\n'


def test_busy_workers_are_not_what_a_shrinking_pool_ends():
    with Daemon(pool('echo', *QUICK)) as daemon:
        with held(daemon, 'echo', 5) as kept:
            with held(daemon, 'echo', 15):
                eventually(lambda: len(daemon.workers('echo')) >= 20, '20 workers')
            spare_between(daemon, 'echo', 2, 4, busy=5)
            for sock in kept:
                sock.sendall(b'more\n')
                assert sock.recv(5) == b'more\n'


def test_requests_while_a_pool_shrinks_are_all_answered():
    with Daemon(pool('echo', *QUICK)) as daemon:
        with Load(daemon.address('echo'), rate=500, clients=2) as load:
            for _ in range(3):
                with held(daemon, 'echo', 15):
                    assert len(daemon.workers('echo')) >= 15
                eventually(lambda: len(daemon.workers('echo')) <= 6, 'the pool to shrink')
                load.wait_answered(10)
        assert load.failures == {}


def test_an_on_demand_pool_has_no_worker_until_somebody_comes():
    with Daemon(pool('lazy', *ON_DEMAND), level='debug') as daemon:
        assert daemon.workers('lazy') == []
        assert daemon.ask('lazy', b'hello\n') == b'hello\n'


def test_an_on_demand_pool_grows_from_nothing_and_goes_back_to_it():
    with Daemon(pool('lazy', *ON_DEMAND)) as daemon:
        for _ in range(2):
            with held(daemon, 'lazy', 12):
                assert len(daemon.workers('lazy')) >= 12
            eventually(lambda: not daemon.workers('lazy'), 'the end of the last worker')


def test_a_burst_on_an_on_demand_pool_is_not_served_one_by_one():
    with Daemon(pool('lazy', *ON_DEMAND, ONE_SECOND, service='exec')) as daemon:
        began = time.monotonic()
        assert ask_all(daemon.address('lazy'), 20) == [b'done\n'] * 20
        assert time.monotonic() - began < 10


def test_a_pool_never_has_more_than_its_max_workers():
    with Daemon(pool('small', *QUICK[:3], 'max_workers = 5')) as daemon:
        with held(daemon, 'small', 5):
            waiting = [open_client(daemon.address('small'), b'waits\n') for _ in range(7)]
            assert len(daemon.workers('small')) == 5
        assert [read_answer(sock) for sock in waiting] == [b'waits\n'] * 7
        assert len(daemon.workers('small')) <= 5


def test_all_pools_together_never_have_more_than_the_global_max_workers():
    limits = ['start_workers = 1', 'min_spare_workers = 1', 'max_spare_workers = 1',
              'max_workers = 5', 'spare_timeout = 300ms']
    with Daemon('max_workers = 6\n' + pool('a', *limits) + pool('b', *limits)) as daemon:
        with held(daemon, 'a', 4):
            daemon.wait_workers(5, 'a')
            with held(daemon, 'b', 1):
                waiting = open_client(daemon.address('b'), b'waits\n')
                assert len(daemon.workers()) <= 6
                assert len(daemon.workers('b')) == 1
        assert read_answer(waiting) == b'waits\n'
        # What one pool gave back is there for the other.
        with held(daemon, 'b', 4):
            assert len(daemon.workers()) <= 6


def test_with_every_worker_busy_a_client_connects_waits_and_is_served_when_one_is_free():
    conf = pool('busy', 'workers = 2', script('echo $$; exec sleep 60'), service='exec')
    with Daemon(conf) as daemon:
        clients = [daemon.connect('busy') for _ in range(2)]
        programs = [int(sock.recv(20)) for sock in clients]
        further = daemon.connect('busy', timeout=5)
        further.setblocking(False)
        with pytest.raises(BlockingIOError):
            further.recv(20)
        os.kill(programs[0], signal.SIGTERM)
        further.settimeout(PATIENCE)
        programs.append(int(further.recv(20)))
        assert alive(programs[1]) and alive(programs[2])
        for sock in [further, *clients]:
            sock.close()
