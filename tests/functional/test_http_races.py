"""The http service: races that must not be lost, each for a short while.

`make race` runs them for longer: PREFORKD_RACE_TRIES of those that are counted, for
PREFORKD_RACE_SECONDS all others together.
"""
import collections
import contextlib
import ctypes
import multiprocessing
import os
import random
import time
import traceback

import pytest

from harness import PATIENCE, SANITIZED, eventually
from test_http_conn import CLOSE, LONG
from web import Site, http, put, request

TRIES = int(os.environ.get('PREFORKD_RACE_TRIES', '4000'))
SECONDS = float(os.environ.get('PREFORKD_RACE_SECONDS', '18' if SANITIZED else '9'))
RACERS = 16
FORK = multiprocessing.get_context('fork')


def in_processes(number, job):
    """job(0), job(1), ... at one time, each in a process of its own: what they return."""
    results = FORK.Queue()

    def run(each):
        try:
            results.put((job(each), None))
        except BaseException:
            results.put((None, traceback.format_exc()))
    processes = [FORK.Process(target=run, args=[each], daemon=True) for each in range(number)]
    for process in processes:
        process.start()
    try:
        got = [results.get(timeout=20 * PATIENCE) for _ in processes]
        assert not any(failure for _, failure in got), next(filter(None, (f for _, f in got)))
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [result for result, _ in got]


# ---- keep-alive that gives way -----------------------------------------------------------

def sleep_until(moment):
    """To a few microseconds."""
    time.sleep(max(0, moment - time.perf_counter() - 0.0002))
    while time.perf_counter() < moment:
        pass


def read_answer(client):
    """Whether it says that it closes.  Looks at what matters here: there are many of them."""
    while not client.buffer.endswith(b'\r\n\r\nfile'):
        assert client.more(), f'the end after {client.buffer!r}'  # a reset would fail here
    assert client.buffer.startswith(b'HTTP/1.1 200 OK\r\n'), client.buffer
    closes = b'\r\nConnection: close\r\n' in client.buffer
    client.buffer = b''
    return closes


def a_kept_client(site, address):
    """A connection that holds the worker, and nobody waits."""
    def found():
        client = site.client(address=address)
        if not read_answer(client.send(request('/file'))):
            return client
        client.sock.close()
        return None
    return eventually(found, 'a connection that is kept', every=0.001)


def race(site, address, delay):
    """Sends on a kept connection so much later than somebody else has come who wants its
    worker: whether that was in time.  The other one is answered in any case."""
    with a_kept_client(site, address) as kept, site.client(address=address) as other:
        other.send(request('/file', CLOSE))
        sleep_until(time.perf_counter() + delay)
        with contextlib.suppress(BrokenPipeError):  # only behind an end in order
            kept.send(request('/file'))
        in_time = kept.more()
        if in_time:
            read_answer(kept)
        kept.sock.close()
        read_answer(other)
        return in_time


def races(site, name, tries):
    """{in time or not: how often}; it goes to where the outcome is open, and stays there."""
    address, chance = site.address(name), random.Random(name)
    words, delay, step = collections.Counter(), 0.001, 0.0005
    for _ in range(tries):
        in_time = race(site, address, max(0, chance.gauss(delay, 0.00005)))
        words[in_time] += 1
        if not in_time:
            step = 0.00003
        delay += step if in_time else -step
    return words


def test_what_gave_way_was_idle():
    """Clients that send at that very moment get an answer, or an end in order."""
    names = [f'web{number}' for number in range(RACERS)]
    conf = ''.join(http(LONG, name=name, options=('workers = 1',)) for name in names)
    with Site(conf, {'file': b'file'}) as site:
        words = sum(in_processes(RACERS, lambda number: races(site, names[number],
                                                              TRIES // RACERS)),
                    collections.Counter())
    print(f'{words[True]} in time, {words[False]} too late')
    assert words[True] > TRIES / 10 and words[False] > TRIES / 10, words


# ---- renames -----------------------------------------------------------------------------

CHOICES = ['no', 'owner', 'yes']


def exchange(one, other):
    """Two names change places at one moment."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(one))


@contextlib.contextmanager
def changing_places(pairs):
    """Each two names change places all the time while the block runs."""
    def run():
        while True:
            for one, other in pairs:
                exchange(one, other)
    process = FORK.Process(target=run, daemon=True)
    process.start()
    try:
        yield
        assert process.is_alive()
    finally:
        process.kill()
        process.join()


def race_site(choice):
    """Names that are now a file or directory of the site and now a link to outside."""
    site = Site(http(f'follow_symlinks = "{choice}"', 'precompressed = { "gzip" }',
                     'directory_listing = true', 'index = { "index.html" }'),
                {'name': b'inside', 'dir/name': b'inside', 'deep/dir/name': b'inside',
                 'dir/index.html': b'inside', 'packed.gz': b'inside', 'packed': b'inside'})
    put(site.dir / 'outside/name', b'secret')
    put(site.dir / 'outside/dir/name', b'secret')
    put(site.dir / 'outside/index.html', b'secret')
    pairs = []
    for name, link in [('name', '../outside/name'), ('dir', '../outside'),
                       ('deep', '../outside'), ('packed.gz', '../outside/name')]:
        other = site.root / f'other-{name}'
        os.symlink(link, other)
        pairs.append((site.root / name, other))
    os.mkdir(site.root / 'third', 0o755)
    pairs.append((site.root / 'name', site.root / 'third'))
    return site, pairs


@pytest.mark.parametrize('choice', CHOICES)
def test_a_race_of_renames_never_serves_a_byte_from_outside(choice):
    site, pairs = race_site(choice)
    targets = ['/name', '/dir/name', '/deep/dir/name', '/dir/', '/packed', '/third', '/third/',
               '/other-name', '/other-dir/name', '/']
    seen = {target: collections.Counter() for target in targets}
    with site, changing_places(pairs):
        until = time.monotonic() + SECONDS / len(CHOICES)
        while time.monotonic() < until:
            with site.client() as client:
                answers = b''.join(request(target, 'Accept-Encoding: gzip') for target in targets)
                client.send(answers * 8)
                for target in targets * 8:
                    answer = client.response()
                    seen[target][answer.status] += 1
                    assert b'secret' not in answer.body, answer
                    assert answer.status != 200 or b'inside' in answer.body or \
                        b'<' in answer.body, answer
    print(sum(counts.total() for counts in seen.values()), 'answers')
    for target in '/name', '/dir/name', '/deep/dir/name', '/dir/', '/other-name':
        assert {200, 404} <= set(seen[target]), seen  # the race was one
