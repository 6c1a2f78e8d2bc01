"""The service manager's protocol: state by datagrams, sockets that are handed over.

The manager is played by the test, by the letter of sd_notify(3) and sd_listen_fds(3);
systemd-socket-activate does the handing over too, where Debian's systemd is installed.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import PATIENCE, PREFORKD, Daemon, check_config, eventually, read_all

ECHO = 'pool "echo" {\nservice = "echo"\nlisten = "%s"\nworkers = %d\n}\n'


class Manager:
    """The receiving end of NOTIFY_SOCKET; messages() is the transcript so far."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind('\0' + path[1:] if path.startswith('@') else path)
        self.sock.setblocking(False)
        if not path.startswith('@'):
            os.chmod(path, 0o666)
        self.path, self.seen = path, []

    def messages(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self.sock.recv(4096).decode()
                self.seen.append(dict(line.split('=', 1) for line in text.split('\n')))
        return self.seen

    def wait(self, key, number=1):
        """Waits until so many messages have the key; returns the last of them."""
        def found():
            having = [message for message in self.messages() if key in message]
            return having[number - 1] if len(having) >= number else None
        return eventually(found, f'{number} messages with {key}: {self.seen}')


@pytest.fixture(params=['path', 'abstract'])
def manager(request, tmp_path):
    path = str(tmp_path / 'notify') if request.param == 'path' else f'@preforkd-notify-{os.getpid()}'
    manager = Manager(path)
    yield manager
    manager.sock.close()


def echo_daemon(manager, **more):
    return Daemon(ECHO % ('127.0.0.1:0', 3), env=dict(NOTIFY_SOCKET=manager.path, **more))


# --- notify ----------------------------------------------------------------------------------

def test_ready_is_told_when_the_workers_are_and_stopping_at_the_stop(manager):
    with echo_daemon(manager) as daemon:
        ready = manager.wait('READY')
        assert ready['READY'] == '1' and ready['MAINPID'] == str(daemon.pid)
        assert '1 pool, 3 workers' in ready['STATUS']
        daemon.signal(signal.SIGQUIT)
        stopping = manager.wait('STOPPING')
        assert int(stopping['EXTEND_TIMEOUT_USEC']) > 30_000_000  # graceful_timeout
        assert daemon.ended() == 0
    assert [set(message) & {'READY', 'RELOADING', 'STOPPING'} for message in manager.messages()] \
        == [{'READY'}, {'STOPPING'}]


def test_what_a_refusal_quotes_is_no_order_to_the_manager(manager):
    with echo_daemon(manager) as daemon:
        manager.wait('READY')
        daemon.reload(ECHO % ('127.0.0.1:0', 3) + 'log_format = "x\nMAINPID=1\nSTOPPING=1"\n', expect='refused')
        assert manager.wait('READY', 2).keys() == {'READY', 'STATUS'}
        assert r'x\x0aMAINPID=1\x0a' in manager.messages()[-1]['STATUS']


def test_every_reload_is_begun_and_ended_good_or_bad(manager):
    with echo_daemon(manager) as daemon:
        for number in range(1, 101):
            bad = number % 3 == 0
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            daemon.reload('pool "x" {' if bad else ECHO % ('127.0.0.1:0', 2 + number % 2),
                          expect='refused' if bad else 'done')
            reloading = manager.wait('RELOADING', number)
            assert int(reloading['MONOTONIC_USEC']) >= before
            ready = manager.wait('READY', number + 1)
            assert ('refused' in ready['STATUS']) == bad
    kinds = [key for message in manager.messages() for key in ('READY', 'RELOADING', 'STOPPING')
             if key in message]
    assert kinds == ['READY'] + ['RELOADING', 'READY'] * 100 + ['STOPPING']


def test_a_start_that_fails_never_says_ready(manager):
    conf = ECHO % ('127.0.0.1:0', 3) + 'log = "nonsense"\n'
    with Daemon(conf, env=dict(NOTIFY_SOCKET=manager.path)).spawned() as daemon:
        assert daemon.ended() == 1
    assert not any('READY' in message for message in manager.messages())


def test_the_watchdog_is_fed_when_it_asks_for_it(manager):
    with echo_daemon(manager, WATCHDOG_USEC='200000'):
        manager.wait('WATCHDOG', 5)


def test_a_watchdog_of_another_process_is_not_fed(manager):
    with echo_daemon(manager, WATCHDOG_USEC='200000', WATCHDOG_PID='1') as daemon:
        manager.wait('READY')
        daemon.reload()
        manager.wait('READY', 2)
        assert not any('WATCHDOG' in message for message in manager.messages())


@pytest.mark.parametrize('path', ['', '@', 'relative', '/nonexistent/socket', '/' + 'x' * 200])
def test_a_notify_socket_that_is_none_disturbs_nothing(path):
    with Daemon(ECHO % ('127.0.0.1:0', 1), env=dict(NOTIFY_SOCKET=path)) as daemon:
        assert daemon.ask('echo', b'x') == b'x'


def test_programs_do_not_see_the_manager(manager):
    conf = ('pool "env" {\nservice = "exec"\nlisten = "127.0.0.1:0"\nworkers = 1\n'
            'pass_environment = { "NOTIFY_SOCKET", "LISTEN_FDS", "HOME" }\n'
            'exec { command = { "/usr/bin/env" } }\n}\n')
    with Daemon(conf, env=dict(NOTIFY_SOCKET=manager.path, LISTEN_FDS='0')) as daemon:
        answer = daemon.ask('env')
        assert b'HOME=' in answer and b'NOTIFY' not in answer and b'LISTEN_FDS' not in answer


# --- sockets -----------------------------------------------------------------------------------

# Runs the rest of its arguments with the descriptors named first as 3, 4, ...
HAND_OVER = '''
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",")]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ["LISTEN_FDS"] = str(len(fds))
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
'''


class Activated(Daemon):
    """A daemon that gets listen sockets from the test."""

    def __init__(self, conf, sockets, names=None):
        super().__init__(conf, env={'LISTEN_FDNAMES': names} if names else None)
        self.sockets = sockets

    def spawn(self):
        fds = [sock.fileno() for sock in self.sockets]
        command = [sys.executable, '-c', HAND_OVER, ','.join(map(str, fds)), *self.command()]
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env, pass_fds=fds)
        self.pid = self.process.pid
        return self


