"""preforkctl top, in a terminal that tmux plays, and without one."""
import itertools
import os
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import pytest

from fake import DAEMON, Fake, worker
from fake import pool as told
from harness import PATIENCE, PREFORKCTL, Daemon, alive, children, eventually
from load import pool, script

TMUX = shutil.which('tmux')
pytestmark = pytest.mark.skipif(not TMUX, reason='needs tmux')

CONF = pool('echo', 'workers = 2') + pool('shell', 'workers = 3', script('read line'), service='exec')


class Terminal:
    """A shell in a terminal of its own, with top as the command that it runs."""
    numbers = itertools.count()

    def __init__(self, daemon, term=None, size=(80, 24), before=''):
        self.socket = f'{daemon.dir}/tmux-{next(self.numbers)}'  # the one before may still be ending
        command = f"{PREFORKCTL} -s '{daemon.control_path}' top; echo status $?; exec cat"
        if term:
            command = f'TERM={term} {command}'
        command = 'trap : INT QUIT; ' + before + command  # it gets them with top
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

    def size(self):
        """As top has drawn it: its last line is the last of the screen."""
        lines = self.screen().rstrip('\n').split('\n')
        assert 'q quit' in lines[-1]
        return int(self.run('display-message', '-p', '#{pane_width}')), len(lines)

    def resize(self, columns, lines):
        self.run('resize-window', '-x', str(columns), '-y', str(lines))
        eventually(lambda: len(self.screen().split('\n')) == lines + 1 and
                   'q quit' in self.screen().rstrip('\n').split('\n')[-1], 'the new size')

    def modes(self):
        """Of the terminal: what full-screen programs change."""
        return self.run('display-message', '-p', '#{alternate_on} #{cursor_flag} #{keypad_cursor_flag} '
                        '#{keypad_flag} #{mouse_any_flag}').split()

    def settings(self):
        """Of the line discipline."""
        tty = self.run('display-message', '-p', '#{pane_tty}').strip()
        with open(tty, 'rb') as file:
            return termios.tcgetattr(file)

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


def test_a_wide_screen_shows_the_whole_name_of_a_pool():
    long, longest = 'a-pool-whose-name-is-32-bytes-lo', 'b' * 64
    conf = pool(long, 'workers = 1') + pool(longest, 'workers = 1') + pool('echo', 'workers = 1')
    with Daemon(conf) as daemon, Terminal(daemon, size=(200, 40)) as terminal, daemon.connect(long):
        _, text = terminal.wait(rf'^ *\d+ {long} +busy .*127\.0\.0\.1:\d+')
        lines = text.split('\n')
        [head] = [line for line in lines if line.startswith('POOL')]
        rows = [line for line in lines if line.startswith((long, longest, 'echo'))]
        assert [line.index(' echo  ') for line in rows] == [head.index(' SERVICE')] * 3
        assert [line.split()[0] for line in rows] == [long, longest, 'echo']
        terminal.resize(100, 40)
        terminal.wait(rf'^{long} +echo +running .*\n{"b" * 34} +echo ')
        _, text = terminal.wait(rf'^ *\d+ {long[:20]} +busy .*127\.0\.0\.1:\d+')
        assert all(len(line) <= 100 for line in text.split('\n'))


def wait_idle(terminal, number):
    eventually(lambda: len(re.findall(r'^ *\d+ \w+ +idle', terminal.screen(), re.M)) == number,
               f'{number} idle workers on the screen')


@pytest.mark.parametrize('size, resized', [((80, 24), None), ((200, 60), None), ((200, 60), (80, 24)),
                                           ((80, 24), (132, 43))], ids=str)
