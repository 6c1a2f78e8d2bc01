"""Daemon manners: the start that keeps its promise, the pid file, the log, what ps shows."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

from daemonized import Background, Daemonized
from harness import (PATIENCE, PREFORKD, Daemon, alive, children, descriptors, eventually, read_all,
                     title)
from load import pool

ECHO = pool('www', 'workers = 2')


def run(daemon, *more, **options):
    """Runs the command that starts a daemon, to its end."""
    return subprocess.run([*daemon.command(), *more], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE, env=daemon.env, **options)


@contextlib.contextmanager
def started_by_hand(daemon):
    """Takes care of a daemon that run() has started."""
    daemon.pid = int(daemon.pid_path.read_text())
    daemon.process = Background(daemon.pid)
    try:
        yield daemon
    except BaseException:
        daemon.__exit__(*sys.exc_info())
        raise
    daemon.__exit__(None, None, None)


def processes_of(daemon):
    """Pids of all processes that know this daemon's configuration file or its workers' master."""
    masters = [int(entry) for entry in os.listdir('/proc')
               if entry.isdigit() and str(daemon.conf_path) in title(int(entry))]
    return [pid for master in masters for pid in [master, *children(master)] if alive(pid)]


def assert_refuses_to_start(daemon, *texts):
    """In the background: 1 and the message, and nothing stays behind."""
    result = run(daemon)
    assert result.returncode == 1
    for text in texts:
        assert text in result.stderr
    eventually(lambda: not processes_of(daemon), 'the end of all processes')
    assert not daemon.pid_path.exists()
    shutil.rmtree(daemon.dir)


# ---- the start -----------------------------------------------------------------------

def test_the_command_ends_with_0_when_the_pools_are_ready():
    daemon = Daemonized(ECHO)
    with daemon.spawned():
        assert re.search('ready: 1 pool', daemon.log())
        assert daemon.ask('www', b'hello\n') == b'hello\n'
        assert len(daemon.workers('www')) == 2
        assert processes_of(daemon) != []


def test_the_command_says_nothing_when_all_is_well():
    daemon = Daemonized(ECHO)
    result = run(daemon)
    with started_by_hand(daemon):
        assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def test_a_bad_file_is_an_error_of_the_command():
    daemon = Daemonized(ECHO + 'colour = "red"\n')
    assert_refuses_to_start(daemon, f'{daemon.conf_path}:', 'unknown option "colour"')


def test_a_port_in_use_is_an_error_of_the_command():
    with socket.create_server(('127.0.0.1', 0)) as other:
        address = f'127.0.0.1:{other.getsockname()[1]}'
        daemon = Daemonized(ECHO + pool('b', listen=address))
        assert_refuses_to_start(daemon, f'{address} is in use')


# More descriptors than the kernel allows anybody: a limit that no worker can set.
CANNOT_START = pool('sick', 'workers = 2', 'rlimit_nofile = 2147483647')


def test_a_pool_that_cannot_start_is_an_error_of_the_command():
    assert_refuses_to_start(Daemonized(ECHO + CANNOT_START), 'pool sick', 'rlimits')
    conf = CANNOT_START.replace('sick', 's\u009b31mick')  # on a terminal: in red
    assert_refuses_to_start(Daemonized(conf), r'pool s\xc2\x9b31mick')


def test_a_pool_that_cannot_start_is_an_error_in_the_foreground_too():
    said = Daemon(ECHO + CANNOT_START).refusal()
    assert 'pool sick' in said and 'rlimits nofile: ' in said


def test_a_log_that_cannot_be_opened_is_an_error_of_the_command():
    daemon = Daemonized(ECHO)
    text = daemon.conf_path.read_text().replace(f'"{daemon.dir}/log"', f'"{daemon.dir}/no/log"')
    daemon.conf_path.write_text(text)
    assert_refuses_to_start(daemon, f'{daemon.dir}/no/log', 'No such file or directory')


@pytest.mark.skipif(os.path.exists('/dev/log'), reason='there is a syslog here')
def test_a_syslog_that_is_not_there_is_an_error_of_the_command():
    daemon = Daemonized(ECHO)
    text = daemon.conf_path.read_text().replace(f'"{daemon.dir}/log"', '"syslog:daemon"')
    daemon.conf_path.write_text(text)
    assert_refuses_to_start(daemon, '/dev/log')


# ---- the pid file ----------------------------------------------------------------------

def test_the_pid_file_names_the_master():
    with Daemonized(ECHO) as daemon:
        assert daemon.pid_path.read_text() == f'{daemon.pid}\n'
        assert title(daemon.pid).startswith('preforkd: master')
        assert stat.S_IMODE(daemon.pid_path.stat().st_mode) & 0o022 == 0


def test_the_pid_file_is_locked():
    with Daemonized(ECHO) as daemon:
        inode = daemon.pid_path.stat().st_ino
        locks = pathlib.Path('/proc/locks').read_text()
        assert re.search(rf'WRITE +(\d+|-1) \S+:{inode} ', locks)


def test_a_second_instance_says_who_the_first_is():
    with Daemonized(ECHO) as daemon:
        result = run(daemon)
        assert result.returncode == 1
        assert str(daemon.pid) in result.stderr and 'running' in result.stderr
        assert daemon.pid_path.read_text() == f'{daemon.pid}\n'
        assert daemon.ask('www', b'hello') == b'hello'
        assert len(processes_of(daemon)) == 3


def test_a_second_instance_in_the_foreground_does_so_too():
    with Daemonized(ECHO) as daemon:
        result = run(daemon, '-n')
        assert result.returncode == 1 and str(daemon.pid) in result.stderr
        assert daemon.ask('www', b'hello') == b'hello'


@pytest.mark.parametrize('old', ['1\n', '999999999\n', '', 'nonsense'])
def test_an_old_pid_file_that_nobody_locks_is_no_obstacle(old):
    daemon = Daemonized(ECHO)
    daemon.pid_path.write_text(old)
    with daemon:
        assert daemon.pid_path.read_text() == f'{daemon.pid}\n' != old


def test_the_pid_file_is_gone_after_the_stop():
    with Daemonized(ECHO) as daemon:
        assert daemon.pid_path.exists()
        workers = daemon.workers()
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        assert not daemon.pid_path.exists()
        assert not any(map(alive, workers))


def test_p_names_another_pid_file():
    daemon = Daemon(ECHO)
    daemon.args = ['-p', str(daemon.dir / 'other.pid')]
    with daemon:
        assert (daemon.dir / 'other.pid').read_text() == f'{daemon.pid}\n'


def test_in_the_foreground_there_is_no_pid_file_unless_it_is_set():
    with Daemon(ECHO) as daemon:
        assert list(daemon.dir.glob('*pid*')) == []
    with Daemon('pid_file = "{dir}/pid"\n' + ECHO) as daemon:
        assert (daemon.dir / 'pid').read_text() == f'{daemon.pid}\n'


def test_a_pid_file_that_cannot_be_written_is_an_error():
    daemon = Daemonized(ECHO)
    daemon.args = ['-p', str(daemon.dir / 'no/such/pid')]
    assert_refuses_to_start(daemon, f'{daemon.dir}/no/such/pid')


# ---- the process ------------------------------------------------------------------------

def stat_fields(pid):
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2].split()


def test_it_leads_a_session_without_a_terminal():
    with Daemonized(ECHO) as daemon:
        _, _, group, session, terminal, *_ = stat_fields(daemon.pid)
        assert terminal == '0'
        assert session == group != str(os.getsid(0))


def test_its_working_directory_is_the_root():
    with Daemonized(ECHO) as daemon:
        for pid in [daemon.pid, *daemon.workers()]:
            assert os.readlink(f'/proc/{pid}/cwd') == '/'


def test_its_standard_descriptors_are_dev_null():
    with Daemonized(ECHO) as daemon:
        for pid in [daemon.pid, *daemon.workers()]:
            found = descriptors(pid)
            assert [found[number] for number in range(3)] == ['/dev/null'] * 3


def test_the_titles_tell_who_is_who():
    with Daemonized(ECHO + pool('git daemon', 'workers = 1')) as daemon:
        assert title(daemon.pid) == f'preforkd: master {daemon.conf_path}'
        titles = sorted(title(pid) for pid in children(daemon.pid))
        assert titles == ['preforkd: pool git daemon', 'preforkd: pool www', 'preforkd: pool www']


def test_a_relative_path_of_the_file_is_resolved_before_the_directory_changes():
    daemon = Daemonized(ECHO)
    daemon.command = lambda: [PREFORKD, '-f', 'preforkd.conf', '-p', 'pid',
                              '-s', 'control.sock']
    assert run(daemon, cwd=daemon.dir).returncode == 0
    with started_by_hand(daemon):
        assert title(daemon.pid) == f'preforkd: master {daemon.conf_path}'
        daemon.reload(ECHO + pool('more', 'workers = 1'))
        assert daemon.ask('more', b'hello') == b'hello'


# ---- the log ------------------------------------------------------------------------------

LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} preforkd\[\d+\] '
                  r'(error|warning|notice|info|debug): \S.*')


def test_every_line_of_a_log_file_has_the_one_form():
    program = pool('program', 'workers = 1', 'exec { command = { "/bin/echo", "hello" } }',
                   service='exec')
    with Daemonized(ECHO + program, level='debug') as daemon:
        assert daemon.ask('program') == b'hello\n'
        daemon.wait_log('ended with status 0')
        daemon.reload()
        lines = daemon.log().splitlines()
        assert len(lines) > 4
        assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_a_log_file_is_not_for_everybody_and_is_appended_to():
    daemon = Daemonized(ECHO)
    daemon.log_path.write_text('what was there before\n')
    with daemon:
        assert daemon.log().startswith('what was there before\n')
    with Daemonized(ECHO) as daemon:
        assert stat.S_IMODE(daemon.log_path.stat().st_mode) & 0o027 == 0


def test_n_logs_to_stderr_whatever_the_file_says():
    with Daemon('log = "{dir}/file.log"\n' + ECHO) as daemon:  # stderr is DIR/log
        assert 'ready: ' in daemon.log()
        assert not (daemon.dir / 'file.log').exists()


# ---- syslog ----------------------------------------------------------------------------------

# A /dev of its own for the daemon, with the test's socket as /dev/log in it.
OWN_DEV = ['unshare', '-m', '--propagation', 'private', '/bin/sh', '-ec',
           'for name in null zero urandom; do '
           'touch $0/$name; mount --bind /dev/$name $0/$name; done; '
           'mount --bind $0 /dev; exec "$@"']


def can_have_own_dev(directory):
    directory.mkdir()
    return subprocess.run([*OWN_DEV, str(directory), 'true'], capture_output=True).returncode == 0


class Syslog:
    """The receiving end of a /dev/log."""

    def __init__(self, path):
        self.path, self.lines = path, []
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(str(self.path))
        self.path.chmod(0o666)

    def restart(self):
        self.socket.close()
        self.path.unlink()
        self.listen()

    def wait(self, pattern):
        while True:
            self.lines.append(self.socket.recv(8192).decode())
            found = re.fullmatch(pattern, self.lines[-1])
            if found:
                return found


@pytest.fixture
def with_syslog():
    """A daemon that logs to syslog, facility local3, and the syslog."""
    program = pool('program', 'workers = 1', 'exec { command = { "/bin/echo", "hello" } }',
                   service='exec', listen='{dir}/socket')
    jailed = pool('jailed', 'workers = 1', 'chroot = "{dir}/jail"', 'deny = { "127.0.0.1" }')
    daemon = Daemonized(program + jailed, level='info')
    (daemon.dir / 'jail').mkdir()
    if not can_have_own_dev(daemon.dir / 'dev'):
        pytest.skip('needs the right to mount')
    text = daemon.conf_path.read_text().replace(f'"{daemon.log_path}"', '"syslog:local3"')
    daemon.conf_path.write_text(text)
    daemon.wrap = [*OWN_DEV, str(daemon.dir / 'dev')]
    syslog = Syslog(daemon.dir / 'dev/log')
    with daemon.spawned():
        yield daemon, syslog


def served(daemon):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(daemon.dir / 'socket'))
        assert read_all(sock) == b'hello\n'


@pytest.mark.root
def test_master_and_workers_log_to_syslog(with_syslog):
    daemon, syslog = with_syslog
    notice, info = 19 * 8 + 5, 19 * 8 + 6
    head = r'\w{3} [ \d]\d \d\d:\d\d:\d\d'
    syslog.wait(rf'<{notice}>{head} preforkd\[{daemon.pid}\]: ready: .*')
    served(daemon)
    worker = daemon.workers('program')[0]
    syslog.wait(rf'<{info}>{head} preforkd\[{worker}\]: pool program: .* ended with status 0 .*')
    assert not any('\n' in line for line in syslog.lines)


@pytest.mark.root
def test_a_syslog_that_was_restarted_is_found_again(with_syslog):
    daemon, syslog = with_syslog
    syslog.wait(r'.*: ready: .*')
    syslog.restart()
    served(daemon)
    syslog.wait(r'.*pool program: .* ended with status 0 .*')
    daemon.signal(signal.SIGHUP)
    syslog.wait(r'.*: reload done.*')
    # The master has shown it to who cannot look for it.
    port = next(line.rsplit(':', 1)[1] for line in syslog.lines if 'pool jailed: listening' in line)
    with socket.create_connection(('127.0.0.1', int(port))) as sock:
        assert read_all(sock) == b''
    syslog.wait(r'.*pool jailed: refused 127.0.0.1:.*')
