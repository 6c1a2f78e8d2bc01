#!/usr/bin/python3
"""preforkd beside what people use today, on this machine, now.

`make bench` runs it; README.md says what each line means.  PREFORKD is the daemon's binary,
BENCH_BIN the directory of the compiled helper programs.
"""
import argparse
import contextlib
import os
import select
import signal
import socket
import statistics
import sys
import time

import cgi
import figures
import manage
import peers
import php
import proc
import web
from daemon import DEFAULT_POOL, ON_DEMAND_POOL, RULES, Bare, Module, Preforkd, fixed_pool
from server import START_SECONDS, Failure, Place
from table import (HEADER, Row, Series, at_least_times, at_most, available, interleave, kib, milliseconds,
                   per_second, rate, seconds, show)

ROUNDS = 3
QUICK = 3               # turns a round, of what takes a second or two
SHORT = 7               # and of what takes less

BURST_CLIENTS = 200
RATE_CLIENTS = 8        # processes that connect one time after the other
RATE_WORKERS = 16
EXEC_CONNECTIONS = 1500
ECHO_CONNECTIONS = 15000
MANY_WORKERS = 1000
SERVED_BEFORE = 200     # connections that a pool has served when its memory is looked at

LIMIT = Bare.title


# ---- the benchmarks: each takes its samples and returns its rows ----

def burst(place, rounds):
    def fresh(server, *args, times=1):
        """A server just started, and one burst or two."""
        def sample():
            with server(place, *args, 'nap') as s:
                return {name: s.load('burst', BURST_CLIENTS)['seconds']
                        for name in ('first', 'again')[:times]}
        return sample

    got = interleave('burst', rounds, {
        'preforkd': fresh(Preforkd, DEFAULT_POOL, times=2),
        'preforkd, on demand': fresh(Preforkd, ON_DEMAND_POOL),
        LIMIT: fresh(Bare, BURST_CLIENTS),
        **{peer.title: available(peer, fresh(peer, times=times))
           for peer, times in ((peers.Postfix, 2), (peers.Apache, 1), (peers.PhpFpm, 1))},
    })
    postfix = {peers.Postfix.title: got[peers.Postfix.title]}
    managers = {p.title: got[p.title] for p in (peers.Postfix, peers.Apache, peers.PhpFpm)}
    limit = {LIMIT: got[LIMIT]}
    return [
        Row(f'burst of {BURST_CLIENTS}, default pool', seconds, 'first', got['preforkd'],
            {**managers, **limit}, at_most(1.15, seconds)),
        Row(f'burst of {BURST_CLIENTS}, on-demand pool', seconds, 'first', got['preforkd, on demand'],
            {**postfix, **limit}, at_most(1.2, seconds)),
        Row('  the same again at once, default pool', seconds, 'again', got['preforkd'], postfix),
    ]


def executed(place, rounds):
    with contextlib.ExitStack() as running:
        def started(title, server, *args):
            """The server runs through all rounds; a sample is one run of the clients."""
            if server.unavailable():
                return server.unavailable()
            try:
                s = running.enter_context(server(place, *args, 'hello'))
            except (Failure, OSError) as error:
                return f'failed: {error}'
            return lambda: rate(s.load('rate', RATE_CLIENTS, EXEC_CONNECTIONS))

        servers = {
            'preforkd': (Preforkd, fixed_pool(RATE_WORKERS)),
            'preforkd with rules': (Preforkd, fixed_pool(RATE_WORKERS) + RULES),
            **{peer.title: (peer,) for peer in (peers.Tcpserver, peers.TcpserverRules, peers.Xinetd,
                                                peers.XinetdRules)},
            'bare accept, spawn': (Bare, RATE_WORKERS),
        }
        got = interleave('exec', rounds * QUICK, {
            **{title: started(title, *server) for title, server in servers.items()},
            LIMIT: lambda: rate(place.run('spawn', RATE_CLIENTS, EXEC_CONNECTIONS, place.bin / 'hello')),
        })
    ours, with_rules = got.pop('preforkd'), got.pop('preforkd with rules')
    their_rules = {peer.title: got.pop(peer.title) for peer in (peers.TcpserverRules, peers.XinetdRules)}
    without = got[peers.Tcpserver.title]
    got[peers.Tcpserver.title] = without, at_least_times(1.05)
    return [Row('exec connections', per_second, 'rate', ours, got),
            Row('  with access rules', per_second, 'rate', with_rules,
                {**their_rules, f'{peers.Tcpserver.title} without': (without, at_least_times(1.0)),
                 'preforkd without': ours})]


def echoed(place, rounds):
    with Preforkd(place, fixed_pool(RATE_WORKERS)) as ours, Bare(place, RATE_WORKERS, None) as bare:
        got = interleave('echo', rounds * SHORT, {
            s.title: lambda s=s: rate(s.load('rate', RATE_CLIENTS, ECHO_CONNECTIONS)) for s in (ours, bare)})
    return [Row('echo connections', per_second, 'rate', got['preforkd'],
                {LIMIT: (got[LIMIT], at_least_times(0.9))})]


