"""Services of shared objects, built as their authors build them: with what is installed.

probe.c is a module that does what a test tells it to, by options and by lines.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from harness import (PATIENCE, PREFORKD, SANITIZED, SRCDIR, Daemon, alive, can_trace, check_config,
                     children, descriptors, eventually, read_all)
from load import pool
from test_control import silence, wait_pool

BUILDDIR = pathlib.Path(os.environ.get('BUILDDIR', os.path.dirname(PREFORKD)))
EXAMPLE = SRCDIR / 'conf/examples/module'
MANUAL = SRCDIR / 'man/preforkd-module.3'
PROBE = (SRCDIR / 'tests/functional/probe.c').read_text()
BUILD = 'cc $(pkg-config --cflags preforkd) -shared -fPIC'

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ['cc', 'make', 'pkg-config'])) or not (BUILDDIR / 'Makefile').exists(),
    reason='needs cc, make, pkg-config and the directory of the build')


def wchan(pid):
    """Where in the kernel a process waits."""
    return pathlib.Path(f'/proc/{pid}/wchan').read_text()


# ---- building, as a user does ----------------------------------------------------------

@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The environment of a shell that finds what `make install` has installed."""
    root = tmp_path_factory.mktemp('installed')
    clean = {name: value for name, value in os.environ.items() if 'MAKE' not in name}
    subprocess.run(['make', '-s', '-C', BUILDDIR, 'install', f'DESTDIR={root}'], check=True, env=clean,
                   stdout=subprocess.DEVNULL)
    pc, = root.rglob('preforkd.pc')
    return {**clean, 'PKG_CONFIG_PATH': str(pc.parent), 'PKG_CONFIG_SYSROOT_DIR': str(root),
            'INSTALLED': str(root)}


@pytest.fixture
def build(installed):
    """build(file, source, *flags): compiles a module and puts it in the place of the file."""
    def build(file, source=PROBE, *flags, command=BUILD):
        new = file.with_suffix('.new')
        subprocess.run(f'{command} {" ".join(flags)} -x c -o {new} -', shell=True, check=True, text=True,
                       input=source, env=installed)
        new.chmod(0o644)
        new.rename(file)
        return file
    return build


def module(*options, name='probe', lines=('workers = 2',), file='{dir}/probe.so'):
    """The text of a pool with a module; options are its own, lines are the pool's."""
    section = f'file = "{file}"'
    if options:
        section += ' option = { ' + ', '.join(f'"{option}"' for option in options) + ' }'
    return pool(name, *lines, f'module {{ {section} }}', service='module')


@pytest.fixture
def probe(build):
    """probe(conf, ...): a daemon, not started yet, with the probe in its directory."""
    def probe(conf, *flags, **rest):
        daemon = Daemon(conf, **rest)
        build(daemon.dir / 'probe.so', PROBE, *flags)
        return daemon
    return probe


class Talk:
    """A connection, line by line."""

    def __init__(self, daemon, name='probe'):
        self.sock = daemon.connect(name)
        self.file = self.sock.makefile('rwb')

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.file.close()
        self.sock.close()

    def send(self, text):
        self.file.write(text.encode() + b'\n')
        self.file.flush()

    def line(self):
        return self.file.readline().decode()

    def ask(self, text):
        self.send(text)
        return self.line().rstrip('\n')

    def ended(self):
        """That the server ends the connection, in order or not."""
        with contextlib.suppress(ConnectionResetError):
            return self.file.read() == b''
        return True


def ask(daemon, text, name='probe'):
    return daemon.ask(name, text.encode() + b'\n').decode().rstrip('\n')


# ---- what comes with it ------------------------------------------------------------------

def example(daemon):
    """The example's configuration, but for addresses and paths."""
    text = (EXAMPLE / 'kv.conf').read_text().replace('127.0.0.1:4711', '127.0.0.1:0')
    assert '/tmp/kv.store' in text and '/usr/local/lib/preforkd/kv.so' in text
    text = text.replace('/tmp/', f'{daemon.dir}/data/').replace('/usr/local/lib/preforkd', str(daemon.dir))
    daemon.conf_path.write_text(text)
    daemon.conf_path.chmod(0o644)
    return text


