"""One daemon for one test: its own directory, its own ports, and a look at its processes.

Waiting is retrying with a deadline (`eventually`); nothing here sleeps for a fixed time
and hopes.  The program under test is $PREFORKD, or ./preforkd in the build directory;
preforkctl is beside it.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

PREFORKD = os.path.abspath(os.environ.get('PREFORKD', './preforkd'))
PREFORKCTL = os.path.abspath(os.environ.get(
    'PREFORKCTL', os.path.join(os.path.dirname(PREFORKD), 'preforkctl')))
SRCDIR = pathlib.Path(__file__).resolve().parents[2]
ROOT = os.geteuid() == 0
# A sanitizer build or a busy machine is slow: every deadline is generous.
PATIENCE = float(os.environ.get('PREFORKD_TEST_PATIENCE', '30'))
SANITIZED = os.environ.get('PREFORKD_SANITIZED') == '1'


def eventually(condition, what='the condition', seconds=None, every=0.01):
    """Returns the first true value of condition(), or fails after the deadline."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds or PATIENCE} s: {what}')
        time.sleep(every)


def proc_stat(pid):
    """(comm, state, ppid, session, starttime) of a process, or None when it is gone."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    comm = text[text.index('(') + 1:text.rindex(')')]
    rest = text[text.rindex(')') + 2:].split()
    return comm, rest[0], int(rest[1]), int(rest[3]), int(rest[19])


def alive(pid):
    stat = proc_stat(pid)
    return stat is not None and stat[1] not in 'ZX'


def children(pid):
    """Direct children of a process, zombies included."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            stat = proc_stat(int(entry))
            if stat and stat[2] == pid:
                found.append(int(entry))
    return found


def title(pid):
    try:
        raw = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return ''
    return raw.replace(b'\0', b' ').decode().strip()


def workers_of(master, pool=None):
    """Pids of its live workers (of one pool), by their titles."""
    wanted = f'preforkd: pool {pool}' if pool else 'preforkd: pool '
    return sorted(pid for pid in children(master) if alive(pid) and title(pid).startswith(wanted))


def descriptors(pid):
    """{number: what it is} of the open descriptors of a process."""
    found = {}
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            found[int(fd)] = os.readlink(f'/proc/{pid}/fd/{fd}')
        except FileNotFoundError:
            pass
    return found


needs_preload = pytest.mark.skipif(
    SANITIZED or not shutil.which('cc'),
    reason='needs a C compiler, and a preloaded library does not mix with a sanitizer')


def preload(directory, source):
    """The environment that puts C functions of the test's before those of libc."""
    subprocess.run(['cc', '-shared', '-fPIC', '-x', 'c', '-', '-o', 'preload.so', '-ldl'],
                   input='#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n'
                         '#include <sys/socket.h>\n' + source,
                   text=True, cwd=directory, check=True)
    return {'LD_PRELOAD': f'{directory}/preload.so'}


def without_proc():
    """What to wrap a command in, so that it finds no /proc."""
    wrap = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh']
    if SANITIZED:
        pytest.skip('a sanitizer reads its options from /proc')
    if not ROOT or not shutil.which('unshare') or \
            subprocess.run([*wrap, 'true'], capture_output=True).returncode != 0:
        pytest.skip('needs root and unshare')
    return wrap


def can_trace():
    return shutil.which('strace') and subprocess.run(
        ['strace', '-o', '/dev/null', 'true'], capture_output=True).returncode == 0


