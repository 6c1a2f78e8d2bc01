"""CGI: a thousand clients that leave in the middle of something, at random moments."""
import contextlib
import random
import re
import socket
import threading
import time

import pytest

from harness import SANITIZED, alive
from scripts import TEXT, Scripts, cgi, chunked, nothing_left, reset
from web import http, request

CLIENTS, WORKERS, THREADS = 1000, 24, 12
PAUSE = 'while :; do echo line; sleep 0.01; done'
SCRIPTS = {
    'silent': 'exec sleep 1000', 'head': TEXT + 'exec sleep 1000', 'endless': TEXT + 'exec yes',
    'prints': TEXT + PAUSE, 'nph-endless': 'exec yes', 'quick': TEXT + 'echo quick',
    'cat': TEXT + 'cat', 'early': TEXT + 'head -c 1000000 /dev/zero; wc -c',
    'stderr': PAUSE + '>&2',
    'children': 'sleep 1000 & sleep 1000 & ' + TEXT + 'wait', 'bad': 'echo bad; exec sleep 1000',
    'leaves': TEXT + 'sleep 1000 & exit', 'closes': TEXT + 'exec >&-; sleep 0.1',
    'dies': 'kill -9 $$', 'deaf': 'trap "" TERM; ' + TEXT + 'exec sleep 1000'}


def bodies(chance):
    """The head and what follows of a request with or without a body.  A FIN stands behind all
    that was sent, and is seen when that has found room in the sockets, not before."""
    kind, size = chance.randrange(4), chance.choice([1, 1000, 20000, 80000])
    if kind == 0:
        return [f'Content-Length: {size}'], chance.randbytes(size)
    if kind == 1:
        return ['Transfer-Encoding: chunked'], chunked(chance.randbytes(size), 5000)
    return [], request('/cgi-bin/quick') * (kind - 2)


def one(site, address, chance, name):
    """A client that asks, sends a part of what it should, perhaps reads something, and leaves."""
    fields, body = bodies(chance)
    data = request(f'/cgi-bin/{name}', *fields, method='POST' if fields else 'GET') + body
    client = site.client(address=address)
    client.sock.settimeout(0.02 * chance.random())
    with contextlib.suppress(socket.timeout, ConnectionError):
        client.send(data[:chance.choice([len(data), chance.randrange(1, len(data))])])
        for _ in range(chance.randrange(3)):
            client.more()
    time.sleep(chance.choice([0, 0.001, 0.03]) * chance.random())  # a random moment
    chance.choice([reset, lambda client: client.sock.close()])(client)


@pytest.mark.parametrize('seed', [1])
def test_1000_clients_that_leave_at_random_moments(seed):
    conf = http(cgi('timeout = 1h'), 'body_timeout = 1h', options=(f'workers = {WORKERS}',))
    with Scripts(SCRIPTS, conf=conf) as site, nothing_left(site):
        mark, address = site.mark(), site.address('web')
        chance = random.Random(seed)
        names = [name for name in SCRIPTS if name != 'deaf']
        # Each of the deaf holds its worker for 5 seconds.
        plan = chance.choices(names, k=CLIENTS - 10) + ['deaf'] * 10
        chance.shuffle(plan)
        failures = []

        def work(number):
            try:
                own = random.Random(seed * 1000 + number)
                for name in plan[number::THREADS]:
                    one(site, address, own, name)
            except Exception as error:  # to fail the test
                failures.append(error)
        threads = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        site.wait_gone(seconds=7 * (3 if SANITIZED else 1))
        workers = site.workers()
        assert len(workers) == WORKERS and all(map(alive, workers))
        pool = site.pool_status('web')
        assert (pool['crashes'], pool['total']) == (0, WORKERS)
        assert not re.search(r'worker \d+ (killed|exited)', site.log()[mark:])
        for _ in range(2 * WORKERS):
            assert site.ask('/cgi-bin/quick').body == b'quick\n'
