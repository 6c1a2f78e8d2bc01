"""The http service beside the servers of files that people use."""
import contextlib
import re
import select
import socket
import statistics
import subprocess
import time

import proc
from daemon import fixed_pool
from server import MAX_WORKERS, Failure, find_program
from table import (Row, Series, at_least_times, at_most, available, count, interleave, kib, milliseconds,
                   per_second)
from web_servers import (END, LARGE, SIZES, SMALL, WebApache, WebBare, WebLighttpd, WebNginx, WebPreforkd,
                         make_files, request)

TURNS = 3               # a round
WRK_THREADS, WRK_CLIENTS, WRK_SECONDS = 2, 32, 1
KEPT_WORKERS = 40       # one for each client, and a few that are idle: nobody has to give way
CLOSED_WORKERS = 16
LARGE_CLIENTS, LARGE_REQUESTS = 4, 60
IDLE_CLIENTS = 600
IDLE_SECONDS = 0.3      # to be served in, or one waits behind those who are idle
FRESH_REQUESTS = 50     # one after the other; the connections stay
FRESH_PATIENCE = 30     # seconds
FRESH_GOAL = 0.020
REMEMBERED_CLIENTS, REMEMBERED_REQUESTS = 8, 10000
PSS_GOAL = 100          # KiB

LIMIT = WebBare.title


def mib_per_second(value):
    return f'{value:,.0f} MiB/s'


def wrk(port, path, clients, once):
    """Requests a second; a failed one is a failure of all."""
    fields = ['-H', 'Connection: close'] if once else []
    command = [find_program('wrk'), '-t', WRK_THREADS, '-c', clients, '-d', WRK_SECONDS, *fields,
               f'http://127.0.0.1:{port}/{path}']
    done = subprocess.run([str(c) for c in command], check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=WRK_SECONDS + FRESH_PATIENCE)
    trouble = re.search(r'^ *(Socket errors|Non-2xx).*', done.stdout, re.MULTILINE)
    found = re.search(r'^Requests/sec: *([\d.]+)', done.stdout, re.MULTILINE)
    if done.returncode or trouble or not found:
        raise Failure(f'wrk: {trouble[0].strip() if trouble else done.stdout.strip()[-60:]}')
    return {'rate': float(found[1])}


class Running:
    """Servers that are there through all rounds; a sample is one run of the clients."""

    def __init__(self, stack):
        self.stack = stack

    def sample(self, measure, server, *args, **options):
        """The function that takes a sample, or why there is none."""
        if server.unavailable():
            return server.unavailable()
        try:
            s = self.stack.enter_context(server(*args, **options))
        except (Failure, OSError) as error:
            return f'failed: {error}'

        def take():
            figures = measure(s)
            s.empty_log()
            return figures
        return take


def file_servers(running, measure, place, www, log, workers):
    """Samples of preforkd and its peers, {title: sample}; as many workers for Apache as for preforkd."""
    return {
        WebPreforkd.title: running.sample(measure, WebPreforkd, www, log, place, fixed_pool(workers)),
        WebApache.title: running.sample(measure, WebApache, www, log, place, workers),
        WebNginx.title: running.sample(measure, WebNginx, www, log, place),
        WebLighttpd.title: running.sample(measure, WebLighttpd, www, log, place),
    }


def small_file(place, www, rounds, name, once, workers, goals):
    """Rows of a 1 KiB file with the access log and without, as the goals are meant."""
    if not find_program('wrk'):
        return [Row(name, str, '', Series('wrk: not installed, skipped'), {})]

    def measure(server):
        return wrk(server.port, SMALL, WRK_CLIENTS, once)

    rows = []
    for log in (True, False):
        with contextlib.ExitStack() as stack:
            running = Running(stack)
            got = interleave(name, rounds * TURNS, {
                **file_servers(running, measure, place, www, log, workers),
                LIMIT: running.sample(measure, WebBare, www, place, workers, once)})
        ours = got.pop(WebPreforkd.title)
        rows.append(Row(name if log else '  without an access log', per_second, 'rate', ours, {
            title: (series, None if log else goals.get(title)) for title, series in got.items()}))
    return rows


def large_file(place, www, rounds):
    def measure(server):
        server.ask_for(LARGE)
        figures = server.load('rate', LARGE_CLIENTS, LARGE_REQUESTS)
        return {'rate': figures['done'] * (SIZES[LARGE] >> 20) / figures['seconds']}

    with contextlib.ExitStack() as stack:
        got = interleave('10 MiB file', rounds * TURNS, file_servers(
            Running(stack), measure, place, www, True, CLOSED_WORKERS))
    ours = got.pop(WebPreforkd.title)
    return [Row('10 MiB file', mib_per_second, 'rate', ours, {
        title: (series, at_least_times(1.0)) for title, series in got.items()})]


# ---- idle clients ----

