"""The control socket: what an operator can ask of a running daemon, and who may ask.

Through preforkctl, and where the protocol itself matters through the socket.
"""
import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from daemonized import Daemonized
from fastcgi import free_port
from harness import (PREFORKCTL, PREFORKD, ROOT, SANITIZED, Daemon, alive, can_trace, check_config,
                     descriptors, eventually, needs_preload, preload, read_all)
from load import (ANSWERED, Load, crowd, held, open_client, outcome, pool, read_answer, script)
from test_processes import STRANGER, Strace, status_of
from test_signals import changed, refuses
from test_systemd import Activated, listening
from web import http

FAILED, NO_DAEMON, TIMEOUT = 1, 3, 4
ENDLESS = script('echo $$; exec sleep 600')
# More descriptors than the kernel allows anybody: only the worker itself finds out.
CANNOT_START = 'rlimit_nofile = 2147483647'
AT_ONCE = 5  # seconds: what is done at once, on a busy machine

DAEMON_KEYS = ['version', 'pid', 'uptime_s', 'generation', 'config_file', 'config_refused', 'state',
               'workers', 'max_workers', 'log_lost', 'log_lost_ago_s', 'log_lost_why', 'last_reload',
               'events', 'pools']
POOL_KEYS = ['name', 'service', 'listen', 'state', 'idle', 'busy', 'kept', 'starting', 'draining',
             'total', 'max_workers', 'accepted', 'queue_length', 'queue_limit', 'crashes', 'respawns',
             'generation', 'shed', 'refused_access', 'refused_times', 'refused_load',
             'refused_source', 'refused_proxy', 'delayed', 'next_try_ms', 'last_failure',
             'saturated_ms', 'extra', 'min_ready', 'requests', 'bytes_in', 'bytes_out', 'given_way',
             'timed_out', 'died_exit', 'died_signal', 'died_oom', 'died_boot', 'p50_s', 'p90_s',
             'p99_s', 'max_s', 'durations', 'duration_sum_s', 'history', 'notes', 'workers']
WORKER_KEYS = ['pid', 'slot', 'generation', 'state', 'requests', 'age_s', 'state_since_ms',
               'client', 'request', 'program', 'bytes_in', 'bytes_out']


def some(values, *keys):
    return {key: values[key] for key in keys}


def pool_state(daemon, name):
    return daemon.pool_status(name)['state']


def wait_pool(daemon, name, **wanted):
    """Waits until the status of a pool has these values; returns it."""
    def found():
        now = daemon.pool_status(name)
        return now if some(now, *wanted) == wanted else None
    return eventually(found, f'pool {name} with {wanted}, not {daemon.pool_status(name)}')


def failed(daemon, *words, text=''):
    """That the daemon refuses a command; what it says."""
    result = daemon.ctl(*words)
    assert (result.returncode, result.stdout) == (FAILED, ''), result
    assert text in result.stderr
    return result.stderr