@pytest.fixture
def kv(installed):
    """The key-value server, built by the command that stands in its first lines."""
    command = re.search(r'^ \*   (cc .*)$', (EXAMPLE / 'kv.c').read_text(), re.M).group(1)
    assert command == f'{BUILD} -o kv.so kv.c'
    daemon = Daemon()
    shutil.copy(EXAMPLE / 'kv.c', daemon.dir)
    subprocess.run(command, shell=True, check=True, cwd=daemon.dir, env=installed)
    (daemon.dir / 'kv.so').chmod(0o644)
    (daemon.dir / 'data').mkdir()
    (daemon.dir / 'data').chmod(0o777)
    example(daemon)
    return daemon


def test_the_example_is_a_key_value_server(kv):
    with kv, Talk(kv, 'kv') as one, Talk(kv, 'kv') as other:
        assert one.ask('set color dark blue') == '+'
        assert other.ask('get color') == '=dark blue'
        assert other.ask('get size') == '-'
        assert one.ask('set size 3') == '+'
        assert one.ask('count') == '=2'
        assert other.ask('del color') == '+'
        assert one.ask('del color') == '-'
        assert one.ask('get color') == '-'
        assert one.ask('set a ' + 'x' * 1500) == '!too long'
        assert one.ask('fetch a').startswith('!')
        one.send('quit')
        assert one.ended()
        assert ask(kv, 'set k v\nget k', 'kv') == '+\n=v'


def test_what_the_example_stores_survives_workers_reloads_and_restarts(kv):
    with kv:
        assert ask(kv, 'set a 1', 'kv') == '+'
        old = kv.workers('kv')
        kv.done('recycle')
        eventually(lambda: not any(map(alive, old)), 'the end of the old workers')
        assert ask(kv, 'get a\nset b 2', 'kv') == '=1\n+'
        old = kv.workers('kv')
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(map(alive, old)), 'the end of those that were killed')
        assert ask(kv, 'get b', 'kv') == '=2'


def test_the_table_of_the_example_gets_full_and_has_room_again(kv):
    kv.conf_path.write_text(example(kv).replace('entries=1000', 'entries=50'))
    with kv, Talk(kv, 'kv') as talk:
        assert [talk.ask(f'set key{i} {i}') for i in range(60)] == ['+'] * 50 + ['!full'] * 10
        assert [talk.ask(f'get key{i}') for i in range(50)] == [f'={i}' for i in range(50)]
        assert talk.ask('del key7') == '+' and talk.ask('set other 1') == '+'
        assert [talk.ask(f'get key{i}') for i in (6, 7, 8)] == ['=6', '-', '=8']


def test_the_makefile_of_the_example_builds_and_installs_it(installed, tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / 'module')
    done = subprocess.run(['make', '-C', tmp_path / 'module', 'install', f'DESTDIR={tmp_path}'],
                          capture_output=True, text=True, env=installed)
    assert done.returncode == 0 and 'warning' not in done.stderr, done.stderr
    assert (tmp_path / 'usr/local/lib/preforkd/kv.so').stat().st_mode & 0o777 == 0o644


def test_the_example_is_installed_with_the_header(installed):
    root = pathlib.Path(installed['INSTALLED'])
    assert {path.name for path in root.rglob('examples/module/*')} == {'Makefile', 'kv.c', 'kv.conf'}
    assert list(root.rglob('include/preforkd/module.h')) and list(root.rglob('preforkd-module.3'))


def displays():
    """What the manual shows between .Bd -literal and .Ed, as a reader sees it."""
    found = re.findall(r'^\.Bd -literal\n(.*?)^\.Ed', MANUAL.read_text(), re.M | re.S)
    return [text.replace('\\e', '\\') for text in found]


def test_the_clock_of_the_manual_tells_the_time(build):
    clock, _ = displays()
    daemon = Daemon(module('format=%Y|%Z', file='{dir}/clock.so', name='clock'), env={'TZ': 'UTC'})
    build(daemon.dir / 'clock.so', clock, '-Wall -Wextra -Werror')
    with daemon, daemon.connect('clock') as sock:
        assert re.fullmatch(rb'20\d\d\|UTC\n', read_all(sock))
        daemon.wait_log(r'notice: pool clock: module \S+/clock\.so: a clock$')


def test_the_manuals_lines_are_answered_one_after_the_other(build):
    clock, lines = displays()
    source = re.sub(r'static void\nserve.*?^}\n', lambda _: lines, clock, flags=re.M | re.S)
    daemon = Daemon(module(name='lines'))
    build(daemon.dir / 'probe.so', source)
    with daemon, Talk(daemon, 'lines') as talk:
        assert talk.ask('hello') == 'You said: hello'
        assert talk.ask('bye') == 'You said: bye'


