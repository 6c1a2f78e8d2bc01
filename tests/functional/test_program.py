"""Service program: a long-lived program that accepts by itself, and its worker beside it."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import (SANITIZED, SRCDIR, Daemon, alive, can_trace, children, eventually,
                     needs_preload, preload, read_all, title)
from load import pool
from test_control import silence, wait_pool
from test_upgrade import Upgraded

PYTHON = '/usr/bin/python3'
RESIDENT = SRCDIR / 'tests/functional/resident.py'
FIXED = ['workers = 2']
QUICK = ['start_workers = 2', 'min_spare_workers = 1', 'max_spare_workers = 2',
         'max_workers = 20', 'spare_timeout = 500ms']
ON_DEMAND = ['start_workers = 0', 'min_spare_workers = 0', 'max_workers = 10',
             'spare_timeout = 500ms']

pytestmark = pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason=f'needs {PYTHON}')


def section(*words, fd=0, options=('ready = "0s"',)):
    """The program section that runs resident.py."""
    command = ', '.join(f'"{word}"' for word in [PYTHON, '-I', '-S', '{dir}/resident.py', fd, *words])
    return '\n'.join(['program {', f'command = {{ {command} }}', f'socket_fd = {fd}', *options, '}'])


def service(*words, sizes=FIXED, name='p', listen='{dir}/p.sock', more=(), **how):
    return pool(name, *sizes, *more, section(*words, **how), service='program', listen=listen)


def resident(conf, kind=Daemon, **options):
    daemon = kind(conf, **options)
    shutil.copy(RESIDENT, daemon.dir)
    (daemon.dir / 'resident.py').chmod(0o644)
    return daemon


def ask(daemon, command, name='p'):
    return daemon.ask(name, command.encode() + b'\n').decode().rstrip('\n')


def begin(daemon, command, name='p'):
    """A connection that has asked and has not read its answer."""
    sock = daemon.connect(name)
    sock.sendall(command.encode() + b'\n')
    return sock


def finish(sock):
    with sock:
        return read_all(sock).decode().rstrip('\n')


def programs(daemon, name='p'):
    """The processes that the pool's workers supervise."""
    return sorted(pid for worker in daemon.workers(name) for pid in children(worker)
                  if alive(pid) and not title(pid).startswith('preforkd: '))


def wait_programs(daemon, number, name='p'):
    return eventually(lambda: len(programs(daemon, name)) == number and
                      (programs(daemon, name) or True), f'{number} programs')


def wait_held(daemon, number, name='p'):
    """Until so many programs have a connection, as the status says."""
    wait_pool(daemon, name, busy=number)


# ---- what a program finds ------------------------------------------------------------

@pytest.mark.parametrize('listen', ['{dir}/p.sock', '127.0.0.1:0', '@preforkd-test-{pid}'])
@pytest.mark.parametrize('fd', [0, 3])
def test_a_program_accepts_on_the_socket_of_its_pool(fd, listen):
    with resident(service(fd=fd, listen=listen.replace('{pid}', str(os.getpid())))) as daemon:
        answers = {ask(daemon, 'pid') for _ in range(20)}
        assert answers <= set(map(str, wait_programs(daemon, 2)))


def test_on_descriptor_3_it_is_told_by_the_protocol_of_sd_listen_fds():
    with resident(service(fd=3)) as daemon:
        found = dict(line.split('=', 1) for line in ask(daemon, 'env').splitlines())
        assert found['LISTEN_FDS'] == '1'
        assert found['LISTEN_FDNAMES'] == 'p'
        assert int(found['LISTEN_PID']) in programs(daemon)
        assert 'NOTIFY_SOCKET' not in found