class Daemon:
    """A preforkd in the foreground that logs to DIR/log, with DIR/preforkd.conf and
    DIR/control.sock."""

    def __init__(self, conf=None, *, dir=None, args=(), wrap=(), env=None, level='info',
                 user=True):
        self.dir = pathlib.Path(dir or tempfile.mkdtemp(prefix='preforkd-test-'))
        os.chmod(self.dir, 0o755)  # workers run as nobody
        self.conf_path = self.dir / 'preforkd.conf'
        self.log_path = self.dir / 'log'
        self.control_path = self.dir / 'control.sock'
        self.control = ['-s', str(self.control_path)]
        self.args, self.wrap, self.level = list(args), list(wrap), level
        self.env = dict(os.environ, **(env or {}))
        self.identity = 'user = "nobody"\ngroup = "nogroup"\n' if ROOT and user else ''
        self.process = None
        self.pid = None
        if conf is not None:
            self.write(conf)

    def write(self, conf):
        """Replaces the configuration file; {dir} stands for the test's directory."""
        text = f'log_level = "{self.level}"\n' + self.identity + conf.replace('{dir}', str(self.dir))
        new = self.conf_path.with_suffix('.new')
        new.write_text(text)
        os.chmod(new, 0o644)
        os.rename(new, self.conf_path)

    def command(self):
        return self.wrap + [PREFORKD, '-n', '-f', str(self.conf_path)] + self.control + self.args

    def spawn(self):
        """Starts it without waiting for anything."""
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env)
        self.pid = self.process.pid
        return self

    def start(self):
        """Starts it and waits until it says that it is ready."""
        self.spawn()
        self.wait_log(r'ready: ')
        if self.wrap:  # strace, prlimit, ...: the master is the one that says so
            self.pid = int(re.search(r'preforkd\[(\d+)\] \w+: ready: ', self.log()).group(1))
        return self

    __enter__ = start

    def __exit__(self, kind, value, trace):
        failed = kind is not None
        if self.process and self.process.poll() is None:
            try:
                os.kill(self.pid, signal.SIGTERM)
                self.process.wait(PATIENCE)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        if failed:
            sys.stderr.write(f'--- {self.conf_path}\n{self.conf_path.read_text()}\n'
                             f'--- {self.log_path}\n{self.log()[-20000:]}\n')
        text = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        if not failed:
            assert 'Sanitizer' not in text and 'runtime error' not in text, text[-5000:]

    @contextlib.contextmanager
    def spawned(self):
        """Like `with daemon:`, without waiting until it is ready."""
        self.spawn()
        try:
            yield self
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        self.__exit__(None, None, None)

    def refusal(self):
        """That it does not start; what it says."""
        with self.spawned():
            assert self.ended() == 1, self.log()
            return self.log()

    def log(self):
        try:
            return self.log_path.read_text(errors='replace')
        except FileNotFoundError:
            return ''

    def mark(self):
        """A place in the log; wait_log(..., since=mark) looks behind it only."""
        return len(self.log())

    def wait_log(self, pattern, since=0, seconds=None):
        def found():
            text = self.log()
            match = re.search(pattern, text[since:], re.M)
            if not match and self.process and self.process.poll() is not None:
                match = re.search(pattern, self.log()[since:], re.M)
                assert match, f'preforkd ended ({self.process.returncode}) without saying ' \
                              f'{pattern!r}:\n{text[-5000:]}'
            return match
        try:
            return eventually(found, f'a log line like {pattern!r}', seconds)
        except AssertionError:
            sys.stderr.write(self.log()[-5000:])
            raise

    def signal(self, number):
        os.kill(self.pid, number)

    def ctl_command(self, *words):
        return [PREFORKCTL, '-s', str(self.control_path), *map(str, words)]

    def ctl(self, *words, wrap=()):
        """Runs preforkctl to its end: the finished process with its output."""
        return subprocess.run([*wrap, *self.ctl_command(*words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=2 * PATIENCE)

    @contextlib.contextmanager
    def ctl_begun(self, *words):
        """preforkctl as it runs, ended with the block at the latest."""
        with subprocess.Popen(self.ctl_command(*words), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def done(self, *words):
        """That preforkctl has success; the sentence that it says."""
        result = self.ctl(*words)
        assert (result.returncode, result.stderr) == (0, ''), result.stderr
        return result.stdout

    def control_connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(str(self.control_path))
        return sock

    def request(self, line):
        """A line to the control socket: ([(kind, {key: value}), ...], the last line)."""
        with self.control_connect() as sock:
            sock.sendall(line.encode() + b'\n')
            *records, last = read_all(sock).decode(errors='replace').splitlines()
        fields = [record.split('\t') for record in records]
        return [(kind, dict(field.split('=', 1) for field in rest)) for kind, *rest in fields], last

    def status(self, *words):
        """What `preforkctl status --json` says."""
        return json.loads(self.done('status', '--json', *words))

    def pool_status(self, name):
        return next(pool for pool in self.status(name)['pools'] if pool['name'] == name)

    def reload(self, conf=None, *, expect='done'):
        """HUP, and waits for the outcome: 'done' or 'refused'.  Returns the log line."""
        if conf is not None:
            self.write(conf)
        mark = self.mark()
        self.signal(signal.SIGHUP)
        line = self.wait_log(r'^.*reload (done|refused).*$', since=mark).group(0)
        assert f'reload {expect}' in line, line
        return line

    def address(self, pool):
        """The last address that the log names for a pool: (family, address)."""
        found = re.findall(rf'pool {re.escape(pool)}: listening on ([^\s"]+)', self.log())
        assert found, f'no listen address of pool {pool} in the log'
        text = found[-1]
        if text.startswith('/'):
            return socket.AF_UNIX, text
        if text.startswith('@'):
            return socket.AF_UNIX, '\0' + text[1:]
        host, port = text.rsplit(':', 1)
        host = host.strip('[]')
        if host == '*':
            return socket.AF_INET, ('127.0.0.1', int(port))
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        return family, (host, int(port))

    def port(self, pool):
        return self.address(pool)[1][1]

    def connect(self, pool, timeout=None):
        family, address = self.address(pool)
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(timeout or PATIENCE)
        sock.connect(address)
        return sock

    def ask(self, pool, data=b'', timeout=None):
        """Sends data, half-closes, and returns everything up to the end."""
        with self.connect(pool, timeout) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def workers(self, pool=None):
        """Pids of the live workers (of one pool), by their titles."""
        return workers_of(self.pid, pool)

    def wait_workers(self, number, pool=None, seconds=None):
        return eventually(lambda: len(self.workers(pool)) == number and (self.workers(pool) or True),
                          f'{number} workers of pool {pool} (now {self.workers(pool)})', seconds)

    def wait_replaced(self, old, number, pool=None, seconds=None):
        """Waits until none of the old workers is alive and so many others are."""
        def replaced():
            now = self.workers(pool)
            return len(now) == number and not any(map(alive, old)) and now
        return eventually(replaced, f'{number} workers of pool {pool}, none of {old} '
                          f'(now {self.workers(pool)})', seconds)

    def zombies(self):
        return [pid for pid in children(self.pid) if (proc_stat(pid) or ('', '', 0, 0, 0))[1] == 'Z']

    def ended(self, seconds=None):
        """Waits for the end of the program; returns its exit status."""
        return self.process.wait(seconds or PATIENCE)


def read_all(sock):
    data = b''
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece


def check_config(path, *args):
    """Runs preforkd -t on a file: the finished process with its stderr."""
    return subprocess.run([PREFORKD, '-t', '-f', str(path), *args], capture_output=True,
                          text=True, timeout=PATIENCE)
