"""With all workers of all pools busy and 100 clients waiting for each pool: the status answers,
and says what the kernel says, which ss and ps tell.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from harness import PATIENCE, eventually
from load import pool, script
from test_status import status_pool
from web import Site, http

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ['ss', 'ps'])), reason='needs ss and ps')

WORKERS, WAITING = 10, 100
FIXED = f'workers = {WORKERS}'
PATIENT = 'echo { idle_timeout = 1h }'
CONF = http('header_timeout = 1h', options=[FIXED]) + \
    pool('echo', FIXED, PATIENT) + pool('exec', FIXED, script('read line'), service='exec') + \
    pool('path', FIXED, PATIENT, listen='{dir}/socket') + status_pool()
POOLS = ['web', 'echo', 'exec', 'path']


def run(*words):
    """The lines that a program prints, as words."""
    said = subprocess.run(words, stdout=subprocess.PIPE, check=True, errors='replace', timeout=PATIENCE).stdout
    return [line.split() for line in said.splitlines()]


def occupied(site, name, stack):
    """Each client has said something, but not all."""
    for _ in range(WORKERS + WAITING):
        stack.enter_context(site.connect(name)).sendall(b'G')


@pytest.fixture(scope='module')
def site():
    with Site(CONF) as site, contextlib.ExitStack() as stack:
        for name in POOLS:
            occupied(site, name, stack)
        eventually(lambda: [(each['queue_length'], each['busy']) for each in site.status()['pools'][:len(POOLS)]]
                   == [(WAITING, WORKERS)] * len(POOLS), 'saturation')
        eventually(lambda: all(program(worker) for worker in site.pool_status('exec')['workers']), 'programs')
        yield site


def program(worker):
    return worker['program'] > 0


def queue_by_ss(site, name):
    """(its length, its limit)"""
    family, address = site.address(name)
    if family == socket.AF_UNIX:
        found = [words for words in run('ss', '-lxH') if address in words]
    else:
        found = run('ss', '-ltnH', f'sport = :{address[1]}')
    (_, *rest), = found if family == socket.AF_INET else [words[1:] for words in found]
    return int(rest[0]), int(rest[1])


def clients_by_ss(site, name):
    """{pid: address of its client}, of connections that somebody has accepted"""
    found = {}
    for words in run('ss', '-tnpH', 'state', 'established', f'sport = :{site.port(name)}'):
        for pid in re.findall(r'pid=(\d+)', words[-1]):
            found[int(pid)] = words[3]
    return found


def by_ps(field, *which):
    """{pid: a field of ps}"""
    return {int(pid): rest for pid, *rest in run('ps', '-o', f'pid=,{field}=', *which)}


@pytest.mark.parametrize('name', POOLS)
def test_the_queue_is_the_one_of_ss(site, name):
    status = site.pool_status(name)
    assert (status['queue_length'], status['queue_limit']) == queue_by_ss(site, name)
    assert status['queue_length'] == WAITING


def test_the_workers_are_those_of_ps(site):
    titles = by_ps('args', '--ppid', str(site.pid))
    told = {worker['pid']: pool['name'] for pool in site.status()['pools'] for worker in pool['workers']}
    assert told == {pid: words[2] for pid, words in titles.items()}
    assert len(told) == len(POOLS) * WORKERS + 2


def test_their_ages_are_those_of_ps(site):
    ages = by_ps('etimes', '--ppid', str(site.pid))
    for pool_status in site.status()['pools']:
        for worker in pool_status['workers']:
            assert worker['age_s'] == pytest.approx(int(ages[worker['pid']][0]), abs=PATIENCE / 10)
    master = int(by_ps('etimes', '-p', str(site.pid))[site.pid][0])
    assert site.status()['uptime_s'] == pytest.approx(master, abs=PATIENCE / 10)


def test_their_programs_are_their_children(site):
    for worker in site.pool_status('exec')['workers']:
        assert list(by_ps('args', '--ppid', str(worker['pid']))) == [worker['program']]


@pytest.mark.parametrize('name, state', [('web', 'reading'), ('echo', 'busy'), ('exec', 'busy')])
def test_their_clients_are_those_of_ss(site, name, state):
    status, clients = site.pool_status(name), clients_by_ss(site, name)
    for worker in status['workers']:
        assert (worker['state'], worker['client']) == (state, clients[worker['pid']])


def page_of_trouble(site):
    """The page, once all pools are known to be saturated, which takes them a moment."""
    trouble = f'{len(POOLS)} of {len(POOLS) + 1} pools in trouble'

    def found():
        page = site.ask('/', pool_name='status').body.decode()
        return page if trouble in page else None
    return eventually(found, trouble)


def test_every_way_to_ask_answers_and_says_the_same(site):
    assert site.ask('/readyz', pool_name='status').body == b'ready\n'
    assert site.ask('/healthz', pool_name='status').status == 200
    document = json.loads(site.ask('/status.json', pool_name='status').body)
    metrics = site.ask('/metrics', pool_name='status').body.decode()
    page = page_of_trouble(site)
    text = site.done('status')
    for each in document['pools'][:len(POOLS)]:
        name, limit = each['name'], each['queue_limit']
        assert (each['queue_length'], each['busy'], each['idle']) == (WAITING, WORKERS, 0)
        assert re.search(f'^preforkd_accept_queue_length{{pool="{name}"}} {WAITING}$', metrics, re.M)
        state = 'reading' if name == 'web' else 'busy'
        assert re.search(f'^preforkd_workers{{pool="{name}",state="{state}"}} {WORKERS}$', metrics, re.M)
        assert re.search(rf'^{name} .* {WORKERS} .* {WAITING}/{limit} ', text, re.M)
    assert page.count(f'<b data-f="queue_length">{WAITING}</b>') == len(POOLS)
    assert page.count(f'<b data-f="busy">{WORKERS}</b>') == len(POOLS)
