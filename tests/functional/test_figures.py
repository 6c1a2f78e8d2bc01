"""The figures of the status: what the daemon counts is what its clients have counted."""
import contextlib
import os
import random
import re
import signal
import socket
import time

from harness import PATIENCE, Daemon, eventually
from load import Load, Sampler, held, open_client, pool, read_answer, script
from test_control import CANNOT_START, wait_pool
from test_processes import is_sampled
from test_upgrade import Upgradable, Upgraded
from web import Browsers, Site, http, request

KILLS = int(os.environ.get('PREFORKD_TEST_KILLS', '200'))
ECHO = pool('echo', 'workers = 4')
FILES = {'file': b'file', 'big': bytes(range(256)) * (1 << 16)}
GROWING = ['accepted', 'requests', 'bytes_in', 'bytes_out', 'given_way', 'timed_out', 'crashes',
           'respawns', 'died_exit', 'died_signal', 'died_oom', 'died_boot', 'duration_sum_us']


class UpgradedSite(Upgradable, Site):
    pass


def durations(pool_status):
    """[(bound in microseconds, how many took so long at most), ...]; the last bound is inf."""
    pairs = [pair.split(':') for pair in pool_status['durations'].split(',')]
    return [(float(bound), int(count)) for bound, count in pairs]


def ended(pool_status):
    """Requests that have come to their end."""
    return durations(pool_status)[-1][1]


def history(pool_status):
    """(its age in seconds, [(busy, queue, requests), ...])"""
    age, *steps = pool_status['history'].split(';')
    return int(age), [tuple(map(int, step.split(','))) for step in steps]


def counters(daemon):
    """{(pool, key): number} of all that must not become less."""
    found = {}
    for kind, fields in daemon.request('status')[0]:
        if kind != 'pool':
            continue
        for key in GROWING:
            found[fields['name'], key] = int(fields[key])
        for bound, count in durations(fields):
            found[fields['name'], bound] = count
    return found


def assert_growing(answers):
    for before, after in zip(answers, answers[1:]):
        less = {key: (before[key], after[key]) for key in before if after[key] < before[key]}
        assert not less


# --- what is counted ---------------------------------------------------------------------

def test_a_daemon_that_has_done_nothing_says_so():
    with Daemon(ECHO) as daemon:
        status = daemon.pool_status('echo')
        for key in 'requests', 'bytes_in', 'bytes_out', 'given_way', 'timed_out', 'p50_s', 'max_s':
            assert status[key] == 0
        assert len(durations(status)) == 16 and all(count == 0 for _, count in durations(status))
        assert daemon.status()['events'] == []


def read_response(client):
    """How many bytes it has."""
    while b'\r\n\r\n' not in client.buffer:
        assert client.more()
    head, client.buffer = client.buffer.split(b'\r\n\r\n', 1)
    length = int(re.search(rb'(?i)\r\nContent-Length: (\d+)', head).group(1))
    client.take(length)
    assert client.buffer == b''
    return len(head) + 4 + length


def test_the_bytes_are_those_that_the_client_has_counted():
    asked = [request('/file'), request('/big'), request('/no'),
             request('/file', method='POST', body=b'x' * 70000)]
    with Site(http() + ECHO, FILES) as site:
        with site.client() as client:
            received = sum(read_response(client.send(data)) for data in asked)
        status = wait_pool(site, 'web', busy=0, requests=len(asked))
        assert (status['bytes_in'], status['bytes_out']) == (sum(map(len, asked)), received)
        assert ended(status) == len(asked) and status['accepted'] == 1
        line = b'x' * 100001
        assert read_answer(open_client(site.address('echo'), line)) == line
        status = wait_pool(site, 'echo', busy=0, requests=1)
        assert (status['bytes_in'], status['bytes_out']) == (len(line), len(line))
        assert sum(worker['bytes_in'] for worker in status['workers']) == len(line)


def test_a_transfer_is_counted_while_it_lasts():
    with Site(http(), FILES) as site, site.client() as client:
        client.send(request('/big'))
        eventually(lambda: site.pool_status('web')['bytes_out'] > 10000, 'some bytes')
        status = site.pool_status('web')
        assert status['busy'] == 1 and ended(status) == 0
        assert status['bytes_out'] < len(FILES['big'])
        assert client.response().body == FILES['big']