@pytest.mark.parametrize('compiler', ['cc -std=c99 -Wpedantic', 'cc -std=c17 -Wpedantic',
                                      'c++ -x c++ -std=c++11 -Wpedantic', 'c++ -x c++ -std=c++20',
                                      'clang -Wpedantic', 'clang++ -x c++ -std=c++11'])
def test_the_header_is_good_for_every_compiler(installed, compiler):
    if not shutil.which(compiler.split()[0]):
        pytest.skip('no such compiler')
    source = '''
        #include <preforkd/module.h>
        static void serve(struct preforkd_conn *conn) { preforkd_print(conn, "%d", 1); }
        const struct preforkd_module preforkd_module = {
            PREFORKD_MODULE_API, sizeof(struct preforkd_module), "", NULL, NULL, NULL, NULL, serve, NULL };
'''
    language = '' if '-x' in compiler else '-x c'
    subprocess.run(f'{compiler} {language} -Wall -Wextra -Werror $(pkg-config --cflags preforkd) '
                   '-shared -fPIC -o /dev/null -', shell=True, check=True, text=True, input=source,
                   env=installed)


# ---- one connection ------------------------------------------------------------------------

def test_a_module_serves_line_by_line_and_knows_where_it_is(probe):
    with probe(module('word=two words', 'word=last=1')) as daemon, Talk(daemon) as talk:
        assert talk.ask('echo hello there') == 'hello there'
        host, port = talk.sock.getsockname()
        assert talk.ask('peer') == f'{host}:{port}'
        assert talk.ask('pool') == 'probe'
        assert talk.ask('option word') == 'last=1'
        assert talk.ask('option keep') == '-'
        assert int(talk.ask('pid')) in daemon.workers()
        assert int(talk.ask('maker')) == daemon.pid


def test_a_client_of_a_unix_socket_is_served_too(probe):
    with probe(module().replace('127.0.0.1:0', '{dir}/socket')) as daemon:
        assert ask(daemon, 'peer') == 'unix'


def test_requests_that_come_at_once_are_answered_in_order(probe):
    lines = [f'echo {number}' for number in range(5000)]
    with probe(module('keep=1')) as daemon:
        assert ask(daemon, '\n'.join(lines)) == '\n'.join(line[5:] for line in lines)


def test_a_long_answer_is_whole_also_for_who_has_sent_more_than_is_read(probe):
    with probe(module()) as daemon:
        wanted = ''.join(f'{number}\n' for number in range(100000)).encode()
        assert daemon.ask('probe', b'big 100000\n') == wanted
        with daemon.connect('probe') as sock:
            sock.sendall(b'big 100000\nend\n' + b'nobody reads this\n' * 5000)
            assert read_all(sock) == wanted


def test_a_line_that_is_too_long_ends_its_connection(probe):
    with probe(module()) as daemon:
        with Talk(daemon) as talk:
            assert talk.ask('echo ' + 'x' * 90) == 'x' * 90
            talk.send('echo ' + 'x' * 1000000)
            assert talk.ended()
        assert ask(daemon, 'echo next') == 'next'


def test_a_line_without_an_end_is_not_obeyed(probe):
    with probe(module()) as daemon:
        assert daemon.ask('probe', b'echo one\necho tw') == b'one\n'


def test_a_client_that_is_silent_or_does_not_read_is_left(probe):
    with probe(module('idle=300', lines=['workers = 1'])) as daemon:
        with Talk(daemon) as silent:
            assert silent.ended()
        with Talk(daemon) as deaf:
            deaf.send('big 10000000')
            assert ask(daemon, 'echo served') == 'served'


def test_what_is_said_is_seen(probe):
    with probe(module()) as daemon, Talk(daemon) as talk:
        talk.send('say all is well')
        assert talk.ask('echo 1') == '1'
        workers = daemon.pool_status('probe')['workers']
        assert [worker['request'] for worker in workers if worker['request']] == ['all is well']


def test_a_line_of_the_log_has_the_pool_the_client_and_no_control_bytes(probe):
    with probe(module()) as daemon, Talk(daemon) as talk:
        talk.send('log 1')
        host, port = talk.sock.getsockname()
        daemon.wait_log(rf'warning: pool probe: {re.escape(host)}:{port} line 0\\x1b of 1$')
        assert len(re.findall(r'notice: pool probe: prepared$', daemon.log(), re.M)) == 1


