"""Every configuration in README.md and the manuals is taken by preforkd, and every command
line in them does what the text says, run from the text itself.  manual.py says how a
configuration and a command line are known.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, PREFORKCTL, ROOT, SRCDIR, check_config, eventually
from load import held, pool
from manual import (COMMANDS, CONFIGURATION, DOCUMENTS, MANUALS, OTHER, Block, blocks, furnish, moved,
                    of_markdown, settled, unlike, whole)
from test_control import wait_pool
from test_upgrade import Upgraded

# What is not checked, and what cannot be run in a test: a pattern, and why.
NOT_CHECKED = {
    r'"/usr/local/lib/preforkd/clock\.so"': 'test_module.py builds that module and runs it',
}
NOT_RUN = {
    r'(sudo |# )?apt(-get)? ': 'changes the system',
    r'dpkg(-buildpackage)? ': 'changes the system, or takes the time of a whole build',
    r'git clone ': 'the sources are here',
    r'(\./)?bootstrap': 'installs packages and builds; continuous integration runs it',
    r'(sudo )?make\b': 'a build in a build; continuous integration runs it',
    r'mkdir (-p )?build|\.\.?/configure|autoreconf': 'what the build has done that is tested here',
    r'(preforkd -t && )?systemctl |journalctl ': 'needs systemd as process 1',
    r'preforkctl top': 'has the whole screen until it is ended; test_top.py runs it',
}
NOT_FOR_USERS = {r'chgrp ', r'chown '}


def not_run(command):
    """Why a command is not run here; None if it is."""
    if not ROOT and any(re.match(pattern, command) for pattern in NOT_FOR_USERS):
        return 'needs root'
    return next((why for pattern, why in NOT_RUN.items() if re.match(pattern, command)), None)


def of_kind(kind):
    return [pytest.param(block, id=str(block))
            for path in DOCUMENTS for block in blocks(path) if block.kind == kind]


# ---- configurations --------------------------------------------------------------------------

def check(block, directory):
    """preforkd -t on it, with its files below the directory."""
    text = settled(moved(directory, whole(block)))
    furnish(directory, text)
    path = directory / 'preforkd.conf'
    path.write_text(text)
    path.chmod(0o644)
    return check_config(path)


@pytest.fixture
def directory(tmp_path):
    """One that every user can get into."""
    for path in tmp_path, *list(tmp_path.parents)[:-2]:
        with contextlib.suppress(PermissionError):
            path.chmod(path.stat().st_mode | 0o055)
    return tmp_path


@pytest.mark.parametrize('block', of_kind(CONFIGURATION))
def test_a_configuration_in_the_texts_is_valid(block, directory):
    for pattern, why in NOT_CHECKED.items():
        if re.search(pattern, block.text):
            pytest.skip(why)
    result = check(block, directory)
    assert result.returncode == 0, f'{block}: {result.stderr}\n{block.text}'


@pytest.mark.parametrize('lines', [
    ['\texec { commands = "/bin/true" }'],
    ['\t\tcgi "/a/" { path = "/srv/a" limt = 3 }'],
])
def test_a_wrong_one_would_be_found(lines, directory):
    block = Block(SRCDIR / 'none', 1, lines)
    assert block.kind == CONFIGURATION
    result = check(block, directory)
    assert result.returncode == 1 and 'did you mean' in result.stderr, result.stderr


def test_the_texts_have_configurations_and_commands():
    numbers = {}
    for path in DOCUMENTS:
        for block in blocks(path):
            numbers[path.name, block.kind] = numbers.get((path.name, block.kind), 0) + 1
    assert numbers['preforkd.conf.5', CONFIGURATION] >= 10
    assert all(numbers[name, COMMANDS] for name in ('README.md', 'preforkd.8', 'preforkctl.8'))


@pytest.mark.parametrize('path', [pytest.param(path, id=path.name) for path in MANUALS])
def test_a_display_shows_its_quotes(path):
    """mdoc takes bare ones for its own."""
    assert not re.findall(r'^\.Dl .*(?<!\\&)".*', path.read_text(), re.M)


# ---- command lines ---------------------------------------------------------------------------

class Reader:
    """Somebody who types what a text says, in a directory that has what it speaks of.

    Their preforkctl finds the socket of their daemon, which runs build/preforkd; ports and paths
    of the text, and the daemon's pid in it, are replaced by the real ones."""

    def __init__(self, path):
        self.said_pid = re.search(r'preforkd\[(\d+)\]', path.read_text())
        self.daemon = daemon = Upgraded()
        self.dir = here = daemon.dir
        for name in 'build', 'bin', 'run/preforkd':
            (here / name).mkdir(parents=True)
        daemon.binary = here / 'build/preforkd'
        daemon.put_binary()
        daemon.control_path = here / 'run/preforkd/control.sock'
        daemon.control[1] = str(daemon.control_path)
        daemon.conf_path.touch()
        for name, command in ('preforkctl', f'{PREFORKCTL} -s {daemon.control_path}'), \
                             ('preforkd', daemon.binary):
            (here / 'bin' / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (here / 'bin' / name).chmod(0o755)
        (here / 'bin/.curlrc').write_text('no-progress-meter\n')  # as on a terminal
        self.env = dict(daemon.env, PATH=f'{here}/bin:{daemon.env["PATH"]}:/usr/sbin:/sbin', LC_ALL='C',
                        CURL_HOME=f'{here}/bin', no_proxy='*')
        self.known = []  # what the shell knows from the lines before: aliases, the directory
        self.ports = {}
        self.elsewhere = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        try:
            self.elsewhere.close()
        finally:
            self.daemon.__exit__(*failure)

    def begin(self):
        """The daemon, before the first command."""

    def put(self, name, text):
        """Makes this the configuration of the daemon, with free ports, in a file of this name."""
        self.daemon.conf_path = self.dir / name
        self.listens = re.findall(r'pool "(\w+)".*?listen\s*= "([^"]*)"', text, re.S)
        text = re.sub(r'(\blisten\s*=) "[^"/]*"', r'\1 "127.0.0.1:0"', settled(moved(self.dir, text)))
        furnish(self.dir, text)
        self.daemon.conf_path.write_text(text)
        self.daemon.conf_path.chmod(0o644)

    def start(self):
        mark = self.daemon.mark()
        self.daemon.spawn().wait_log('ready: ', since=mark)
        self.ports = {listen.rsplit(':')[-1]: self.daemon.port(name) for name, listen in self.listens}

    def real(self, command):
        command = moved(self.dir, command)
        for port, real in self.ports.items():
            command = re.sub(rf'(?<=[: ]){port}\b', str(real), command)
        if self.said_pid:
            command = re.sub(rf'\b{self.said_pid[1]}\b', str(self.daemon.pid), command)
        return command

    def missing(self, command):
        """A program that is not installed; None if all are."""
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", '', command)
        ours = {'alias', 'cd', 'export'}
        for name in re.findall(r'(?:^|[|&;(]\s*|\n)([a-z][\w./-]*)(?![\w./=-])', bare):
            if name not in ours and '/' not in name and not shutil.which(name, path=self.env['PATH']):
                return name
        return None

    def run(self, command):
        """(status, output) of it."""
        in_foreground = re.match(r'preforkd -n -f (\S+)$', command)
        if in_foreground:
            assert self.daemon.conf_path == self.dir / in_foreground[1]
            self.start()
            return 0, ''
        real = self.real(command)
        # Without a terminal, htpasswd takes the passwords from its input.
        result = subprocess.run(['sh', '-c', '\n'.join([*self.known, real])], cwd=self.dir, env=self.env,
                                input='secret\nsecret\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=2 * PATIENCE, start_new_session=True)
        if re.match(r'(alias|cd|export) ', command):
            self.known.append(real)
        upgraded = re.search(r'upgraded: pid (\d+)', result.stdout)
        if upgraded:
            self.daemon.follow(int(upgraded[1]))
        return result.returncode, re.sub(r'.*: not started by root, .*\n', '', result.stdout)

    def type(self, command, output, conf):
        """Runs it, and compares.  A mistake that it is to show is mended afterwards."""
        right = self.daemon.conf_path.read_text()
        for pattern, said, prepare in BEFORE:
            if re.search(pattern, command) and re.search(said, '\n'.join(output)):
                prepare(self)
        named = re.search(r'preforkd .*-f (\S+)', command)
        if named and not (self.dir / named[1]).exists():
            self.put(named[1], conf)
        if self.daemon.process and self.daemon.process.poll() is not None:
            self.start()
        # What is said with a file and a line is a refusal.
        status = 1 if re.search(r'[a-z]:\d+: ', ' '.join(output) + ' ') else 0

        def wrong():
            got, text = self.run(command)
            unexpected = unlike(output, text.splitlines()) if output else ''
            return f'$ {command}\nstatus {got}\n{text}{unexpected}' if got != status or unexpected else ''

        failure = wrong()
        if re.search(r'preforkctl.* (status|workers)|^curl ', command):
            # The state that is asked for may be a moment away.
            deadline = time.monotonic() + PATIENCE / 3
            while failure and time.monotonic() < deadline:
                failure = wrong()
        assert not failure, failure
        if status:
            self.daemon.conf_path.write_text(right)
        if 'preforkctl' in command and ' stop' in command:
            self.daemon.ended()


class Tourist(Reader):
    """Has done `./bootstrap run`; other terminals have connections to echo and to www."""

    def begin(self):
        shutil.copytree(SRCDIR / 'conf/examples', self.dir / 'conf/examples')
        shutil.copyfile(self.daemon.binary, self.dir / 'preforkd-new')
        (self.dir / 'preforkd-new').chmod(0o755)
        (self.dir / 'build/preforkctl').symlink_to(PREFORKCTL)
        self.daemon.control_path = self.dir / 'build/control.sock'
        self.daemon.control[1] = str(self.daemon.control_path)
        self.daemon.env['PREFORKD_WWW'] = str(self.dir / 'conf/examples/www')
        self.put('build/quickstart.conf', (SRCDIR / 'conf/examples/quickstart.conf').read_text())
        self.start()
        self.elsewhere.enter_context(held(self.daemon, 'echo', 1))


CAT = 'exec { command = { "/bin/cat" } }'
CROWDED = pool('www', 'max_workers = 10', 'min_spare_workers = 10', CAT, service='exec') + \
    pool('mail', 'max_workers = 5', 'directory = "/srv/mail"', CAT, service='exec')


class Operator(Reader):
    """Has a pool with too many clients, after a reload that replaced its workers, and one that
    cannot start any."""

    def begin(self):
        self.put('preforkd.conf', CROWDED)
        self.start()
        self.elsewhere.enter_context(held(self.daemon, 'www', 2))
        edit('min_spare', r'umask = "027"\nmin_spare')(self)
        self.daemon.done('reload')
        wait_pool(self.daemon, 'www', total=12, idle=10)
        self.elsewhere.enter_context(held(self.daemon, 'www', 10))
        for _ in range(7):
            self.elsewhere.enter_context(self.daemon.connect('www'))
        self.home = self.dir / 'srv/mail'
        self.home.rmdir()
        self.elsewhere.callback(self.home.mkdir)
        for pid in self.daemon.workers('mail'):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.daemon.pool_status('mail')['next_try_ms'] > 0, 'the back-off')


def edit(old, new):
    """A change of the configuration, by somebody with an editor."""
    def change(reader):
        path = reader.daemon.conf_path
        text = path.read_text()
        assert re.search(old, text, re.S), old
        path.write_text(re.sub(old, new, text, count=1, flags=re.S))
    return change


def file(name):
    def make(reader):
        path = pathlib.Path(f'{reader.dir}{name}')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return make


# What is done elsewhere before a line does what the text has: patterns of the command and of the
# output in the text, and what.
BEFORE = [
    (r'preforkctl reload', 'unknown option "max_worker"', edit('max_workers', 'max_worker')),
    (r'preforkctl .*stop', '', lambda reader: reader.elsewhere.close()),
    (r'mv /var/log/preforkd\.log', '', file('/var/log/preforkd.log')),
    (r'cd /var/lib/prometheus/node-exporter', '', file('/var/lib/prometheus/node-exporter/.there')),
    (r'htpasswd .*/etc/preforkd/users', '', file('/etc/preforkd/.there')),
]
READERS = {'README.md': Tourist, 'preforkctl.8': Operator}


@pytest.mark.parametrize('path', [pytest.param(path, id=path.name) for path in DOCUMENTS
                                  if any(block.kind == COMMANDS for block in blocks(path))])
def test_what_is_typed_does_what_the_text_says(path):
    conf, left_out = '', set()
    with READERS.get(path.name, Reader)(path) as reader:
        reader.begin()
        for block in blocks(path):
            if block.kind == CONFIGURATION and not block.depth:
                conf = block.text
            for command, output in block.commands() if block.kind == COMMANDS else ():
                why = not_run(command) or reader.missing(command)
                if why:
                    print(f'not run: {command}: {why}')
                    left_out |= {why} - set(NOT_RUN.values())
                else:
                    reader.type(command, output, conf)
    if left_out:
        pytest.skip('ran the others; not there: ' + ', '.join(sorted(left_out)))


def test_a_command_without_a_prompt_is_one_that_is_not_run():
    for block in of_markdown(SRCDIR / 'README.md'):
        word = (block.text.split() or [''])[0]
        if block.kind == OTHER and (re.match(r'\.\.?/', word) or shutil.which(word)):
            for line in filter(None, block.lines):
                assert not_run(line), f'{block}: {line}'


@pytest.mark.parametrize('wanted, got, same', [
    (['pid 11, up 2.8s'], ['pid 4711, up 300ms'], True),
    (['a  1', 'a  2'], ['a 17'], True),
    (['www  127.0.0.1:80  idle'], ['www *:8080 busy'], True),
    (['a', '...'], ['a', 'b'], True),
    (['/etc/x.conf:12:', '        unknown'], ['/tmp/y/x.conf:1: unknown'], True),
    (['pid 11'], [], False),
    (['a'], ['a', 'b'], False),
    (['pool www is drained'], ['pool mail is drained'], False),
    (['HTTP/1.1 200 OK'], ['HTTP/1.1 200 Fine'], False),
])
def test_outputs_are_compared(wanted, got, same):
    assert (unlike(wanted, got) == '') == same
