"""What a worker has of memory for itself: all that nobody has written since the fork is shared."""
import os
import pathlib
import re
import statistics

import pytest

from harness import SANITIZED, Daemon
from load import pool, script
from web import Site, http, put

pytestmark = pytest.mark.skipif(SANITIZED, reason='sanitizers write to pages of their own')

PAGE = os.sysconf('SC_PAGE_SIZE')
SERVED = 60             # connections, by WORKERS in turn
WORKERS = 4


def private(pid):
    """Pages that would come back if the process ended: no other maps them."""
    try:
        text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    except (FileNotFoundError, PermissionError) as error:
        pytest.skip(str(error))
    return sum(map(int, re.findall(r'Private_\w+: +(\d+) kB', text))) * 1024 // PAGE


def pages(daemon, name):
    """Of a worker of this pool, the median."""
    return statistics.median(map(private, daemon.wait_workers(WORKERS, name)))


def workers_only(name, *options, **service):
    return pool(name, f'workers = {WORKERS}', *options, **service)


def test_an_idle_worker_of_echo_has_few_pages_of_its_own():
    with Daemon(workers_only('p'), env={'LONG': 'x' * 60000}) as daemon:    # what its title may use
        for _ in range(SERVED):
            assert daemon.ask('p', b'hello') == b'hello'
        assert pages(daemon, 'p') <= 16


def test_so_has_one_that_has_run_programs():
    with Daemon(workers_only('p', script('echo hello'), service='exec')) as daemon:
        for _ in range(SERVED):
            assert daemon.ask('p') == b'hello\n'
        assert pages(daemon, 'p') <= 16


def test_a_web_worker_has_a_few_more():
    conf = http(options=(f'workers = {WORKERS}', 'access_log = "{dir}/access.log"'))
    with Site(conf, {'file': b'x' * 1000}) as site:
        for _ in range(SERVED):
            assert site.ask('/file').status == 200
        assert pages(site, 'web') <= 21


def test_a_large_page_leaves_nothing_behind():
    conf = http('directory_listing = true', options=(f'workers = {WORKERS}',))
    with Site(conf) as site:
        for number in range(3000):
            put(site.root / 'd' / f'{number}{"x" * 200}')
        for _ in range(4 * WORKERS):
            assert len(site.ask('/d/').body) > 1 << 20
        assert pages(site, 'web') <= 600


def test_other_pools_cost_a_worker_nothing():
    names = [f'pool-{letter}' for letter in 'abcdefghijkl']
    with Daemon(''.join(map(workers_only, names))) as daemon:
        assert max(pages(daemon, name) for name in names) <= 16