def test_the_log_has_a_limit_and_says_what_it_holds_back(probe):
    with probe(module(lines=['workers = 4'])) as daemon:
        for _ in range(4):
            ask(daemon, 'log 10000\necho')
        written = len(re.findall(' of 10000', daemon.log()))
        assert 100 <= written < (2000 if SANITIZED else 1000)

        def told():
            ask(daemon, 'log 1')
            return re.findall(r'line 0\\x1b of \d+ \((\d+) lines before were held back\)', daemon.log())
        eventually(told, 'a line that tells how many were held back', every=0.1)
        # A line that passes may itself have been held back before.
        held_back = sum(map(int, re.findall(r'\((\d+) lines before', daemon.log())))
        assert held_back + written >= 40000


# ---- one request after the other -----------------------------------------------------------

KEPT = module('keep=1', lines=['workers = 1'])


def test_requests_are_counted_and_not_connections(probe):
    with probe(KEPT) as daemon:
        with Talk(daemon) as talk:
            for number in range(5):
                assert talk.ask(f'echo {number}') == str(number)
            worker, = daemon.pool_status('probe')['workers']
            assert (worker['requests'], worker['state']) == (5, 'keepalive')
        assert ask(daemon, 'echo six') == 'six'
        assert wait_pool(daemon, 'probe', idle=1)['workers'][0]['requests'] == 6
    with probe(module(lines=['workers = 1'])) as daemon:
        assert ask(daemon, 'echo 1\necho 2\necho 3') == '1\n2\n3'
        assert wait_pool(daemon, 'probe', idle=1)['workers'][0]['requests'] == 1


def test_an_idle_client_gives_way_to_who_waits(probe):
    with probe(KEPT) as daemon, Talk(daemon) as idle:
        assert idle.ask('echo first') == 'first'
        assert ask(daemon, 'echo second') == 'second'
        assert idle.ended()


def test_a_client_that_always_sends_does_not_keep_others_out(probe):
    with probe(KEPT) as daemon, Talk(daemon) as greedy:
        assert greedy.ask('echo 1') == '1'
        stopped = threading.Event()

        def send():
            with contextlib.suppress(OSError):
                while not stopped.is_set():
                    greedy.sock.sendall(b'echo 1\n' * 10000)

        def read():
            with contextlib.suppress(OSError):
                while greedy.sock.recv(65536):
                    pass
        threads = [threading.Thread(target=each, daemon=True) for each in (send, read)]
        for thread in threads:
            thread.start()
        try:
            assert ask(daemon, 'echo served') == 'served'
        finally:
            stopped.set()
            with contextlib.suppress(OSError):
                greedy.sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def test_a_reload_ends_idle_connections_at_once(probe):
    with probe(KEPT) as daemon, Talk(daemon) as talk:
        assert talk.ask('echo 1') == '1'
        daemon.reload(module('keep=1', 'word=new', lines=['workers = 1']))
        assert talk.ended()
        assert ask(daemon, 'option word') == 'new'


def test_the_limits_in_time_hold_for_a_request_and_not_for_the_wait(probe):
    conf = module('keep=1', lines=['workers = 2', 'request_timeout = 1s'])
    with probe(conf) as daemon, Talk(daemon) as patient, Talk(daemon) as looping:
        assert patient.ask('echo 1') == '1'
        assert looping.ask('echo 1') == '1'
        looping.send('loop')
        assert looping.ended()
        assert patient.ask('echo 2') == '2'
        line = daemon.wait_log(r'worker \d+, client (\S+): request 2 .*\(request_timeout\)')
        assert line.group(1) == ':'.join(map(str, looping.sock.getsockname()))


# ---- what goes wrong in a worker -----------------------------------------------------------

def lost(daemon, talk, text):
    """Sends a line that ends the worker of the connection; its process id."""
    pid = int(talk.ask('pid'))
    talk.send(text)
    assert talk.ended()
    eventually(lambda: not alive(pid), 'the end of the worker')
    return pid


@pytest.mark.parametrize('line, how', [('abort', r'killed by signal 6'), ('exit 3', r'exited with status 3')])
def test_a_module_that_ends_its_worker_costs_its_own_connection_only(probe, line, how):
    with probe(module() + pool('echo', 'workers = 1')) as daemon, Talk(daemon) as other:
        assert other.ask('echo before') == 'before'
        with Talk(daemon) as talk:
            pid = lost(daemon, talk, line)
        daemon.wait_log(rf'pool probe: worker {pid} {how}')
        assert other.ask('echo after') == 'after'
        assert pid not in daemon.wait_workers(2, 'probe')
        assert ask(daemon, 'echo next') == 'next' and daemon.ask('echo', b'x') == b'x'


