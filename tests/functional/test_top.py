"""preforkctl top, in a terminal that tmux plays, and without one."""
import itertools
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, PREFORKCTL, Daemon, children, eventually
from load import pool, script

TMUX = shutil.which('tmux')
pytestmark = pytest.mark.skipif(not TMUX, reason='needs tmux')

CONF = pool('echo', 'workers = 2') + pool('shell', 'workers = 3', script('read line'), service='exec')


class Terminal:
    """A shell in a terminal of its own, with top as the command that it runs."""
    numbers = itertools.count()

    def __init__(self, daemon, term=None, size=(80, 24)):
        self.socket = f'{daemon.dir}/tmux-{next(self.numbers)}'  # the one before may still be ending
        command = f"{PREFORKCTL} -s '{daemon.control_path}' top; echo status $?; exec cat"
        if term:
            command = f'TERM={term} {command}'
        columns, lines = map(str, size)
        self.run('-f', '/dev/null', 'new-session', '-d', '-x', columns, '-y', lines, '/bin/sh', '-c', command)

    def run(self, *args):
        env = {**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8'}
        done = subprocess.run([TMUX, '-u', '-S', self.socket, *args], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, env=env)
        return done.stdout.decode()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.run('kill-server')

    def press(self, *keys):
        self.run('send-keys', *keys)

    def screen(self):
        return self.run('capture-pane', '-p')

    def wait(self, pattern, seconds=None):
        def shown():
            text = self.screen()
            match = re.search(pattern, text, re.M)
            return (match, text) if match else None
        return eventually(shown, f'{pattern!r} on the screen', seconds)

    def top(self):
        """The process id of top."""
        shell = int(self.run('list-panes', '-F', '#{pane_pid}'))
        [pid] = children(shell)
        return pid


def test_it_shows_pools_and_who_is_busy():
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.wait(r'^echo +echo +running +2 +0 +2 ')
        terminal.wait('no worker is busy')
        with daemon.connect('shell'):
            terminal.wait(r'^ *\d+ shell +busy .*127\.0\.0\.1:\d+ +/bin/sh')
            _, text = terminal.wait(r'^shell +exec +running +2 +1 +3 ')
            assert all(len(line) <= 80 for line in text.split('\n'))
        terminal.wait('no worker is busy')


def test_its_keys():
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.wait('by time in its state, without idle ones')
        for order in 'requests', 'age', 'pid', 'pool', 'time in its state':
            terminal.press('s')
            terminal.wait(f'^by {order}')
        terminal.press('r')
        terminal.wait('reversed')
        terminal.press('i')
        _, text = terminal.wait(r'^ *\d+ shell +idle')
        assert len(re.findall(r'^ *\d+ \w+ +idle', text, re.M)) == 5
        terminal.press('/', 'e', 'c', 'x', 'BSpace')
        terminal.wait('^filter: ec_')
        terminal.press('h', 'o', 'Enter')
        _, text = terminal.wait('filter: echo +q quit')
        assert len(re.findall(r'^ *\d+ \w+ +idle', text, re.M)) == 2
        terminal.press('?')
        terminal.wait('pause and go on')
        terminal.press('x')
        terminal.wait('filter: echo +q quit')
        for key in 'Up', 'Down', 'PPage', 'NPage', 'Home', 'End', '+', '-':
            terminal.press(key)
        terminal.press('p')
        terminal.wait('^PAUSED')
        terminal.press('Space')
        eventually(lambda: 'PAUSED' not in terminal.screen(), 'going on')
        terminal.press('q')
        terminal.wait('^status 0$')


@pytest.mark.parametrize('columns, lines', [(200, 60), (40, 10), (20, 4)])
def test_any_size_of_the_screen_will_do(columns, lines):
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.press('i')
        terminal.wait(r'^ *\d+ shell +idle')
        terminal.run('resize-window', '-x', str(columns), '-y', str(lines))
        terminal.wait('^preforkd')
        eventually(lambda: len(terminal.screen().split('\n')) == lines + 1, 'the new size')
        terminal.wait('^by time|^preforkd')
        terminal.press('q')
        terminal.wait('^status 0')


def test_more_workers_than_lines_are_scrolled():
    with Daemon(pool('many', 'workers = 60')) as daemon, Terminal(daemon) as terminal:
        terminal.press('i', 's', 's', 's')
        terminal.wait('^by pid')
        pids = sorted(daemon.workers())
        terminal.wait(f'^ *{pids[0]} many')
        terminal.press('End')
        terminal.wait(f'^ *{pids[-1]} many')
        terminal.press('Home', 'Down')
        terminal.wait(f'^ *{pids[1]} many')
        eventually(lambda: not re.search(f'^ *{pids[0]} many', terminal.screen(), re.M), 'the first one gone')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_in_order(number):
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.wait('^preforkd')
        os.kill(terminal.top(), number)
        terminal.wait('^status 0$')
        assert 'POOL' not in terminal.screen()      # the other screen was given back
        terminal.press('l', 'e', 'g', 'i', 'b', 'l', 'e', 'Enter')
        terminal.wait('^legible')


def test_a_daemon_that_ends_is_said_to_be_gone():
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.wait('^preforkd')
        daemon.signal(signal.SIGTERM)
        terminal.wait(r'control\.sock: ')
        terminal.press('q')
        terminal.wait('^status 0$')


def test_names_with_escapes_are_harmless():
    conf = pool('a\\\\x1b[31mred', 'workers = 1')
    with Daemon(conf) as daemon, Terminal(daemon) as terminal:
        terminal.wait(r'^a\\x1b')


def test_a_dumb_terminal_gets_plain_tables():
    with Daemon(CONF) as daemon, Terminal(daemon, term='dumb') as terminal:
        terminal.wait(r'^POOL +SERVICE')
        terminal.wait(r'^POOL +PID')
        os.kill(terminal.top(), signal.SIGTERM)
        terminal.wait('^status 0$')


def test_a_pipe_gets_plain_tables_until_it_closes():
    with Daemon(CONF) as daemon:
        command = [PREFORKCTL, '-s', str(daemon.control_path), 'top']
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            lines = [process.stdout.readline() for _ in range(12)]
            assert sum(line.startswith(b'preforkd ') for line in lines) == 1, lines
            process.stdout.close()
            began = time.monotonic()
            process.wait(PATIENCE)
            assert time.monotonic() - began < PATIENCE
