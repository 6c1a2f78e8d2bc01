"""CGI in the http service beside the servers that people run scripts with."""
import contextlib
import socket
import statistics
import time

from daemon import fixed_pool
from server import Failure
from table import Row, at_least_times, at_most, interleave, milliseconds, per_second, rate
from web import TURNS, Running, mib_per_second, wrk
from web_servers import WebApache, WebLighttpd, WebPreforkd, make_files, request

WORKERS = 16
CLIENTS = 8             # of the small script
SPAWNED = 1500
EARLY_REQUESTS = 5      # in a turn, one after the other
EARLY_GOAL = 0.010
PATIENCE = 30           # seconds
BULK = 100 << 20        # bytes
BULK_REQUESTS = 3       # in a turn, one after the other
END = '.'               # one byte: no chunk ends in the middle of it
LIMIT = 'physical limit'


class CgiPreforkd(WebPreforkd):
    def site_settings(self):
        return f'limit_request_body = 1G\ncgi "/bin/" {{ path = "{self.place.bin}" }}\n'


class CgiApache(WebApache):
    modules = (*WebApache.modules, 'alias', 'cgi')

    def site_settings(self):
        return self.script_alias()


class CgiLighttpd(WebLighttpd):
    """As Debian configures it: bodies and answers are taken whole, then passed on."""
    modules = ('mod_alias', 'mod_cgi', *WebLighttpd.modules)
    streaming = 0

    def site_settings(self):
        return f'''server.upload-dirs = ("{self.dir}")
server.stream-request-body = {self.streaming}
server.stream-response-body = {self.streaming}
$HTTP["url"] =~ "^/bin/" {{
cgi.assign = ("" => "")
alias.url = ("/bin/" => "{self.place.bin}/")
}}
'''


class CgiStreamingLighttpd(CgiLighttpd):
    title = 'lighttpd, streaming'
    streaming = 2


LIGHTTPDS = (CgiLighttpd, CgiStreamingLighttpd)


def script(target, *fields, method='GET'):
    """Load options to run one of the helpers."""
    return '-r', request(f'bin/{target}', *fields, 'Connection: close', method=method)


def compared(name, place, turns, measure, servers, others=None):
    """Samples of preforkd and of those, and of what else is to take turns with them."""
    www = make_files(place.dir / 'www')
    with contextlib.ExitStack() as stack:
        running = Running(stack)
        got = interleave(name, turns, {
            CgiPreforkd.title: running.sample(measure, CgiPreforkd, www, True, place, fixed_pool(WORKERS)),
            CgiApache.title: running.sample(measure, CgiApache, www, True, place, WORKERS),
            **{s.title: running.sample(measure, s, www, True, place) for s in servers},
            **(others or {})})
    return got.pop(CgiPreforkd.title), got


def small_script(place, rounds, name, once):
    def spawned():
        return rate(place.run('spawn', CLIENTS, SPAWNED, place.bin / 'hello'))

    def measure(server):
        server.load_options, server.answers = ('-o', *script('hello')), {None: 'hello\n'}
        server.load('rate', 1, 1)       # wrk does not look at the bodies
        return wrk(server.port, 'bin/hello', CLIENTS, once)

    ours, others = compared(name, place, rounds * TURNS, measure, [CgiLighttpd], {LIMIT: spawned})
    others[CgiLighttpd.title] = others[CgiLighttpd.title], at_least_times(1.15)
    return Row(name, per_second, 'rate', ours, others)


def first_line(server):
    """Seconds until the script's first line is there; the second one must come too."""
    begin, answer = time.perf_counter(), b''
    with socket.create_connection(('127.0.0.1', server.port), PATIENCE) as s:
        s.sendall(request('bin/early', 'Connection: close').encode())
        took = None
        while part := s.recv(4096):
            answer += part
            if took is None and b'early\n' in answer:
                took = time.perf_counter() - begin
    if took is None or not answer.removesuffix(b'\r\n0\r\n\r\n').endswith(b'late\n'):
        raise Failure(answer.partition(b'\r')[0].decode() or 'closed without an answer')
    return took


def early_line(place, rounds):
    def measure(server):
        return {'first': statistics.median(first_line(server) for _ in range(EARLY_REQUESTS))}

    name = 'CGI: first line, before a pause'
    ours, others = compared(name, place, rounds * TURNS, measure, LIGHTTPDS)
    return Row(name, milliseconds, 'first', ours, others, at_most(EARLY_GOAL, milliseconds))


def bulk(place, rounds, name, options, end):
    """So many bytes each time; end is what the answer ends with."""
    def measure(server):
        server.load_options, server.answers = ('-o', *options), {None: end}
        figures = server.load('rate', 1, BULK_REQUESTS)
        return {'rate': figures['done'] * (BULK >> 20) / figures['seconds']}

    ours, others = compared(name, place, rounds * TURNS, measure, LIGHTTPDS)
    for peer in LIGHTTPDS:
        others[peer.title] = others[peer.title], at_least_times(1.0)
    return Row(name, mib_per_second, 'rate', ours, others)


def run_as_cgi(place, rounds):
    upload = script('bulk', f'Content-Length: {BULK}', method='POST')
    return [
        small_script(place, rounds, 'CGI script, closed each time', True),
        small_script(place, rounds, 'CGI script, kept alive', False),
        early_line(place, rounds),
        bulk(place, rounds, 'CGI: 100 MiB with a length', script(f'bulk?{BULK}&length'), END),
        bulk(place, rounds, '  without one', script(f'bulk?{BULK}'), END),
        bulk(place, rounds, '  100 MiB to a script', (*upload, '-b', BULK), f'{BULK}\n'),
    ]


BENCHMARKS = {'cgi': run_as_cgi}