def test_its_keys(size, resized):
    with Daemon(CONF) as daemon, Terminal(daemon, size=size) as terminal:
        terminal.wait('by time in its state, without idle ones')
        if resized:
            terminal.resize(*resized)
        for order in 'requests', 'age', 'pid', 'pool', 'time in its state':
            terminal.press('s')
            terminal.wait(f'^by {order}')
        terminal.press('r')
        terminal.wait('reversed')
        terminal.press('i')
        wait_idle(terminal, 5)
        terminal.press('/', 'e', 'c', 'x', 'BSpace')
        terminal.wait('^filter: ec_')
        terminal.press('h', 'o', 'Enter')
        terminal.wait('filter: echo +q quit')
        wait_idle(terminal, 2)
        terminal.press('/', 'x', 'Escape')  # drops what was typed
        terminal.wait('filter: echo +q quit')
        for key in '?', 'h':
            terminal.press(key)
            terminal.wait('pause and go on')
            terminal.wait(r'It looks every 1\.0 s')
            terminal.press('q')  # any key ends it, and does nothing else
            terminal.wait('filter: echo +q quit')
        for keys, seconds in (('+', '0.5'), ('--', '2.0'), ('+', '1.0')):
            terminal.press(*keys, 'h')
            terminal.wait(f'It looks every {seconds} s')
            terminal.press('Enter')
        for key in 'Up', 'Down', 'PPage', 'NPage', 'Home', 'End', 'F1', 'x':
            terminal.press(key)
        terminal.press('p')
        terminal.wait('^PAUSED')
        terminal.press('Space')
        eventually(lambda: 'PAUSED' not in terminal.screen(), 'going on')
        assert terminal.size() == (resized or size)
        terminal.press('q')
        terminal.wait('^status 0$')


@pytest.mark.parametrize('columns, lines', [(200, 60), (40, 10), (20, 4)])
def test_any_size_of_the_screen_will_do(columns, lines):
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.press('i')
        terminal.wait(r'^ *\d+ shell +idle')
        terminal.press('h')
        terminal.wait('pause and go on')
        terminal.run('resize-window', '-x', str(columns), '-y', str(lines))
        eventually(lambda: len(terminal.screen().split('\n')) == lines + 1, 'the new size')
        terminal.press('h')  # the new size is no key that has ended the help
        terminal.wait('^preforkd')
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


def end(how):
    """By a key, or by a signal."""
    if isinstance(how, signal.Signals):
        return lambda terminal: os.kill(terminal.top(), how)
    return lambda terminal: terminal.press(*how)


@pytest.mark.parametrize('how', ['q', ['C-c'], ['C-\\'], ['/', 'x', 'C-c'], ['h', 'C-c'], ['p', 'C-c'],
                                 signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=str)
def test_it_leaves_the_terminal_as_it_was(how):
    with Daemon(CONF) as daemon, Terminal(daemon, before='echo before; read go; ') as terminal:
        terminal.wait('^before$')
        settings, modes = terminal.settings(), terminal.modes()
        terminal.press('Enter')
        terminal.wait('^preforkd')
        assert terminal.settings() != settings and terminal.modes() != modes
        end(how)(terminal)
        terminal.wait('^status 0$')
        assert 'POOL' not in terminal.screen()      # the other screen was given back
        assert (terminal.settings(), terminal.modes()) == (settings, modes)
        terminal.press('l', 'e', 'g', 'i', 'b', 'l', 'e', 'Enter')
        terminal.wait('^legible')


def test_it_ends_with_its_terminal():
    with Daemon(CONF) as daemon, Terminal(daemon) as terminal:
        terminal.wait('^preforkd')
        pid = terminal.top()
        terminal.run('kill-session')
        eventually(lambda: not alive(pid), 'the end of top')
        terminal.run('-f', '/dev/null', 'new-session', '-d', 'exec cat')  # for the end of the block


@pytest.mark.parametrize('key', [b'', b'p'], ids=['running', 'paused'])
def test_it_ends_with_a_terminal_that_is_not_its_own(key):
    """Nobody sends HUP to it then, and each look for a key returns at once."""
    with Daemon(CONF) as daemon:
        ours, its = os.openpty()
        with subprocess.Popen(daemon.ctl_command('top'), stdin=its, stdout=its, stderr=its,
                              env={**os.environ, 'TERM': 'xterm'}, start_new_session=True) as process:
            os.close(its)
            os.write(ours, key)
            shown = b''
            while (b'PAUSED' if key else b'POOL') not in shown:
                assert select.select([ours], [], [], PATIENCE)[0]
                shown += os.read(ours, 65536)
            os.close(ours)
            assert process.wait(PATIENCE) == 0


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


def test_wide_characters_stay_in_their_line():
    wide = '\u65e5' * 100
    said = DAEMON + told('a', last_failure=wide) + worker('a', 17, state='busy', request=wide) + b'ok\n'
    with Fake(said) as fake:
        fake.control_path = fake.path
        with Terminal(fake) as terminal:
            _, text = terminal.wait('^ *17 a .*\u65e5')
            assert [line for line in text.split('\n') if '\u65e5' in line and ' 17 a' not in line] == []
            terminal.resize(132, 43)
            _, text = terminal.wait('^a .*\u65e5')
            assert text.count('\n') == 43 and len(re.findall('\u65e5', text)) < 132


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