def listening(address=('127.0.0.1', 0)):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind(address)
    sock.listen(50)
    return sock


def inode(sock):
    return os.readlink(f'/proc/self/fd/{sock.fileno()}')


def test_a_socket_is_taken_by_the_name_of_its_pool():
    first, second = listening(), listening()
    conf = (ECHO % ('127.0.0.1:0', 1)).replace('"echo" {', '"one" {') \
        + (ECHO % ('127.0.0.1:0', 1)).replace('"echo" {', '"two" {')
    with Activated(conf, [first, second], 'two:one') as daemon:
        assert daemon.address('two')[1] == first.getsockname()
        assert daemon.address('one')[1] == second.getsockname()
        worker = daemon.workers('one')[0]
        assert os.readlink(f'/proc/{worker}/fd/3') == inode(second)
        assert daemon.ask('one', b'x') == b'x' and daemon.ask('two', b'y') == b'y'


def test_of_sockets_with_one_name_each_pool_takes_that_of_its_address():
    first, second = listening(), listening()
    one, two = [(ECHO % ('%s:%d' % sock.getsockname(), 1)) for sock in (second, first)]
    with Activated(one + two.replace('"echo" {', '"two" {'), [first, second],
                   'echo:echo') as daemon:
        assert daemon.address('echo')[1] == second.getsockname()
        assert daemon.address('two')[1] == first.getsockname()


def test_a_socket_is_taken_by_its_address(tmp_path):
    os.chmod(tmp_path, 0o755)
    tcp, path = listening(), listening(str(tmp_path / 'socket'))
    conf = (ECHO % ('127.0.0.1:%d' % tcp.getsockname()[1], 1)).replace('"echo" {', '"tcp" {') \
        + (ECHO % (tmp_path / 'socket', 1)).replace('"echo" {', '"path" {')
    with Activated(conf, [tcp, path]) as daemon:
        assert daemon.ask('tcp', b'x') == b'x' and daemon.ask('path', b'y') == b'y'
        assert os.readlink(f'/proc/{daemon.workers("tcp")[0]}/fd/3') == inode(tcp)
    assert (tmp_path / 'socket').exists()  # it is the manager's