def connected(stack, port):
    """A client that has asked for the small file."""
    s = stack.enter_context(socket.create_connection(('127.0.0.1', port), FRESH_PATIENCE))
    s.sendall(request(SMALL).encode())
    return s


def answered(s):
    """Waits for its answer; true: the server keeps the connection."""
    answer = b''
    while not answer.endswith(END.encode()):
        part = s.recv(1 << 16)
        if not part:
            raise Failure('closed without an answer')
        answer += part
    if not answer.startswith(b'HTTP/1.1 200 '):
        raise Failure(answer.partition(b'\r')[0].decode())
    return b'\r\nConnection: close\r\n' not in answer


def ask(s, stubborn):
    """The same; a client that is told to go goes, unless it is stubborn."""
    if not answered(s) and not stubborn:
        s.close()


def is_kept(s):
    """Still there, and silent."""
    return s.fileno() >= 0 and not select.select([s], [], [], 0)[0]


def hold(stack, port, stubborn):
    """IDLE_CLIENTS one after the other, until somebody has to wait; then the others at once."""
    clients, waiting = [], False
    for _ in range(IDLE_CLIENTS):
        s = connected(stack, port)
        waiting = waiting or not select.select([s], [], [], IDLE_SECONDS)[0]
        if not waiting:
            ask(s, stubborn)
            clients.append(s)
    return clients


def fresh_requests(server, times, stubborn):
    """One after the other; each client stays."""
    with contextlib.ExitStack() as stack:
        idle = hold(stack, server.port, stubborn)
        kept = sum(map(is_kept, idle))
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            ask(connected(stack, server.port), stubborn)
            took.append(time.perf_counter() - begin)
    return {'first': took[0], 'worst': max(took), 'kept': kept}


def beside_idle(place, www, rounds):
    def sample(times, server, *args, stubborn=False):
        def take():
            with server(www, True, place, *args) as s:
                return fresh_requests(s, times, stubborn)
        return take

    pool = fixed_pool(MAX_WORKERS)
    got = interleave('idle clients', rounds, {
        WebPreforkd.title: sample(FRESH_REQUESTS, WebPreforkd, pool),
        'stubborn': sample(FRESH_REQUESTS, WebPreforkd, pool, stubborn=True),
        WebApache.title: available(WebApache, sample(1, WebApache, MAX_WORKERS)),
        WebNginx.title: available(WebNginx, sample(FRESH_REQUESTS, WebNginx)),
    })
    ours, stubborn = got.pop(WebPreforkd.title), got.pop('stubborn')
    nginx = {WebNginx.title: got[WebNginx.title]}
    goal = at_most(FRESH_GOAL, milliseconds)
    return [Row(f'{IDLE_CLIENTS} idle clients: a fresh request', milliseconds, 'first', ours, got, goal),
            Row(f'  the worst of {FRESH_REQUESTS}', milliseconds, 'worst', ours, nginx, goal),
            Row('  idle connections kept meanwhile', count, 'kept', ours, got),
            Row('  clients that do not go when told to', milliseconds, 'first', stubborn, {}, goal),
            Row(f'  the worst of {FRESH_REQUESTS}', milliseconds, 'worst', stubborn, {}, goal)]


# ---- memory ----

def remembered(place, www, rounds):
    """Proportional memory is shared by the workers that there are: so all have as many."""
    def sample(server, *args):
        def take():
            with server(www, True, place, *args) as s:
                s.load('rate', REMEMBERED_CLIENTS, REMEMBERED_REQUESTS)
                workers = proc.children(s.master)
                return {'private': statistics.median(map(proc.private, workers)),
                        'pss': statistics.median(map(proc.pss, workers))}
        return take

    got = interleave('memory of http', rounds, {
        WebPreforkd.title: sample(WebPreforkd, fixed_pool(KEPT_WORKERS)),
        WebApache.title: available(WebApache, sample(WebApache, KEPT_WORKERS)),
        **{peer.title: available(peer, sample(peer)) for peer in (WebNginx, WebLighttpd)}})
    ours = got.pop(WebPreforkd.title)
    return [Row(f'worker after {REMEMBERED_REQUESTS:,}: private', kib, 'private', ours, got),
            Row('  its proportional memory', kib, 'pss', ours, got, at_most(PSS_GOAL, kib))]


def served(place, rounds):
    www = make_files(place.dir / 'www')
    kept = {WebApache.title: at_least_times(2.0), WebNginx.title: at_least_times(0.9)}
    closed = {WebApache.title: at_least_times(1.1), WebNginx.title: at_least_times(1.1)}
    return [
        *small_file(place, www, rounds, '1 KiB file, kept alive', False, KEPT_WORKERS, kept),
        *small_file(place, www, rounds, '1 KiB file, closed each time', True, CLOSED_WORKERS, closed),
        *large_file(place, www, rounds),
        *beside_idle(place, www, rounds),
        *remembered(place, www, rounds),
    ]


BENCHMARKS = {'http': served}