def test_a_process_of_a_module_that_returns_becomes_no_worker(probe):
    with probe(module(lines=['workers = 1'])) as daemon, Talk(daemon) as talk:
        worker = int(talk.ask('pid'))
        assert talk.ask('fork') == 'forked'
        daemon.wait_log(r'error: pool probe: 127\.0\.0\.1:\d+ process \d+ that the module has forked '
                        r'returned from serve: it ends$')
        eventually(lambda: not any(map(alive, children(worker))), 'the end of the process')
        assert talk.ask('echo on') == 'on'


def test_a_module_that_loops_is_ended_by_request_timeout(probe):
    with probe(module(lines=['workers = 2', 'request_timeout = 2s'])) as daemon:
        with Talk(daemon) as talk:
            pid = lost(daemon, talk, 'loop')
        daemon.wait_log(rf'pool probe: worker {pid}, client \S+: request 1 runs for .*\(request_timeout\)')
        assert pid not in daemon.wait_workers(2)
        assert ask(daemon, 'echo next') == 'next'


def test_a_module_that_leaks_has_its_worker_replaced_after_the_connection(probe):
    with probe(module(lines=['workers = 2', 'max_worker_memory = 100M'])) as daemon:
        workers = daemon.wait_workers(2)
        with Talk(daemon) as talk:
            pid = int(talk.ask('pid'))
            talk.send('leak 200')
            assert talk.ask('echo still here') == 'still here'
        daemon.wait_log(rf'worker {pid} is due for replacement: .*memory')
        eventually(lambda: not alive(pid), 'the end of the worker')
        assert set(workers) - {pid} < set(daemon.wait_workers(2))


def test_a_module_that_leaks_is_found_out_at_the_next_request(probe):
    with probe(module('keep=1', lines=['workers = 2', 'max_worker_memory = 100M'])) as daemon:
        with daemon.connect('probe') as sock:
            sock.sendall(b'leak 200\n')

            def found_out():
                with contextlib.suppress(ConnectionError):  # it may be told to leave by then
                    sock.sendall(b'echo more\n')
                return re.search(r'is due for replacement: .*memory', daemon.log())
            eventually(found_out, every=0.1)


def test_a_worker_that_leaves_calls_stop_and_one_that_is_killed_does_not(probe):
    daemon = probe(module('mark={dir}/mark', lines=['workers = 2']))
    mark = daemon.dir / 'mark'
    mark.touch()
    mark.chmod(0o666)
    with daemon:
        workers = daemon.wait_workers(2)
        os.kill(workers[0], signal.SIGKILL)
        workers = daemon.wait_replaced(workers[:1], 2)
        assert 'stop' not in mark.read_text()
        daemon.done('recycle')
        daemon.wait_replaced(workers, 2)
        assert mark.read_text().count('stop') == 2


def test_a_worker_serves_many_connections_with_the_descriptors_of_one(probe):
    with probe(module(lines=['workers = 1'])) as daemon:
        worker, = daemon.wait_workers(1)
        before = descriptors(worker)
        for number in range(1, 101):
            assert ask(daemon, 'connections') == str(number)
        assert descriptors(worker) == before
        assert not any('probe' in what for what in descriptors(daemon.pid).values())


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_a_pool_of_a_module_that_nobody_uses_makes_no_system_call(probe):
    with probe(module('keep=1')) as daemon:
        assert ask(daemon, 'echo 1') == '1'
        assert silence(daemon)


# ---- what is refused -------------------------------------------------------------------------

def place(daemon, option):
    """FILE:LINE: OPTION: of the last such option in the file."""
    lines = daemon.conf_path.read_text().splitlines()
    number = max(number for number, line in enumerate(lines, 1) if f'{option} = ' in line)
    return f'{daemon.conf_path}:{number}: {option}: '


def refused(daemon, text, option='file'):
    """That the file is refused by -t, for this reason and at this place."""
    said = check_config(daemon.conf_path, '-n')
    assert said.returncode == 1, said.stderr
    assert place(daemon, option) in said.stderr
    assert re.search(text, said.stderr), said.stderr
    return said.stderr


@pytest.fixture
def running(probe):
    """A daemon with a probe, which a test tries to reload with something bad."""
    with probe(module()) as daemon:
        workers = daemon.wait_workers(2)
        daemon.old = ask(daemon, 'pid')
        yield daemon
        assert daemon.workers() == workers
        assert ask(daemon, 'version') == '1'


