"""The page of the status, served as the daemon would, with whatever the test says is the
status: `Site` has the page and status.json, and both come from the same records.
"""
import contextlib
import http.server
import os
import pathlib
import random
import subprocess
import threading

from fake import DAEMON, Fake, pool, worker
from harness import PATIENCE, PREFORKD

BUILD = pathlib.Path(os.environ.get('BUILDDIR', os.path.dirname(PREFORKD)))
PRINT_PAGE = BUILD / 'tests/unit/print_page'
MARKUP = '<script>alert(1)</script><b>&amp;"\'</b>'
ODD = MARKUP + '\\x1b[2J\\x0a\x7f \u202e\u00fc\u65e5\udcff'


def event(ago_ms, of, kind, text):
    return f'event\tago_ms={ago_ms}\tpool={of}\tkind={kind}\ttext={text}\n'.encode(
        errors='surrogateescape')


def history(chance, top, queue, rate):
    """Ten minutes with a hill in them."""
    steps = []
    for i in range(60):
        hill = max(0.0, 1 - abs(i - 42) / 14)
        busy = int(top * (0.25 + 0.75 * hill) * chance.uniform(0.85, 1))
        steps.append(f'{busy},{int(queue * max(0, hill - 0.6) / 0.4)},{int(rate * (busy + 1))}')
    return '4;' + ';'.join(steps) + ';1,0,0'


def crew(name, chance, number, states, since=20000):
    return b''.join(
        worker(name, 4000 + i, slot=i, state=state, requests=chance.randrange(4000),
               age_ms=chance.randrange(4000, 4000000), since_ms=int(since * chance.random() ** 6),
               bytes_in=chance.randrange(1 << 20), bytes_out=chance.randrange(1 << 28),
               client='' if state in ('idle', 'starting', 'draining') else
               f'192.0.2.{chance.randrange(1, 255)}:{chance.randrange(1024, 65536)}',
               request='GET /articles/%d?page=%d HTTP/1.1' % (chance.randrange(900), i)
               if state in ('busy', 'writing') else '')
        for i, state in enumerate(chance.choices(*zip(*states.items()), k=number)))


FIGURES = dict(
    requests=51002, bytes_in=3284112, bytes_out=1104822134, given_way=12, refused_times=2,
    refused_access=31, p50_us=1240, p90_us=8400, p99_us=41250, max_us=2104000, timed_out=1,
    died_signal=3, died_exit=2, crashes=5, durations='1000:20000,inf:51002', duration_sum_us=99)
BUSY_MIX = dict(idle=8, reading=2, busy=5, writing=4, keepalive=4, closing=1, waiting=1)


def everyday(more=0):
    """A status with something of everything, and so many more requests."""
    chance = random.Random(7)
    return DAEMON + b''.join([
        event(4100, 'www', 'death', 'worker 3991 killed by signal 9 (Killed) after 3h02m, 1204 requests'),
        event(65000, 'mail', 'backoff', 'workers exited with status 1 within 1 s, 6 times; next attempt in 8 s'),
        event(610000, '', 'reload', '/etc/preforkd/preforkd.conf:21: unknown option "max_wrokers"'),
        pool('www', service='http', listen='*:80', busy=11, total=24, max_workers=150, accepted=48213,
             queue_length=0, queue_limit=511, history=history(chance, 14, 0, 31),
             **{**FIGURES, 'requests': FIGURES['requests'] + more}),
        crew('www', chance, 24, BUSY_MIX),
        pool('api', service='http', listen='127.0.0.1:8081', busy=16, total=16, max_workers=16,
             accepted=9120, queue_length=87, queue_limit=128, saturated_ms=12000,
             history=history(chance, 16, 87, 4), **{**FIGURES, 'p99_us': 2900000, 'p50_us': 480000}),
        crew('api', chance, 16, dict(busy=9, writing=3), since=90000),
        pool('mail', listen='127.0.0.1:2525', total=0, max_workers=5, accepted=17, crashes=12,
             queue_length=0, queue_limit=511, next_try_ms=4000, state='backed off',
             last_failure='exited with status 1'),
        pool('echo', service='echo', listen='/run/echo.sock', total=4, busy=1, max_workers=10, accepted=3,
             queue_length=0, queue_limit=511),
        crew('echo', chance, 3, dict(idle=1)), worker('echo', 5001, state='draining', client='uid 1000',
                                                      since_ms=4000, age_ms=900000, requests=9),
        b'ok\n'])


def crowd(number=1000):
    chance = random.Random(8)
    return DAEMON + b''.join([
        pool('www', service='http', listen='*:80', busy=600, total=number, max_workers=number, accepted=48213,
             queue_length=40, queue_limit=511, history=history(chance, 900, 40, 9), **FIGURES),
        crew('www', chance, number, {**BUSY_MIX, 'starting': 1, 'draining': 1, 'killed': 1}), b'ok\n'])


def odd():
    """Whatever others can put into it is odd."""
    return b''.join(line.encode(errors='surrogateescape') for line in (
        f'daemon\tversion={ODD}\tpid=1\tstate={ODD}\treload_state=refused\treload_text={ODD}\n',
        f'event\tago_ms=1\tpool={ODD}\tkind={ODD}\ttext={ODD}\n',
        f'pool\tname={ODD}\tservice={ODD}\tlisten={ODD}\tstate={ODD}\tlast_failure={ODD}\n',
        f'worker\tpool={ODD}\tpid=2\tstate=busy\tclient={ODD}\trequest={ODD}\n',
        f'worker\tpool={ODD}\tpid=3\tstate={ODD}\tclient={ODD}\trequest={ODD}\n', 'ok\n'))


class Site:
    """Inside a with block.  `records` is what the daemon says now, or a function that has it;
    `fails` is the status of status.json while it is no 200, or 'closed', or 'silent'."""

    def __init__(self, records):
        self.records, self.fails, self.paths = records, None, []
        self.over = threading.Event()

    def __enter__(self):
        self.fake = Fake(lambda sock: sock.sendall(self.now())).__enter__()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    site.answer(self)

            def log_message(self, *words):
                pass
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = 'http://127.0.0.1:%d/' % self.server.server_address[1]
        # It looks so often, in seconds, whether it is to end.
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *failure):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.fake.__exit__(*failure)

    def now(self):
        return self.records() if callable(self.records) else self.records

    def page(self):
        """(policy, the page)."""
        records = b''.join(self.now().splitlines(True)[:-1])
        said = subprocess.run([PRINT_PAGE], input=records, stdout=subprocess.PIPE, check=True,
                              timeout=PATIENCE).stdout
        policy, page = said.split(b'\n', 1)
        return policy.decode(), page

    @property
    def asked(self):
        """How often the script has."""
        return self.paths.count('/status.json')

    def answer(self, request):
        self.paths.append(request.path)
        if request.path == '/':
            policy, body = self.page()
            headers = {'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy}
        else:
            if self.fails == 'silent':
                self.over.wait()
            if self.fails in ('silent', 'closed'):
                request.close_connection = True
                return
            if self.fails or request.path != '/status.json':
                request.send_error(self.fails or 404)
                return
            body = self.fake.run('status', '--json', text=False).stdout
            headers = {'Content-Type': 'application/json'}
        request.send_response(200)
        for name, value in {**headers, 'Content-Length': len(body)}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
