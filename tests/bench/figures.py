"""What the figures of the status cost those who are served."""
import contextlib

import proc
from daemon import Preforkd, fixed_pool
from server import find_program
from table import Row, at_most_times, interleave
from web import KEPT_WORKERS, WRK_CLIENTS, WRK_SECONDS, wrk
from web_servers import SMALL, WebPreforkd, make_files

TURNS = 3               # a round
COUNTED = 10000000      # requests, of which only the figures are counted
ECHO_WORKERS, ECHO_CLIENTS, ECHO_CONNECTIONS = 16, 8, 15000
SHARE = 0.01            # of a request, at most


def nanoseconds(value):
    return f'{value * 1e9:,.0f} ns'


def processor_time(server):
    """Of the daemon and its workers."""
    return sum(proc.cpu_seconds(pid) for pid in (server.master, *proc.children(server.master)))


def each(server, run):
    """A sample: the processor time of one request; run() makes some and says how many."""
    def sample():
        before = processor_time(server)
        requests = run()
        return {'cost': (processor_time(server) - before) / requests}
    return sample


def counted(place, rounds):
    def figures():
        said = place.run('count', KEPT_WORKERS, COUNTED)
        return {'cost': said['seconds'] / said['done']}

    www = make_files(place.dir / 'www')
    with Preforkd(place, fixed_pool(ECHO_WORKERS)) as echo, contextlib.ExitStack() as stack:
        kept = 'wrk: not installed, skipped'
        if find_program('wrk'):
            files = stack.enter_context(WebPreforkd(www, False, place, fixed_pool(KEPT_WORKERS)))
            kept = each(files, lambda: wrk(files.port, SMALL, WRK_CLIENTS, False)['rate'] * WRK_SECONDS)
        got = interleave('figures', rounds * TURNS, {
            'figures': figures, 'all of a kept file': kept,
            'all of an echo': each(echo, lambda: echo.load('rate', ECHO_CLIENTS, ECHO_CONNECTIONS)['done'])})
    ours = got.pop('figures')
    goal = at_most_times(SHARE)
    return [Row('the figures of a request', nanoseconds, 'cost', ours,
                {title: (series, goal) for title, series in got.items()})]


BENCHMARKS = {'figures': counted}