def moduled(place, rounds):
    pool = fixed_pool(RATE_WORKERS)
    with Module(place, pool, None) as module, Preforkd(place, pool) as built_in, \
            Preforkd(place, pool, 'hello') as program, Bare(place, RATE_WORKERS, None) as bare:
        got = interleave('module', rounds * SHORT, {
            title: lambda s=s, n=n: rate(s.load('rate', RATE_CLIENTS, n)) for title, s, n in (
                ('module', module, ECHO_CONNECTIONS), ('built-in echo', built_in, ECHO_CONNECTIONS),
                ('exec', program, EXEC_CONNECTIONS), (LIMIT, bare, ECHO_CONNECTIONS))})
    ours = got.pop('module')
    got['exec'] = got['exec'], at_least_times(5)
    return [Row('module connections', per_second, 'rate', ours, got)]


def echo_once(port):
    with socket.create_connection(('127.0.0.1', port), START_SECONDS) as s:
        s.sendall(b'hello\n')
        s.shutdown(socket.SHUT_WR)
        if s.recv(64) != b'hello\n':
            raise Failure('no echo')


def replaced(place, rounds):
    def sample():
        with Preforkd(place, fixed_pool(1)) as daemon:
            echo_once(daemon.port)
            begin = time.perf_counter()
            echo_once(daemon.port)
            ordinary = time.perf_counter() - begin
            [worker] = proc.children(daemon.master)
            with os.fdopen(os.pidfd_open(worker)) as watch:
                begin = time.perf_counter()
                os.kill(worker, signal.SIGKILL)
                select.select([watch], [], [])      # dead: it takes no connection with it
                echo_once(daemon.port)
            return {'replaced': time.perf_counter() - begin, 'ordinary': ordinary}

    got = interleave('replace', rounds * SHORT, {'preforkd': sample})['preforkd']
    ordinary = Series(got.trouble)
    ordinary.values['replaced'] = got.values['ordinary']
    return [Row('a killed worker replaced', milliseconds, 'replaced', got,
                {'nobody killed': ordinary}, at_most(0.005, milliseconds))]


def started(place, rounds):
    def look(master):
        workers = len(proc.children(master))
        if workers != MANY_WORKERS:
            raise Failure(f'{workers} workers')
        return {'fork': proc.fork_span(master), 'rss': proc.rss(master), 'pss': proc.pss(master)}

    def ours():
        with Preforkd(place, fixed_pool(MANY_WORKERS)) as daemon:
            return {'ready': daemon.ready_seconds, **look(daemon.master)}

    def bare():
        with Bare(place, MANY_WORKERS, None) as loop:
            return look(loop.master)

    got = interleave('start', rounds * QUICK, {'preforkd': ours, LIMIT: bare})
    mine, limit = got['preforkd'], {LIMIT: got[LIMIT]}
    return [
        Row(f'fork of {MANY_WORKERS:,} workers', milliseconds, 'fork', mine, limit,
            at_most(0.1, milliseconds)),
        Row('  from the start until all are ready', milliseconds, 'ready', mine, {}),
        Row("  the master's resident memory", kib, 'rss', mine, limit, at_most(4096, kib)),
        Row("  the master's proportional memory", kib, 'pss', mine, limit),
    ]


def remembered(place, rounds):
    def sample(server, *args):
        def look():
            with server(place, *args) as s:
                s.load('rate', RATE_CLIENTS, SERVED_BEFORE)
                workers = proc.children(s.master)
                return {'private': statistics.median(map(proc.private, workers)),
                        'pss': statistics.median(map(proc.pss, workers))}
        return look

    got = interleave('memory', rounds, {
        'preforkd': sample(Preforkd, DEFAULT_POOL),
        **{peer.title: available(peer, sample(peer)) for peer in (peers.Apache, peers.PhpFpm)},
        LIMIT: sample(Bare, 5, None),
    })
    ours = got.pop('preforkd')
    return [Row('private memory of an idle worker', kib, 'private', ours, got, at_most(60, kib)),
            Row('  its proportional memory', kib, 'pss', ours, got)]


BENCHMARKS = {'burst': burst, 'exec': executed, 'echo': echoed, 'module': moduled, 'replace': replaced, 'start': started,
              'memory': remembered, **manage.BENCHMARKS, **figures.BENCHMARKS, **web.BENCHMARKS, **cgi.BENCHMARKS,
              **php.BENCHMARKS}


def rows(name, place, rounds):
    try:
        return BENCHMARKS[name](place, rounds)
    except (Failure, OSError) as error:
        return [Row(name, str, '', Series(f'failed: {error}'), {})]


def arguments():
    parser = argparse.ArgumentParser(description='preforkd beside its peers, on this machine')
    parser.add_argument('-r', '--rounds', type=int, default=ROUNDS, help=f'rounds of each (default {ROUNDS})')
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of {", ".join(BENCHMARKS)} (default: all)')
    args = parser.parse_args()
    for name in args.names:
        if name not in BENCHMARKS:
            parser.error(f'no benchmark {name}: there are {", ".join(BENCHMARKS)}')
    if args.rounds < 1:
        parser.error('at least one round')
    for variable in ('PREFORKD', 'BENCH_BIN'):
        if not os.environ.get(variable):
            parser.error(f'{variable} is not set: run make bench')
    return args


def main():
    args = arguments()
    os.environ['PREFORKD'] = os.path.abspath(os.environ['PREFORKD'])
    failed = False
    show(HEADER)
    with Place(os.environ['BENCH_BIN']) as place:
        for name in args.names or BENCHMARKS:
            for row in rows(name, place, args.rounds):
                failed |= bool(row.ours.trouble)
                for cells in row.lines():
                    show(cells)
    print("\nMedians of n turns. ratio: preforkd / theirs, the median of the turns' own ratios.\n"
          f'{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}.')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