def refused_everywhere(daemon, conf, text, option='file'):
    """-t, a reload, and what serves goes on."""
    line = daemon.reload(conf, expect='refused')
    assert place(daemon, option) in line and re.search(text, line), line
    refused(daemon, text, option)


def bad(path='{dir}/bad.so', *options):
    return module() + module(*options, name='bad', file=path)


MISFITS = {
    'newer': (['-DAPI=2'], r'bad\.so: built for version 2 of the module interface.* has version 1'),
    'older': (['-DAPI=0'], r'bad\.so: built for version 0 of the module interface.* has version 1'),
    'small': (['-DSIZE=8'], r'bad\.so: its preforkd_module has 8 bytes instead of \d+'),
    'without serve': (['-DNO_SERVE'], r'bad\.so: its preforkd_module has no function serve'),
    'another library': (['-Dpreforkd_module=something'], r'bad\.so: not a module'),
    'unresolved': (['-Dgetpid=there_is_no_such_function'], r'bad\.so: undefined symbol: there_is_no'),
}


@pytest.mark.parametrize('why', MISFITS)
def test_a_module_that_does_not_fit_is_refused(running, build, why):
    flags, text = MISFITS[why]
    build(running.dir / 'bad.so', PROBE, *flags)
    refused_everywhere(running, bad(), text)


def test_a_module_of_a_later_daemon_that_has_more_is_taken(probe):
    with probe(module(), '-DSIZE=sizeof\\(struct\\ preforkd_module\\)+64') as daemon:
        assert ask(daemon, 'version') == '1'


@pytest.mark.parametrize('file, text', [
    ('{dir}/missing.so', r'missing\.so: No such file'),
    ('{dir}', 'not a regular file'),
    ('/dev/null', 'not a regular file'),
    ('{dir}/preforkd.conf', 'preforkd.conf: (invalid ELF header|file too short)'),
    ('probe.so', 'not an absolute path'),
])
def test_what_is_no_module_is_refused(running, file, text):
    refused_everywhere(running, bad(file), text)


@pytest.mark.parametrize('mode', [0o666, 0o664, 0o602])
def test_a_module_that_others_can_write_is_refused(running, build, mode):
    path = build(running.dir / 'bad.so')
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, -1, 1)
    elif os.getgid() == 0:
        pytest.skip('group root may write')
    refused_everywhere(running, bad(), rf'bad\.so: others can write it \(mode {mode:04o}\)')


def test_a_module_in_a_directory_that_others_can_write_is_refused(running, build):
    above = running.dir / 'above'
    (above / 'below').mkdir(parents=True)
    build(above / 'below/bad.so')
    above.chmod(0o777)
    conf = bad('{dir}/above/below/bad.so')
    refused_everywhere(running, conf, r'above: others can write it \(mode 0777\)')
    above.chmod(0o1777)
    running.write(conf)
    assert check_config(running.conf_path, '-n').returncode == 0


@pytest.mark.root
@pytest.mark.parametrize('what', ['bad.so', 'above'])
def test_a_module_of_another_user_is_refused(running, build, what):
    above = running.dir / 'above'
    above.mkdir()
    path = build(above / 'bad.so')
    os.chown(path if what == 'bad.so' else above, 12345, -1)
    refused_everywhere(running, bad('{dir}/above/bad.so'), rf'/{what}: owned by uid 12345')


def test_a_symbolic_link_is_followed_to_what_is_trusted(probe):
    daemon = probe(module(file='{dir}/link.so'))
    (daemon.dir / 'link.so').symlink_to('probe.so')
    with daemon:
        assert ask(daemon, 'version') == '1'


def test_an_option_that_the_module_does_not_know_is_refused(running):
    conf = bad('{dir}/probe.so', 'word=1', 'wordy=1')
    refused_everywhere(running, conf.replace('option', '\noption'),
                       r'probe\.so has no option "wordy": it has mark prepare start idle keep word', 'option')


@pytest.mark.parametrize('option', ['word', '=1', ''])
def test_an_option_without_a_name_or_a_value_is_refused(running, option):
    refused_everywhere(running, bad('{dir}/probe.so', option).replace('option', '\noption'),
                       f'"{option}" is not an option: write "name=value"', 'option')


