"""Twelve incidents, staged: what `preforkctl status` prints and the last lines of the log name
the cause, so that nobody has to guess at night.

Each test makes the trouble for real.  `named` looks where an administrator looks first.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

from harness import PREFORKD, ROOT, SANITIZED, SRCDIR, Daemon, eventually, needs_preload
from load import held, pool, script
from scripts import Scripts
from test_control import waiting_behind
from test_processes import AS_STRANGER, STRANGER
from test_upgrade import Upgradable
from web import Site, http

LAST = 20  # lines of the log that somebody looks at


def named(daemon, status=(), log=()):
    """Waits until the status, and the last lines of the log, have a line like each of these."""
    def missing():
        said = daemon.done('status')
        lines = '\n'.join(daemon.log().splitlines()[-LAST:])
        return [(what, pattern) for what, text, patterns in
                [('status', said, status), ('log', lines, log)]
                for pattern in patterns if not re.search(pattern, text, re.M)], said, lines

    def all_there():
        wrong, said, lines = missing()
        return not wrong and (said, lines)
    try:
        said, lines = eventually(all_there, every=0.05)
    except AssertionError:
        wrong, said, lines = missing()
        raise AssertionError(f'{wrong} not in\n{said}\n{lines}') from None
    print(f'{said}\n--- the log\n{lines}')  # shown by pytest -rP


def quiet(conf, kind=Daemon, **rest):
    """A daemon that logs what it logs by default."""
    return kind(conf, level='notice', **rest)


# --- load --------------------------------------------------------------------------------

def test_saturation_names_the_pool_the_option_and_who_keeps_it_busy():
    with quiet(pool('web', 'workers = 2')) as daemon, waiting_behind(daemon, 'web', 2, 3):
        named(daemon, [r'^pool web: saturated for .*: all workers are busy and 3 connections wait$',
                       r'^pool web: longest request: worker \d+, client 127\.0\.0\.1:\d+, for ',
                       r'ago  pool web: all 2 workers are busy .*: see workers'],
              [r'pool web: all 2 workers are busy and \d connections? waits?: raise workers .*: '
               r'worker \d+, client 127\.0\.0\.1:\d+: request 1, for '])


def test_a_slow_backend_is_named_by_the_request_that_waits_for_it():
    slow = {'slow': 'exec sleep 600'}
    conf = http('cgi "/cgi-bin/" {\npath = "{dir}/cgi"\n}',
                options=('workers = 2', 'slow_request = 500ms'))
    with quiet(conf, lambda *a, **b: Scripts(slow, conf=a[0], **b)) as site, site.client() as one, \
            site.client() as two:
        for client in one, two:
            client.send(b'GET /cgi-bin/slow HTTP/1.1\r\nHost: a\r\n\r\n')
        named(site, [r'^pool web: longest request: worker \d+, client 127\.0\.0\.1:\d+, for '
                     r'.*: GET /cgi-bin/slow',
                     r'ago  pool web: worker \d+: request 1 GET /cgi-bin/slow .* runs for [\d.]+ s '
                     r'\(slow_request\)'],
              [r'pool web: worker \d+, client \S+: request 1 GET /cgi-bin/slow .*runs for .* '
               r'\(slow_request\): .*; its program \d+: .*sleep'])


# --- workers that die --------------------------------------------------------------------

def test_a_crash_loop_says_which_step_fails_and_when_the_next_attempt_is():
    daemon = quiet(pool('web', 'workers = 2', 'directory = "{dir}/home"'))
    (daemon.dir / 'home').mkdir()
    with daemon:
        workers = daemon.wait_workers(2)
        (daemon.dir / 'home').rmdir()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        why = r'directory: No such file or directory'
        step = rf'pool web: a worker cannot start: directory {daemon.dir}/home: No such file'
        named(daemon, [rf'^pool web: backed off: next attempt .*\({why}\)$', rf'ago  {step}',
                       rf'ago  pool web: workers do not stay alive: the last one .*{why}'],
              [rf'error: {step}',
               rf'error: pool web: workers do not stay alive: the last one .*\({why}\); next '
               r'attempt in \d+s, or at a reload'])


def limited_group(name):
    """A new control group of 64 MiB, of either version; None where none can be made."""
    most = 64 << 20
    for base, limits in [('/sys/fs/cgroup', {'memory.max': most, 'memory.swap.max': 0}),
                         ('/sys/fs/cgroup/memory', {'memory.limit_in_bytes': most,
                                                    'memory.memsw.limit_in_bytes': most})]:
        group = pathlib.Path(base, name)
        first, swap = limits
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / first).exists():  # it is no mere directory
                (group / first).write_text(str(limits[first]))
                if (group / swap).exists():
                    (group / swap).write_text(str(limits[swap]))
                return group
        with contextlib.suppress(OSError):
            group.rmdir()
    return None


def is_removed(group):
    with contextlib.suppress(OSError):  # its last process has just ended
        group.rmdir()
    return not group.exists()


@contextlib.contextmanager
def little_memory():
    """What puts a daemon into a control group with little memory, or a skip."""
    group = limited_group(f'preforkd-test-{os.getpid()}')
    if not group:
        pytest.skip('no control group with a limit of memory can be made here')
    try:
        yield ['sh', '-c', f'echo $$ >{group}/cgroup.procs && exec "$@"', 'sh']
    finally:
        eventually(lambda: is_removed(group), f'the end of {group}')


EATER = r'''
#include <preforkd/module.h>
#include <stdlib.h>
#include <string.h>
static void serve(struct preforkd_conn *conn)
{
    (void)conn;
    for (int i = 0; i < 200; i++)
        memset(malloc(1 << 20), 1, 1 << 20);
}
const struct preforkd_module preforkd_module = {
    .api = PREFORKD_MODULE_API, .size = sizeof(struct preforkd_module), .serve = serve };
'''
MEMORY = r'out of memory in the control group \(raise memory\.max, or lower max_workers\)'


@needs_preload
def test_a_worker_that_the_kernel_kills_for_want_of_memory_is_told_as_such():
    with little_memory() as group:
        daemon = quiet(pool('web', 'workers = 2', 'module { file = "{dir}/eater.so" }',
                            service='module'), wrap=group)
        subprocess.run(['cc', '-shared', '-fPIC', f'-I{SRCDIR}/include', '-x', 'c', '-', '-o',
                        daemon.dir / 'eater.so'], input=EATER, text=True, check=True)
        with daemon:
            assert daemon.ask('web') == b''
            why = rf'worker \d+ killed by signal 9 \(Killed\), {MEMORY}'
            named(daemon, [rf'^pool web: last failure: .*{MEMORY}', rf'ago  pool web: {why}'],
                  [rf'warning: pool web: {why} after'])


@pytest.mark.skipif(SANITIZED, reason='a sanitizer needs more memory than there is')
def test_a_program_that_the_kernel_kills_for_want_of_memory_is_told_as_such():
    eat = script("read x; exec perl -e 'push @x, chr(65 + $_ % 9) x 1048576 for 1..200'")
    with little_memory() as group, quiet(pool('web', 'workers = 2', eat, service='exec'),
                                         wrap=group) as daemon:
        assert daemon.ask('web', b'eat\n') == b''
        why = rf'pool web: 127\.0\.0\.1:\d+ pid \d+ killed after \S+: {MEMORY}'
        named(daemon, [rf'ago  {why}'], [rf'warning: {why}'])


# --- files -------------------------------------------------------------------------------

def test_a_bad_reload_says_file_and_line_and_that_nothing_was_changed():
    with quiet(pool('web', 'workers = 2')) as daemon:
        daemon.reload(pool('web', 'workers = 2', 'max_wrokers = 3'), expect='refused')
        why = r'preforkd\.conf:\d+: unknown option "max_wrokers".*max_workers'
        named(daemon, [r'^preforkd .*, last reload \S+ ago: refused$', rf'^  .*{why}',
                       rf'ago  reload refused: .*{why}'],
              [rf'error: reload refused, nothing was changed: .*{why}'])


def other_owner(path):
    """Takes a directory away from the workers."""
    path.chmod(0o700 if ROOT else 0)


def test_a_root_without_permission_is_named_at_a_reload_and_when_it_is_lost():
    with quiet(http(), Site, files={'page': b'text'}) as site:
        assert site.ask('/page').status == 200
        other_owner(site.root)
        try:
            assert site.ask('/page').status == 403
            why = rf'{site.root}: user \S+ has no permission to enter it'
            named(site, [rf'ago  pool web: 127\.0\.0\.1:\d+: cannot open {site.root}/page: {why}'],
                  [rf'warning: pool web: 127\.0\.0\.1:\d+: cannot open {site.root}/page: {why}'])
            site.reload(http(options=('workers = 5',)), expect='refused')
            site.reload(http('keepalive_timeout = 3s'), expect='refused')
            named(site, [r'last reload \S+ ago: refused', rf'^  .*: {why}'],
                  [rf'error: reload refused, nothing was changed: .*: {why}'])
        finally:
            site.root.chmod(0o755)


@contextlib.contextmanager
def small_disk(daemon):
    """Runs it with its log on a file system of 64 KiB that only it sees; the path from here."""
    small = daemon.dir / 'small'
    small.mkdir()
    mount = f'mount -t tmpfs -o size=64k tmpfs {small} && exec "$@" >>{small}/log 2>&1'
    if subprocess.run(['unshare', '-m', 'sh', '-c', mount.split('&&')[0]],
                      capture_output=True).returncode:
        pytest.skip('cannot mount a file system in a name space of its own')
    daemon.wrap = ['unshare', '-m', 'sh', '-c', mount, 'sh']
    first = daemon.log_path
    daemon.spawn()
    daemon.log_path = pathlib.Path(f'/proc/{daemon.process.pid}/root{small}/log')
    try:
        daemon.wait_log('ready: ')
        yield daemon.log_path.parent
    finally:
        daemon.log_path = first
        daemon.__exit__(*sys.exc_info())


@pytest.mark.root
def test_a_full_disk_under_the_log_is_told_by_the_status_and_then_by_the_log():
    daemon = quiet(pool('web', 'workers = 2'))
    with small_disk(daemon) as disk:
        fill(disk)

        def lose():
            os.kill(daemon.wait_workers(2)[0], signal.SIGKILL)
            daemon.wait_workers(2)
            return 'the log lacks' in daemon.done('status')
        eventually(lose, 'a lost line')
        named(daemon, [r'^the log lacks \d+ lines?, the last one \S+ ago: No space left on device$'])
        (disk / 'filler').unlink()
        os.kill(daemon.wait_workers(2)[0], signal.SIGKILL)
        named(daemon, log=[r'warning: \d+ log lines? could not be written: No space left on device'])


def fill(disk):
    with pytest.raises(OSError), open(disk / 'filler', 'wb', buffering=0) as file:
        while True:
            file.write(b'x' * 4096)


@pytest.mark.root
def test_a_line_of_the_access_log_that_a_full_disk_has_cut_is_one_of_its_own():
    site = Site(http(options=('workers = 2', 'access_log = "{dir}/small/access.log"',
                              'access_format = "json"')), level='notice')
    with small_disk(site) as disk:
        site.ask('/')
        fill(disk)

        def is_torn():
            site.ask('/')
            return not (disk / 'access.log').read_bytes().endswith(b'\n')
        eventually(is_torn, 'a part of a line')
        (disk / 'filler').unlink()
        site.ask('/last')
        *_, torn, last, nothing = (disk / 'access.log').read_text().split('\n')
        assert torn.startswith('{') and not torn.endswith('}')
        assert json.loads(last)['target'] == '/last' and nothing == ''


def test_a_log_that_takes_nothing_from_the_first_line_on_is_told_by_the_status():
    daemon = quiet(pool('web', 'workers = 2'))
    log, daemon.log_path = daemon.log_path, pathlib.Path('/dev/full')
    daemon.spawn()
    daemon.log_path = log
    try:
        eventually(lambda: daemon.ctl('status').returncode == 0, 'an answer')
        named(daemon, [r'^the log lacks \d+ lines, the last one \S+ ago: No space left on device$'])
    finally:
        daemon.__exit__(*sys.exc_info())


# --- limits ------------------------------------------------------------------------------

def test_too_few_descriptors_name_the_option_and_its_value():
    # 0 to 5 are in use, so accept has no number left.
    with quiet(pool('web', 'workers = 2', 'rlimit_nofile = 6')) as daemon:
        why = (r'pool web: cannot accept connections: Too many open files; they wait: raise '
               r'rlimit_nofile of the pool \(now 6\)')
        named(daemon, [rf'ago  {why}'], [rf'warning: {why}'])


@pytest.mark.root
def test_too_few_processes_name_the_limits_and_how_many_run():
    if subprocess.run([*AS_STRANGER, 'test', '-x', PREFORKD]).returncode:
        pytest.skip(f'uid {STRANGER} cannot reach {PREFORKD}')
    conf = pool('web', 'start_workers = 5', 'min_spare_workers = 5', 'max_workers = 50')
    daemon = quiet(conf, wrap=['prlimit', '--nproc=16:16', *AS_STRANGER], user=False)
    os.chown(daemon.dir, STRANGER, STRANGER)  # for its control socket
    with daemon:
        daemon.wait_workers(5)
        with held(daemon, 'web', 12):
            why = r'cannot fork a worker: Resource temporarily unavailable; 15 run'
            remedy = r'raise LimitNPROC \(RLIMIT_NPROC, now 16\) or TasksMax \(pids.max\)'
            named(daemon, [rf'ago  pool web: {why}: {remedy}'],
                  [rf'error: pool web: {why}, .*{remedy}'])


# --- what others have --------------------------------------------------------------------

def test_a_port_that_is_taken_is_named_with_who_has_it():
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        taken = pool('taken', 'workers = 1', listen=f'127.0.0.1:{port}')
        why = rf'127\.0\.0\.1:{port} is in use by \S+ \(pid {os.getpid()}\)'
        with quiet(pool('web', 'workers = 2')) as daemon:
            daemon.reload(pool('web', 'workers = 2') + taken, expect='refused')
            named(daemon, [r'last reload \S+ ago: refused', rf'^  .*preforkd\.conf:\d+: .*{why}'],
                  [rf'error: reload refused, nothing was changed: .*preforkd\.conf:\d+: .*{why}'])
        assert re.search(rf'cannot start: .*preforkd\.conf:\d+: .*{why}', quiet(taken).refusal())


# --- generations -------------------------------------------------------------------------

def test_an_old_generation_that_does_not_leave_is_named_with_its_client():
    with quiet(pool('web', 'workers = 2', 'graceful_timeout = 3s')) as daemon, \
            held(daemon, 'web', 1) as (client,):
        name = '%s:%d' % client.getsockname()
        daemon.reload(pool('web', 'workers = 2', 'graceful_timeout = 3s', 'nice = 5'))
        named(daemon, [rf'^pool web: 1 old worker is still at work; longest: worker \d+ '
                       rf'\(draining for \S+\), client {name}'])
        why = rf'\(graceful_timeout\).*client {name}: request 1'
        named(daemon, [r'ago  pool web: old worker \d+ still worked after 3 s \(graceful_timeout\): '
                       rf'TERM; client {name}: request 1'],
              [r'warning: pool web: worker \d+ still works after 3 s: TERM \(graceful_timeout\); '
               rf'client {name}: request 1'])


class UpgradableDaemon(Upgradable, Daemon):
    pass


def test_a_failed_upgrade_says_what_is_wrong_and_that_the_old_one_serves():
    with quiet(pool('web', 'workers = 2'), UpgradableDaemon) as daemon:
        daemon.write(pool('web', 'workers = 2', 'user = "nobody-of-this-name"' if ROOT
                          else 'max_wrokers = 1'))
        assert daemon.ctl('upgrade').returncode == 1
        why = r'preforkd\.conf:\d+: .*(nobody-of-this-name|max_wrokers)'
        named(daemon, [r'^preforkd .*, last upgrade \S+ ago: refused$', rf'^  .*{why}',
                       rf'ago  upgrade abandoned: .*{why}'],
              [rf'error: upgrade abandoned, nothing was changed: .*{why}'])
        daemon.put_binary(b'#!/no/such/interpreter\n')
        assert daemon.ctl('upgrade').returncode == 1
        why = rf'{daemon.binary} cannot be run'
        named(daemon, [rf'^  {why}'], [rf'upgrade abandoned, nothing was changed: {why}'])
        assert daemon.ask('web', b'hello\n') == b'hello\n'
