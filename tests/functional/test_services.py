"""What the services do with a connection: echo, rot13, and a program by exec."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from harness import (PATIENCE, ROOT, SANITIZED, Daemon, alive, can_trace, eventually, proc_stat,
                     read_all)
from load import pool
from test_listen import ipv6

ALL_BYTES = bytes(range(256))
ACCOUNT = pwd.getpwnam('nobody') if ROOT else pwd.getpwuid(os.geteuid())


def service(name, *options, workers=2, **listen):
    return pool('p', f'workers = {workers}', *options, service=name, **listen)


def exec_pool(text, *options, name='p', **listen):
    """A pool that runs a shell script; what goes into single quotes is for the shell."""
    assert "'" not in text
    command = f"exec {{ command = {{ '/bin/sh', '-c', '{text}' }} }}"
    return pool(name, 'workers = 2', *options, command, service='exec', **listen)


def memory(pid):
    """Private memory of a process in KiB."""
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'RssAnon:\s+(\d+) kB', status).group(1))


def read_exactly(sock, number):
    data = b''
    while len(data) < number:
        piece = sock.recv(min(65536, number - len(data)))
        assert piece, f'the end after {len(data)} of {number} bytes'
        data += piece
    return data


def stream(sock, piece, number, expected):
    """Sends a piece many times while it reads as many answers, then half-closes."""
    def send():
        for _ in range(number):
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for _ in range(number):
        assert read_exactly(sock, len(piece)) == expected
    sender.join(PATIENCE)
    assert sock.recv(1) == b''


class Growth:
    """What the workers of a daemon take in memory beyond what they had, inside a with block."""
    LIMIT = 8192 if SANITIZED else 1024

    def __init__(self, daemon):
        self.workers = daemon.wait_workers(2)
        self.before = {pid: memory(pid) for pid in self.workers}

    def assert_small(self):
        for pid in self.workers:
            assert memory(pid) - self.before[pid] < self.LIMIT


# ---- echo ----------------------------------------------------------------------------

def test_echo_returns_any_bytes():
    with Daemon(service('echo')) as daemon:
        assert daemon.ask('p', ALL_BYTES) == ALL_BYTES
        assert daemon.ask('p', b'') == b''


def test_echo_answers_at_once_and_after_a_half_close():
    with Daemon(service('echo')) as daemon, daemon.connect('p') as sock:
        sock.sendall(b'one')
        assert read_exactly(sock, 3) == b'one'
        sock.sendall(b'two')
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b'two'


def test_echo_of_100_mb_comes_back_whole_in_little_memory():
    piece = ALL_BYTES * 256
    with Daemon(service('echo')) as daemon, daemon.connect('p') as sock:
        growth = Growth(daemon)
        stream(sock, piece, 100 * 2 ** 20 // len(piece), piece)
        growth.assert_small()


def fill(sock):
    """Sends until nothing more goes, and reads nothing; how much went."""
    sent = 0
    sock.settimeout(0.5)
    try:
        while True:
            sent += sock.send(ALL_BYTES * 256)
    except socket.timeout:
        sock.settimeout(PATIENCE)
        return sent


@pytest.mark.parametrize('name', ['echo', 'rot13'])
def test_a_client_that_never_reads_costs_little_and_stops_nobody_else(name):
    with Daemon(service(name)) as daemon, daemon.connect('p') as deaf:
        growth = Growth(daemon)
        assert fill(deaf) > 65536
        for _ in range(5):
            assert daemon.ask('p', b'123') == b'123'
        growth.assert_small()


@pytest.mark.parametrize('name', ['echo', 'rot13'])
def test_idle_timeout_ends_a_silent_client(name):
    conf = service(name, name + ' { idle_timeout = 1s }') + pool('patient', 'workers = 1')
    with Daemon(conf) as daemon:
        with daemon.connect('p') as silent, daemon.connect('patient') as control:
            for sock in silent, control:
                sock.sendall(b'1')
                assert sock.recv(1) == b'1'
            assert silent.recv(1) == b''
            control.sendall(b'2')
            assert control.recv(1) == b'2'


def test_idle_timeout_ends_a_client_that_never_reads():
    with Daemon(service('echo', 'echo { idle_timeout = 1s }')) as daemon:
        with daemon.connect('p') as deaf:
            fill(deaf)
            with pytest.raises(ConnectionError):
                while True:
                    deaf.sendall(ALL_BYTES * 256)


@pytest.mark.parametrize('name', ['echo', 'rot13'])
def test_request_timeout_ends_a_client_however_busy(name):
    conf = service(name, 'request_timeout = 1s') + pool('patient', 'workers = 1')
    with Daemon(conf) as daemon, daemon.connect('p') as busy, daemon.connect('patient') as control:
        try:
            while busy.send(b'1') and busy.recv(1):
                pass
        except ConnectionError:
            pass
        control.sendall(b'2')
        assert control.recv(1) == b'2'


# ---- rot13 ---------------------------------------------------------------------------

def test_rot13_turns_letters_and_nothing_else():
    upper, lower = b'ABCDEFGHIJKLMNOPQRSTUVWXYZ', b'abcdefghijklmnopqrstuvwxyz'
    turned = ALL_BYTES.translate(bytes.maketrans(
        upper + lower, upper[13:] + upper[:13] + lower[13:] + lower[:13]))
    with Daemon(service('rot13')) as daemon:
        assert daemon.ask('p', ALL_BYTES) == turned
        assert daemon.ask('p', turned) == ALL_BYTES


def test_rot13_answers_line_by_line_as_it_arrives():
    with Daemon(service('rot13')) as daemon, daemon.connect('p') as sock:
        for line, answer in (b'Hello!\n', b'Uryyb!\n'), (b'\n', b'\n'), (b'a\n', b'n\n'):
            sock.sendall(line)
            assert read_exactly(sock, len(answer)) == answer


def test_rot13_answers_a_last_line_without_newline():
    with Daemon(service('rot13')) as daemon:
        assert daemon.ask('p', b'one\ntwo') == b'bar\ngjb'


def test_rot13_of_a_line_of_10_mb_takes_no_memory():
    with Daemon(service('rot13')) as daemon, daemon.connect('p') as sock:
        growth = Growth(daemon)
        stream(sock, b'a' * 65536, 160, b'n' * 65536)
        growth.assert_small()


def test_two_rot13_clients_at_a_time_get_their_own_answers():
    with Daemon(service('rot13')) as daemon, daemon.connect('p') as one:
        with daemon.connect('p') as two:
            for number in range(20):
                one.sendall(b'one %d\n' % number)
                two.sendall(b'two %d\n' % number)
                assert read_exactly(two, len(b'gjb %d\n' % number)) == b'gjb %d\n' % number
                assert read_exactly(one, len(b'bar %d\n' % number)) == b'bar %d\n' % number
        one.sendall(b'still here\n')
        assert read_exactly(one, 11) == b'fgvyy urer\n'


# ---- exec: what the program gets --------------------------------------------------------

SHOW_ENVIRONMENT = 'exec { command = { "/usr/bin/env", "-0" } }'


def environment(sock):
    """The environment that a program shows, without its PATH, which must be a sane one."""
    with sock:
        text = read_all(sock).decode()
    found = dict(item.split('=', 1) for item in text.split('\0') if item)
    assert len(found) == text.count('\0')  # nothing stands twice
    path = found.pop('PATH').split(':')
    assert '/usr/bin' in path and all(part.startswith('/') for part in path)
    return found


def account():
    return {'HOME': ACCOUNT.pw_dir, 'USER': ACCOUNT.pw_name, 'LOGNAME': ACCOUNT.pw_name,
            'SHELL': ACCOUNT.pw_shell}


def over_tcp(sock):
    remote, local = sock.getsockname(), sock.getpeername()
    return {**account(), 'PROTO': 'TCP',
            'TCPREMOTEIP': remote[0], 'TCPREMOTEPORT': str(remote[1]),
            'TCPLOCALIP': local[0], 'TCPLOCALPORT': str(local[1]),
            'REMOTE_ADDR': remote[0], 'REMOTE_PORT': str(remote[1]), 'TCPCONNNUM': '1'}


def test_the_environment_over_ipv4():
    with Daemon(service('exec', SHOW_ENVIRONMENT)) as daemon:
        sock = daemon.connect('p')
        expected = over_tcp(sock)
        assert environment(sock) == expected
        assert expected['TCPREMOTEIP'] == '127.0.0.1'


@ipv6
def test_the_environment_over_ipv6():
    with Daemon(service('exec', SHOW_ENVIRONMENT, listen='[::1]:0')) as daemon:
        sock = daemon.connect('p')
        expected = over_tcp(sock)
        assert environment(sock) == expected
        assert expected['TCPREMOTEIP'] == '::1'


@ipv6
def test_ipv4_on_a_dual_stack_socket_is_shown_as_ipv4():
    with Daemon(service('exec', SHOW_ENVIRONMENT, listen='0')) as daemon:
        sock = daemon.connect('p')
        expected = over_tcp(sock)
        assert environment(sock) == expected
        assert expected['TCPLOCALIP'] == '127.0.0.1'
        daemon.wait_log(r'pool p: 127\.0\.0\.1:\d+ started ')


def test_the_environment_over_a_unix_socket():
    with Daemon(service('exec', SHOW_ENVIRONMENT, listen='{dir}/socket')) as daemon:
        assert environment(daemon.connect('p')) == {
            **account(), 'PROTO': 'UNIX', 'UNIXLOCALPATH': f'{daemon.dir}/socket',
            'UNIXREMOTEPID': str(os.getpid()),
            'UNIXREMOTEEUID': str(os.geteuid()), 'UNIXREMOTEEGID': str(os.getegid())}


def test_environment_and_pass_environment_add_to_it_and_nothing_else_does():
    conf = service('exec', SHOW_ENVIRONMENT, 'environment = { "LANG=C", "HOME=/elsewhere", "E=" }',
                   'pass_environment = { "PASSED", "NOT_THERE" }')
    secrets = {'PASSED': 'a=b c', 'SECRET': 'stays outside', 'LD_BIND_NOW': '1'}
    with Daemon(conf, env=secrets) as daemon:
        sock = daemon.connect('p')
        expected = {**over_tcp(sock), 'LANG': 'C', 'HOME': '/elsewhere', 'E': '', 'PASSED': 'a=b c'}
        assert environment(sock) == expected


def test_each_connection_gets_an_environment_of_its_own():
    with Daemon(pool('p', 'workers = 1', SHOW_ENVIRONMENT, service='exec')) as daemon:
        for _ in range(3):
            sock = daemon.connect('p')
            expected = over_tcp(sock)
            assert environment(sock) == expected


def test_the_program_has_the_descriptors_0_1_and_2_and_no_others():
    with Daemon(exec_pool('ls -l /proc/$$/fd; :')) as daemon:
        found = dict(re.findall(r'(\d+) -> (\w+)', daemon.ask('p').decode()))
        assert found == {'0': 'socket', '1': 'socket', '2': 'pipe'}


def signals_of_a_program(daemon):
    status = daemon.ask('p').decode()
    return {name: int(value, 16) for name, value in re.findall(r'^(Sig\w+):\s+([0-9a-f]{16})$',
                                                               status, re.M)}


SHOW_STATUS = 'exec { command = { "/bin/cat", "/proc/self/status" } }'


def test_the_program_has_default_signals():
    with Daemon(service('exec', SHOW_STATUS)) as daemon:
        signals = signals_of_a_program(daemon)
        assert {signals['SigBlk'], signals['SigIgn'], signals['SigCgt'], signals['SigPnd']} == {0}


def test_the_program_has_default_signals_though_the_daemon_was_started_with_others():
    ignore = ['/bin/sh', '-c', 'trap "" HUP INT QUIT TSTP TTIN TTOU USR2 WINCH; exec "$0" "$@"']
    with Daemon(service('exec', SHOW_STATUS), wrap=ignore) as daemon:
        assert signals_of_a_program(daemon)['SigIgn'] == 0


def test_the_program_has_a_session_and_a_process_group_of_its_own():
    with Daemon(service('exec', 'exec { command = { "/bin/cat", "/proc/self/stat" } }')) as daemon:
        pid, _, _, _, group, session, terminal, *_ = daemon.ask('p').decode().split()
        assert pid == group == session and terminal == '0'


def test_the_program_runs_as_the_pool_says():
    conf = exec_pool('id -un; id -gn; pwd; umask; ulimit -n; ulimit -c', 'directory = "/usr"',
                     'umask = "037"', 'rlimit_nofile = 77', 'rlimit_core = 0')
    with Daemon(conf) as daemon:
        user, group, *rest = daemon.ask('p').decode().split()
        assert rest == ['/usr', '0037', '77', '0']
        assert not ROOT or (user, group) == ('nobody', 'nogroup')


def test_the_program_has_the_rights_that_the_pool_leaves_it():
    with Daemon(service('exec', SHOW_STATUS, 'no_new_privs = true')) as daemon:
        assert re.search(r'^NoNewPrivs:\s+1$', daemon.ask('p').decode(), re.M)
    with Daemon(service('exec', SHOW_STATUS)) as daemon:
        assert re.search(r'^NoNewPrivs:\s+0$', daemon.ask('p').decode(), re.M)


@pytest.mark.root
def test_the_program_has_its_groups_and_no_capabilities():
    groups = service('exec', SHOW_STATUS, 'supplementary_groups = { "daemon", "sys" }')
    with Daemon(groups) as daemon:
        status = daemon.ask('p').decode()
        assert re.search(r'^Groups:\s+1 3\s*$', status, re.M)
        assert re.search(r'^Uid:\s+(\d+)\s+\1\s+\1\s+\1$', status, re.M)
        assert len(re.findall(r'^Cap(?:Eff|Prm|Amb):\s+0+$', status, re.M)) == 3


def test_nice_is_that_of_the_pool():
    with Daemon(service('exec', 'exec { command = { "nice" } }', 'nice = 7')) as daemon:
        assert daemon.ask('p') == b'7\n'


IN_A_JAIL = r'''
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char where[100];
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    printf("%s %d %d\n", getcwd(where, sizeof where), access("/jail", F_OK), (int)child);
    return fflush(stdout);
}
'''


@pytest.mark.root
@pytest.mark.skipif(not shutil.which('cc'), reason='needs a C compiler')
def test_a_program_in_a_chroot_and_what_it_leaves_behind():
    conf = service('exec', 'exec { command = { "/program" } }', 'chroot = "{dir}/jail"')
    daemon = Daemon(conf)
    (daemon.dir / 'jail').mkdir(mode=0o755)
    (daemon.dir / 'program.c').write_text(IN_A_JAIL)
    build = subprocess.run(['cc', '-static', '-o', 'jail/program', 'program.c'], cwd=daemon.dir,
                           capture_output=True)
    if build.returncode != 0:
        shutil.rmtree(daemon.dir)
        pytest.skip('needs a static C library')
    with daemon:
        where, access, child = daemon.ask('p').split()
        assert (where, access) == (b'/', b'-1')
        gone(int(child))
        assert daemon.ask('p').startswith(b'/ ')


def test_a_command_without_a_slash_is_found_in_the_path():
    with Daemon(service('exec', 'exec { command = { "echo", "found" } }')) as daemon:
        assert daemon.ask('p') == b'found\n'


def test_the_connection_is_input_and_output():
    with Daemon(service('exec', 'exec { command = { "/bin/cat" } }')) as daemon:
        assert daemon.ask('p', ALL_BYTES * 1000) == ALL_BYTES * 1000
        with daemon.connect('p') as sock:
            sock.sendall(b'interactive\n')
            assert read_exactly(sock, 12) == b'interactive\n'


# ---- exec: the log -----------------------------------------------------------------------

def test_start_end_status_and_duration_are_logged():
    with Daemon(exec_pool('echo $$; exit 3')) as daemon:
        with daemon.connect('p') as sock:
            port = sock.getsockname()[1]
            pid = int(read_all(sock))
        peer = rf'info: pool p: 127\.0\.0\.1:{port}'
        daemon.wait_log(rf'{peer} started /bin/sh as pid {pid}$')
        daemon.wait_log(rf'{peer} pid {pid} ended with status 3 after \d+\.\d{{3}}s$')


def test_a_program_that_a_signal_ended_is_logged_with_it():
    with Daemon(exec_pool('kill -SEGV $$')) as daemon:
        assert daemon.ask('p') == b''
        daemon.wait_log(r'pool p: 127\.0\.0\.1:\d+ pid \d+ killed by signal 11 \(Segmentation')


def test_stderr_is_logged_line_by_line_with_the_pid():
    with Daemon(exec_pool('echo one >&2; echo $$; echo "two words" >&2; printf "no newline" >&2')) \
            as daemon:
        pid = int(daemon.ask('p'))
        for line in 'one', 'two words', 'no newline':
            daemon.wait_log(rf'notice: pool p: 127.0.0.1:\d+ pid {pid}: {line}$')


def test_control_bytes_in_stderr_are_escaped():
    with Daemon(exec_pool(r'printf "a\033[31mb\001\rc\177 back\\\\slash\n" >&2')) as daemon:
        daemon.ask('p')
        daemon.wait_log(r'pid \d+: a\\x1b\[31mb\\x01\\x0dc\\x7f back\\slash$')


def test_a_very_long_line_of_stderr_is_cut_into_lines_of_the_log():
    long_line = 'head -c 50000 /dev/zero | tr "\\0" x >&2; echo >&2; '
    with Daemon(exec_pool(long_line + 'echo end >&2')) as daemon:
        daemon.ask('p')
        daemon.wait_log(r'pid \d+: end$')
        pieces = re.findall(r'pid \d+: (x+)$', daemon.log(), re.M)
        assert sum(map(len, pieces)) == 50000
        assert max(map(len, daemon.log().splitlines())) < 4096


def test_10_mb_to_stderr_do_not_block():
    with Daemon(exec_pool('head -c 10000000 /dev/zero | tr "\\0" x >&2; echo done')) as daemon:
        assert daemon.ask('p') == b'done\n'


def test_the_stderr_of_one_program_is_not_mixed_with_that_of_the_next():
    with Daemon(exec_pool('echo $$; printf "from $$" >&2').replace('workers = 2', 'workers = 1')) \
            as daemon:
        pids = [int(daemon.ask('p')) for _ in range(5)]
        for pid in pids:
            daemon.wait_log(rf'pid {pid}: from {pid}$')


UNBLOCKS = 'perl -MFcntl -e "fcntl(STDERR, F_SETFL, O_NONBLOCK)"; '


@pytest.mark.skipif(not shutil.which('perl'), reason='needs perl')
def test_stderr_waits_though_the_program_before_has_made_it_not_to():
    text = 'head -c 4000000 /dev/zero >&2 && echo all; ' + UNBLOCKS
    with Daemon(exec_pool(text).replace('workers = 2', 'workers = 1')) as daemon:
        assert [daemon.ask('p') for _ in range(2)] == [b'all\n'] * 2


# ---- exec: how it ends -------------------------------------------------------------------

def pids_from(sock, number):
    """The pids that a program tells, a line each; kills them when a test fails to."""
    data = b''
    while data.count(b'\n') < number:
        piece = sock.recv(100)
        assert piece, data
        data += piece
    return [int(pid) for pid in data.split()]


def gone(*pids):
    eventually(lambda: not any(map(alive, pids)), f'the end of {pids}')


def test_request_timeout_ends_the_whole_process_group():
    conf = exec_pool('sleep 1000 & echo $$; echo $!; exec sleep 1001', 'request_timeout = 1s')
    with Daemon(conf) as daemon, daemon.connect('p') as sock:
        pids = pids_from(sock, 2)
        assert sock.recv(1) == b''
        gone(*pids)
        daemon.wait_log(rf'pool p: worker \d+, client 127\.0\.0\.1:\d+: request 1 /bin/sh runs for '
                        rf'.*\(request_timeout\): .*its program {pids[0]}: .*: TERM$')
        daemon.wait_log(rf'pid {pids[0]} killed by signal 15')


def test_a_program_that_ignores_term_is_killed():
    conf = exec_pool('trap "" TERM; sleep 1000 & echo $$; echo $!; wait', 'request_timeout = 1s')
    with Daemon(conf) as daemon, daemon.connect('p') as sock:
        pids = pids_from(sock, 2)
        assert sock.recv(1) == b''
        gone(*pids)
        daemon.wait_log(rf'pid {pids[0]} killed by signal 9')


def test_without_request_timeout_a_program_may_take_its_time():
    with Daemon(exec_pool('read line; echo "$line"')) as daemon, daemon.connect('p') as sock:
        daemon.wait_log('started /bin/sh')
        other = pool('q', 'workers = 1', "exec { command = { '/bin/sleep', '1000' } }",
                     'request_timeout = 1s', service='exec')
        daemon.reload(exec_pool('read line; echo "$line"') + other)
        assert daemon.ask('q') == b''  # the other pool's time is over
        sock.sendall(b'not yet\n')
        assert read_all(sock) == b'not yet\n'


def test_a_background_child_does_not_hold_the_connection_and_is_ended():
    with Daemon(exec_pool('sleep 1000 & echo $!')) as daemon, daemon.connect('p') as sock:
        child = int(read_all(sock))
        gone(child)
        assert daemon.ask('p')  # and the worker is free again


def test_a_background_child_that_ignores_term_is_killed():
    script = '(trap "" TERM; while :; do sleep 1000; done) & echo $!'
    with Daemon(exec_pool(script)) as daemon, daemon.connect('p') as sock:
        gone(int(read_all(sock)))


def test_of_two_background_children_the_one_that_ignores_term_is_killed():
    two = 'sleep 1000 & echo $!; (trap "" TERM; exec sleep 1000) & echo $!'
    with Daemon(exec_pool(two)) as daemon, daemon.connect('p') as sock:
        tame, stubborn = map(int, read_all(sock).split())
        gone(tame)
        gone(stubborn)


def test_a_background_child_that_floods_stderr_does_not_hold_the_connection():
    flood = '{ yes | head -n 1000000 >&2; echo all of it >&2; } & sleep 0.3; echo $!'
    with Daemon(exec_pool(flood)) as daemon, daemon.connect('p') as sock:
        gone(int(read_all(sock)))
        daemon.wait_log(r'ended with status 0 after')
        assert not re.search(r'pid \d+: all of it$', daemon.log(), re.M)


@pytest.mark.skipif(not shutil.which('setsid'), reason='needs setsid (util-linux)')
def test_a_child_in_a_session_of_its_own_does_not_hold_the_connection():
    with Daemon(exec_pool('setsid sleep 1000 & echo $!')) as daemon, daemon.connect('p') as sock:
        child = int(read_all(sock))
        try:
            assert len({daemon.ask('p') for _ in range(4)}) == 4  # both workers are free
        finally:
            kill_sleepers(daemon, child)


def kill_sleepers(daemon, child):
    """Ends what the test started as a daemon: sleep 1000, or what will be it, below our master."""
    for pid in descendants(daemon.pid) | {child}:
        if alive(pid) and pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().endswith(b'sleep\0001000\0'):
            os.kill(pid, signal.SIGKILL)


def descendants(pid):
    stats = {int(entry): proc_stat(int(entry)) for entry in os.listdir('/proc') if entry.isdigit()}
    found, new = set(), {pid}
    while new:
        found |= new
        new = {child for child, stat in stats.items() if stat and stat[2] in new} - found
    return found


def test_the_death_of_a_worker_takes_its_program_and_its_children_with_it():
    conf = exec_pool('sleep 1000 & echo $$; echo $!; wait')
    with Daemon(conf) as daemon, daemon.connect('p') as sock:
        pids = pids_from(sock, 2)
        worker = proc_stat(pids[0])[2]
        assert worker in daemon.workers('p')
        os.kill(worker, signal.SIGKILL)
        gone(worker, *pids)
        daemon.wait_workers(2)


@pytest.mark.skipif(SANITIZED or not can_trace(), reason='needs strace')
def test_a_worker_that_dies_while_it_starts_a_program_takes_it_along():
    slow = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=vfork',
            '-e', 'inject=vfork:delay_exit=1000000']
    with Daemon(exec_pool('sleep 1000 & echo $$; echo $!; wait'), wrap=slow) as daemon, \
            daemon.connect('p') as sock:
        pids = pids_from(sock, 2)
        os.kill(proc_stat(pids[0])[2], signal.SIGKILL)
        gone(*pids)


def test_a_command_that_vanished_is_logged_and_works_again_when_it_is_back():
    daemon = Daemon(service('exec', 'exec { command = { "{dir}/program" } }'))
    program = daemon.dir / 'program'
    program.write_text('#!/bin/sh\necho here\n')
    program.chmod(0o755)
    with daemon:
        workers = daemon.wait_workers(2)
        assert daemon.ask('p') == b'here\n'
        program.rename(daemon.dir / 'elsewhere')
        for _ in range(5):
            assert daemon.ask('p') == b''
        daemon.wait_log(rf'error: pool p: .*cannot run {program}: No such file or directory')
        (daemon.dir / 'elsewhere').rename(program)
        assert daemon.ask('p') == b'here\n'
        assert daemon.workers() == workers


def test_a_program_that_the_kernel_cannot_run_is_logged():
    daemon = Daemon(service('exec', 'exec { command = { "{dir}/program" } }'))
    (daemon.dir / 'program').write_text('this is no program')
    (daemon.dir / 'program').chmod(0o755)
    with daemon:
        assert daemon.ask('p') == b''
        daemon.wait_log(r'error: pool p: .*cannot run .*/program: Exec format error')


@pytest.mark.parametrize('size', [1, 300000])
def test_an_answer_is_not_lost_though_the_program_reads_nothing(size):
    with Daemon(exec_pool('echo the answer')) as daemon:
        for _ in range(10):
            with daemon.connect('p') as sock:
                sock.sendall(b'x' * size)
                assert read_all(sock) == b'the answer\n'


def test_a_client_that_goes_away_does_not_keep_its_worker():
    with Daemon(service('exec', 'exec { command = { "/bin/cat" } }')) as daemon:
        for _ in range(5):
            with daemon.connect('p') as sock:
                sock.sendall(b'x')
                assert sock.recv(1) == b'x'
        assert daemon.ask('p', b'last') == b'last'