@pytest.mark.parametrize('how, text', [
    ('fail', r'probe\.so: the moon is\\x0awrong'),
    ('silent', r'probe\.so: it does not say why'),
    ('crash', r'probe\.so: (killed by signal 6 \(Aborted\)|has ended the process) when it was tried'),
    ('exit', r'probe\.so: has ended the process when it was tried, with status 0'),
    ('hang', r'probe\.so: has not returned within 5 s when it was tried'),
])
def test_a_module_whose_prepare_goes_wrong_is_refused_and_the_daemon_lives(running, how, text):
    refused_everywhere(running, bad('{dir}/probe.so', f'prepare={how}'), text)


def test_a_module_that_cannot_start_is_refused_and_nothing_changes(running):
    line = running.reload(bad('{dir}/probe.so', 'start=fail'), expect='refused')
    assert 'pool bad' in line
    running.wait_log(r'error: pool bad: a worker cannot start: service: the moon is\\x0awrong$')


def test_a_daemon_does_not_start_with_a_module_that_it_cannot_load(probe):
    said = probe(module(), '-DAPI=7').refusal()
    assert re.search(r'cannot start: .*preforkd\.conf:\d+: file: .*version 7 .*version 1', said)


def test_a_slow_prepare_is_warned_about(probe):
    with probe(module('prepare=slow')) as daemon:
        daemon.wait_log(r'warning: pool probe: \S+/probe\.so took 0\.\d s to prepare')


def test_a_module_does_not_take_the_signals_of_the_master(probe):
    with probe(module('prepare=take')) as daemon:
        workers = daemon.wait_workers(2)
        with contextlib.suppress(ConnectionError):
            ask(daemon, 'abort')
        eventually(lambda: daemon.workers() != workers and len(daemon.workers()) == 2, 'a new worker')
        daemon.reload()
        status = pathlib.Path(f'/proc/{daemon.pid}/status').read_text()
        assert re.search(r'^SigBlk:\s+0+$', status, re.M) and re.search(r'^Umask:\s+0022$', status, re.M)


def test_a_check_prepares_and_releases_and_leaves_nothing(probe):
    daemon = probe(module('mark={dir}/mark', 'word=1'))
    assert check_config(daemon.conf_path, '-n').returncode == 0
    assert (daemon.dir / 'mark').read_text().split() == ['prepare', 'release'] * 2
    shutil.rmtree(daemon.dir)


def test_a_worker_that_hangs_in_start_does_not_outlive_its_master(probe):
    with probe(module('start=hang', lines=('workers = 2', 'boot_timeout = 1h'))).spawned() as daemon:
        workers = eventually(lambda: len(daemon.workers()) == 2 and daemon.workers())
        eventually(lambda: all('pause' in wchan(pid) for pid in workers), 'both to hang')
        daemon.process.kill()
        try:
            eventually(lambda: not any(map(alive, workers)), 'its workers to end')
        finally:
            for pid in filter(alive, workers):
                os.kill(pid, signal.SIGKILL)


# ---- files that change -------------------------------------------------------------------------

def mappings(daemon):
    """How many versions of the probe the master has loaded."""
    maps = pathlib.Path(f'/proc/{daemon.pid}/maps').read_text()
    return len({line.split()[4] for line in maps.splitlines() if 'probe' in line})


def test_a_reload_that_changes_nothing_keeps_the_workers(running):
    running.reload()
    assert mappings(running) == 1


def test_a_reload_takes_a_new_file_and_who_is_served_stays_with_the_old(probe, build):
    with probe(module()) as daemon, Talk(daemon) as old:
        workers = daemon.wait_workers(2)
        assert old.ask('version') == '1'
        build(daemon.dir / 'probe.so', PROBE, '-DVERSION=2')
        assert ask(daemon, 'version') == '1'
        assert 'replaced the workers of probe' in daemon.reload()
        # An old worker that was told to leave may take one more before it does.
        eventually(lambda: ask(daemon, 'version') == '2', 'the new file')
        assert old.ask('version') == '1'
        assert mappings(daemon) == 2
        old.__exit__()
        daemon.wait_replaced(workers, 2)
        eventually(lambda: mappings(daemon) == 1, 'the old file to be closed')
        assert ask(daemon, 'version') == '2'


def test_twenty_versions_one_after_the_other(probe, build):
    with probe(module()) as daemon:
        for version in range(2, 22):
            workers = daemon.workers()
            build(daemon.dir / 'probe.so', PROBE, f'-DVERSION={version}')
            daemon.reload()
            daemon.wait_replaced(workers, 2)
            assert ask(daemon, 'version') == str(version)
        eventually(lambda: mappings(daemon) == 1, 'the old files to be closed')


