"""What becomes of the processes: death of workers and master, limits, descriptors, rest."""
import collections
import contextlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

from daemonized import Daemonized
from harness import (PATIENCE, PREFORKD, ROOT, Daemon, alive, children, descriptors,
                     eventually, needs_preload, preload, proc_stat, title)
from load import (ANSWERED, Load, crowd, held, open_client, outcome, paced, pool, read_answer,
                  script)

# A user that nobody else is, so that a limit on its processes counts only ours.
STRANGER = 54321
AS_STRANGER = ['setpriv', f'--reuid={STRANGER}', f'--regid={STRANGER}', '--clear-groups']
# What the kernel makes of a connection whose worker is killed.
LOST_WITH_ITS_WORKER = {'ECONNRESET', 'EPIPE', 'ENOTCONN', 'no answer'}


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(':', 1) for line in lines)}


def limits_of(pid):
    """{name: (soft, hard)} of the resource limits of a process."""
    rows = re.findall(r'^(Max .*?)  +(\w+) +(\w+)', pathlib.Path(f'/proc/{pid}/limits').read_text(),
                      re.M)
    return {name: (soft, hard) for name, soft, hard in rows}


def refused(address):
    family, where = address
    with socket.socket(family) as sock:
        return sock.connect_ex(where) != 0


# --- killed workers ----------------------------------------------------------------------

def test_fifty_workers_killed_at_the_same_moment_leave_no_zombie_and_are_replaced():
    with Daemon(pool('echo', 'workers = 50')) as daemon:
        old = daemon.wait_workers(50)
        with held(daemon, 'echo', 50):  # each has served: nothing is wrong with it
            mark = daemon.mark()
        for pid in old:
            kill(pid)
        daemon.wait_replaced(old, 50, seconds=10)
        eventually(lambda: not daemon.zombies(), 'no zombie')
        for pid in old:
            daemon.wait_log(rf'pool echo: worker {pid} killed by signal 9', since=mark)
        assert crowd(daemon.address('echo'), 100) == {ANSWERED: 100}


def kill_at_random(daemon, rate, seconds):
    """SIGKILLs workers at a rate; returns how many."""
    killed = 0
    for _ in paced(rate, seconds):
        workers = daemon.workers()
        if workers:
            kill(random.choice(workers))
            killed += 1
    return killed


def idle_counts(daemon, name):
    """(by the slots, by the shared count) of the idle workers, as a reload's look logs them."""
    mark = daemon.mark()
    daemon.reload()
    lines = re.findall(rf'pool {name}: \d+ starting, (\d+) idle \((\d+) by count\), 0 busy',
                       daemon.log()[mark:])
    return lines[-1] if lines else None


def test_workers_killed_at_random_under_load_cost_their_own_connection_only():
    conf = pool('fixed', 'workers = 10') + pool(
        'dynamic', 'start_workers = 5', 'min_spare_workers = 5', 'max_spare_workers = 8',
        'max_workers = 40', 'spare_timeout = 500ms')
    with Daemon(conf, level='debug') as daemon:
        with Load(daemon.address('fixed'), rate=400, clients=4) as fixed, \
                Load(daemon.address('dynamic'), rate=400, clients=4) as dynamic:
            killed = kill_at_random(daemon, rate=50, seconds=20)
        assert killed > 200 and fixed.answered > 1000 and dynamic.answered > 1000
        for load in fixed, dynamic:
            assert set(load.failures) <= LOST_WITH_ITS_WORKER
        assert sum(fixed.failures.values()) + sum(dynamic.failures.values()) <= killed
        daemon.wait_workers(10, 'fixed')
        eventually(lambda: idle_counts(daemon, 'fixed') == ('10', '10'), 'ten idle, both ways')
        eventually(lambda: len(set(idle_counts(daemon, 'dynamic') or 'no')) == 1,
                   'the same number of idle workers by both ways')
        # The count of idle workers is right if the pool still grows and shrinks by it.
        with held(daemon, 'dynamic', 20):
            eventually(lambda: 25 <= len(daemon.workers('dynamic')) <= 40, '20 busy, 5 spare')
        eventually(lambda: 5 <= len(daemon.workers('dynamic')) <= 8, '5 to 8 spare workers')
        eventually(lambda: not daemon.zombies(), 'no zombie')