def finish(process):
    """(exit status, stdout, stderr) of a preforkctl that runs."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@contextlib.contextmanager
def waiting_behind(daemon, name, workers, number):
    """All workers busy, and so many connections that wait behind them."""
    with held(daemon, name, workers):
        clients = [open_client(daemon.address(name), b'waits\n') for _ in range(number)]
        yield clients
    assert [read_answer(sock) for sock in clients] == [b'waits\n'] * number


# --- status ------------------------------------------------------------------------------

def test_the_status_of_a_daemon_at_rest():
    conf = 'max_workers = 500\n' + pool('one', 'workers = 3', 'listen_backlog = 77') + pool(
        'two', 'start_workers = 2', 'min_spare_workers = 2', 'max_workers = 9', service='rot13')
    with Daemon(conf) as daemon:
        wait_pool(daemon, 'one', idle=3)
        wait_pool(daemon, 'two', idle=2)
        status = daemon.status()
        assert list(status) == DAEMON_KEYS
        version = subprocess.run([PREFORKD, '-V'], capture_output=True, text=True).stdout.split()
        assert some(status, 'version', 'pid', 'config_file', 'state', 'workers', 'max_workers') == {
            'version': version[1], 'pid': daemon.pid, 'config_file': str(daemon.conf_path),
            'state': 'running', 'workers': 5, 'max_workers': 500}
        assert 0 <= status['uptime_s'] < 60
        assert some(status['last_reload'], 'state', 'text') == {'state': 'none', 'text': ''}
        one, two = status['pools']
        assert list(one) == list(two) == POOL_KEYS
        assert some(one, 'name', 'service', 'state', 'idle', 'busy', 'starting', 'draining',
                    'total', 'max_workers', 'queue_length', 'queue_limit', 'accepted') == {
            'name': 'one', 'service': 'echo', 'state': 'running', 'idle': 3, 'busy': 0,
            'starting': 0, 'draining': 0, 'total': 3, 'max_workers': 3, 'queue_length': 0,
            'queue_limit': 77, 'accepted': 0}
        assert some(one, 'crashes', 'respawns', 'shed', 'next_try_ms', 'saturated_ms', 'extra',
                    'last_failure') == {
            'crashes': 0, 'respawns': 0, 'shed': 0, 'next_try_ms': 0, 'saturated_ms': 0,
            'extra': 0, 'last_failure': ''}
        assert one['listen'] == f'127.0.0.1:{daemon.port("one")}'
        assert (two['service'], two['max_workers'], two['queue_limit']) == ('rot13', 9, 511)
        for each in one, two:
            assert sorted(worker['pid'] for worker in each['workers']) \
                == daemon.workers(each['name'])
            for worker in each['workers']:
                assert list(worker) == WORKER_KEYS
                assert some(worker, 'state', 'requests', 'client', 'request', 'program') == {
                    'state': 'idle', 'requests': 0, 'client': '', 'request': '', 'program': 0}
                assert 0 <= worker['age_s'] <= daemon.status()['uptime_s'] + 1


def test_the_records_on_the_socket_are_a_daemon_its_pools_and_their_workers():
    with Daemon(pool('a', 'workers = 1') + pool('b', 'workers = 2')) as daemon:
        wait_pool(daemon, 'b', idle=2)
        records, last = daemon.request('status')
        assert [kind for kind, _ in records] == ['daemon', 'pool', 'worker', 'pool', 'worker',
                                                 'worker']
        assert re.match(r'ok\b', last)
        assert [fields['name'] for kind, fields in records if kind == 'pool'] == ['a', 'b']
        assert [fields['pool'] for kind, fields in records if kind == 'worker'] == ['a', 'b', 'b']


def test_the_status_of_one_pool():
    with Daemon(pool('a') + pool('b')) as daemon:
        assert [each['name'] for each in daemon.status('b')['pools']] == ['b']
        assert 'a, b' in failed(daemon, 'status', 'c')


def test_a_name_with_odd_bytes_comes_back_as_it_is():
    name = 'a\\\\b = c'
    with Daemon(pool(name, 'workers = 1')) as daemon:
        assert daemon.status()['pools'][0]['name'] == 'a\\b = c'
        records, _ = daemon.request('status')
        assert records[1][1]['name'] == r'a\x5cb = c'


def test_the_status_for_people_names_pools_and_workers():
    with Daemon(pool('one', 'workers = 3') + pool('two', 'workers = 1')) as daemon:
        said = daemon.done('status')
        assert 'one' in said and 'two' in said and str(daemon.pid) in said
        workers = daemon.wait_workers(3, 'one')
        assert all(re.search(rf'\b{pid}\b', daemon.done('workers')) for pid in workers)
        only = daemon.done('workers', 'two')
        assert str(daemon.workers('two')[0]) in only and str(workers[0]) not in only


@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/socket', '@preforkd-test-queue'])
def test_the_queue_is_counted_exactly(listen):
    conf = pool('echo', 'workers = 2', 'listen_backlog = 99', listen=listen)
    with Daemon(conf) as daemon:
        with waiting_behind(daemon, 'echo', 2, 37):
            status = wait_pool(daemon, 'echo', queue_length=37, busy=2, idle=0)
            assert status['queue_limit'] == 99
        wait_pool(daemon, 'echo', queue_length=0, busy=0, idle=2, accepted=39)


def test_what_was_served_is_counted():
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        for _ in range(4):
            assert crowd(daemon.address('echo'), 25) == {ANSWERED: 25}
        status = wait_pool(daemon, 'echo', accepted=100, idle=3)
        assert sum(worker['requests'] for worker in status['workers']) == 100
        os.kill(status['workers'][0]['pid'], signal.SIGKILL)
        wait_pool(daemon, 'echo', accepted=100, crashes=1, idle=3)  # it counts for ever


def test_a_busy_worker_has_a_client_and_since_when():
    with Daemon(pool('echo', 'workers = 2')) as daemon, held(daemon, 'echo', 1) as (client,):
        status = wait_pool(daemon, 'echo', busy=1, idle=1)
        busy, = [worker for worker in status['workers'] if worker['state'] == 'busy']
        assert busy['client'].endswith(f':{client.getsockname()[1]}')
        assert busy['client'].startswith('127.0.0.1')
        first = busy['state_since_ms']
        assert 0 <= first < 60000

        def later():
            now = daemon.pool_status('echo')['workers']
            return [each['state_since_ms'] for each in now if each['pid'] == busy['pid']][0]
        eventually(lambda: later() >= first + 300, 'the time to go by')


def test_a_busy_worker_of_exec_names_its_program():
    with Daemon(pool('exec', 'workers = 1', ENDLESS, service='exec')) as daemon:
        with daemon.connect('exec') as client:
            program = int(client.recv(20))

            # It may have written before the worker noted it.
            def named():
                worker, = daemon.pool_status('exec')['workers']
                return (worker['state'], worker['program']) == ('busy', program)
            eventually(named, f'a busy worker with program {program}')


def test_generations_count_up_with_reloads():
    kept, conf = pool('kept', 'workers = 1'), pool('echo', 'workers = 1')
    with Daemon(kept + conf) as daemon:
        seen = [daemon.status()]
        for value in 'ab':
            daemon.reload(kept + changed(conf, value))
            wait_pool(daemon, 'echo', total=1)
            seen.append(daemon.status())
        daemon.reload('nonsense', expect='refused')
        assert daemon.status()['generation'] == seen[-1]['generation']
        for before, after in zip(seen, seen[1:]):
            assert after['generation'] == before['generation'] + 1
            assert after['pools'][1]['generation'] > before['pools'][1]['generation']
            assert after['pools'][0]['generation'] == before['pools'][0]['generation']
        assert seen[2]['pools'][1]['workers'][0]['generation'] == seen[2]['pools'][1]['generation']


def test_the_last_reload_is_remembered_with_its_outcome():
    conf = pool('echo', 'workers = 1')
    with Daemon(conf) as daemon:
        daemon.reload(pool('echo', 'workers = 2'))
        last = daemon.status()['last_reload']
        assert last['state'] == 'done' and 0 <= last['ago_s'] < 60
        daemon.reload(conf + 'nonsense = 1', expect='refused')
        last = daemon.status()['last_reload']
        assert last['state'] == 'refused' and f'{daemon.conf_path}:' in last['text']
        daemon.reload(pool('echo', f'workers = "{"9" * 70000}"'), expect='refused')
        assert f'{daemon.conf_path}:' in daemon.status()['last_reload']['text']
        daemon.done('recycle')  # of what is in force
        status = daemon.status()
        assert (status['last_reload']['state'], status['config_refused']) == ('done', 1)
        daemon.reload(conf)
        assert daemon.status()['config_refused'] == 0


def test_a_reload_of_many_pools_is_told_in_one_line_with_what_has_changed():
    names = [f'a-pool-with-{"a-long-name-" * 4}{i:02}' for i in range(40)]
    many = [pool(name, 'start_workers = 0', 'min_spare_workers = 0', listen=f'@{{dir}}/{name}')
            for name in names]
    with Daemon(''.join(many) + pool('last', 'workers = 1')) as daemon:
        line = daemon.reload(''.join(many[:-1]) + pool('last', 'workers = 2'))
        assert f'kept {names[0]}, ' in line and f', {names[19]} and 19 more; changed in place last; ' in line
        assert line.endswith(f'; dropped {names[-1]}')


def test_crashes_and_respawns_are_counted():
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        with held(daemon, 'echo', 3):
            pass
        for number in 1, 2:
            os.kill(daemon.wait_workers(3)[0], signal.SIGKILL)
            status = wait_pool(daemon, 'echo', crashes=number, respawns=number, idle=3)
        assert 'signal 9' in status['last_failure']


def test_a_pool_that_is_backed_off_says_why_and_until_when():
    daemon = Daemon(pool('homeless', 'workers = 2', 'directory = "{dir}/home"'))
    (daemon.dir / 'home').mkdir()
    with daemon:
        workers = daemon.wait_workers(2)
        (daemon.dir / 'home').rmdir()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: pool_state(daemon, 'homeless') == 'backed off', 'the back-off')
        eventually(lambda: daemon.pool_status('homeless')['next_try_ms'] > 0,
                   'the time of the next attempt')
        # One of the first two may be the last to end.
        eventually(lambda: 'status 70' in daemon.pool_status('homeless')['last_failure'], 'why')
        (daemon.dir / 'home').mkdir()
        assert 'reload done' in daemon.done('reload')
        wait_pool(daemon, 'homeless', state='running', next_try_ms=0, idle=2)


def test_status_answers_at_once_while_all_are_busy_and_100_wait():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        with waiting_behind(daemon, 'echo', 2, 100):
            began = time.monotonic()
            assert daemon.pool_status('echo')['busy'] == 2
            assert time.monotonic() - began < AT_ONCE


# --- reload, test, reopen ----------------------------------------------------------------

def test_a_reload_is_done_when_preforkctl_says_so():
    conf = pool('echo', 'workers = 2')
    with Daemon(conf) as daemon:
        old = daemon.wait_workers(2)
        daemon.write(changed(conf, 'yes') + pool('new', 'workers = 1'))
        assert daemon.done('reload').startswith('reload done: ')
        assert outcome(daemon.address('new'), b'hello\n') == ANSWERED
        daemon.wait_workers(3)
        assert not any(map(alive, old))


@pytest.mark.parametrize('command, says', [('reload', 'reload done'), ('test', 'is valid')])
def test_a_bad_file_is_told_as_file_line_and_message(command, says):
    conf = pool('echo', 'workers = 2')
    with Daemon(conf) as daemon:
        workers = daemon.wait_workers(2)
        daemon.write(conf + pool('bad', 'wrokers = 3'))
        said = failed(daemon, command)
        assert re.fullmatch(rf'{daemon.conf_path}:\d+: .*wrokers.*\n', said)
        assert said == check_config(daemon.conf_path, '-n').stderr
        assert daemon.workers() == workers
        daemon.write(conf)
        assert says in daemon.done(command)


def test_a_test_changes_nothing():
    conf = pool('echo', 'workers = 2')
    with Daemon(conf) as daemon:
        workers, generation = daemon.wait_workers(2), daemon.status()['generation']
        daemon.write(changed(conf, 'yes'))
        assert daemon.done('test') == f'{daemon.conf_path} is valid\n'
        assert (daemon.workers(), daemon.status()['generation']) == (workers, generation)
        daemon.done('reload')
        daemon.wait_replaced(workers, 2)


def test_a_test_of_the_addresses_that_the_daemon_holds_itself_is_content():
    with Daemon(pool('echo', listen='{dir}/socket')) as daemon:
        assert 'is valid' in daemon.done('test')
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(daemon.dir / 'other'))
            other.listen()
            daemon.write(pool('echo', listen='{dir}/other'))
            failed(daemon, 'test', text='in use')


def test_a_reload_whose_workers_die_is_refused_with_the_reason():
    conf = pool('echo', 'workers = 2')
    with Daemon(conf) as daemon:
        workers = daemon.wait_workers(2)
        with Load(daemon.address('echo'), rate=200, clients=2) as load:
            daemon.write(pool('echo', 'workers = 2', CANNOT_START))
            failed(daemon, 'reload', text='pool echo: a new worker ')
            assert re.search('pool echo: a worker cannot start: .*rlimits', daemon.log())
            load.wait_answered(50)
        assert load.failures == {}
        assert daemon.workers() == workers
        assert daemon.status()['last_reload']['state'] == 'refused'
        daemon.write(changed(conf, 'good'))
        assert 'reload done' in daemon.done('reload')


# A worker whose directory has a file "wait" gets no further until it is gone.
SLOW_START = '''
#include <stdio.h>
#include <unistd.h>
int chdir(const char *path)
{
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "chdir");
    char wait[4096];
    snprintf(wait, sizeof(wait), "%s/wait", path);
    while (access(wait, F_OK) == 0)
        usleep(10000);
    return real(path);
}
'''


@contextlib.contextmanager
def reload_takes_its_time(tmp_path, *options):
    """A daemon with a new file whose workers do not get ready while `wait` exists."""
    conf = pool('echo', 'workers = 1', *options)
    os.chmod(tmp_path, 0o755)
    with Daemon(conf, env=preload(tmp_path, SLOW_START)) as daemon:
        slow = daemon.dir / 'slow'
        slow.mkdir()
        wait = slow / 'wait'
        wait.touch()
        daemon.write(pool('echo', 'workers = 1', 'directory = "{dir}/slow"', *options))
        yield daemon, wait


@needs_preload
def test_a_reload_whose_workers_never_get_ready_is_refused(tmp_path):
    with reload_takes_its_time(tmp_path, 'boot_timeout = 1s') as (daemon, wait):
        workers = daemon.workers()
        failed(daemon, 'reload', text='pool echo: a new worker ')
        assert 'is not ready within boot_timeout' in daemon.log()
        assert daemon.workers() == workers
        wait.unlink()
        assert 'reload done' in daemon.done('reload')


@needs_preload
def test_a_reload_under_way_is_seen_and_can_be_waited_for_or_not(tmp_path):
    with reload_takes_its_time(tmp_path) as (daemon, wait):
        old = daemon.workers()
        daemon.done('reload', '--no-wait')
        assert daemon.status()['last_reload']['state'] == 'under way'
        assert daemon.pool_status('echo')['starting'] >= 1
        result = daemon.ctl('reload', '--timeout', '300ms')
        assert result.returncode == TIMEOUT and 'still under way' in result.stderr
        with daemon.ctl_begun('reload') as first, daemon.ctl_begun('reload') as second:
            assert daemon.ask('echo', b'served meanwhile\n') == b'served meanwhile\n'
            assert first.poll() is None and second.poll() is None
            wait.unlink()
            for process in first, second:
                status, said, _ = finish(process)
                assert status == 0 and 'reload done' in said
        daemon.wait_replaced(old, 1)


@needs_preload
def test_a_reload_goes_on_when_the_one_who_waits_for_it_is_killed(tmp_path):
    with reload_takes_its_time(tmp_path) as (daemon, wait):
        old = daemon.workers()
        with daemon.ctl_begun('reload') as process:
            daemon.wait_log('control: .*: reload')
        assert process.returncode == -signal.SIGKILL
        assert daemon.status()['last_reload']['state'] == 'under way'
        wait.unlink()
        daemon.wait_log('reload done')
        daemon.wait_replaced(old, 1)


@needs_preload
def test_what_waits_for_a_reload_goes_on_when_time_is_up(tmp_path):
    with reload_takes_its_time(tmp_path) as (daemon, wait):
        daemon.done('reload', '--no-wait')
        daemon.write(pool('echo', 'workers = 2'))
        for words in ('reload',), ('scale', 'echo', '3'):
            result = daemon.ctl(*words, '--timeout', '300ms')
            assert result.returncode == TIMEOUT and 'it goes on' in result.stderr
        wait.unlink()  # in the order of their coming: a reload ends a scaling
        wait_pool(daemon, 'echo', max_workers=3, idle=3)
        assert len(re.findall('reload done', daemon.log())) == 2


@needs_preload
def test_a_stop_ends_a_reload_that_somebody_waits_for(tmp_path):
    with reload_takes_its_time(tmp_path) as (daemon, _), daemon.ctl_begun('reload') as process:
        eventually(lambda: daemon.status()['last_reload']['state'] == 'under way', 'the reload')
        daemon.done('stop')
        status, said, error = finish(process)
        assert status != 0 and said == '' and error
        assert daemon.ended() == 0


def test_reopen_is_what_logrotate_needs():
    with Daemonized(pool('echo', 'workers = 1')) as daemon:
        old = daemon.log_path.rename(daemon.dir / 'log.1')
        assert 'log reopened' in daemon.done('reopen')
        daemon.reload()  # it is told in the new file
        assert 'reload done' not in old.read_text()


def test_what_cannot_be_reopened_is_told_once_and_keeps_nothing_else():
    conf = ''.join(http(name=name, root='{dir}', options=('workers = 1', f'access_log = "{{dir}}/{name}/log"'))
                   for name in ('gone', 'there', 'away')) + pool('echo')
    daemon = Daemonized(conf)
    for name in 'gone', 'there', 'away':
        (daemon.dir / name).mkdir()
    with daemon:
        for name in 'gone', 'away':
            (daemon.dir / name).rename(daemon.dir / f'{name}.old')
        (daemon.dir / 'there/log').unlink()
        old = daemon.log_path.rename(daemon.dir / 'log.1')
        daemon.log_path.mkdir()
        daemon.log_path = old
        failed(daemon, 'reopen', text=f'cannot open the log {daemon.dir}/log: Is a directory')
        told = re.findall(r'error: cannot open the log \S+/(\S+)/log: .*; the old one stays open$',
                          daemon.log(), re.M)
        assert told == [daemon.dir.name, 'gone', 'away']
        assert (daemon.dir / 'there/log').exists()


# --- scale -------------------------------------------------------------------------------

def test_a_fixed_pool_is_scaled_to_a_number_and_by_one():
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        first = set(daemon.wait_workers(3))
        with Load(daemon.address('echo'), rate=200, clients=2) as load:
            for words, number, extra in ('5', 5, 2), ('+2', 7, 4), ('-4', 3, 0), ('-1', 2, -1):
                daemon.done('scale', 'echo', words)
                assert wait_pool(daemon, 'echo', total=number)['extra'] == extra
                assert len(daemon.workers()) == number
            load.wait_answered(50)
        assert load.failures == {}
        assert first & set(daemon.workers())
        daemon.reload()  # for good until the next one
        daemon.wait_workers(3)


def test_a_pool_whose_old_workers_have_the_room_is_scaled_when_they_leave():
    with Daemon(pool('echo', 'workers = 2', 'old_generation_max = 1')) as daemon:
        with held(daemon, 'echo', 2):
            daemon.done('recycle')
            wait_pool(daemon, 'echo', idle=1, draining=2)
            result = daemon.ctl('scale', 'echo', '4', '--timeout', '300ms')
            assert result.returncode == TIMEOUT, result
        assert daemon.done('scale', 'echo', '4') == 'pool echo has 4 workers\n'


def test_a_dynamic_pool_is_scaled_by_its_spare_workers():
    conf = pool('echo', 'start_workers = 2', 'min_spare_workers = 2', 'max_spare_workers = 4',
                'max_workers = 20', 'spare_timeout = 200ms')
    with Daemon(conf) as daemon:
        daemon.wait_workers(2)
        daemon.done('scale', 'echo', '8')
        eventually(lambda: 8 <= daemon.pool_status('echo')['idle'] <= 10, '8 to 10 spare ones')
        with held(daemon, 'echo', 4):
            eventually(lambda: 8 <= daemon.pool_status('echo')['idle'] <= 10, '8 to 10 beside 4')
        daemon.done('scale', 'echo', '-6')
        eventually(lambda: 2 <= daemon.pool_status('echo')['idle'] <= 4, '2 to 4 spare ones')


@pytest.mark.parametrize('conf, number', [
    (['workers = 3'], '61'), (['workers = 3'], '+58'), (['workers = 3'], '-100'),
    (['workers = 3'], '70000'), (['workers = 3'], '99999999999999999999'),
    (['start_workers = 3', 'min_spare_workers = 2', 'max_workers = 10'], '11'),
    (['start_workers = 3', 'min_spare_workers = 2', 'max_workers = 10'], '+9'),
    (['start_workers = 3', 'min_spare_workers = 2', 'max_workers = 10'], '-3')])
def test_a_number_beyond_the_limits_is_refused(conf, number):
    with Daemon('max_workers = 60\n' + pool('echo', *conf)) as daemon:
        daemon.wait_workers(3)
        failed(daemon, 'scale', 'echo', number)
        assert daemon.workers() == daemon.wait_workers(3)
        assert daemon.pool_status('echo')['extra'] == 0


# --- recycle -----------------------------------------------------------------------------

FIXED = pool('fixed', 'workers = 5')
DYNAMIC = pool('dynamic', 'start_workers = 3', 'min_spare_workers = 3', 'max_spare_workers = 6')


def test_one_pool_is_recycled_under_load_and_nothing_is_lost():
    with Daemon(FIXED + DYNAMIC) as daemon:
        old, others = daemon.wait_workers(5, 'fixed'), daemon.workers('dynamic')
        with Load(daemon.address('fixed'), rate=300) as load:
            for _ in range(3):
                old = daemon.wait_workers(5, 'fixed')
                said = daemon.done('recycle', 'fixed')
                assert 'recycle done' in said and 'fixed' in said and 'dynamic' not in said
                daemon.wait_replaced(old, 5, 'fixed')
                load.wait_answered(50)
        assert load.failures == {}
        assert set(daemon.workers('dynamic')) == set(others)
        assert daemon.pool_status('fixed')['crashes'] == 0


def test_all_pools_are_recycled_under_load_and_nothing_is_lost():
    lazy = pool('lazy', 'start_workers = 0', 'min_spare_workers = 0')
    with Daemon(FIXED + DYNAMIC + lazy) as daemon:
        old = daemon.workers()
        with Load(daemon.address('fixed'), rate=200, clients=4) as fixed, \
                Load(daemon.address('dynamic'), rate=200, clients=4) as dynamic:
            assert 'recycle done' in daemon.done('recycle')
            eventually(lambda: not any(map(alive, old)), 'the end of all old workers')
            for load in fixed, dynamic:
                load.wait_answered(50)
        assert (fixed.failures, dynamic.failures) == ({}, {})
        assert daemon.ask('lazy', b'hello\n') == b'hello\n'


def test_who_is_busy_when_its_pool_is_recycled_finishes():
    with Daemon(pool('echo', 'workers = 3')) as daemon:
        old = daemon.wait_workers(3)
        with held(daemon, 'echo', 2) as clients:
            daemon.done('recycle', 'echo', '--no-wait')
            eventually(lambda: len(set(daemon.workers()) - set(old)) == 3, 'three new ones')
            for sock in clients:
                sock.sendall(b'more\n')
                assert sock.recv(5) == b'more\n'
        daemon.wait_replaced(old, 3)


def test_a_recycling_whose_new_workers_cannot_start_is_refused():
    daemon = Daemon(pool('echo', 'workers = 3', 'directory = "{dir}/home"'))
    (daemon.dir / 'home').mkdir()
    with daemon:
        old = daemon.wait_workers(3)
        (daemon.dir / 'home').rmdir()
        with Load(daemon.address('echo'), rate=200, clients=2) as load:
            failed(daemon, 'recycle', text='home')
            load.wait_answered(20)
        assert load.failures == {} and daemon.workers() == old
        daemon.wait_log('recycle refused, nothing was changed')
        (daemon.dir / 'home').mkdir()
        daemon.done('recycle')
        daemon.wait_replaced(old, 3)


# --- drain and resume --------------------------------------------------------------------

ADDRESSES = ['127.0.0.1:0', '{dir}/socket']


@pytest.mark.parametrize('listen', ADDRESSES, ids=['tcp', 'path'])
def test_a_drained_pool_accepts_nothing_until_it_is_resumed(listen):
    conf = pool('echo', 'workers = 3', listen=listen) + pool('other', 'workers = 2')
    with Daemon(conf) as daemon:
        where, others = daemon.address('echo'), daemon.workers('other')
        daemon.done('drain', 'echo')
        assert refuses(where) and daemon.workers('echo') == []
        assert some(daemon.pool_status('echo'), 'state', 'listen', 'total') == {
            'state': 'drained', 'listen': '', 'total': 0}
        daemon.wait_log('pool echo: drained')
        assert daemon.ask('other', b'still here\n') == b'still here\n'
        daemon.done('resume', 'echo')
        assert daemon.ask('echo', b'again\n') == b'again\n'
        wait_pool(daemon, 'echo', state='running', idle=3)
        assert daemon.workers('other') == others


@pytest.mark.parametrize('listen', ADDRESSES, ids=['tcp', 'path'])
def test_a_drain_serves_who_is_in_and_who_waits(listen):
    with Daemon(pool('echo', 'workers = 2', listen=listen)) as daemon:
        where = daemon.address('echo')
        with held(daemon, 'echo', 2) as clients:
            waiting = [open_client(where, b'waits\n') for _ in range(10)]
            with daemon.ctl_begun('drain', 'echo') as drain:
                eventually(lambda: pool_state(daemon, 'echo') == 'draining', 'the drain')
                clients[0].close()
                assert [read_answer(sock) for sock in waiting] == [b'waits\n'] * 10
                eventually(lambda: refuses(where), 'the address to be closed')
                clients[1].sendall(b'more\n')
                assert clients[1].recv(5) == b'more\n'
                assert drain.poll() is None
                clients[1].close()
                assert finish(drain)[0] == 0
        assert pool_state(daemon, 'echo') == 'drained'


def test_a_drain_may_be_left_alone_or_waited_for_so_long():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        with held(daemon, 'echo', 1):
            result = daemon.ctl('--timeout', '300ms', 'drain', 'echo')
            assert result.returncode == TIMEOUT and 'still under way' in result.stderr
            assert pool_state(daemon, 'echo') == 'draining'
            daemon.done('drain', 'echo', '--no-wait')
            assert pool_state(daemon, 'echo') == 'draining'
        wait_pool(daemon, 'echo', state='drained', total=0)


def test_a_drain_that_is_taken_back_serves_on():
    with Daemon(pool('echo', 'workers = 2')) as daemon:
        with held(daemon, 'echo', 1) as (client,):
            with daemon.ctl_begun('drain', 'echo') as drain:
                eventually(lambda: pool_state(daemon, 'echo') == 'draining', 'the drain')
                daemon.done('resume', 'echo')
                assert daemon.ask('echo', b'again\n') == b'again\n'
                client.sendall(b'more\n')
                assert client.recv(5) == b'more\n'
                status, _, error = finish(drain)  # it will never be done
                assert status == FAILED and error
        wait_pool(daemon, 'echo', state='running', idle=2)


@pytest.mark.parametrize('by', ['resume', 'reload'])
def test_an_address_is_free_again_while_all_workers_finish_what_they_have(by):
    conf, other = pool('echo', 'workers = 2', listen=f'127.0.0.1:{free_port()}'), pool('other')
    with Daemon(conf + other) as daemon:
        with held(daemon, 'echo', 2) as clients:
            if by == 'resume':
                daemon.done('drain', 'echo', '--no-wait')
                daemon.done('resume', 'echo')
            else:
                daemon.reload(other)
                daemon.reload(conf + other)
            assert daemon.ask('echo', b'again\n') == b'again\n'
            for client in clients:
                client.sendall(b'more\n')
                assert client.recv(5) == b'more\n'


@pytest.mark.parametrize('change', [False, True], ids=['the same file', 'a changed pool'])
def test_a_reload_keeps_a_drained_pool_drained(change):
    conf = pool('echo', 'workers = 2')
    with Daemon(conf + pool('other')) as daemon:
        where = daemon.address('echo')
        daemon.done('drain', 'echo')
        daemon.reload((changed(conf, 'yes') if change else conf) + pool('other', 'max_workers = 9'))
        assert pool_state(daemon, 'echo') == 'drained' and refuses(where)
        assert daemon.pool_status('other')['max_workers'] == 9
        daemon.done('resume', 'echo')
        assert daemon.ask('echo', b'again\n') == b'again\n'
        wait_pool(daemon, 'echo', state='running', idle=2)


def test_a_reload_forgets_the_scaling_of_a_drained_pool():
    def sizes(least):
        return pool('echo', 'start_workers = 0', f'min_spare_workers = {least}',
                    'max_spare_workers = 10')

    with Daemon(sizes(5)) as daemon:
        daemon.done('scale', 'echo', '0')
        daemon.done('drain', 'echo')
        daemon.reload(sizes(1))
        daemon.done('resume', 'echo')
        wait_pool(daemon, 'echo', extra=0, idle=1)
        assert daemon.ask('echo', b'again\n') == b'again\n'


def test_a_drained_pool_can_be_dropped_from_the_file_and_come_back():
    conf = pool('echo', 'workers = 2')
    with Daemon(conf + pool('other')) as daemon:
        daemon.done('drain', 'echo')
        daemon.reload(pool('other'))
        assert [each['name'] for each in daemon.status()['pools']] == ['other']
        failed(daemon, 'resume', 'echo', text='other')
        daemon.reload(conf + pool('other'))
        assert daemon.ask('echo', b'hello\n') == b'hello\n'


def test_a_pool_that_still_drains_can_be_dropped_from_the_file_and_come_back():
    conf = pool('echo', 'workers = 2')
    with Daemon(conf + pool('other')) as daemon:
        with held(daemon, 'echo', 1):
            daemon.done('drain', 'echo', '--no-wait')
            daemon.reload(pool('other'))
            assert 'new echo' in daemon.reload(conf + pool('other'))
            assert daemon.ask('echo', b'hello\n') == b'hello\n'
        daemon.wait_log('pool echo: stopped')
        assert daemon.ask('echo', b'hello\n') == b'hello\n'


def test_a_daemon_with_nothing_but_a_drained_pool_can_be_stopped():
    with Daemon(pool('echo', listen='{dir}/socket')) as daemon:
        daemon.done('drain', 'echo')
        daemon.signal(signal.SIGQUIT)
        assert daemon.ended() == 0


def test_a_drain_of_a_socket_of_the_service_manager_keeps_who_comes_for_the_resume():
    sock = listening()
    with Activated(pool('echo', 'workers = 2'), [sock], 'echo') as daemon:
        daemon.done('drain', 'echo')
        assert daemon.workers() == []
        waiting = open_client((socket.AF_INET, sock.getsockname()), b'waits\n')
        daemon.done('resume', 'echo')
        assert read_answer(waiting) == b'waits\n'


def test_a_socket_of_the_service_manager_is_taken_again_while_old_workers_finish():
    with Activated(pool('echo', 'workers = 2'), [listening()], 'echo') as daemon:
        with held(daemon, 'echo', 1):
            daemon.done('drain', 'echo', '--no-wait')
            daemon.done('resume', 'echo')
            assert daemon.ask('echo', b'again\n') == b'again\n'


def test_a_drain_makes_room_for_other_pools_at_once():
    sizes = ['start_workers = 0', 'min_spare_workers = 0', 'max_spare_workers = 2', 'max_workers = 2']
    conf = 'max_workers = 2\n' + pool('first', *sizes) + pool('second', *sizes)
    with Daemon(conf) as daemon:
        with held(daemon, 'first', 2):
            client = open_client(daemon.address('second'), b'waits\n')
            daemon.wait_log('pool second: needs more workers, but the global max_workers is reached')
            daemon.done('drain', 'first', '--no-wait')
            assert read_answer(client) == b'waits\n'


def test_a_resume_that_cannot_have_its_address_is_refused():
    with Daemon(pool('echo', 'workers = 1', listen='{dir}/socket')) as daemon:
        where = daemon.address('echo')
        daemon.done('drain', 'echo')
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(where[1])
            other.listen()
            failed(daemon, 'resume', 'echo', text='in use')
            assert pool_state(daemon, 'echo') == 'drained'
        daemon.done('resume', 'echo')
        assert outcome(where, b'hello\n') == ANSWERED


# --- kill --------------------------------------------------------------------------------

def busy_worker(daemon, name):
    return next(worker['pid'] for worker in daemon.pool_status(name)['workers']
                if worker['state'] == 'busy')


def test_a_killed_worker_finishes_its_connection_and_is_replaced():
    with Daemon(pool('echo', 'workers = 3')) as daemon, held(daemon, 'echo', 1) as (client,):
        pid = busy_worker(daemon, 'echo')
        with daemon.ctl_begun('kill', pid) as kill:
            eventually(lambda: daemon.pool_status('echo')['draining'] == 1, 'the worker to leave')
            wait_pool(daemon, 'echo', idle=3)
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n' and kill.poll() is None
            client.close()
            assert finish(kill)[0] == 0
        assert not alive(pid)
        wait_pool(daemon, 'echo', idle=3, total=3, crashes=0)


def test_kill_now_does_not_wait_for_the_connection():
    with Daemon(pool('exec', 'workers = 2', ENDLESS, service='exec')) as daemon:
        with daemon.connect('exec') as client:
            program, pid = int(client.recv(20)), busy_worker(daemon, 'exec')
            daemon.done('kill', pid, '--now')
            assert not alive(pid) and client.recv(1) == b''
            eventually(lambda: not alive(program), 'the end of the program')
        wait_pool(daemon, 'exec', idle=2)


def test_only_workers_can_be_killed():
    with Daemon(pool('echo', 'workers = 1')) as daemon, \
            subprocess.Popen(['sleep', '600']) as stranger:
        try:
            for pid in 1, daemon.pid, stranger.pid, 0, -1, 999999999, 'none':
                failed(daemon, 'kill', pid)
            assert stranger.poll() is None and daemon.process.poll() is None
        finally:
            stranger.kill()
        pid, = daemon.workers()
        daemon.done('kill', pid)
        assert not alive(pid)


# --- stop and version --------------------------------------------------------------------

def test_a_stop_waits_for_who_is_in_and_answers_when_all_has_ended():
    with Daemon(pool('echo', 'workers = 2')) as daemon, held(daemon, 'echo', 1) as (client,):
        where = daemon.address('echo')
        with daemon.ctl_begun('stop') as stop:
            daemon.wait_log('stopping')
            eventually(lambda: refuses(where), 'the address to be closed')
            assert daemon.status()['state'] == pool_state(daemon, 'echo') == 'stopping'
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n' and stop.poll() is None
            client.close()
            status, said, error = finish(stop)
            assert (status, error) == (0, '') and said
        assert daemon.ended() == 0
        assert not daemon.control_path.exists()


def test_stop_now_waits_for_nobody():
    with Daemon(pool('exec', 'workers = 2', ENDLESS, service='exec')) as daemon:
        with daemon.connect('exec') as client:
            program = int(client.recv(20))
            daemon.done('stop', '--now')
            assert daemon.ended() == 0
            assert not alive(program) and client.recv(1) == b''


def test_a_stop_can_be_hurried():
    with Daemon(pool('echo', 'workers = 2')) as daemon, held(daemon, 'echo', 1):
        daemon.done('stop', '--no-wait')
        daemon.wait_log('stopping gracefully')
        assert daemon.process.poll() is None
        daemon.done('stop', '--now')
        assert daemon.ended() == 0


def test_version_is_that_of_both():
    with Daemon(pool('echo')) as daemon:
        number = daemon.status()['version']
        assert daemon.request('version') == ([], f'ok preforkd {number}')
        assert daemon.done('version').count(number) == 2


def test_nobody_is_there():
    with Daemon(pool('echo')) as daemon:
        path = daemon.control_path
        daemon.control_path = daemon.dir / 'elsewhere'
        result = daemon.ctl('status')
        assert result.returncode == NO_DAEMON and str(daemon.control_path) in result.stderr
        daemon.control_path = path
        daemon.done('status')


# --- wrong words -------------------------------------------------------------------------

@pytest.mark.parametrize('line, text', [
    ('dance', 'dance'), ('STATUS', 'STATUS'), ('', ''), (' ', ''), ('status\tone', ''),
    ('status three', 'one, two'), ('drain three', 'one, two'), ('resume three', 'one, two'),
    ('recycle three', 'one, two'), ('scale three 5', 'one, two'), ('status one two', ''),
    ('reload now', ''), ('scale', ''), ('scale one', ''), ('scale one 3 4', ''),
    ('scale one many', 'many'), ('scale one 3x', '3x'), ('scale one +', ''), ('scale one 1.5', ''),
    ('kill', ''), ('kill one', 'one'), ('drain', ''), ('resume', ''), ('version 2', ''),
    ('stop one', ''), ('test one', ''), ('reopen one', ''), ('upgrade one', ''),
    ('status --json', ''), ('scale --what one 5', '--what'),
    ('status a b c d e f g h i j k l', ''), ('x' * 1023, '')])
def test_a_wrong_request_is_answered_with_the_reason_and_does_nothing(line, text):
    with Daemon(pool('one', 'workers = 1') + pool('two', 'workers = 1')) as daemon:
        workers = daemon.wait_workers(2)
        records, last = daemon.request(line)
        assert records == [] and re.match('failed .', last) and text in last
        assert daemon.workers() == workers and daemon.process.poll() is None
        records, last = daemon.request('status one')
        assert len(records) == 3 and last.startswith('ok')


def test_preforkctl_passes_the_reason_on():
    with Daemon(pool('one') + pool('two')) as daemon:
        for words in [['drain', 'three'], ['scale', 'one', 'many'], ['kill', 'one']]:
            _, last = daemon.request(' '.join(words))
            assert failed(daemon, *words) == last.removeprefix('failed ') + '\n'
        assert daemon.ctl('dance').returncode in (1, 2)


# --- hostile clients ---------------------------------------------------------------------

def say(daemon, data, half_close=False):
    """Raw bytes to the control socket; all that comes back, or what the kernel says."""
    with daemon.control_connect() as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        except OSError as error:
            return error


@contextlib.contextmanager
def unharmed(daemon):
    """Whatever happens in the block: status answers at once, descriptors and memory come back."""
    def memory():
        return int(status_of(daemon.pid)['VmRSS'].split()[0])
    daemon.request('status')
    before, used = descriptors(daemon.pid), memory()
    yield
    began = time.monotonic()
    assert daemon.request('status')[1].startswith('ok')
    assert time.monotonic() - began < AT_ONCE
    eventually(lambda: descriptors(daemon.pid) == before, 'the descriptors from before')
    assert SANITIZED or memory() < used + 4096
    assert daemon.ask('echo', b'hello\n') == b'hello\n'


HOSTILE = {
    'nothing at all': (b'', True),
    'half a line': (b'stat', True),
    'a line without its end': (b'status', True),
    'a megabyte without an end': (b'x' * 1048576, False),
    'a megabyte of lines': (b'x\n' * 524288, False),
    'NUL bytes': (b'\0\0\0\n', False),
    'a NUL in a word': (b'stat\0us\n', False),
    'control bytes': (b'\x01\x1b[2J\x7f\n', False),
    'bytes that are no text': (bytes(range(128, 256)) + b'\n', False),
    'a line of 1025 bytes': (b'x' * 1024 + b'\n', False),
    'a carriage return': (b'stop\r\n', False),
}


@pytest.mark.parametrize('what', HOSTILE)
def test_a_client_that_sends_rubbish_is_told_so_or_left(what):
    with Daemon(pool('echo', 'workers = 1')) as daemon, unharmed(daemon):
        for _ in range(20):
            answer = say(daemon, *HOSTILE[what])
            if isinstance(answer, bytes):
                assert answer == b'' or re.fullmatch(rb'failed [^\n]*\n', answer)
        assert daemon.process.poll() is None
        log = daemon.log_path.read_bytes()
        assert b'\0' not in log and b'\x1b' not in log


def test_a_request_in_pieces_is_one_request():
    with Daemon(pool('echo', 'workers = 1')) as daemon, daemon.control_connect() as sock:
        for byte in b'version\n':
            sock.sendall(bytes([byte]))
            daemon.request('version')
        assert read_all(sock).startswith(b'ok preforkd ')


def test_200_silent_clients_keep_nobody_from_the_status():
    with Daemon(pool('echo', 'workers = 1')) as daemon, unharmed(daemon):
        with contextlib.ExitStack() as stack:
            for number in range(200):
                try:
                    sock = stack.enter_context(daemon.control_connect())
                    sock.sendall(b'stat' if number % 2 else b'')
                except OSError:  # too many is a reason to be cut off
                    pass
            began = time.monotonic()
            assert daemon.status()['state'] == 'running'
            assert time.monotonic() - began < AT_ONCE


def test_a_client_that_never_reads_a_big_answer_keeps_nobody_from_the_status():
    # Names that take four bytes for each of theirs.
    conf = pool('echo', 'workers = 1') + ''.join(
        pool('\\\\' * 56 + f'{number:04}', 'start_workers = 0', 'min_spare_workers = 0')
        for number in range(500))
    with Daemon(conf, level='notice') as daemon:
        with unharmed(daemon):
            with contextlib.ExitStack() as stack:
                for _ in range(20):
                    sock = stack.enter_context(daemon.control_connect())
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    sock.sendall(b'status\n')
                records, last = daemon.request('status')
                assert len(records) == 2 + 1 + 500 and last.startswith('ok')
                # Who reads late has all of it, or was cut off.
                answer = read_all(sock)
                assert len(answer) > 4096


def test_storms_of_clients_leave_nothing_behind():
    with Daemon(pool('echo', 'workers = 1')) as daemon, unharmed(daemon):
        for _ in range(10):
            with contextlib.ExitStack() as stack:
                socks = [stack.enter_context(daemon.control_connect()) for _ in range(20)]
                for sock in socks[:15]:
                    sock.sendall(b'status\n')
                for sock in socks[:5]:
                    assert read_all(sock).splitlines()[-1].startswith(b'ok')


# --- who may -----------------------------------------------------------------------------

def mode_of(path):
    return oct(stat.S_IMODE(os.stat(path).st_mode))


def test_the_socket_is_for_its_owner_alone():
    with Daemon(pool('echo')) as daemon:
        assert mode_of(daemon.control_path) == '0o600'
        assert os.stat(daemon.control_path).st_uid == os.geteuid()


def test_the_socket_is_for_a_group_too_if_the_file_says_so():
    number = 1 if ROOT else os.getegid()
    with Daemon(f'control_group = "{number}"\n' + pool('echo')) as daemon:
        assert mode_of(daemon.control_path) == '0o660'
        assert os.stat(daemon.control_path).st_gid == number
        daemon.reload(pool('echo'))
        assert mode_of(daemon.control_path) == '0o600'


def as_stranger(*groups):
    wrap = ['setpriv', f'--reuid={STRANGER}', f'--regid={STRANGER}',
            '--groups=' + ','.join(map(str, groups)) if groups else '--clear-groups']
    if subprocess.run([*wrap, 'test', '-x', PREFORKCTL]).returncode:
        pytest.skip(f'uid {STRANGER} cannot reach {PREFORKCTL}')
    return wrap


@pytest.mark.root
def test_an_ordinary_user_is_refused_and_a_member_of_the_group_is_let_in():
    with Daemon('control_group = "daemon"\n' + pool('echo')) as daemon:
        result = daemon.ctl('status', wrap=as_stranger())
        assert result.returncode == NO_DAEMON and result.stdout == ''
        assert 'daemon' in result.stderr and str(daemon.control_path) in result.stderr
        result = daemon.ctl('status', wrap=as_stranger(1))
        assert (result.returncode, result.stderr) == (0, '')
        result = daemon.ctl('status', wrap=as_stranger(1, *range(40000, 40300)))
        assert (result.returncode, result.stderr) == (0, '')
        result = daemon.ctl('recycle', wrap=as_stranger(1))
        assert result.returncode == 0
        daemon.wait_log(rf'control: uid {STRANGER} pid \d+: recycle')


def test_an_unknown_group_is_refused_in_the_file():
    with Daemon(pool('echo')) as daemon:
        daemon.write('control_group = "no-such-group"\n' + pool('echo'))
        result = check_config(daemon.conf_path, '-n')
        if ROOT:
            assert result.returncode == 1 and 'no-such-group' in result.stderr


def test_what_is_asked_for_is_logged_with_who_asked():
    with Daemon(pool('echo', 'workers = 1')) as daemon:
        with daemon.ctl_begun('scale', 'echo', '+1') as process:
            assert finish(process)[0] == 0
        daemon.done('status')
        daemon.done('test')
        daemon.done('version')
        daemon.done('kill', daemon.workers()[0], '--now')
        lines = re.findall(r'notice: control: (.*)', daemon.log())
        assert len(lines) == 2
        assert lines[0] == f'uid {os.getuid()} pid {process.pid}: scale echo +1'
        assert re.fullmatch(rf'uid {os.getuid()} pid \d+: kill \d+ --now', lines[1])


# --- the file of the socket --------------------------------------------------------------

def test_the_socket_is_removed_at_the_end():
    for number in signal.SIGTERM, signal.SIGQUIT:
        with Daemon(pool('echo')) as daemon:
            assert daemon.control_path.exists()
            daemon.signal(number)
            assert daemon.ended() == 0
            assert not daemon.control_path.exists()


def test_a_stale_socket_is_replaced():
    with Daemon(pool('echo', 'workers = 1')) as daemon:
        workers = daemon.wait_workers(1)
        daemon.signal(signal.SIGKILL)
        daemon.ended()
        eventually(lambda: not any(map(alive, workers)), 'the end of the workers')
        assert daemon.control_path.exists()
        mark = daemon.mark()
        daemon.spawn().wait_log('ready: ', since=mark)
        assert daemon.status()['pid'] == daemon.pid


def test_the_socket_of_another_daemon_is_left_alone_and_its_pid_is_told():
    with Daemon(pool('echo')) as daemon:
        second = Daemon(pool('echo'))
        second.control = daemon.control
        said = second.refusal()
        assert str(daemon.control_path) in said and re.search(rf'\b{daemon.pid}\b', said)
        assert daemon.status()['pid'] == daemon.pid


def test_a_file_in_the_place_of_the_socket_is_left_alone():
    daemon = Daemon(pool('echo'))
    daemon.control_path.write_text('precious')
    with daemon.spawned():
        assert daemon.ended() == 1
        assert str(daemon.control_path) in daemon.log()
        assert daemon.control_path.read_text() == 'precious'


def test_in_the_foreground_there_is_a_socket_only_if_it_is_asked_for():
    daemon = Daemon(pool('echo'))
    daemon.control = []
    with daemon:
        assert list(daemon.dir.glob('*.sock')) == []
        assert '/control.sock' not in ' '.join(descriptors(daemon.pid).values())
        daemon.reload('control_socket = "{dir}/control.sock"\n' + pool('echo'))
        assert daemon.status()['pid'] == daemon.pid
        daemon.write(pool('echo'))
        assert 'reload done' in daemon.done('reload')  # who asked for it is answered over it
        assert list(daemon.dir.glob('*.sock')) == []


def test_a_reload_can_move_the_socket():
    daemon = Daemon('control_socket = "{dir}/control.sock"\n' + pool('echo'))
    daemon.control = []
    with daemon:
        old = daemon.control_path
        daemon.write('control_socket = "{dir}/moved.sock"\n' + pool('echo'))
        assert 'reload done' in daemon.done('reload')
        daemon.control_path = daemon.dir / 'moved.sock'
        assert daemon.status()['pid'] == daemon.pid and not old.exists()
        # To where it cannot be: refused as a whole.
        daemon.write('control_socket = "{dir}/no/such.sock"\n' + pool('echo', 'max_workers = 7'))
        failed(daemon, 'reload')
        assert daemon.pool_status('echo')['max_workers'] == 150


def control_sockets(daemon):
    """{'socket:[INODE]', ...} of the listening socket and its connections."""
    rows = [line.split() for line in open('/proc/net/unix')]
    return {f'socket:[{row[6]}]' for row in rows if row[-1] == str(daemon.control_path)}


def test_programs_and_workers_do_not_hold_the_socket():
    conf = pool('ls', 'workers = 1', 'exec { command = { "/bin/ls", "/proc/self/fd" } }',
                service='exec')
    with Daemon(conf) as daemon, daemon.control_connect():
        daemon.request('status')
        daemon.reload(conf + pool('echo', 'workers = 1'))  # a fork while a client is there
        sockets = control_sockets(daemon)
        assert len(sockets & set(descriptors(daemon.pid).values())) == 2
        assert daemon.ask('ls').split() == [b'0', b'1', b'2', b'3']
        for name in 'ls', 'echo':
            pid, = daemon.wait_workers(1, name)
            assert not sockets & set(descriptors(pid).values())


# --- rest --------------------------------------------------------------------------------

def silence(daemon):
    """Whether two seconds go by without a system call; timers of before may still run out:
    the history is sampled for ten seconds."""
    calls = []
    for _ in range(7):
        with Strace(daemon, 'calls') as trace, pytest.raises(subprocess.TimeoutExpired):
            trace.process.wait(2)
        calls.append(trace.calls)
        if trace.calls == {}:
            return True
    raise AssertionError(f'no silence: {calls}')


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_with_its_control_socket_a_daemon_at_rest_makes_no_system_call():
    with Daemon(pool('echo', 'workers = 5')) as daemon:
        daemon.wait_workers(5)
        daemon.status()
        say(daemon, b'half a li', half_close=True)
        daemon.done('recycle')
        eventually(lambda: some(daemon.pool_status('echo'), 'idle', 'total')
                   == {'idle': 5, 'total': 5}, 'five idle workers and no other')
        assert silence(daemon)
        with Strace(daemon, 'asked') as trace:
            daemon.status()
        assert trace.calls