def reload_but_for(daemon, number):
    """A reload, until of the old workers only so many are there, which serve somebody."""
    old = set(daemon.workers())
    daemon.reload()
    eventually(lambda: len(old.intersection(daemon.workers())) == number, 'the end of the others')


def test_the_same_old_file_may_come_back(probe, build):
    with probe(module()) as daemon, Talk(daemon) as first:
        assert first.ask('version') == '1'
        os.link(daemon.dir / 'probe.so', daemon.dir / 'first')
        build(daemon.dir / 'probe.so', PROBE, '-DVERSION=2')
        reload_but_for(daemon, 1)
        with Talk(daemon) as second:
            assert second.ask('version') == '2'
            (daemon.dir / 'first').rename(daemon.dir / 'probe.so')
            reload_but_for(daemon, 2)
            assert ask(daemon, 'version') == '1'
            assert (first.ask('version'), second.ask('version')) == ('1', '2')


def test_a_bad_new_file_is_refused_and_a_good_one_after_it_is_taken(running, build):
    path = build(running.dir / 'bad.so', PROBE, '-DAPI=9')
    good = build(running.dir / 'good.so', PROBE)
    shutil.copy(running.dir / 'probe.so', running.dir / 'kept')
    path.rename(running.dir / 'probe.so')
    assert 'version 9' in running.reload(expect='refused')
    good.rename(running.dir / 'probe.so')
    workers = running.workers()
    running.reload()
    running.wait_replaced(workers, 2)
    running.workers = lambda: workers


def test_a_file_that_was_written_over_is_refused(running):
    with open(running.dir / 'probe.so', 'ab') as file:
        file.write(b'\0' * 100)
    line = running.reload(expect='refused')
    assert place(running, 'file') in line and 'was written over while it is in use' in line


def test_recycle_takes_a_new_file_too(probe, build):
    with probe(module()) as daemon:
        workers = daemon.wait_workers(2)
        build(daemon.dir / 'probe.so', PROBE, '-DVERSION=2')
        daemon.done('recycle', 'probe')
        daemon.wait_replaced(workers, 2)
        assert ask(daemon, 'version') == '2'


def test_two_pools_of_one_file_have_their_own_options(probe):
    conf = module('word=one', name='one') + module('word=two', name='two')
    with probe(conf) as daemon:
        assert mappings(daemon) == 1
        assert (ask(daemon, 'option word', 'one'), ask(daemon, 'option word', 'two')) == ('one', 'two')
        daemon.reload(conf.replace('word=two', 'word=three'))
        assert (ask(daemon, 'option word', 'one'), ask(daemon, 'option word', 'two')) == ('one', 'three')


def test_what_is_prepared_is_released_when_its_last_worker_has_gone(probe):
    daemon = probe(module('mark={dir}/mark'))
    mark = daemon.dir / 'mark'
    mark.touch()
    mark.chmod(0o666)
    with daemon:
        workers = daemon.wait_workers(2)
        before = mark.read_text().split()
        assert before.count('prepare') == before.count('release') + 1
        with Talk(daemon) as talk:
            assert talk.ask('echo 1') == '1'
            daemon.done('recycle')
            now = mark.read_text().split()
            assert now.count('prepare') == now.count('release') + 2
        daemon.wait_replaced(workers, 2)
        eventually(lambda: mark.read_text().split().count('release') == now.count('release') + 1,
                   'the release of the first')


@pytest.mark.root
def test_a_module_from_outside_of_the_root_directory_of_its_workers(probe):
    daemon = probe(module(lines=['workers = 2', 'chroot = "{dir}/root"']))
    (daemon.dir / 'root').mkdir()
    (daemon.dir / 'root').chmod(0o755)
    with daemon:
        assert ask(daemon, 'echo inside') == 'inside'
        with Talk(daemon) as talk:
            pid = talk.ask('pid')
            assert os.readlink(f'/proc/{pid}/root') == str(daemon.dir / 'root')


def test_an_upgrade_takes_the_module_along(probe, build):
    with probe(module()) as daemon:
        build(daemon.dir / 'probe.so', PROBE, '-DVERSION=2')
        said = daemon.done('upgrade')
        daemon.process.wait(PATIENCE)
        daemon.pid = int(re.search(r'\bpid (\d+)', said).group(1))
        try:
            assert ask(daemon, 'version') == '2'
        finally:
            os.kill(daemon.pid, signal.SIGTERM)
            eventually(lambda: not alive(daemon.pid), 'the end of the new master')
            daemon.process = None