# --- descriptors -------------------------------------------------------------------------

def kinds(pid):
    """{kind of descriptor: how many}; the log, which is also stderr, as 'log'."""
    found = collections.Counter()
    for target in descriptors(pid).values():
        kind = 'log' if target.endswith('/log') else re.sub(r':\[\d+\]$', '', target)
        found[kind] += 1
    return dict(found)


def all_descriptors(daemon):
    return {pid: descriptors(pid) for pid in [daemon.pid, *daemon.workers()]}


def test_ten_thousand_connections_leave_every_set_of_descriptors_as_it_was():
    conf = pool('echo', 'workers = 6') + pool('true', 'workers = 2', 'exec { command = '
                                              '{ "/bin/true" } }', service='exec')
    with Daemon(conf, level='notice') as daemon:
        daemon.wait_workers(8)

        def all_idle():
            records, _ = daemon.request('status')  # to its end: it leaves no descriptor
            return [fields['idle'] for kind, fields in records if kind == 'pool'] == ['6', '2']
        eventually(all_idle, 'idle workers')
        before = all_descriptors(daemon)
        for _ in range(50):
            assert crowd(daemon.address('echo'), 200) == {ANSWERED: 200}
        for _ in range(50):
            assert daemon.ask('true') == b''
        eventually(lambda: all_descriptors(daemon) == before, 'the descriptors from before')


def test_descriptors_are_exactly_the_expected_ones():
    conf = pool('echo', 'workers = 2') + pool('true', 'workers = 1', 'exec { command = '
                                              '{ "/bin/true" } }', service='exec')
    with Daemon(conf) as daemon:
        daemon.wait_workers(3)
        worker = {'/dev/null': 2, 'log': 1, 'socket': 2, 'pipe': 1}
        for pid in daemon.workers('echo'):
            assert kinds(pid) == worker
        for pid in daemon.workers('true'):
            assert kinds(pid) == {**worker, 'pipe': 3}
        assert kinds(daemon.pid) == {'/dev/null': 1, 'log': 2, 'anon_inode:[eventpoll]': 1,
                                     '/memfd:places (deleted)': 2,  # one a pool
                                     '/memfd:figures (deleted)': 1,
                                     'pipe': 2 + 2,      # control, libevent's signals
                                     # log channel, listen, what asks to give way, control
                                     'socket': 2 + 2 + 2 * 2 + 1}


def test_a_worker_that_is_made_when_the_master_has_no_descriptor_left_has_its_own():
    with Daemon(pool('echo', 'workers = 1'), wrap=['prlimit', '--nofile=32:32']) as daemon, \
            contextlib.ExitStack() as stack:
        worker, = daemon.workers('echo')
        before = kinds(worker)
        for _ in range(32):  # who asks for nothing has 5 s
            stack.enter_context(daemon.control_connect())
        eventually(lambda: len(descriptors(daemon.pid)) == 32, 'the master to have no other one')
        kill(worker)
        worker, = daemon.wait_replaced([worker], 1, 'echo')
        eventually(lambda: kinds(worker) == before, f'{before}, not {kinds(worker)}')
        assert daemon.ask('echo', b'hello\n') == b'hello\n'


def test_reloads_that_are_refused_for_want_of_descriptors_take_none_away():
    conf = pool('echo', 'workers = 1')
    more = conf + ''.join(pool(f'more{i}', 'workers = 1') for i in range(8))
    with Daemon(conf) as daemon:
        before, refused = len(descriptors(daemon.pid)), 0
        for limit in range(before + 2, before + 40):  # each way that it can fail
            subprocess.run(['prlimit', '--pid', str(daemon.pid), f'--nofile={limit}:'], check=True)
            daemon.write(more)
            mark = daemon.mark()
            daemon.signal(signal.SIGHUP)
            if daemon.wait_log('reload (done|refused)', since=mark).group(1) == 'done':
                break
            refused += 1
            eventually(lambda: len(descriptors(daemon.pid)) == before,
                       f'{before} descriptors, not {descriptors(daemon.pid)}')
        assert refused > 10