def test_on_descriptor_0_it_is_told_nothing():
    with resident(service(more=['environment = { "A=b c" }'])) as daemon:
        found = dict(line.split('=', 1) for line in ask(daemon, 'env').splitlines())
        assert found['A'] == 'b c'
        assert not [name for name in found if name.startswith('LISTEN_') or name == 'NOTIFY_SOCKET']
        assert set(found) - {'LC_CTYPE'} == {'PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'A'}


@pytest.mark.parametrize('fd', [0, 3])
def test_it_has_its_descriptors_and_no_others(fd):
    with resident(service(fd=fd)) as daemon:
        found = eval(ask(daemon, 'fds'))
        ours = {number: re.sub(r'\d+', 'N', target) for number, target in found.items()}
        assert len(ours) == (4 if fd == 0 else 5), found  # one is the connection
        assert ours[fd] == 'socket:[N]'
        assert ours[1] == ours[2] == 'pipe:[N]' and found[1] != found[2]
        if fd == 3:
            assert ours[0] == '/dev/null'


def test_it_leads_a_session_with_default_signals():
    with resident(service()) as daemon:
        pid = int(ask(daemon, 'pid'))
        assert ask(daemon, 'sid') in map(str, programs(daemon))
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
        assert re.search(r'SigBlk:\s+0+$', status, re.M)
        # Python itself ignores PIPE and XFSZ
        ignored = int(re.search(r'SigIgn:\s+(\w+)$', status, re.M)[1], 16)
        assert ignored & ~(1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


@pytest.mark.root
def test_it_runs_as_the_user_of_its_pool():
    conf = service(more=['user = "daemon"', 'umask = "077"', 'nice = 7', 'directory = "/tmp"'])
    with resident(conf) as daemon:
        pid = int(ask(daemon, 'pid'))
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
        assert re.search(r'^Uid:\s+1\s+1\s+1\s+1$', status, re.M)
        assert re.search(r'^Umask:\s+0077$', status, re.M)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 7
        assert os.readlink(f'/proc/{pid}/cwd') == '/tmp'


# ---- what it says --------------------------------------------------------------------

def test_stdout_and_stderr_go_to_the_log_with_its_process_id():
    with resident(service()) as daemon:
        ask(daemon, 'say all is well')
        ask(daemon, 'complain something is wrong')
        for text in 'all is well', 'something is wrong':
            found = daemon.wait_log(rf'notice: pool p: program pid (\d+): {text}$')
            assert int(found[1]) in programs(daemon)


def test_a_line_without_its_end_is_logged_when_the_program_ends():
    command = 'program { command = { "/bin/sh", "-c", "printf half; sleep 2; exit 3" } ready = "0s" }'
    with Daemon(pool('p', 'workers = 1', command, service='program')) as daemon:
        daemon.wait_log(r'pool p: program pid \d+: half$')


def test_what_is_not_wanted_is_not_logged():
    options = ['ready = "0s"', 'stdout = "null"', 'stderr = "null"']
    with resident(service(options=options)) as daemon:
        assert ask(daemon, 'say all is well') == ask(daemon, 'complain wrong') == 'done'
        ask(daemon, 'say once more')
        found = eval(ask(daemon, 'fds'))
        assert found[1] == found[2] == '/dev/null'
        assert 'all is well' not in daemon.log() and 'wrong' not in daemon.log()


@pytest.mark.parametrize('null', [1, 2])
def test_one_of_the_two_is_logged_without_the_other(null):
    wanted = {1: ('stdout', 'say'), 2: ('stderr', 'complain')}
    options = ['ready = "0s"', f'{wanted[null][0]} = "null"']
    with resident(service(options=options)) as daemon:
        ask(daemon, wanted[null][1] + ' not wanted')
        ask(daemon, wanted[3 - null][1] + ' wanted')
        found = eval(ask(daemon, 'fds'))
        assert found[null] == '/dev/null' and found[3 - null].startswith('pipe:')
        daemon.wait_log(r'program pid \d+: wanted$')
        assert 'not wanted' not in daemon.log()


def test_a_flood_is_cut_short_in_the_log_and_does_not_hold_the_program_up():
    with resident(service(sizes=['workers = 1'])) as daemon:
        assert ask(daemon, 'flood 50000') == 'done'
        left_out = r'warning: pool p: program pid \d+: \d+ more lines in that second were left out'
        eventually(lambda: ask(daemon, 'say more') and re.search(left_out, daemon.log()), left_out)
        assert daemon.log().count('x' * 99) < 30000


def test_a_log_that_nobody_reads_does_not_stop_the_program():
    daemon = resident(service(sizes=['workers = 1']))
    with subprocess.Popen(daemon.command(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            while 'ready: ' not in process.stderr.readline():
                pass
            daemon.address = lambda name: (socket.AF_UNIX, str(daemon.dir / 'p.sock'))
            assert ask(daemon, 'flood 20000') == 'done'  # 2 MB into a pipe of 64 KiB
            assert ask(daemon, 'pid').isdigit()
        finally:
            process.terminate()
            process.stderr.read()
    shutil.rmtree(daemon.dir)


# ---- when it ends --------------------------------------------------------------------

def test_a_program_that_dies_is_replaced_and_told_of():
    with resident(service()) as daemon:
        for command, told in [('exit 3', 'exited with status 3'),
                              ('die SEGV', 'was killed by signal 11 (Segmentation fault)')]:
            old = wait_programs(daemon, 2)
            ask(daemon, command)
            new = eventually(lambda: len(programs(daemon)) == 2 and programs(daemon) != old
                             and programs(daemon), 'another program')
            assert len(set(new) & set(old)) == 1
            assert daemon.pool_status('p')['last_failure'] == f'ended, its program {told}'
        assert daemon.pool_status('p')['crashes'] == 2
        daemon.wait_log(r'warning: pool p: worker \d+ ended, its program exited with status 3 after [\d.]+s$')


# It ends just behind a look that found it alive.
SLOW_LOOK = '''
#include <sys/wait.h>
#include <unistd.h>
int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int (*real)(idtype_t, id_t, siginfo_t *, int) =
        (int (*)(idtype_t, id_t, siginfo_t *, int))dlsym(RTLD_NEXT, "waitid");
    int result = real(type, id, info, options);
    if (result == 0 && info->si_pid == 0)
        usleep(200000);
    return result;
}
'''


@needs_preload
def test_a_program_that_ends_at_any_moment_has_been_of_use(tmp_path):
    tmp_path.chmod(0o755)
    with resident(service(sizes=['workers = 1']), env=preload(tmp_path, SLOW_LOOK)) as daemon:
        for _ in range(3):
            assert ask(daemon, 'last') == 'done'
        wait_programs(daemon, 1)
        assert daemon.pool_status('p')['crashes'] == 0


ONCE = '''
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    int fd = accept(0, 0, 0);
    return write(fd, "done", 4) != 4;
}
'''


@pytest.mark.skipif(SANITIZED or not can_trace(), reason='needs strace')
def test_a_program_that_ends_before_its_worker_sees_it_has_been_of_use():
    slow = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=vfork', '-e',
            'inject=vfork:delay_exit=50000']
    program = 'program { command = { "{dir}/once" } ready = "0s" }'
    daemon = Daemon(pool('p', 'workers = 1', program, service='program'), wrap=slow)
    subprocess.run(['cc', '-x', 'c', '-', '-o', daemon.dir / 'once'], input=ONCE, text=True, check=True)
    with daemon:
        for _ in range(3):
            assert daemon.ask('p') == b'done'
        daemon.wait_log('(program started(.*\n)*.*){4}')
        assert daemon.pool_status('p')['crashes'] == 0


def test_killed_programs_and_killed_workers_are_replaced_and_leave_nothing():
    with resident(service(sizes=['workers = 4'])) as daemon:
        for pids_of in programs, lambda daemon: daemon.workers('p'):
            old = wait_programs(daemon, 4)
            kill_all(pids_of(daemon))
            eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
            wait_programs(daemon, 4)
            assert ask(daemon, 'pid').isdigit()
        eventually(lambda: not daemon.zombies(), 'no zombie')


@contextlib.contextmanager
def breakable(otherwise, workers):
    """A daemon whose program lives as long as DIR/good is there, which it was at the start."""
    command = f'test -e {{dir}}/good && exec sleep 600; {otherwise}'
    text = f'program {{ command = {{ "/bin/sh", "-c", "{command}" }} ready = "0s" }}'
    daemon = Daemon(pool('p', f'workers = {workers}', text, service='program'))
    good = daemon.dir / 'good'
    good.touch()
    with daemon:
        yield daemon, good


def kill_all(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize('otherwise, told', [
    ('exit 1', 'exited with status 1'),
    ('exit 0', r'ended at once: does it go to the background\?'),
    ('kill -9 $$', r'was killed by signal 9 \(Killed\)')])
def test_a_program_that_always_dies_is_tried_ever_less_and_never_given_up(otherwise, told):
    with breakable(otherwise, 4) as (daemon, good):
        pids = wait_programs(daemon, 4)
        mark = daemon.mark()
        good.unlink()
        kill_all(pids)
        daemon.wait_log(rf'pool p: workers do not stay alive: the last one ended, its program {told}; '
                        r'next attempt in 2s', since=mark)
        assert len(re.findall(r'program started', daemon.log()[mark:])) <= 25
        daemon.wait_log(r'next attempt in 4s', since=mark)
        assert len(daemon.log()) < 20000
        assert not programs(daemon)
        good.touch()
        wait_programs(daemon, 4)


def test_what_a_program_leaves_behind_ends_with_it():
    with resident(service(sizes=['workers = 1'])) as daemon:
        ask(daemon, 'breed')
        ask(daemon, 'breed deaf')
        program, = programs(daemon)
        left = eventually(lambda: len(children(program)) == 2 and children(program), 'two children')
        ask(daemon, 'exit 0')
        eventually(lambda: not any(map(alive, left)), 'the end of the children')
        wait_programs(daemon, 1)


def test_without_its_master_a_program_finishes_its_request_and_ends():
    with resident(service()) as daemon:
        old = programs(daemon)
        waiting = begin(daemon, 'sleep 1')
        wait_held(daemon, 1)
        daemon.signal(signal.SIGKILL)
        assert finish(waiting) == 'done'
        eventually(lambda: not any(map(alive, old)), 'the end of the programs')
        daemon.process.wait()


# ---- how it is stopped ---------------------------------------------------------------

@pytest.mark.parametrize('name', ['TERM', 'USR1', 'QUIT'])
def test_a_recycled_program_gets_its_signal_and_finishes_its_request(name):
    conf = service(f'stop={name}', options=['ready = "0s"', f'stop_signal = "{name}"'])
    with resident(conf) as daemon:
        old = wait_programs(daemon, 2)
        waiting = begin(daemon, 'sleep 1')
        wait_held(daemon, 1)
        daemon.done('recycle', '--no-wait')
        assert finish(waiting) == 'done'
        eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
        wait_programs(daemon, 2)
        assert 'warning' not in daemon.log()


def test_a_program_that_does_not_stop_gets_term_and_then_kill():
    conf = service(sizes=['workers = 1'],
                   options=['ready = "0s"', 'stop_signal = "USR1"', 'stop_timeout = 1s'])
    with resident(conf) as daemon:
        program, = wait_programs(daemon, 1)
        assert ask(daemon, 'ignore USR1 TERM') == 'done'
        begun = time.monotonic()
        worker, = daemon.workers('p')
        daemon.done('kill', worker)
        assert time.monotonic() - begun > 1
        assert not alive(program)
        daemon.wait_log(rf'warning: pool p: program pid {program} does not end within stop_timeout: TERM')


def test_children_finish_though_their_program_has_ended():
    conf = service('many', 'stop=USR1', sizes=['workers = 1'],
                   options=['ready = "0s"', 'stop_signal = "USR1"'])
    with resident(conf) as daemon:
        program, = wait_programs(daemon, 1)
        waiting = begin(daemon, 'late 1 2000')  # then more on stdout than its pipe holds
        wait_held(daemon, 1)
        daemon.done('recycle', '--no-wait')
        eventually(lambda: not alive(program), 'the end of the program')
        assert finish(waiting) == 'done'


def test_the_graceful_timeout_of_the_pool_ends_it_too():
    conf = service(sizes=['workers = 1'], more=['graceful_timeout = 1s'])
    with resident(conf) as daemon:
        program, = wait_programs(daemon, 1)
        assert ask(daemon, 'ignore TERM') == 'done'
        worker, = daemon.workers('p')
        daemon.done('kill', worker)
        daemon.wait_log(rf'pool p: worker {worker} still works after 1 s: TERM')
        eventually(lambda: not alive(program), 'the end of the program')


def test_it_ends_a_program_that_does_not_stop_when_the_master_has_died():
    conf = service(sizes=['workers = 1'], more=['graceful_timeout = 1s'])
    with resident(conf) as daemon:
        program, = wait_programs(daemon, 1)
        assert ask(daemon, 'ignore TERM') == 'done'
        worker, = daemon.workers('p')
        daemon.signal(signal.SIGKILL)
        daemon.ended()
        eventually(lambda: not alive(program) and not alive(worker), 'the end of both')


def test_a_graceful_stop_serves_the_whole_queue():
    with resident(service(sizes=['workers = 4'], listen='127.0.0.1:0')) as daemon:
        waiting = [begin(daemon, f'await {daemon.dir}/now') for _ in range(24)]
        wait_held(daemon, 4)
        daemon.signal(signal.SIGQUIT)
        daemon.wait_log('stopping gracefully')
        (daemon.dir / 'now').touch()
        assert [finish(sock) for sock in waiting] == ['done'] * 24
        assert daemon.ended() == 0


def test_a_fast_stop_does_not_wait():
    with resident(service()) as daemon:
        waiting = begin(daemon, 'sleep 600')
        wait_held(daemon, 1)
        old = programs(daemon)
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        eventually(lambda: not any(map(alive, old)), 'the end of the programs')
        waiting.close()


def test_a_drained_pool_ends_its_programs_and_a_resumed_one_starts_them():
    with resident(service(listen='127.0.0.1:0')) as daemon:
        old = wait_programs(daemon, 2)
        daemon.done('drain', 'p')
        assert not any(map(alive, old))
        daemon.done('resume', 'p')
        assert ask(daemon, 'pid').isdigit()


# ---- reload --------------------------------------------------------------------------

def test_a_reload_starts_the_new_programs_before_it_stops_the_old():
    with resident(service('notify=1', options=['ready = "notify"'])) as daemon:
        old = wait_programs(daemon, 2)
        daemon.write(service('notify=1', 'new', options=['ready = "notify"']))
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len(programs(daemon)) == 4, 'both generations')
        assert all(map(alive, old))
        daemon.wait_log(r'reload done: replaced the workers of p')
        eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
        assert len(wait_programs(daemon, 2)) == 2


def test_a_reload_whose_program_ends_within_its_delay_is_refused():
    with resident(service(options=['ready = "1s"'])) as daemon:
        old = wait_programs(daemon, 2)
        line = daemon.reload(service('no-such-word=', 'slow=x', options=['ready = "1s"']), expect='refused')
        assert 'its program exited with status 1 before it could serve' in line
        assert wait_programs(daemon, 2) == old
        assert ask(daemon, 'pid').isdigit()


def test_a_reload_whose_program_is_never_ready_is_refused():
    boot = ['boot_timeout = 1s']
    with resident(service('notify=0', options=['ready = "notify"'], more=boot)) as daemon:
        old = wait_programs(daemon, 2)
        daemon.reload(service('notify=600', options=['ready = "notify"'], more=boot), expect='refused')
        assert wait_programs(daemon, 2) == old


def test_a_refused_reload_lets_its_programs_finish_what_they_have_accepted():
    other = pool('q', 'workers = 1', 'program { command = { "/bin/sh", "-c", "sleep 2; exit 1" }\n'
                 'ready = "3s" }', service='program')
    first = service(sizes=['workers = 1'], listen='127.0.0.1:0')
    with resident(first) as daemon:
        busy = begin(daemon, 'sleep 2')
        wait_held(daemon, 1)
        daemon.write(service('new', sizes=['workers = 1'], listen='127.0.0.1:0',
                             options=['ready = "1s"']) + other)
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len(programs(daemon)) == 2, 'the program on trial')
        waiting = begin(daemon, 'sleep 1')  # which it takes, for nobody else is idle
        daemon.wait_log('reload refused')
        assert finish(waiting) == finish(busy) == 'done'


def test_a_pool_whose_program_polls_can_become_one_of_another_service():
    with resident(service('nonblocking', listen='127.0.0.1:0')) as daemon:
        old = programs(daemon)
        eventually(lambda: {ask(daemon, 'pid') for _ in range(10)} == set(map(str, old)),
                   'both of them, which poll')
        address = daemon.address('p')
        daemon.reload(pool('p', 'workers = 2'))
        daemon.address = lambda name: address  # the port stays
        eventually(lambda: not any(map(alive, old)), 'the end of those that take connections, too')
        for _ in range(10):
            assert daemon.ask('p', b'hello\n') == b'hello\n'
        assert daemon.pool_status('p')['crashes'] == 0


def test_workers_stay_though_a_program_made_their_socket_non_blocking_at_its_end():
    with resident(service(listen='127.0.0.1:0')) as daemon:
        address, old = daemon.address('p'), programs(daemon)
        client = begin(daemon, f'unblock {daemon.dir}/now')
        daemon.wait_log('unblocks')
        daemon.reload(pool('p', 'workers = 2'))
        (daemon.dir / 'now').touch()
        assert finish(client) == 'done'
        eventually(lambda: not any(map(alive, old)), 'the end of the programs')
        daemon.address = lambda name: address  # the port stays
        for _ in range(10):
            assert daemon.ask('p', b'hello\n') == b'hello\n'
        wait_pool(daemon, 'p', state='running', idle=2)
        assert 'do not stay alive' not in daemon.log()


# ---- sd_notify -----------------------------------------------------------------------

def test_with_notify_a_worker_starts_until_its_program_says_that_it_is_ready():
    conf = service('notify=1', options=['ready = "notify"'])
    with resident(conf).spawned() as daemon:
        eventually(lambda: len(programs(daemon)) == 2, 'two programs')
        assert 'ready: ' not in daemon.log()
        daemon.wait_log(r'ready: 1 pool, 2 workers')
        assert ask(daemon, 'pid').isdigit()


def test_what_it_says_of_its_state_is_shown():
    with resident(service('notify=0', sizes=['workers = 1'], options=['ready = "notify"'])) as daemon:
        assert ask(daemon, 'tell STATUS=thinking') == 'done'
        eventually(lambda: daemon.pool_status('p')['workers'][0]['request'] == 'thinking', 'the state')
        for _ in range(50):  # more than a socket's queue: nobody waits
            assert ask(daemon, 'tell STATUS=busy') == 'done'


def notify_socket(pid):
    """The abstract name that the program was told; None before its execve(2)."""
    environment = pathlib.Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')
    return next((word[15:] for word in environment if word.startswith(b'NOTIFY_SOCKET=@')), None)


@pytest.mark.root
def test_a_stranger_cannot_say_that_it_is_ready():
    conf = service('notify=2', sizes=['workers = 1'], options=['ready = "notify"'])
    begun = time.monotonic()
    with resident(conf).spawned() as daemon:
        program, = wait_programs(daemon, 1)
        name = eventually(lambda: notify_socket(program), 'its environment')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            for _ in range(3):
                sock.sendto(b'READY=1\nSTATUS=from outside', b'\0' + name)
        daemon.wait_log('ready: ')
        assert time.monotonic() - begun > 2
        assert 'from outside' not in daemon.done('workers')


# ---- sizes ---------------------------------------------------------------------------

def test_a_pool_grows_while_connections_wait_and_shrinks_when_they_are_gone():
    with resident(service(sizes=QUICK)) as daemon:
        waiting = [begin(daemon, 'sleep 1') for _ in range(12)]
        wait_held(daemon, 12)
        assert len(programs(daemon)) >= 13
        assert [finish(sock) for sock in waiting] == ['done'] * 12
        eventually(lambda: len(programs(daemon)) <= 2, 'the pool to shrink')
        assert 'warning' not in daemon.log()


def test_spare_programs_are_kept_beside_those_that_have_a_connection():
    sizes = ['start_workers = 3', 'min_spare_workers = 3', 'max_spare_workers = 4', 'max_workers = 20']
    with resident(service(sizes=sizes)) as daemon:
        held = [daemon.connect('p') for _ in range(5)]
        wait_held(daemon, 5)
        eventually(lambda: len(programs(daemon)) >= 8, 'three more than have a connection')
        for sock in held:
            sock.close()


def test_a_program_with_a_connection_is_not_what_a_shrinking_pool_ends():
    with resident(service(sizes=QUICK)) as daemon:
        held = [daemon.connect('p') for _ in range(2)]  # they say nothing, and use no time
        wait_held(daemon, 2)
        waiting = [begin(daemon, 'work 0.2') for _ in range(8)]
        assert [finish(sock) for sock in waiting] == ['done'] * 8
        eventually(lambda: len(programs(daemon)) <= 4, 'the pool to shrink')
        for sock in held:
            sock.sendall(b'pid\n')
            assert finish(sock).isdigit()


def test_a_child_with_a_connection_keeps_its_program():
    sizes = ['start_workers = 2', 'min_spare_workers = 0', 'max_spare_workers = 0', 'max_workers = 4',
             'spare_timeout = 500ms']
    with resident(service('many', sizes=sizes)) as daemon:
        held = daemon.connect('p')
        wait_held(daemon, 1)
        program, = wait_programs(daemon, 1)
        held.sendall(b'sid\n')
        assert finish(held) == str(program)
        wait_programs(daemon, 0)


def test_an_on_demand_pool_has_no_program_until_somebody_comes_and_none_afterwards():
    with resident(service(sizes=ON_DEMAND)) as daemon:
        for _ in range(2):
            assert programs(daemon) == []
            assert ask(daemon, 'pid').isdigit()
            eventually(lambda: not programs(daemon), 'the end of the last program')


def test_an_on_demand_pool_serves_whoever_comes_after_its_back_off():
    with resident(service(sizes=ON_DEMAND)) as daemon:
        for _ in range(10):
            assert ask(daemon, 'exit 3') == ''
        wait_pool(daemon, 'p', state='backed off')
        wait_pool(daemon, 'p', state='running')
        assert ask(daemon, 'pid').isdigit()


@pytest.mark.parametrize('sizes', [FIXED, ON_DEMAND], ids=['fixed', 'on demand'])
def test_a_socket_that_a_program_shuts_down_listens_again(sizes):
    with resident(service(sizes=sizes, listen='127.0.0.1:0')) as daemon:
        ask(daemon, 'shut')
        daemon.wait_log('a worker or its program has shut the socket down: it listens again')
        assert ask(daemon, 'pid').isdigit()


@pytest.mark.skipif(not can_trace(), reason='needs strace')
def test_a_unix_socket_that_a_program_shuts_down_is_told_once_and_left_alone():
    with resident(service(sizes=ON_DEMAND)) as daemon:
        ask(daemon, 'shut')
        daemon.wait_log('has shut the socket down: nobody can connect until the pool is drained')
        eventually(lambda: not programs(daemon), 'the end of the last program')
        assert silence(daemon)
        assert daemon.log().count('shut the socket down') == 1
        daemon.done('drain', 'p')
        daemon.done('resume', 'p')
        assert ask(daemon, 'pid').isdigit()


def test_a_burst_on_an_on_demand_pool_is_not_served_one_by_one():
    with resident(service(sizes=ON_DEMAND)) as daemon:
        begun = time.monotonic()
        waiting = [begin(daemon, 'sleep 1') for _ in range(10)]
        assert [finish(sock) for sock in waiting] == ['done'] * 10
        assert time.monotonic() - begun < 8


def test_a_pool_never_has_more_than_its_max_workers_and_says_when_that_is_too_few():
    sizes = ['start_workers = 1', 'min_spare_workers = 0', 'max_spare_workers = 1', 'max_workers = 2']
    with resident(service(sizes=sizes)) as daemon:
        waiting = [begin(daemon, 'sleep 1') for _ in range(5)]
        daemon.wait_log(r'pool p: all 2 workers are busy and \d connections? waits?')
        assert [finish(sock) for sock in waiting] == ['done'] * 5
        assert len(programs(daemon)) <= 2
        daemon.wait_log(r'pool p: no longer saturated')


def test_a_program_for_many_connections_is_not_multiplied_by_them():
    sizes = ['start_workers = 2', 'min_spare_workers = 0', 'max_spare_workers = 4', 'max_workers = 60']
    with resident(service('many', sizes=sizes)) as daemon:
        assert ask(daemon, 'pid').isdigit()
        held = []
        for _ in range(60):
            held.append(daemon.connect('p'))
            wait_pool(daemon, 'p', queue_length=0)
        assert len(programs(daemon)) < 20
        for sock in held:
            sock.sendall(b'sid\n')
            assert finish(sock).isdigit()


NO_NETLINK = '''
int socket(int family, int type, int protocol) {
    int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    if (family == AF_NETLINK) { errno = EPROTONOSUPPORT; return -1; }
    return real(family, type, protocol);
}
'''


@needs_preload
def test_a_pool_that_cannot_be_seen_grows_by_its_queue(tmp_path):
    tmp_path.chmod(0o755)
    conf = service(sizes=QUICK, listen='127.0.0.1:0')  # whose queue is told by another way
    with resident(conf, env=preload(tmp_path, NO_NETLINK)) as daemon:
        waiting = [begin(daemon, 'sleep 1') for _ in range(6)]
        eventually(lambda: len(programs(daemon)) >= 6, 'as many programs')
        assert [finish(sock) for sock in waiting] == ['done'] * 6


def test_max_worker_age_replaces_programs():
    with resident(service(sizes=['workers = 1'], more=['max_worker_age = 1s'])) as daemon:
        old, = wait_programs(daemon, 1)
        eventually(lambda: not alive(old), 'the end of the first program')
        assert ask(daemon, 'pid').isdigit()
        assert daemon.pool_status('p')['crashes'] == 0


@pytest.mark.skipif(not can_trace(), reason='needs strace')
@pytest.mark.parametrize('sizes', [FIXED, QUICK, ON_DEMAND], ids=['fixed', 'dynamic', 'on demand'])
def test_at_rest_the_master_makes_no_system_call(sizes):
    with resident(service(sizes=sizes)) as daemon:
        assert finish(begin(daemon, 'sleep 0.1')) == 'done'
        eventually(lambda: len(programs(daemon)) <= 2, 'the pool to shrink')
        assert silence(daemon)


# ---- what is seen of it --------------------------------------------------------------

def test_the_status_names_program_and_command():
    with resident(service()) as daemon:
        pids = wait_programs(daemon, 2)
        workers = daemon.pool_status('p')['workers']
        assert sorted(worker['program'] for worker in workers) == pids
        assert {worker['state'] for worker in workers} == {'running'}
        assert all(worker['request'].startswith(f'{PYTHON} -I -S ') for worker in workers)
        text = daemon.done('workers')
        assert all(str(pid) in text for pid in pids) and PYTHON in text


def test_the_status_counts_programs_with_a_connection_as_busy():
    for listen in '{dir}/p.sock', f'@preforkd-test-{os.getpid()}', '127.0.0.1:0', '0.0.0.0:0', '[::]:0':
        if listen.startswith('[') and not os.path.exists('/proc/net/if_inet6'):
            continue
        with resident(service(sizes=['workers = 3'], listen=listen)) as daemon:
            wait_pool(daemon, 'p', idle=3, busy=0)
            with daemon.connect('p'), daemon.connect('p'):
                wait_pool(daemon, 'p', idle=1, busy=2)
            wait_pool(daemon, 'p', idle=3, busy=0)


def test_an_upgrade_hands_the_socket_to_new_programs():
    with resident(service(listen='127.0.0.1:0'), kind=Upgraded) as daemon:
        old = wait_programs(daemon, 2)
        waiting = begin(daemon, 'sleep 4')
        wait_held(daemon, 1)
        daemon.upgraded()
        assert finish(waiting) == 'done'
        eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
        assert ask(daemon, 'pid').isdigit()
