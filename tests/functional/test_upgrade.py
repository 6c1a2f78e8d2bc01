"""A new binary on the same sockets; and the daemon as the first process of a container.

Each daemon runs a copy of the binary in its own directory, which is replaced by renaming.
"""
import array
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess

import pytest

from daemonized import Background, Daemonized
from fastcgi import free_port
from harness import (PATIENCE, PREFORKD, Daemon, alive, children, eventually, proc_stat, read_all,
                     title, without_proc, workers_of)
from load import ANSWERED, Load, held, open_client, outcome, paced, pool, read_answer, script
from test_control import FAILED, finish, wait_pool
from test_signals import changed
from test_systemd import Activated, Manager, inode, listening

ECHO = pool('echo', 'workers = 4')
PATH = pool('path', 'workers = 2', listen='{dir}/socket')
BOTH = ECHO + PATH


class Upgradable:
    """Mixed into a Daemon: runs DIR/preforkd, and follows the daemon to its next process."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.binary = self.dir / 'preforkd'
        self.put_binary()

    def command(self):
        return [str(self.binary) if word == PREFORKD else word for word in super().command()]

    def put_binary(self, content=None):
        """Another file in the place of the binary: a script, or the real one."""
        new = self.dir / 'preforkd.new'
        if content is None:
            shutil.copyfile(PREFORKD, new)
        else:
            new.write_bytes(content)
        new.chmod(0o755)
        new.rename(self.binary)

    def follow(self, pid):
        """From now on the daemon is this process; what it was before."""
        before, self.pid = self.process, pid
        self.process = Background(pid)
        return before

    def upgraded(self):
        """Has it upgraded by preforkctl; the process that it was before."""
        said = self.done('upgrade')
        pid = int(re.search(r'\bpid (\d+)', said).group(1))
        assert pid != self.pid and alive(pid), said
        assert os.path.samefile(f'/proc/{pid}/exe', self.binary)
        return self.follow(pid)


class Upgraded(Upgradable, Daemon):
    pass


class UpgradedInBackground(Upgradable, Daemonized):
    pass


class UpgradedActivated(Upgradable, Activated):
    pass


# --- the way there -----------------------------------------------------------------------

def test_upgrades_forth_and_back_under_load_lose_nothing():
    with Upgraded(BOTH) as daemon:
        with Load(daemon.address('echo'), rate=300, clients=4) as tcp, \
                Load(daemon.address('path'), rate=300, clients=4) as path:
            for _ in range(4):
                workers = daemon.workers()
                daemon.put_binary()
                before = daemon.upgraded()
                for load in tcp, path:
                    load.wait_answered(50)
                assert before.wait(PATIENCE) == 0
                assert not any(map(alive, workers))
        assert (tcp.failures, path.failures) == ({}, {})
        daemon.wait_workers(6)
        assert daemon.status()['pid'] == daemon.pid
        daemon.signal(signal.SIGQUIT)
        daemon.ended()
        assert not (daemon.dir / 'socket').exists() and not daemon.control_path.exists()


def test_connections_are_finished_by_the_old_workers():
    with Upgraded(BOTH) as daemon:
        with held(daemon, 'echo', 3) as tcp, held(daemon, 'path', 2) as path:
            waiting = open_client(daemon.address('path'), b'waits\n')
            workers = daemon.workers()
            before = daemon.upgraded()
            assert read_answer(waiting) == b'waits\n'
            assert outcome(daemon.address('echo'), b'a new one\n') == ANSWERED
            for sock in tcp + path:
                sock.sendall(b'more\n')
                assert sock.recv(5) == b'more\n'
            eventually(lambda: sum(map(alive, workers)) == 5, 'the idle ones to leave')
            assert before.poll() is None
        assert before.wait(PATIENCE) == 0
        assert not any(map(alive, workers))
        assert outcome(daemon.address('path'), b'still there\n') == ANSWERED


def test_the_log_tells_who_took_over():
    with Upgraded(ECHO) as daemon:
        old = daemon.pid
        with held(daemon, 'echo', 2):
            daemon.upgraded()
            daemon.wait_log(rf'preforkd\[{old}\] notice: upgrade: started {daemon.binary} '
                            rf'as pid {daemon.pid}$')
            daemon.wait_log(rf'preforkd\[{daemon.pid}\] \w+: ready: ')
            daemon.wait_log(rf'preforkd\[{old}\] notice: upgrade: pid {daemon.pid} has taken over, '
                            r'2 .*workers finish')


def test_a_signal_asks_for_it_too():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary()
        daemon.signal(signal.SIGUSR2)
        before = daemon.follow(int(daemon.wait_log(r'upgrade: pid (\d+) has taken over').group(1)))
        assert before.wait(PATIENCE) == 0
        assert os.path.samefile(f'/proc/{daemon.pid}/exe', daemon.binary)
        assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED


def test_the_pid_file_names_the_new_master_and_stays_locked():
    with UpgradedInBackground(BOTH) as daemon:
        for _ in range(2):
            before = daemon.upgraded()
            assert daemon.pid_path.read_text() == f'{daemon.pid}\n'
            before.wait(PATIENCE)
            assert daemon.pid_path.read_text() == f'{daemon.pid}\n'
        second = subprocess.run(daemon.command(), capture_output=True, text=True, env=daemon.env)
        assert second.returncode == 1 and str(daemon.pid) in second.stderr
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        assert not daemon.pid_path.exists()


def test_the_service_manager_is_told_the_new_main_pid(tmp_path):
    manager = Manager(str(tmp_path / 'notify'))
    os.chmod(tmp_path, 0o755)
    with contextlib.closing(manager.sock), \
            Upgraded(ECHO, env=dict(NOTIFY_SOCKET=manager.path)) as daemon:
        manager.wait('READY')
        old = daemon.pid
        before = daemon.upgraded()
        eventually(lambda: any(message.get('MAINPID') == str(daemon.pid)
                               for message in manager.messages()), 'MAINPID of the new master')
        before.wait(PATIENCE)
        told = [message['MAINPID'] for message in manager.messages() if 'MAINPID' in message]
        assert told[0] == str(old) and told[-1] == str(daemon.pid)
        assert not any('STOPPING' in message for message in manager.messages())
        # The new one goes on telling.
        daemon.reload()
        eventually(lambda: any('RELOADING' in message for message in manager.messages()),
                   'RELOADING of the new master')


def test_the_arguments_and_the_sockets_stay_and_the_file_is_read_again():
    with Upgraded(ECHO, args=['-l', 'debug']) as daemon:
        where = daemon.address('echo')
        daemon.write(ECHO + pool('more', 'workers = 1'))
        before = daemon.upgraded()
        before.wait(PATIENCE)
        daemon.wait_log(rf'preforkd\[{daemon.pid}\] debug: ')
        assert daemon.address('echo') == where
        assert daemon.ask('more', b'new in the file\n') == b'new in the file\n'
        daemon.put_binary()
        daemon.upgraded()
        assert daemon.address('echo') == where
        assert outcome(where, b'hello\n') == ANSWERED


def test_after_an_upgrade_everything_else_works_as_before():
    with Upgraded(BOTH) as daemon:
        daemon.upgraded()
        where = daemon.address('path')
        daemon.reload(changed(ECHO, 'yes') + pool('path', 'workers = 3', listen='{dir}/socket'))
        daemon.wait_workers(3, 'path')
        daemon.done('recycle')
        daemon.done('scale', 'echo', '+1')
        wait_pool(daemon, 'echo', total=5)
        os.kill(daemon.workers('path')[0], signal.SIGKILL)
        wait_pool(daemon, 'path', crashes=1, total=3)
        daemon.done('drain', 'path')
        assert not os.path.exists(where[1])
        daemon.done('resume', 'path')
        assert outcome(where, b'hello\n') == ANSWERED


def test_sockets_of_the_service_manager_go_along(tmp_path):
    os.chmod(tmp_path, 0o755)
    tcp, path = listening(), listening(str(tmp_path / 'socket'))
    conf = pool('tcp', 'workers = 1') + pool('path', 'workers = 1')
    with UpgradedActivated(conf, [tcp, path], 'tcp:path') as daemon:
        for _ in range(2):
            before = daemon.upgraded()
            before.wait(PATIENCE)
            for name, sock in ('tcp', tcp), ('path', path):
                worker, = daemon.wait_workers(1, name)
                assert os.readlink(f'/proc/{worker}/fd/3') == inode(sock)
                assert outcome((sock.family, sock.getsockname()), b'hello\n') == ANSWERED
        daemon.signal(signal.SIGQUIT)
        daemon.ended()
    assert (tmp_path / 'socket').exists()  # it is the manager's


def test_a_killed_new_master_after_the_upgrade_is_a_killed_daemon():
    with Upgraded(ECHO) as daemon:
        before = daemon.upgraded()
        before.wait(PATIENCE)
        workers = daemon.wait_workers(4)
        daemon.signal(signal.SIGKILL)
        eventually(lambda: not any(map(alive, workers)), 'the end of the workers')


@pytest.mark.parametrize('name', ['path', 'a:b', ':', 'unknown'])
def test_a_drained_pool_stays_drained(name):
    conf = ECHO + pool('c:d', 'workers = 1') + pool(name, 'workers = 2', listen='{dir}/socket')
    with Upgraded(conf) as daemon:
        daemon.done('drain', name)
        daemon.upgraded()
        assert daemon.pool_status(name)['state'] == 'drained'
        assert daemon.pool_status('c:d')['state'] == 'running'
        assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED
        daemon.done('resume', name)
        assert outcome(daemon.address(name), b'hello\n') == ANSWERED


def test_who_waits_at_an_address_that_the_new_one_does_not_want_is_served_by_the_old_one():
    conf = pool('tcp', 'workers = 1') + pool('path', 'workers = 1', listen='{dir}/old')
    with Upgraded(conf) as daemon:
        with held(daemon, 'tcp', 1), held(daemon, 'path', 1) as (client,):
            waiting = [open_client(daemon.address(name), b'waits\n')
                       for name in ('tcp', 'path') for _ in range(5)]
            daemon.write(conf.replace('127.0.0.1', '127.0.0.2').replace('/old', '/new'))
            daemon.upgraded()
            for name in 'tcp', 'path':
                assert daemon.ask(name, b'a new address\n') == b'a new address\n'
            client.sendall(b'more\n')
            assert client.recv(5) == b'more\n'
        assert [read_answer(sock) for sock in waiting] == [b'waits\n'] * 10
        eventually(lambda: not (daemon.dir / 'old').exists(), 'the old path to be removed')


def test_upgrades_may_follow_one_another_while_old_masters_still_finish():
    with Upgraded(ECHO) as daemon, contextlib.ExitStack() as stack:
        clients, before = [], []
        for _ in range(4):
            clients += stack.enter_context(held(daemon, 'echo', 1))
            before.append(daemon.upgraded())
            # One that is to leave, but has not run yet, would take the next connection.
            eventually(lambda: len(workers_of(before[-1].pid)) == 1, 'its idle workers to leave')
        daemon.done('stop')
        daemon.ended()
        assert all(process.poll() is None for process in before)
        for sock in clients:
            sock.sendall(b'more\n')
            assert sock.recv(5) == b'more\n'
        stack.close()
        assert [process.wait(PATIENCE) for process in before] == [0] * 4


def test_an_old_master_that_still_finishes_leaves_the_address_to_the_new_one():
    with Upgraded(pool('echo', 'workers = 2', listen=f'127.0.0.1:{free_port()}')) as daemon:
        daemon.upgraded()  # what this one has itself got from another master, it must close, too
        with held(daemon, 'echo', 1):
            before = daemon.upgraded()
            daemon.done('drain', 'echo')
            daemon.done('resume', 'echo')
            assert daemon.ask('echo', b'again\n') == b'again\n'
            assert before.poll() is None


def test_a_relative_command_line_is_good_for_an_upgrade_too():
    daemon = UpgradedInBackground(ECHO)
    command = ['./preforkd', '-f', 'preforkd.conf', '-s', 'control.sock', '-p', 'pid']
    started = subprocess.run(command, cwd=daemon.dir, env=daemon.env, capture_output=True,
                             text=True)
    assert started.returncode == 0, started.stderr
    daemon.follow(int(daemon.pid_path.read_text()))
    daemon.spawn = lambda: daemon
    with daemon:
        for _ in range(2):
            daemon.put_binary()
            daemon.upgraded()
        assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED


def test_a_storm_of_commands_and_upgrades_under_load_fails_no_request():
    conf = pool('echo', 'workers = 6', 'max_requests_per_worker = 50')
    with Upgraded(conf) as daemon:
        def reload():
            daemon.write(changed(conf, random.random()))
            daemon.done('reload')

        def kill():
            daemon.ctl('kill', random.choice(daemon.status()['pools'][0]['workers'])['pid'])
        storm = [reload, kill, daemon.upgraded, lambda: daemon.done('recycle'),
                 lambda: daemon.done('recycle', 'echo', '--no-wait'),
                 lambda: daemon.ctl('scale', 'echo', random.choice(['+1', '-1', '9', '3'])),
                 lambda: daemon.signal(signal.SIGHUP), lambda: daemon.signal(signal.SIGTTIN)]
        with Load(daemon.address('echo'), rate=400) as load:
            for _ in paced(rate=30, seconds=5):
                random.choice(storm)()
            load.wait_answered(50)
        assert load.failures == {}
        daemon.reload(conf)
        status = wait_pool(daemon, 'echo', total=6, idle=6)
        assert status['crashes'] == 0 and not daemon.zombies()


# --- what cannot take over ---------------------------------------------------------------

def refused(daemon):
    """That an upgrade fails and changes nothing; what preforkctl says."""
    workers, pid = daemon.workers(), daemon.pid
    with Load(daemon.address('echo'), rate=100, clients=2) as load:
        mark = daemon.mark()
        result = daemon.ctl('upgrade')
        assert (result.returncode, result.stdout) == (FAILED, '') and result.stderr
        daemon.wait_log('error: upgrade abandoned, nothing was changed: .', since=mark)
        load.wait_answered(10)
    assert load.failures == {}
    assert daemon.workers() == workers and daemon.process.poll() is None
    eventually(lambda: sorted(children(pid)) == workers, 'no child beside the workers')
    for name in set(re.findall(r'pool (\w+): listening on', daemon.log())) & {'echo', 'path'}:
        assert outcome(daemon.address(name), b'as before\n') == ANSWERED
    assert daemon.status()['pid'] == pid
    return result.stderr


def succeeds(daemon):
    """The positive control: the real binary and a good file take over."""
    daemon.put_binary()
    daemon.upgraded().wait(PATIENCE)
    assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED
    return True


@pytest.mark.parametrize('content, text', [
    (b'#!/bin/sh\nexit 3\n', '3'),
    (b'#!/bin/sh\nkill -9 $$\n', '9'),
    (b'no program at all\n', ''),
    (b'', ''),
    (b'#!/no/such/interpreter\n', ''),
], ids=['exits', 'is killed', 'text', 'empty', 'no interpreter'])
def test_a_binary_that_does_not_start_is_abandoned(content, text):
    with Upgraded(BOTH) as daemon:
        daemon.put_binary(content)
        assert text in refused(daemon)
        assert succeeds(daemon)


# Says that it serves and is gone before the old one hears of it.
READY_AND_GONE = b"""#!/bin/sh
kill -STOP $PPID
rest=${PREFORKD_HANDOVER#*:}
echo ready 111 >&${rest%%:*}
kill -9 $$
"""


def test_a_new_master_that_dies_with_its_word_of_being_ready_does_not_take_over():
    with Upgraded(BOTH) as daemon:
        daemon.put_binary(READY_AND_GONE)
        workers = daemon.workers()
        with daemon.ctl_begun('upgrade') as upgrade:
            eventually(daemon.zombies, 'its end')  # the old one is stopped, and reaps nobody
            daemon.signal(signal.SIGCONT)
            assert upgrade.wait(PATIENCE) == FAILED
            assert 'signal 9' in upgrade.stderr.read()
        assert daemon.workers() == workers
        assert outcome(daemon.address('echo'), b'as before\n') == ANSWERED
        assert succeeds(daemon)


def test_a_binary_that_is_missing_or_cannot_be_executed_is_told():
    with Upgraded(BOTH) as daemon:
        daemon.binary.unlink()
        assert str(daemon.binary) in refused(daemon)
        daemon.put_binary()
        daemon.binary.chmod(0o644)
        assert str(daemon.binary) in refused(daemon)
        assert succeeds(daemon)


def test_without_proc_an_upgrade_is_refused_with_the_reason():
    with Daemon(ECHO, wrap=without_proc()) as daemon:
        result = daemon.ctl('upgrade')
        assert result.returncode == FAILED and '/proc is missing' in result.stderr
        assert outcome(daemon.address('echo'), b'as before\n') == ANSWERED


def test_a_binary_that_hangs_is_ended():
    with Upgraded(BOTH) as daemon:
        daemon.put_binary(b"#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
        refused(daemon)
        assert succeeds(daemon)


@pytest.mark.parametrize('conf, text', [
    ('nonsense = 1\n', 'nonsense'),
    (PATH + pool('echo', 'rlimit_nofile = 2147483647'), 'rlimits'),
    (BOTH + pool('more', 'directory = "/no/such"'), 'directory: /no'),
], ids=['a syntax error', 'workers that cannot start', 'a missing directory'])
def test_a_configuration_that_has_become_bad_is_told(conf, text):
    with Upgraded(BOTH) as daemon:
        daemon.write(conf)
        refused(daemon)
        assert text in daemon.log()
        daemon.write(BOTH)
        assert succeeds(daemon)


def test_an_abandoned_upgrade_leaves_the_files_of_sockets_as_they_are():
    with Upgraded(BOTH) as daemon:
        files = [daemon.dir / 'socket', daemon.control_path]
        before = [(path.stat().st_ino, path.stat().st_mode) for path in files]
        limit = daemon.pool_status('path')['queue_limit']
        for _ in range(5):  # how far the new one comes with its own end is a race
            daemon.write(pool('path', 'listen_mode = "0600"', 'listen_backlog = 7',
                              listen='{dir}/socket')
                         + pool('echo', 'rlimit_nofile = 2147483647'))
            refused(daemon)
            assert [(path.stat().st_ino, path.stat().st_mode) for path in files] == before
            assert daemon.pool_status('path')['queue_limit'] == limit


HANGING = b'#!/bin/sh\nexec sleep 600\n'


def end_upgrade(daemon):
    os.kill(int(re.findall(r'upgrade: started \S+ as pid (\d+)', daemon.log())[-1]), signal.SIGKILL)


def test_a_second_upgrade_while_one_is_under_way_is_refused():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary(HANGING)
        with daemon.ctl_begun('upgrade') as first:
            daemon.wait_log('upgrade: started')
            result = daemon.ctl('upgrade')
            assert result.returncode == FAILED and 'under way' in result.stderr
            assert outcome(daemon.address('echo'), b'served meanwhile\n') == ANSWERED
            assert first.poll() is None
            end_upgrade(daemon)
            assert first.wait(PATIENCE) == FAILED
        assert daemon.log().count('upgrade: started') == 1
        assert succeeds(daemon)


def test_who_speaks_to_the_old_master_is_told_to_say_it_again():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary(b'#!/bin/sh\nwhile [ -e "%s/wait" ]; do sleep 0.05; done\nexec %s "$@"\n' % (
            bytes(daemon.dir), PREFORKD.encode()))
        (daemon.dir / 'wait').touch()
        with daemon.control_connect() as silent, daemon.ctl_begun('upgrade', '--no-wait') as upgrade:
            assert upgrade.wait(PATIENCE) == 0
            with daemon.ctl_begun('reload') as reload:
                daemon.wait_log('control: .*: reload')
                (daemon.dir / 'wait').unlink()
                _, said = reload.communicate(timeout=PATIENCE)
            assert reload.returncode == FAILED and 'say it again' in said
            assert b'say it again' in read_all(silent)
        daemon.follow(daemon.status()['pid']).wait(PATIENCE)
        assert 'reload done' in daemon.done('reload')


def test_who_waits_for_an_upgrade_hears_of_its_end_also_when_a_bad_reload_follows_at_once():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary(HANGING)
        with daemon.ctl_begun('upgrade') as upgrade:
            daemon.wait_log('upgrade: started')
            daemon.write('nonsense = 1\n')
            daemon.signal(signal.SIGHUP)
            daemon.request('version')  # the signal is behind us
            end_upgrade(daemon)
            daemon.wait_log('reload refused')
            assert upgrade.wait(PATIENCE) == FAILED
            assert 'signal 9' in upgrade.stderr.read()


def test_a_second_signal_while_an_upgrade_is_under_way_starts_no_second_one():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary(HANGING)
        for _ in range(3):
            daemon.signal(signal.SIGUSR2)
            daemon.wait_log('upgrade: started')
            assert outcome(daemon.address('echo'), b'served meanwhile\n') == ANSWERED
        assert len(set(children(daemon.pid)) - set(daemon.workers())) == 1
        assert daemon.log().count('upgrade: started') == 1
        end_upgrade(daemon)
        daemon.wait_log('upgrade abandoned, nothing was changed: ')
        assert succeeds(daemon)


def test_a_stop_during_an_upgrade_ends_both():
    with Upgraded(ECHO) as daemon:
        daemon.put_binary(HANGING)
        daemon.done('upgrade', '--no-wait')
        pid = int(daemon.wait_log(r'upgrade: started \S+ as pid (\d+)').group(1))
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        eventually(lambda: not alive(pid), 'the end of the new one')


def test_an_upgrade_and_a_reload_at_the_same_time():
    with Upgraded(ECHO) as daemon:
        with Load(daemon.address('echo'), rate=200, clients=4) as load:
            daemon.put_binary(HANGING)
            daemon.done('upgrade', '--no-wait')
            daemon.wait_log('upgrade: started')
            daemon.write(changed(ECHO, 'yes'))
            daemon.signal(signal.SIGHUP)
            load.wait_answered(20)
            end_upgrade(daemon)
            daemon.wait_log('upgrade abandoned')
            daemon.reload()
            # And one right behind the other.
            daemon.put_binary()
            daemon.upgraded()
            daemon.reload(changed(ECHO, 'again'))
            load.wait_answered(20)
        assert load.failures == {}
        daemon.wait_workers(4)


def test_a_reload_that_a_new_master_is_told_to_do_at_its_start_waits_until_all_is_its_own():
    slow = pool('slow', 'workers = 1',
                'program { command = { "/bin/sleep", "600" } ready = "1s" }', service='program')
    with Upgraded(ECHO + slow) as daemon:
        where, mark = daemon.address('echo'), daemon.mark()
        with daemon.ctl_begun('upgrade') as upgrade:
            new = int(daemon.wait_log(r'upgrade: started .* as pid (\d+)', since=mark)[1])
            daemon.wait_log(r'pool slow: program started', since=mark)
            daemon.write(slow)
            os.kill(new, signal.SIGHUP)
            assert finish(upgrade)[0] == 0
        daemon.follow(new)
        daemon.wait_log(r'reload done: .*dropped echo')
        eventually(lambda: outcome(where, b'hello\n') == 'ECONNREFUSED', 'the end of its socket')


def test_programs_and_workers_see_nothing_of_an_upgrade():
    conf = pool('env', 'workers = 1', 'exec { command = { "/usr/bin/env" } }', service='exec') \
        + pool('ls', 'workers = 1', 'exec { command = { "/bin/ls", "/proc/self/fd" } }',
               service='exec')
    with Upgraded(conf) as daemon:
        def descriptors_of_idle(name):
            wait_pool(daemon, name, idle=1)  # the client sees the end before the worker has closed
            return len(os.listdir(f'/proc/{daemon.wait_workers(1, name)[0]}/fd'))

        names = sorted(line.split(b'=')[0] for line in daemon.ask('env').splitlines())
        files = {name: descriptors_of_idle(name) for name in ('env', 'ls')}
        held_by_master = len(os.listdir(f'/proc/{daemon.pid}/fd'))
        for _ in range(2):
            daemon.upgraded().wait(PATIENCE)
            assert sorted(line.split(b'=')[0] for line in daemon.ask('env').splitlines()) == names
            assert daemon.ask('ls').split() == [b'0', b'1', b'2', b'3']
            assert files == {name: descriptors_of_idle(name) for name in files}
            eventually(lambda: len(os.listdir(f'/proc/{daemon.pid}/fd')) == held_by_master,
                       'as many descriptors as before')


# --- as the first process ----------------------------------------------------------------

def can_unshare():
    return shutil.which('unshare') and subprocess.run(
        ['unshare', '--pid', '--fork', '--mount-proc', 'true'], capture_output=True).returncode == 0


class Container(Upgraded):
    """The daemon is process 1 of a name space of its own; `pid` is the number outside."""

    def command(self):
        return ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', *super().command()]

    def start(self):
        self.spawn()
        self.wait_log(r'preforkd\[1\] \w+: ready: ')
        self.pid, = children(self.process.pid)
        return self

    __enter__ = start


first_process = pytest.mark.skipif(not can_unshare(), reason='needs unshare and root')


@pytest.mark.root
@first_process
def test_as_process_1_it_stops_and_reloads_like_any_other():
    with Container(ECHO) as daemon:
        daemon.wait_workers(4)
        daemon.reload(pool('echo', 'workers = 2'))
        daemon.wait_workers(2)
        assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED
        assert daemon.status()['pid'] == 1
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0


@pytest.mark.root
@first_process
def test_as_process_1_an_upgrade_is_refused():
    with Container(ECHO) as daemon:
        workers = daemon.wait_workers(4)
        result = daemon.ctl('upgrade')
        assert result.returncode == FAILED and re.search('(PID|process) 1', result.stderr)
        mark = daemon.mark()
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log('upgrade abandoned, nothing was changed: .*(PID|process) 1', since=mark)
        assert daemon.workers() == workers


def strangers(daemon):
    """Children of process 1 that it has not forked itself."""
    return [pid for pid in children(daemon.pid) if not title(pid).startswith('preforkd: ')]


@pytest.mark.root
@first_process
def test_as_process_1_it_reaps_strangers_and_does_not_count_them():
    # Programs that go into a session of their own, and whose parents have gone.
    # Each says so in its own session, and only then its starter ends.
    orphans = script("for i in 1 2 3 4 5; do setsid -f sh -c 'echo up; exec sleep 600 >/dev/null' "
                     "2>/dev/null </dev/null; done | head -n 5 >/dev/null; echo done")
    conf = pool('orphans', 'workers = 1', orphans, service='exec') + pool('echo', 'workers = 2')
    with Container(conf) as daemon:
        workers = daemon.wait_workers(3)
        assert daemon.ask('orphans') == b'done\n'
        daemon.done('recycle', 'orphans')  # a worker keeps them as long as it lives
        eventually(lambda: len(strangers(daemon)) == 5, 'five orphans')
        workers = daemon.wait_replaced(set(workers) - set(daemon.workers('echo')), 3)
        mark = daemon.mark()
        for pid in strangers(daemon):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: strangers(daemon) == [] and daemon.zombies() == [], 'none of them')
        assert daemon.workers() == workers
        assert [each['crashes'] for each in daemon.status()['pools']] == [0, 0]
        assert 'warning' not in daemon.log()[mark:]
        os.kill(workers[0], signal.SIGKILL)
        eventually(lambda: sum(each['crashes'] for each in daemon.status()['pools']) == 1,
                   'a crash that counts')


# --- the store of the service manager -----------------------------------------------------

class Store(Manager):
    """A manager that keeps descriptors: `stored` is {name: [descriptor, ...]}, and each name
    in the store is PREFIX and that of a pool."""

    PREFIX = 'preforkd-stored-'

    def __init__(self, path):
        super().__init__(path)
        self.stored, self.removed = {}, []

    def messages(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                text, ancillary, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(64))
                fds = array.array('i')
                for _, kind, data in ancillary:
                    assert kind == socket.SCM_RIGHTS
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                message = dict(line.split('=', 1) for line in text.decode().strip().split('\n'))
                self.keep(message, list(fds))
                self.seen.append(message)
        return self.seen

    def keep(self, message, fds):
        name = message.get('FDNAME', self.PREFIX)
        assert name.startswith(self.PREFIX)
        name = name[len(self.PREFIX):]
        if message.get('FDSTORE') == '1':
            assert fds
            self.stored.setdefault(name, []).extend(fds)
        else:
            assert fds == []
        if message.get('FDSTOREREMOVE') == '1':
            self.removed.append(name)
            for fd in self.stored.pop(name, []):
                os.close(fd)

    def wait_names(self, *names):
        eventually(lambda: self.messages() is not None and sorted(self.stored) == sorted(names),
                   f'{names} in the store, not {self.stored}')

    def close(self):
        self.sock.close()
        for fds in self.stored.values():
            for fd in fds:
                os.close(fd)


@pytest.fixture
def store(tmp_path):
    os.chmod(tmp_path, 0o755)
    with contextlib.closing(Store(str(tmp_path / 'notify'))) as store:
        yield store


def stored_daemon(store, conf):
    return Daemon(conf, env=dict(NOTIFY_SOCKET=store.path, FDSTORE='16'))


def of_worker(daemon, name):
    """What the listen socket of a pool is."""
    return os.readlink(f'/proc/{daemon.workers(name)[0]}/fd/3')


def test_listen_sockets_are_given_to_the_store_and_taken_back(store):
    with stored_daemon(store, BOTH) as daemon:
        store.wait_names('echo', 'path')
        for name in 'echo', 'path':
            fd, = store.stored[name]
            assert os.readlink(f'/proc/self/fd/{fd}') == of_worker(daemon, name)
        daemon.reload(ECHO + pool('new', 'workers = 1'))
        store.wait_names('echo', 'new')
        assert store.removed == ['path']
        daemon.reload(changed(ECHO, 'yes') + pool('new', 'workers = 1', listen='127.0.0.2:0'))
        eventually(lambda: store.messages() and of_worker(daemon, 'new') in [
            os.readlink(f'/proc/self/fd/{fd}') for fd in store.stored.get('new', [])],
            'the new address in the store')


def test_without_a_store_nothing_is_given(store):
    with Daemon(ECHO, env=dict(NOTIFY_SOCKET=store.path)) as daemon:
        store.wait('READY')
        daemon.reload(pool('other'))
        store.wait('READY', 2)
        assert store.stored == {} and not any('FDSTOREREMOVE' in each for each in store.messages())


class Restored(Activated):
    """A daemon that gets back what is in the store."""

    def __init__(self, store, conf):
        held_fds = [(name, fd) for name, fds in store.stored.items() for fd in fds]
        super().__init__(conf, [socket.socket(fileno=os.dup(fd)) for _, fd in held_fds],
                         ':'.join(store.PREFIX + name for name, _ in held_fds))
        self.env.update(NOTIFY_SOCKET=store.path, FDSTORE='16')


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT])
def test_what_waits_in_a_stored_socket_is_served_by_the_next_daemon(store, number):
    conf = pool('echo', 'workers = 1') + pool('path', 'workers = 1',
                                              listen=os.path.dirname(store.path) + '/socket')
    with stored_daemon(store, conf) as daemon:
        store.wait_names('echo', 'path')
        where = {name: daemon.address(name) for name in ('echo', 'path')}
        workers = daemon.workers()
        with held(daemon, 'echo', 1), held(daemon, 'path', 1):
            clients = [open_client(where[name], b'waits\n') for name in where for _ in range(5)]
            daemon.signal(number)
            if number == signal.SIGQUIT:
                daemon.wait_log('stopping gracefully')
            else:
                daemon.ended()
        daemon.ended()
        eventually(lambda: not any(map(alive, workers)), 'the end of the workers')
    with Restored(store, conf) as daemon:
        assert [read_answer(sock) for sock in clients] == [b'waits\n'] * 10
        assert {name: outcome(where[name], b'hello\n') for name in where} \
            == {'echo': ANSWERED, 'path': ANSWERED}


def test_a_restored_daemon_does_not_fill_the_store_twice(store):
    with stored_daemon(store, ECHO) as daemon:
        store.wait_names('echo')
        daemon.signal(signal.SIGTERM)
        daemon.ended()
    with Restored(store, ECHO) as daemon:
        store.wait('READY', 2)
        kept = {os.readlink(f'/proc/self/fd/{fd}') for fd in store.stored['echo']}
        assert kept == {of_worker(daemon, 'echo')}


def test_a_socket_in_the_store_follows_the_file(store):
    # As it is after an edit and a restart: one pool moves, one goes, one changes its name.
    where = [f'127.0.0.1:{free_port()}' for _ in range(4)]
    conf = [pool(name, 'workers = 1', listen=address) for name, address in
            [('moves', where[0]), ('goes', where[1]), ('before', where[2])]]
    with stored_daemon(store, ''.join(conf)) as daemon:
        store.wait_names('moves', 'goes', 'before')
        daemon.signal(signal.SIGTERM)
        daemon.ended()
    conf = [pool(name, 'workers = 1', listen=address) for name, address in
            [('moves', where[3]), ('after', where[2])]]
    with Restored(store, ''.join(conf)) as daemon:
        assert daemon.ask('moves', b'hello\n') == b'hello\n'
        assert daemon.ask('after', b'hello\n') == b'hello\n'
        assert [f'{host}:{port}' for host, port in
                (daemon.address(name)[1] for name in ('moves', 'after'))] == [where[3], where[2]]
        eventually(lambda: store.messages() and sorted(store.removed) == ['goes', 'moves'],
                   'no more than is wanted in the store')
        daemon.reload(conf[1])
        eventually(lambda: store.messages() and store.removed.count('moves') == 2,
                   'the store without the pool that was dropped')
        assert 'fits no pool' not in daemon.log()


def test_a_socket_in_the_store_has_the_name_of_its_pool_also_when_that_changes(store):
    def conf(**pools):
        return ''.join(pool(name, 'workers = 1', listen=listen) for name, listen in pools.items())

    def kept():
        store.messages()
        return {name: [os.readlink(f'/proc/self/fd/{fd}') for fd in fds]
                for name, fds in store.stored.items()}

    first, second = (f'127.0.0.1:{free_port()}' for _ in range(2))
    with stored_daemon(store, conf(one=first, two=second)) as daemon:
        store.wait_names('one', 'two')
        a, b = of_worker(daemon, 'one'), of_worker(daemon, 'two')
        daemon.reload(conf(one=second, two=first))
        eventually(lambda: kept() == {'one': [b], 'two': [a]}, 'both under their new names')
        daemon.reload(conf(three=second, two=first))
        eventually(lambda: kept() == {'three': [b], 'two': [a]}, 'one under a new name')
        daemon.reload(conf(three=second))
        eventually(lambda: kept() == {'three': [b]}, 'the end of the other')