def test_a_pool_that_is_full_of_kept_connections_says_so():
    note = '2 of 2 busy workers keep a connection without a request, and give way to others'
    with Site(http(options=['workers = 2']), FILES) as site, site.client() as one:
        one.ask('/file')
        assert wait_pool(site, 'web', busy=1, kept=1, idle=1)['notes'] == []
        with site.client() as two:
            two.ask('/file')
            status = wait_pool(site, 'web', busy=2, kept=2, idle=0)
        assert status['notes'] == [note]


def test_a_connection_without_a_request_is_none():
    with Site(http(), FILES) as site:
        with site.client():
            wait_pool(site, 'web', busy=1)
        with site.client() as client:
            client.send(b'\r\n')
            wait_pool(site, 'web', busy=1)
        status = wait_pool(site, 'web', busy=0, accepted=2)
        assert (status['requests'], ended(status), status['bytes_in']) == (0, 0, 2)
        with site.client() as client:
            client.send(b'GET / HT')  # begun, but that is all
            wait_pool(site, 'web', requests=1)
        assert ended(wait_pool(site, 'web', busy=0)) == 1


def test_durations_are_those_of_the_service():
    conf = pool('slow', 'workers = 4', script('sleep 0.3'), service='exec')
    with Daemon(conf) as daemon:
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                for sock in [stack.enter_context(daemon.connect('slow')) for _ in range(4)]:
                    assert sock.recv(1) == b''
        status = wait_pool(daemon, 'slow', busy=0, requests=12)
        assert ended(status) == 12
        for key in 'p50_s', 'p90_s', 'p99_s', 'max_s':
            assert 0.25 < status[key] < 20
        assert status['p50_s'] <= status['p90_s'] <= status['p99_s'] <= status['max_s']
        assert 12 * 0.3 <= status['duration_sum_s'] < 12 * 20
        table = dict(durations(status))
        assert table[100000] == 0 and table[60000000] == table[float('inf')] == 12


def test_a_request_is_ended_by_its_limit_once():
    with Daemon(pool('echo', 'workers = 2', 'request_timeout = 500ms')) as daemon:
        with held(daemon, 'echo', 1) as (client,):
            assert client.recv(1) == b''
        assert wait_pool(daemon, 'echo', idle=2, total=2)['timed_out'] == 1
        assert [event['kind'] for event in daemon.status()['events']] == ['timeout']


def test_who_gives_way_is_counted():
    with Site(http('keepalive_timeout = 60s', options=['workers = 2']), FILES) as site:
        with site.client() as first, site.client() as second:
            for client in first, second:
                assert client.ask('/file').body == b'file'
            assert site.pool_status('web')['given_way'] == 0
            assert site.ask('/file').body == b'file'
            assert site.pool_status('web')['given_way'] >= 1


def test_deaths_have_their_reasons():
    with Daemon(ECHO + pool('never', 'workers = 1', 'boot_timeout = 1s')) as daemon:
        for number in range(1, 4):
            os.kill(random.choice(daemon.workers('echo')), signal.SIGKILL)
            status = wait_pool(daemon, 'echo', crashes=number, idle=4)
        assert [status[key] for key in ('died_signal', 'died_exit', 'died_oom', 'died_boot')] \
            == [3, 0, 0, 0]
        daemon.reload(ECHO + pool('never', 'workers = 1', CANNOT_START), expect='refused')
        kinds = [event['kind'] for event in daemon.status()['events']]
        assert kinds.count('reload') == 1 and 'death' in kinds


# --- never less --------------------------------------------------------------------------

class Storm:
    """What is done to a daemon under load: reloads, recyclings, upgrades, and kills."""

    def __init__(self, daemon, conf):
        self.daemon, self.conf = daemon, conf
        self.chance = random.Random(4)
        self.kills = 0
        self.before = []

    def reload(self):
        self.daemon.reload(self.conf.replace('workers = ', f'nice = {self.kills % 7}\nworkers = '))

    def recycle(self):
        self.daemon.done('recycle')

    def upgrade(self):
        self.before.append(self.daemon.upgraded())

    def kill(self, number):
        for _ in range(number):
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.chance.choice(self.daemon.workers()), signal.SIGKILL)
                self.kills += 1
            time.sleep(0.01)