def test_a_daemon_in_the_background_holds_nothing_that_its_starter_had():
    with Daemonized(pool('echo', 'workers = 3')) as daemon:
        for pid in daemon.wait_workers(3):
            assert descriptors(pid)[2] == '/dev/null'
            assert kinds(pid) == {'/dev/null': 3, 'log': 1, 'socket': 2, 'pipe': 1}
        held_by_master = list(descriptors(daemon.pid).values())
        assert held_by_master.count('/dev/null') == 3
        assert f'{daemon.dir}/stderr' not in held_by_master


# --- limits ------------------------------------------------------------------------------

def test_a_limit_of_500_descriptors_and_300_clients_with_4_connections_each():
    conf = pool('echo', 'listen_backlog = 2000')
    with Daemon(conf, wrap=['prlimit', '--nofile=500:500']) as daemon:
        pid = daemon.pid
        assert crowd(daemon.address('echo'), 300 * 4) == {ANSWERED: 1200}
        assert daemon.pid == pid and alive(pid)
        assert 'killed by' not in daemon.log()


@pytest.mark.root
def test_a_process_limit_stops_the_pool_half_way_and_500_clients_are_served():
    if subprocess.run([*AS_STRANGER, 'test', '-x', PREFORKD]).returncode:
        pytest.skip(f'uid {STRANGER} cannot reach {PREFORKD}')
    conf = pool('echo', 'start_workers = 5', 'min_spare_workers = 5', 'max_workers = 50')
    limited = ['prlimit', '--nproc=16:16', *AS_STRANGER]
    daemon = Daemon(conf, wrap=limited, user=False)
    daemon.control = []  # the stranger cannot write the directory
    with daemon:
        first = daemon.wait_workers(5)
        with held(daemon, 'echo', 12):
            daemon.wait_log('pool echo: cannot fork a worker: Resource temporarily unavailable')
            daemon.wait_workers(15)  # and the master
            assert crowd(daemon.address('echo'), 500) == {ANSWERED: 500}
            with Load(daemon.address('echo'), rate=400) as load:
                load.wait_answered(600)  # it goes on trying meanwhile
        assert load.failures == {}
        assert set(first) & set(daemon.workers()) and alive(daemon.pid)
        assert 'killed by' not in daemon.log()
        assert daemon.log().count('cannot fork a worker') <= 2


