"""What managing costs those who are served: reloads, looks at the state, and many workers."""
import contextlib
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import time

import peers
import proc
from daemon import DEFAULT_POOL, Preforkd, fixed_pool
from server import START_SECONDS, Failure, wait_until
from table import Goal, Row, at_most, at_most_times, available, count, interleave, milliseconds

RELOADS = 5
STREAM_RATE = 50        # requests a second that end at once
LONG_CLIENTS = 4        # requests that take LONG_SECONDS each, one after the other
LONG_SECONDS = 3
RELOAD_PAUSE = 1        # seconds between the end of a reload and the next
SLOW_START = 3          # seconds, see slow_start.c

ASKED = 100             # times that the state is asked for in a sample
BUSY_WORKERS = 100
MANY_BUSY = 1000
WAITING = 100           # clients that no worker has taken on
SATURATED_POOLS = 3     # of BUSY_WORKERS, with WAITING clients each
STATUS_PATIENCE = 2     # seconds
STATUS_GOAL = 0.010

FEW_WORKERS, MANY_WORKERS = 10, 1000
SCALE_CLIENTS = 8
SCALE_WARM_UP = 20000
SCALE_REQUESTS = 50000
SCALE_SHOWN = 10000     # requests that the figures are for
SWING_CLIENTS = 10      # connections that come together and go together
SWING_WORKERS = 5       # so many less than that are spare
SWINGS = 100
STEADY_GOAL = 0.0025    # seconds for SCALE_SHOWN requests: about a hundredth of the time that they take


# ---- reload ----

def reload_often(server, start_seconds):
    """Reloads it RELOADS times; returns the workers that it had before."""
    first = set(proc.children(server.master))
    time.sleep(RELOAD_PAUSE)
    for _ in range(RELOADS):
        begin = time.monotonic()
        server.reload()
        if time.monotonic() - begin < start_seconds:
            raise Failure('the new workers did not take their time')
        time.sleep(RELOAD_PAUSE)
    return first


def reloading(server, *args, reloads=True, start_seconds=0, **options):
    """A sample: the requests of a server just started, and how it goes with them at reloads."""
    duration = RELOAD_PAUSE * (RELOADS + 3) + RELOADS * start_seconds
    in_turn = -(-duration // LONG_SECONDS)      # long requests of a client, one after the other

    def sample():
        with contextlib.ExitStack() as stack:
            s = stack.enter_context(server(*args, program='nap', **options))
            long = stack.enter_context(s.naps(LONG_SECONDS, 'rate', LONG_CLIENTS, LONG_CLIENTS * in_turn))
            short = stack.enter_context(s.naps(0, 'stream', STREAM_RATE, duration))
            begin = time.monotonic()
            first = reload_often(s, start_seconds) if reloads else set()
            elapsed = time.monotonic() - begin
            if elapsed > duration:
                raise Failure(f'{RELOADS} reloads took {elapsed:.1f} s')
            short, long = short(), long()
            wait_until(lambda: not first & set(proc.children(s.master)), 'end of the old workers')
        return {'lost': short['failed'] + long['failed'], 'added': short['slowest'] - short['median']}

    return sample


def reloaded(place, rounds):
    got = interleave('reload', rounds, {
        'preforkd': reloading(Preforkd, place, DEFAULT_POOL),
        'preforkd, slow start': reloading(Preforkd, place, DEFAULT_POOL, start_seconds=SLOW_START,
                                          slow_start=True),
        'no reload': reloading(Preforkd, place, DEFAULT_POOL, reloads=False),
        **{peer.title: available(peer, reloading(peer, place)) for peer in (peers.Nginx, peers.Apache)},
    })
    ours, slow = got.pop('preforkd'), got.pop('preforkd, slow start')
    none = Goal('none', lambda value: value == 0)
    worst = at_most(0.020, milliseconds)
    lost = {title: series for title, series in got.items() if title != 'no reload'}
    return [
        Row(f'{RELOADS} reloads: requests lost', count, 'lost', ours, lost, none),
        Row('  the worst wait that they add', milliseconds, 'added', ours, got, worst),
        Row(f'  workers need {SLOW_START} s: requests lost', count, 'lost', slow, {}, none),
        Row('  the worst wait that they add', milliseconds, 'added', slow, got, worst),
    ]


def connected(port):
    return socket.create_connection(('127.0.0.1', port), START_SECONDS)


# ---- status ----

def preforkctl():
    return pathlib.Path(os.environ.get('PREFORKCTL') or
                        pathlib.Path(os.environ['PREFORKD']).with_name('preforkctl'))


def asked_tool(control, *words):
    done = subprocess.run([preforkctl(), '-s', control, *(words or ('status', '--json'))], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=STATUS_PATIENCE)
    if done.returncode:
        raise Failure(f'preforkctl: {done.stderr.decode().strip()}')


def read_all(sock, request):
    """The whole answer to a request, within STATUS_PATIENCE for each part of it."""
    answer = []
    sock.settimeout(STATUS_PATIENCE)
    sock.sendall(request)
    while not answer or answer[-1]:
        answer.append(sock.recv(1 << 20))
    return b''.join(answer)


def asked_socket(control):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(control))
        answer = read_all(s, b'status\n')
    if not answer.rpartition(b'\n')[0].rpartition(b'\n')[2].startswith(b'ok'):
        raise Failure('no whole answer from the control socket')
    return answer