def test_nothing_is_forgotten_in_a_storm():
    conf = http(options=['workers = 8']) + pool('echo', 'workers = 6')
    with UpgradedSite(conf, FILES) as site:
        storm = Storm(site, conf)
        with Sampler(lambda: counters(site), every=0.02) as sampler, \
                Browsers(site, clients=4) as browsers, \
                Load(site.address('echo'), rate=400, clients=4) as load:
            while storm.kills < KILLS:
                for deed in storm.reload, storm.recycle, storm.upgrade:
                    browsers.wait_answered(20)
                    load.wait_answered(20)
                    storm.kill(KILLS // 12 + 1)
                    deed()
        for process in storm.before:
            process.wait()
        assert_growing(sampler.answers)
        check_counts(site.pool_status('web'), browsers.answered, storm.kills,
                     sum(browsers.failures.values()) + browsers.counts['retried'])
        check_counts(site.pool_status('echo'), load.answered, storm.kills,
                     sum(load.failures.values()))


def check_counts(status, answered, kills, unanswered):
    """Each request that was answered has been counted, and of the others those that began."""
    assert answered <= status['requests'] <= answered + unanswered
    assert unanswered <= 2 * kills  # a connection, and the one that was in the way to it
    assert status['requests'] - kills <= ended(status) <= status['requests']
    assert 0 < status['crashes'] <= kills
    assert status['crashes'] == sum(status[f'died_{why}'] for why in ('exit', 'signal', 'oom', 'boot'))


def test_what_the_last_workers_of_an_old_master_do_is_counted_once():
    with Upgraded(ECHO) as daemon:
        with held(daemon, 'echo', 2) as clients:
            masters = [daemon.upgraded(), daemon.upgraded()]
            assert (daemon.pool_status('echo')['requests'], daemon.pool_status('echo')['busy']) \
                == (2, 0)
            for sock in clients:
                sock.sendall(b'x' * 1000)
                assert len(sock.recv(1000, socket.MSG_WAITALL)) == 1000
        assert read_answer(open_client(daemon.address('echo'), b'new\n')) == b'new\n'
        for master in masters:
            master.wait()
        status = wait_pool(daemon, 'echo', requests=3, accepted=3, bytes_in=2 * 1005 + 4, busy=0)
        assert status['bytes_out'] == status['bytes_in'] and ended(status) == 3


def test_an_upgrade_that_comes_to_nothing_costs_no_figure():
    with Upgraded(ECHO) as daemon:
        assert read_answer(open_client(daemon.address('echo'), b'once\n')) == b'once\n'
        daemon.put_binary(b'#!/bin/sh\nexit 1\n')
        assert daemon.ctl('upgrade').returncode == 1
        assert wait_pool(daemon, 'echo', idle=4)['requests'] == 1
        text, = [event['text'] for event in daemon.status()['events'] if event['kind'] == 'reload']
        assert text.startswith('upgrade abandoned: the new master exited with status 1')


def test_a_pool_that_is_dropped_and_comes_back_goes_on():
    with Daemon(ECHO + pool('other', 'workers = 1')) as daemon:
        for number in range(1, 4):
            assert read_answer(open_client(daemon.address('echo'), b'once\n')) == b'once\n'
            wait_pool(daemon, 'echo', requests=number, idle=4)
            daemon.reload(pool('other', 'workers = 1'))
            eventually(lambda: len(daemon.status()['pools']) == 1, 'the pool to go')
            daemon.reload(ECHO + pool('other', 'workers = 1'))
            wait_pool(daemon, 'echo', requests=number, accepted=number, idle=4)
        daemon.done('drain', 'echo')
        assert daemon.pool_status('echo')['requests'] == 3
        assert daemon.pool_status('other')['requests'] == 0


# --- the last ten minutes, and the last events -------------------------------------------

def test_the_history_moves_under_load():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        assert daemon.pool_status('echo')['history'] in ('', '0;0,0,0')
        with held(daemon, 'echo', 2):
            waiting = [open_client(daemon.address('echo'), b'waits\n') for _ in range(5)]
            # Busy is an average: the first step may have begun before they were.
            eventually(lambda: re.search(';[12],5,2$', daemon.pool_status('echo')['history']),
                       'busy workers and a queue of five')
        assert [read_answer(sock) for sock in waiting] == [b'waits\n'] * 5
        status = eventually(lambda: is_sampled(wait_pool(daemon, 'echo', requests=7))
                            and daemon.pool_status('echo'), 'a sample')
        age, steps = history(status)
        assert age < 10 and sum(requests for _, _, requests in steps) == 7
        eventually(lambda: history(daemon.pool_status('echo'))[1][-1] == (0, 0, 0), 'a quiet step')


def test_the_last_events_are_told_with_their_reasons():
    conf = pool('echo', 'workers = 2') + pool('sick', 'workers = 1', script('exit 0'), service='exec')
    with Daemon(conf) as daemon:
        victim = daemon.workers('echo')[0]
        os.kill(victim, signal.SIGKILL)
        wait_pool(daemon, 'echo', crashes=1, idle=2)
        with held(daemon, 'echo', 2), open_client(daemon.address('echo'), b'waits\n'):
            daemon.wait_log('pool echo: all 2 workers are busy')
        daemon.reload(conf + 'nonsense = 1', expect='refused')
        daemon.reload(conf)
        events = daemon.status()['events']
        assert [event['kind'] for event in events] == ['reload', 'saturation', 'death']
        assert 'reload done' in events[0]['text'] and events[0]['pool'] == ''
        assert events[0]['text'].endswith('(and 1 more)')
        assert (events[2]['pool'], events[2]['text']) \
            == ('echo', f'worker {victim} killed by signal 9 (Killed)')
        assert all(0 <= event['ago_s'] < 60 for event in events)
        # Of one pool: its own, and those of the whole daemon.
        assert [event['kind'] for event in daemon.status('sick')['events']] == ['reload']


def test_the_past_is_handed_over_to_a_new_program():
    conf = pool('echo', 'workers = 2') + pool('other', 'workers = 1')
    with Upgraded(conf) as daemon:
        assert [read_answer(open_client(daemon.address('echo'), b'x')) for _ in range(7)] == [b'x'] * 7
        os.kill(daemon.workers('echo')[0], signal.SIGKILL)
        wait_pool(daemon, 'echo', crashes=1, idle=2)
        daemon.reload(conf + 'nonsense = 1', expect='refused')
        daemon.reload(conf)
        status = eventually(lambda: is_sampled(wait_pool(daemon, 'echo', requests=7))
                            and daemon.pool_status('echo'), 'a sample')
        events = [(event['pool'], event['kind'], event['text']) for event in daemon.status()['events']]
        assert [kind for _, kind, _ in events] == ['reload', 'death']
        _, steps = history(status)
        assert sum(requests for _, _, requests in steps) == 7
        for _ in range(2):  # also what was handed over is
            daemon.upgraded().wait()
            now = daemon.status()
            assert [(event['pool'], event['kind'], event['text']) for event in now['events']] == events
            assert all(0 <= event['ago_s'] < 2 * PATIENCE for event in now['events'])
            age, later = history(daemon.pool_status('echo'))
            assert age < 10 and later[:len(steps)] == steps
        assert read_answer(open_client(daemon.address('echo'), b'x')) == b'x'
        eventually(lambda: sum(requests for *_, requests in history(daemon.pool_status('echo'))[1]) == 8,
                   'a sample of the new one')


def test_workers_that_die_by_the_dozen_push_nothing_else_out():
    with Daemon(ECHO + pool('sick', 'workers = 1')) as daemon:
        daemon.reload()

        def killed():
            for pid in daemon.workers('sick'):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSEGV)
            return 'pool sick: workers do not stay alive' in daemon.log()
        eventually(killed, 'the pool to back off')
        events = daemon.status()['events']
        assert len(events) <= 20 and events[-1]['kind'] == 'reload'
        assert {event['kind'] for event in events} == {'reload', 'death', 'backoff'}