def cpu_seconds(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_a_worker_without_a_free_descriptor_neither_spins_nor_ends():
    # 0 to 5 are in use, so accept has no number left.
    starved = pool('starved', 'workers = 2', 'rlimit_nofile = 6')
    fine = pool('fine', 'workers = 2', 'rlimit_nofile = 60')
    with Daemon(starved + fine) as daemon:
        workers = daemon.wait_workers(2, 'starved')
        daemon.wait_log('pool starved: .*Too many open files')
        mark, used = daemon.mark(), sum(map(cpu_seconds, workers))
        with Load(daemon.address('fine'), rate=300, clients=2) as load:
            load.wait_answered(600)  # two seconds
        assert load.failures == {}
        assert daemon.workers('starved') == workers
        assert sum(map(cpu_seconds, workers)) - used < 0.5
        assert daemon.log()[mark:].count('Too many open files') <= 3
        # Repaired, it serves again, also those that came meanwhile.
        with daemon.connect('starved') as waiting:
            waiting.sendall(b'waits\n')
            daemon.reload(starved.replace('= 6', '= 60') + fine)
            assert waiting.recv(6) == b'waits\n'


ACCEPT_FAILS = '''
int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    static const int errors[] = { ECONNABORTED, ENFILE, ENOBUFS, EPROTO, ENOMEM, ECONNABORTED };
    static unsigned n;
    int (*real)(int, struct sockaddr *, socklen_t *, int) =
        (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
    if (n < sizeof(errors) / sizeof(errors[0])) { errno = errors[n++]; return -1; }
    return real(fd, sa, len, flags);
}
'''


@needs_preload
def test_accept_may_fail_in_every_way_that_passes(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Daemon(pool('www', 'workers = 2'), env=preload(tmp_path, ACCEPT_FAILS)) as daemon:
        workers = daemon.wait_workers(2)
        assert outcome(daemon.address('www'), b'hello\n') == ANSWERED
        assert daemon.workers() == workers
        for line in 'connection was gone before', 'cannot accept connections':
            assert daemon.log().count(line) == 1  # of two workers, at most one in ten seconds


# --- death of the master -----------------------------------------------------------------

def test_after_kill_of_the_master_idle_workers_go_and_a_busy_one_ends_its_request():
    conf = pool('idle', 'workers = 20') + pool('busy', 'workers = 2', script(
        'read x; echo working; read y; echo done'), service='exec')
    with Daemon(conf) as daemon, daemon.connect('busy') as client:
        workers, address = daemon.wait_workers(22), daemon.address('idle')
        client.sendall(b'go\n')
        assert client.recv(20) == b'working\n'
        try:
            daemon.signal(signal.SIGKILL)
            daemon.ended()
            eventually(lambda: sum(map(alive, workers)) == 1, 'the end of idle workers', 5)
            client.sendall(b'end\n')
            assert client.recv(20) == b'done\n' and client.recv(20) == b''
            eventually(lambda: not any(map(alive, workers)), 'the end of the busy worker', 5)
        finally:
            for pid in filter(alive, workers):
                kill(pid)
        assert refused(address)
        assert_starts_again(daemon, address)


DEAF = script("trap '' TERM; echo working; while :; do sleep 600; done")
SLEEPS = script('echo working; exec sleep 600')
CGI = 'http { document_root = "{dir}" cgi "/" { script = "{dir}/script" } }'


@pytest.mark.parametrize('service, section', [('exec', SLEEPS), ('exec', DEAF), ('http', CGI), ('echo', '')],
                         ids=['exec', 'deaf', 'cgi', 'echo'])
def test_after_kill_of_the_master_nobody_outlives_graceful_timeout(service, section):
    conf = pool('busy', 'workers = 1', 'graceful_timeout = 1h', section, service=service)
    daemon = Daemon(conf)
    cgi = daemon.dir / 'script'
    cgi.write_text('#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nworking\\n"; exec sleep 600\n')
    cgi.chmod(0o755)
    with daemon, daemon.connect('busy') as client:
        [worker] = daemon.wait_workers(1)
        client.sendall(b'GET / HTTP/1.0\r\n\r\n' if service == 'http' else b'working\n')
        eventually(lambda: b'working' in client.recv(1000), 'the beginning of its answer')
        daemon.reload(conf.replace('1h', '500ms'))  # in place
        everybody = [worker, *children(worker)]
        assert len(everybody) == (1 if service == 'echo' else 2)
        try:
            daemon.signal(signal.SIGKILL)
            daemon.ended()
            eventually(lambda: not any(map(alive, everybody)), 'the end of worker and program')
            assert client.recv(20) == b''
        finally:
            for pid in filter(alive, everybody):
                kill(pid)


def assert_starts_again(daemon, address):
    """A new start on the address that the dead daemon had."""
    with Daemon(pool('idle', listen='127.0.0.1:%d' % address[1][1])) as again:
        assert again.address('idle') == address
        assert again.ask('idle', b'again\n') == b'again\n'


# --- crash loops -------------------------------------------------------------------------

def new_children(master, known, end):
    """Every pid that shows up below the master until then, by looking all the time."""
    seen = set()
    path = pathlib.Path(f'/proc/{master}/task/{master}/children')
    while time.monotonic() < end:
        seen.update(map(int, path.read_text().split()))
    return seen - set(known)


def forks_of_crash_loop(daemon):
    """Takes the directory away and kills the pool bit by bit: the forks of 0.9 seconds."""
    shutil.rmtree(daemon.dir / 'home')
    before, workers = children(daemon.pid), daemon.workers('homeless')
    began, seen = time.monotonic(), set()
    for number, pid in enumerate(workers, 1):
        kill(pid)
        seen |= new_children(daemon.pid, before, began + 0.9 * number / len(workers))
    return seen


def test_workers_that_cannot_start_are_forked_ever_more_slowly_until_repaired():
    conf = pool('homeless', 'workers = 4', 'directory = "{dir}/home"') + pool('fine')
    daemon = Daemon(conf)
    (daemon.dir / 'home').mkdir()
    with daemon:
        daemon.wait_workers(4, 'homeless')
        fine = daemon.wait_workers(5, 'fine')
        mark, began = daemon.mark(), time.monotonic()
        assert len(forks_of_crash_loop(daemon)) <= 10    # those that are seen; the log tells of them all
        daemon.wait_log('pool homeless: workers do not .*next attempt in 4s', since=mark)
        pauses = re.findall(r'pool homeless: .*next attempt in (\d+)s', daemon.log())
        assert pauses == ['1', '2', '4']
        assert len(daemon.log()) - mark < 1024 * (time.monotonic() - began + 1)
        assert daemon.workers('fine') == fine
        assert daemon.ask('fine', b'untouched\n') == b'untouched\n'
        (daemon.dir / 'home').mkdir()
        daemon.reload()
        daemon.wait_workers(4, 'homeless', 10)
        assert daemon.ask('homeless', b'whole\n') == b'whole\n'


# --- what a worker is --------------------------------------------------------------------

def test_a_worker_has_the_state_that_its_pool_asks_for():
    conf = pool('www', 'workers = 1', 'umask = "027"', 'nice = 5', 'rlimit_nofile = 99',
                'rlimit_core = 0', 'rlimit_fsize = 1M', 'directory = "{dir}"',
                'no_new_privs = true')
    with Daemon(conf) as daemon:
        worker, = daemon.wait_workers(1)
        state = status_of(worker)
        assert (state['Umask'], state['NoNewPrivs']) == ('0027', '1')
        assert os.getpriority(os.PRIO_PROCESS, worker) == 5
        limits = limits_of(worker)
        assert limits['Max open files'] == ('99', '99')
        assert limits['Max core file size'] == ('0', '0')
        assert limits['Max file size'] == ('1048576', '1048576')
        assert os.readlink(f'/proc/{worker}/cwd') == str(daemon.dir)
        assert title(worker) == 'preforkd: pool www'
        assert title(daemon.pid) == f'preforkd: master {daemon.conf_path}'


@pytest.mark.skipif(not ROOT or not shutil.which('setpriv'), reason='needs root and setpriv')
def test_a_master_that_may_not_signal_its_workers_says_so():
    with Daemon(pool('echo', 'workers = 3'), wrap=['setpriv', '--bounding-set', '-kill']) as daemon:
        workers = daemon.wait_workers(3)
        daemon.signal(signal.SIGTERM)
        try:
            daemon.wait_log(r'error: cannot send signal \d+ to worker \d+: .*: '
                            'the master needs CAP_KILL$')
            assert daemon.log().count('cannot send signal') == 1
        finally:
            for pid in workers:
                kill(pid)
        assert daemon.ended() == 0


def test_a_worker_is_a_child_in_the_session_of_its_master():
    with Daemon(pool('www', 'workers = 1')) as daemon:
        worker, = daemon.wait_workers(1)
        _, _, parent, session, _ = proc_stat(worker)
        assert (parent, session) == (daemon.pid, proc_stat(daemon.pid)[3])


def test_options_that_a_pool_does_not_set_leave_a_worker_as_the_master_is():
    with Daemon(pool('www', 'workers = 1')) as daemon:
        worker, = daemon.wait_workers(1)
        state = status_of(worker)
        assert (state['Umask'], state['NoNewPrivs']) == ('0022', '0')
        assert os.readlink(f'/proc/{worker}/cwd') == '/'
        assert limits_of(worker) == limits_of(daemon.pid)
        assert os.getpriority(os.PRIO_PROCESS, worker) == 0


@pytest.mark.root
def test_a_worker_of_a_root_master_is_its_user_and_nothing_else():
    conf = pool('www', 'workers = 1', 'user = "daemon"', 'group = "nogroup"',
                'supplementary_groups = { "mail", "news" }')
    with Daemon(conf) as daemon:
        state = status_of(daemon.wait_workers(1)[0])
        assert state['Uid'].split() == ['1'] * 4
        assert state['Gid'].split() == ['65534'] * 4
        assert sorted(state['Groups'].split()) == ['8', '9']
        assert int(state['CapEff'], 16) == int(state['CapPrm'], 16) == 0
        assert int(status_of(daemon.pid)['CapEff'], 16) != 0


@pytest.mark.root
def test_a_worker_stands_in_its_chroot():
    conf = pool('www', 'workers = 1', 'chroot = "{dir}/jail"', 'directory = "/inside"')
    daemon = Daemon(conf)
    (daemon.dir / 'jail/inside').mkdir(parents=True)
    with daemon:
        worker, = daemon.wait_workers(1)
        assert os.readlink(f'/proc/{worker}/root') == f'{daemon.dir}/jail'
        assert os.readlink(f'/proc/{worker}/cwd') == f'{daemon.dir}/jail/inside'
        assert daemon.ask('www', b'hello\n') == b'hello\n'


def test_signals_blocked_or_ignored_by_whoever_starts_it_do_not_reach_the_workers():
    rude = ['env', '--ignore-signal=HUP,CHLD,USR1,PIPE,TERM', '--block-signal=TERM,CHLD,QUIT']
    with Daemon(pool('www', 'workers = 2'), wrap=rude) as daemon:
        first, second = daemon.wait_workers(2)
        assert int(status_of(first)['SigBlk'], 16) == 0
        kill(first)
        assert second in daemon.wait_replaced([first], 2)
        assert not daemon.zombies()
        daemon.reload()
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0


def test_a_log_that_may_grow_no_more_ends_neither_master_nor_workers():
    with Daemon(pool('www', 'workers = 2')) as daemon:
        first, second = daemon.wait_workers(2)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, 1))
        before = daemon.log()
        daemon.done('reload')
        kill(first)
        workers = daemon.wait_replaced([first], 2)
        assert second in workers and daemon.ask('www', b'x') == b'x'
        assert daemon.log() == before
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0


