"""A worker that has gone mad or is not ours any more: what it shares with the master (pipes,
descriptors with their flags) it may use as it likes, and the master must neither stop nor
neglect the other pools."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess

import pytest

from harness import ROOT, Daemon, alive, descriptors, eventually, proc_stat, without_proc
from load import ANSWERED, outcome, pool
from web import Site, http

PIDFD_GETFD = 438
# struct scoreboard_slot: activity, pid, requests, connections, since_ms, program
SLOT, SLOT_PROGRAM = 64, 32


def stolen(pid, fd):
    """The same open file as descriptor fd of the process, its flags included."""
    libc = ctypes.CDLL(None, use_errno=True)
    with contextlib.ExitStack() as stack:
        try:
            pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError) as error:
            pytest.skip(f'pidfd_open(2): {error}')
        stack.callback(os.close, pidfd)
        got = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
        if got < 0:
            pytest.skip(f'pidfd_getfd(2): {os.strerror(ctypes.get_errno())}')
        return got


@contextlib.contextmanager
def seized(pid, wanted):
    """All descriptors of a worker whose target begins so, as if the caller were it."""
    fds = [stolen(pid, fd) for fd, target in descriptors(pid).items()
           if fd > 2 and target.startswith(wanted)]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def claims_a_program(worker, pid):
    """Writes into a worker's slot of the scoreboard that it runs this program."""
    maps = pathlib.Path(f'/proc/{worker}/maps').read_text()
    with open(f'/proc/{worker}/mem', 'r+b', buffering=0) as memory:
        for low, high in re.findall(r'^(\w+)-(\w+) rw-s \S+ \S+ \S+ +/dev/zero', maps, re.M):
            low, high = int(low, 16), int(high, 16)
            memory.seek(low)
            board = memory.read(min(high - low, 16 << 20))
            for at in range(0, len(board), SLOT):
                activity, its_pid = struct.unpack_from('=II', board, at)
                if its_pid == worker and 0 < activity < 10:
                    memory.seek(low + at + SLOT_PROGRAM)
                    memory.write(struct.pack('=I', pid))
                    return
    raise AssertionError('no slot of the worker')


def everything_blocks(fd):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)


def fills(fd):
    with contextlib.suppress(OSError):
        os.write(fd, struct.pack('=Q', 2 ** 64 - 2))


@pytest.mark.parametrize('madness', [everything_blocks, fills])
def test_what_asks_kept_connections_to_give_way_does_not_hold_the_master(madness):
    conf = http('keepalive_timeout = 1h', options=('workers = 2',)) + pool('echo', 'workers = 1')
    with Site(conf, {'file': b'file'}) as site, contextlib.ExitStack() as stack:
        for worker in site.wait_workers(2, 'web'):
            for fd in stack.enter_context(seized(worker, ('anon_inode:', 'socket:'))):
                madness(fd)
        clients = [stack.enter_context(site.client()) for _ in range(6)]
        for client in clients:  # more than there are workers: the master must ask
            client.send(b'GET /file HTTP/1.1\r\nHost: www.test\r\n\r\n')
        echo, = site.workers('echo')
        for _ in range(3):
            os.kill(echo, signal.SIGKILL)
            echo, = eventually(lambda old=echo: site.workers('echo') not in ([], [old])
                               and site.workers('echo'), 'the master to replace a worker')
            assert outcome(site.address('echo'), b'hello\n') == ANSWERED


@pytest.mark.parametrize('rubbish', [b'?', bytes(range(1, 8)), b'\xff' * 40])
def test_rubbish_in_the_control_pipe_costs_no_other_pool_its_message(rubbish):
    conf = pool('echo', 'workers = 1') + pool('grows', 'start_workers = 1', 'min_spare_workers = 1',
                                              'max_spare_workers = 3', 'max_workers = 5')
    with Daemon(conf) as daemon, contextlib.ExitStack() as stack:
        daemon.wait_workers(1, 'grows')
        pipe, = stack.enter_context(seized(daemon.workers('echo')[0], 'pipe:'))
        try:
            daemon.signal(signal.SIGSTOP)
            os.write(pipe, rubbish)
            family, where = daemon.address('grows')
            client = stack.enter_context(socket.socket(family))
            client.connect(where)
            client.sendall(b'hello\n')
            assert client.recv(6) == b'hello\n'  # so the worker has rung
        finally:
            daemon.signal(signal.SIGCONT)
        daemon.wait_workers(2, 'grows')


@pytest.mark.skipif(not ROOT, reason='only root can kill whom it likes')
@pytest.mark.parametrize('wrap', [list, without_proc], ids=['with /proc', 'without'])
def test_a_stranger_is_not_killed_for_being_the_program_of_a_dead_worker(wrap):
    with Daemon(pool('echo', 'workers = 1'), wrap=wrap()) as daemon, \
            subprocess.Popen(['sleep', '600'], start_new_session=True) as stranger:
        try:
            worker, = daemon.workers('echo')
            claims_a_program(worker, stranger.pid)
            os.kill(worker, signal.SIGKILL)
            daemon.wait_replaced([worker], 1, 'echo')
            assert outcome(daemon.address('echo'), b'hello\n') == ANSWERED
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_without_proc_what_a_dead_worker_has_left_behind_is_killed_too():
    conf = pool('exec', 'workers = 1', 'exec { command = { "/bin/sh", "-c", '
                '"(trap \'\' TERM HUP; echo $$; exec sleep 600) & wait" } }', service='exec')
    with Daemon(conf, wrap=without_proc()) as daemon, daemon.connect('exec') as client:
        leader = int(client.makefile().readline())
        group = [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc')))
                 if (proc_stat(pid) or [None] * 5)[3] == leader]
        assert len(group) == 2
        os.kill(daemon.workers('exec')[0], signal.SIGKILL)
        eventually(lambda: not any(map(alive, group)), 'the program and its child to be killed')