def check_state(control, workers):
    """What it tells must be so."""
    [pool] = [line for line in asked_socket(control).splitlines() if line.startswith(b'pool\t')]
    if not {b'busy=%d' % workers, b'queue_length=%d' % WAITING} <= set(pool.split(b'\t')):
        raise Failure(f'wrong state: {pool}')


def asked_apache(port):
    with connected(port) as s:
        if b'Scoreboard: ' not in read_all(s, b'GET /status?auto HTTP/1.0\r\n\r\n'):
            raise Failure('no status page')


def timed(ask, *args):
    """The median and the worst time of one answer."""
    times = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        try:
            ask(*args)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise Failure(f'none in {STATUS_PATIENCE} s') from error
        times.append(time.perf_counter() - begin)
    return statistics.median(times), max(times)


@contextlib.contextmanager
def occupied(port, workers, waiting):
    """
    Clients that keep a server busy by a request that does not go on; the ones beyond its
    workers wait in its queue.  Each has sent a byte, because Apache lets the kernel keep
    the silent ones away from it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, workers + waiting + 100)), hard))
    with contextlib.ExitStack() as clients:
        for _ in range(workers + waiting):
            client = clients.enter_context(connected(port))
            client.sendall(b'G')
        wait_until(lambda: proc.queue(port) == waiting, f'{workers} busy, {waiting} waiting')
        yield


def asking(place, workers):
    """A sample of the raw socket and of preforkctl, one after the other."""
    def sample():
        settings = f'control_socket = "{place.dir}/control.sock"\n'
        with Preforkd(place, fixed_pool(workers), settings=settings) as daemon, \
                occupied(daemon.port, workers, WAITING):
            control = place.dir / 'control.sock'
            check_state(control, workers)
            raw, raw_worst = timed(asked_socket, control)
            tool, tool_worst = timed(asked_tool, control)
        return {'raw': raw, 'raw worst': raw_worst, 'tool': tool, 'tool worst': tool_worst}
    return sample


WAYS = {'raw': '/', 'readyz': '/readyz', 'metrics': '/metrics', 'json': '/status.json'}


def asked_service(port, path):
    with connected(port) as s:
        answer = read_all(s, f'GET {path} HTTP/1.0\r\n\r\n'.encode())
    if not answer.startswith(b'HTTP/1.1 200 '):
        raise Failure(f'{path}: {answer[:100]}')
    return answer


def asking_service(place):
    """A sample of all ways to ask, while all workers of several pools are busy."""
    names = [f'p{i}' for i in range(1, SATURATED_POOLS)]
    others = ''.join(f'pool "{name}" {{ service = "echo" listen = "127.0.0.1:0" '
                     f'workers = {BUSY_WORKERS} }}\n' for name in names)
    settings = (f'control_socket = "{place.dir}/control.sock"\n{others}pool "status" {{ service = "status" '
                'listen = "127.0.0.1:0" workers = 2 status { allow = { "127.0.0.1" } } }\n')

    def sample():
        found = {}
        with contextlib.ExitStack() as stack:
            daemon = stack.enter_context(Preforkd(place, fixed_pool(BUSY_WORKERS), settings=settings))
            for name in ('bench', *names):
                stack.enter_context(occupied(daemon.ports[name], BUSY_WORKERS, WAITING))
            metrics = asked_service(daemon.ports['status'], WAYS['metrics']).decode()
            for name in ('bench', *names):
                if f'preforkd_accept_queue_length{{pool="{name}"}} {WAITING}\n' not in metrics:
                    raise Failure(f'{name} is not saturated')
            for way, path in WAYS.items():
                found[way], found[f'{way} worst'] = timed(asked_service, daemon.ports['status'], path)
            found['tool'], found['tool worst'] = timed(asked_tool, place.dir / 'control.sock', 'status')
        return found
    return sample


def asking_apache(place, busy, waiting):
    def sample():
        with peers.ApacheStatus(place, BUSY_WORKERS) as server, occupied(server.port, busy, waiting):
            raw, worst = timed(asked_apache, server.port)
        return {'raw': raw, 'raw worst': worst}
    return sample


def told(place, rounds):
    peer = peers.ApacheStatus
    one_free, all_busy = 'Apache, 1 free', 'Apache'
    got = interleave('status', rounds, {
        'preforkd': asking(place, BUSY_WORKERS),
        'many': asking(place, MANY_BUSY),
        'pools': asking_service(place),
        one_free: available(peer, asking_apache(place, BUSY_WORKERS - 1, 0)),
        all_busy: available(peer, asking_apache(place, BUSY_WORKERS, WAITING)),
    })
    ours, many, pools = got.pop('preforkd'), got.pop('many'), got.pop('pools')
    goal = at_most(STATUS_GOAL, milliseconds)
    return [
        Row(f'status: {BUSY_WORKERS} busy, {WAITING} wait', milliseconds, 'raw', ours, got, goal),
        Row(f'  the worst of {ASKED}', milliseconds, 'raw worst', ours, got, goal),
        Row('  by preforkctl status --json', milliseconds, 'tool', ours, {}),
        Row(f'  the worst of {ASKED}', milliseconds, 'tool worst', ours, {}),
        Row(f'status: {MANY_BUSY:,} busy, {WAITING} wait', milliseconds, 'raw', many, {}, goal),
        Row(f'  the worst of {ASKED}', milliseconds, 'raw worst', many, {}, goal),
        Row('  by preforkctl status --json', milliseconds, 'tool', many, {}),
        Row(f'  the worst of {ASKED}', milliseconds, 'tool worst', many, {}),
        Row(f'{SATURATED_POOLS} pools, {WAITING} wait for each: the page', milliseconds, 'raw', pools,
            {all_busy: got[all_busy]}, goal),
        Row(f'  the worst of {ASKED}', milliseconds, 'raw worst', pools, {all_busy: got[all_busy]}, goal),
        *(row for figure, title in (('readyz', '/readyz'), ('metrics', '/metrics'), ('json', '/status.json'),
                                    ('tool', 'preforkctl status'))
          for row in (Row(f'  {title}', milliseconds, figure, pools, {}, goal),
                      Row(f'  the worst of {ASKED}', milliseconds, f'{figure} worst', pools, {}, goal))),
    ]


# ---- scale ----

def dynamic_pool(workers, min_spare, spare_timeout='10s'):
    return (f'start_workers = {workers}\nmin_spare_workers = {min_spare}\nmax_spare_workers = {workers}\n'
            f'max_workers = {workers + 2 * SWING_CLIENTS}\nspare_timeout = {spare_timeout}\n')


def steady(server):
    """Clients that connect all the time; the pool has settled before."""
    server.load('rate', SCALE_CLIENTS, SCALE_WARM_UP)
    before = proc.cpu_seconds(server.master)
    server.load('rate', SCALE_CLIENTS, SCALE_REQUESTS)
    return (proc.cpu_seconds(server.master) - before) * SCALE_SHOWN / SCALE_REQUESTS


def swinging(server):
    """Connections that come together and go together; each time SWING_WORKERS are made and ended."""
    def workers():
        return len(proc.children(server.master))

    before, usual = proc.cpu_seconds(server.master), workers()
    for _ in range(SWINGS):
        with contextlib.ExitStack() as clients:
            for _ in range(SWING_CLIENTS):
                clients.enter_context(connected(server.port))
            wait_until(lambda: workers() >= usual + SWING_WORKERS, 'spare workers come')
        wait_until(lambda: workers() <= usual, 'spare workers go')
    return (proc.cpu_seconds(server.master) - before) * SCALE_SHOWN / (SWINGS * SWING_CLIENTS)


def scaled(place, rounds):
    settings = f'max_workers = {2 * MANY_WORKERS}\n'

    def cost(workers):
        def sample():
            found = {}
            for name, pool, load in (
                    ('fixed', fixed_pool(workers), steady),
                    ('dynamic', dynamic_pool(workers, workers - SCALE_CLIENTS // 2), steady),
                    ('swing', dynamic_pool(workers, workers - SWING_CLIENTS + SWING_WORKERS, '0s'),
                     swinging)):
                with Preforkd(place, pool, settings=settings) as daemon:
                    found[name] = load(daemon)
            return found
        return sample

    few = f'of {FEW_WORKERS} workers'
    got = interleave('scale', rounds, {'preforkd': cost(MANY_WORKERS), few: cost(FEW_WORKERS)})
    ours, other = got['preforkd'], got[few]
    silent = at_most(STEADY_GOAL, milliseconds)
    return [
        Row(f'the master of {MANY_WORKERS:,} workers, fixed', milliseconds, 'fixed', ours, {few: other},
            silent),
        Row('  dynamic pool, steady load', milliseconds, 'dynamic', ours, {few: other}, silent),
        Row('  dynamic pool, load comes and goes', milliseconds, 'swing', ours,
            {few: (other, at_most_times(1.2))}),
    ]


BENCHMARKS = {'reload': reloaded, 'status': told, 'scale': scaled}