# --- rest --------------------------------------------------------------------------------

class Strace:
    """strace -c on a master and its workers, inside a with block; then `calls`."""

    def __init__(self, daemon, name):
        self.pids = [daemon.pid, *daemon.workers()]
        self.path = daemon.dir / name
        self.calls = None

    def __enter__(self):
        attach = [word for pid in self.pids for word in ('-p', str(pid))]
        self.process = subprocess.Popen(['strace', '-c', '-f', '-o', self.path, *attach],
                                        stderr=subprocess.PIPE, text=True)
        eventually(lambda: self.process.poll() is not None or all(
            status_of(pid)['TracerPid'] != '0' for pid in self.pids), 'strace to attach')
        if self.process.poll() is not None:
            pytest.skip('tracing is not permitted: ' + self.process.stderr.read()[:200])
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE)
        rows = re.findall(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?(\w+)$', self.path.read_text(), re.M)
        self.calls = {name: int(calls) for calls, name in rows if name != 'total'}


def is_sampled(pool_status):
    """Whether its history knows of all its requests; then nothing is to be done for it."""
    steps = pool_status['history'].split(';')[1:]
    return sum(int(step.split(',')[2]) for step in steps) == pool_status['requests']


def calls_in_ten_seconds(*daemons):
    """The system calls that each of the daemons makes, counted at the same time."""
    with contextlib.ExitStack() as stack:
        traces = [stack.enter_context(Strace(daemon, 'calls')) for daemon in daemons]
        with pytest.raises(subprocess.TimeoutExpired):
            traces[0].process.wait(10)
    return [trace.calls for trace in traces]


@pytest.mark.skipif(not shutil.which('strace'), reason='needs strace')
def test_an_idle_daemon_makes_no_system_call_with_5_and_with_200_workers():
    few = Daemon(pool('few', 'max_spare_workers = 5', 'spare_timeout = 200ms'))
    full = Daemon(pool('full', 'start_workers = 0', 'min_spare_workers = 0', 'max_workers = 2'))
    with few, Daemon(pool('many', 'workers = 200')) as many, full:
        with held(few, 'few', 10):  # idle again, after it has grown and shrunk
            assert len(few.workers()) >= 10
        few.wait_workers(5)
        eventually(lambda: is_sampled(few.pool_status('few')), 'the sample of its requests')
        many.wait_workers(200)
        with held(full, 'full', 2):  # all workers wait for clients, and a client for them
            waiting = open_client(full.address('full'), b'waits\n')
            *idle, saturated = calls_in_ten_seconds(few, many, full)
            assert idle == [{}, {}]
            # The length of the queue is looked at once a second, for its longest.
            assert saturated.get('epoll_wait', 0) <= 45 and sum(saturated.values()) <= 120
        assert read_answer(waiting) == b'waits\n'
        with Strace(few, 'one') as one:
            assert outcome(few.address('few'), b'hello\n') == ANSWERED
        assert one.calls    # so they are seen where there are some