def test_a_socket_that_fits_no_pool_is_told_and_left_alone():
    stray = listening()
    with Activated(ECHO % ('127.0.0.1:0', 1), [stray], 'stray') as daemon:
        daemon.wait_log(r'warning: socket "stray" of the service manager fits no pool')
        assert daemon.ask('echo', b'x') == b'x'


def test_a_datagram_socket_is_refused():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with Activated(ECHO % ('127.0.0.1:0', 1), [sock], 'echo').spawned() as daemon:
        assert daemon.ended() == 1
        assert re.search(r'preforkd.conf:\d+: listen: .* is no stream socket that listens',
                         daemon.log())


def test_sockets_for_another_process_are_not_taken():
    with Daemon(ECHO % ('127.0.0.1:0', 1), env=dict(LISTEN_FDS='1', LISTEN_PID='1')) as daemon:
        assert daemon.ask('echo', b'x') == b'x'


def test_descriptors_that_are_not_open_are_not_taken():
    promise = 'LISTEN_FDS=9 LISTEN_PID=$$ exec "$0" "$@"'
    with Daemon(ECHO % ('127.0.0.1:0', 1), wrap=['sh', '-c', promise]) as daemon:
        assert daemon.ask('echo', b'x') == b'x'
        assert 'fits no pool' not in daemon.log()


def test_what_waits_in_a_socket_of_the_manager_survives_a_restart():
    sock = listening()
    conf = ECHO % ('127.0.0.1:0', 1)
    with Activated(conf, [sock], 'echo') as daemon:
        busy = daemon.connect('echo')
        busy.sendall(b'busy')
        assert busy.recv(4) == b'busy'
        waiting = daemon.connect('echo')
        waiting.sendall(b'wait')
        waiting.shutdown(socket.SHUT_WR)
        daemon.signal(signal.SIGQUIT)
        daemon.wait_log(r'stopping gracefully')
        busy.shutdown(socket.SHUT_WR)
        assert read_all(busy) == b'' and daemon.ended() == 0
    late = socket.create_connection(sock.getsockname(), PATIENCE)
    late.sendall(b'late')
    late.shutdown(socket.SHUT_WR)
    with Activated(conf, [sock], 'echo'):
        assert read_all(waiting) == b'wait' and read_all(late) == b'late'


def test_a_check_beside_the_running_activated_daemon_is_content():
    sock = listening()
    conf = ECHO % ('127.0.0.1:%d' % sock.getsockname()[1], 1)
    with Activated(conf, [sock]) as daemon:
        sock.close()
        result = check_config(daemon.conf_path, '-n')
        assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not shutil.which('systemd-socket-activate'), reason='needs systemd')
@pytest.mark.parametrize('kind', ['tcp', 'unix'])
def test_systemd_socket_activate_starts_it_at_the_first_connection(kind, tmp_path):
    os.chmod(tmp_path, 0o755)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    address = f'127.0.0.1:{port}' if kind == 'tcp' else str(tmp_path / 'socket')
    daemon = Daemon(ECHO % ('127.0.0.1:0', 1), wrap=[
        'systemd-socket-activate', '-l', address, '--fdname=echo',
        *(['-E', f'ASAN_OPTIONS={os.environ["ASAN_OPTIONS"]}'] if 'ASAN_OPTIONS' in os.environ
          else [])])
    with daemon.spawned():
        def connected():
            sock = socket.socket(socket.AF_INET if kind == 'tcp' else socket.AF_UNIX)
            try:
                sock.connect(('127.0.0.1', port) if kind == 'tcp' else address)
                return sock
            except OSError:
                sock.close()
                return None
        sock = eventually(connected, 'a socket that listens')
        sock.settimeout(PATIENCE)
        sock.sendall(b'hello')
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b'hello'
        assert os.path.basename(PREFORKD) in daemon.log()
