"""The status over HTTP: the same words as preforkctl's, also when everything else is stuck."""
import contextlib
import json
import os
import re
import signal
import socket

import pytest

from harness import PATIENCE, eventually, read_all
from load import pool, script
from test_figures import UpgradedSite
from web import ENDLESS, Site, http, make_endless

OPEN = 'allow = { "127.0.0.1" }'


def status_pool(*lines, name='status'):
    section = '\n'.join([OPEN, *lines])
    return pool(name, 'workers = 2', f'status {{\n{section}\n}}', service='status')


def ask(site, target, pool_name='status', **rest):
    return site.ask(target, pool_name=pool_name, **rest)


def agent(site):
    """All that comes when nothing is sent."""
    with site.connect('agent') as sock:
        return read_all(sock).decode()


def shape(value):
    """A document without its values."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value)


def test_the_service_says_what_preforkctl_says():
    with Site(http() + status_pool()) as site:
        response = ask(site, '/status.json')
        assert (response.status, response['Content-Type']) == (200, 'application/json')
        assert response['Cache-Control'] == 'no-store'
        document, other = json.loads(response.body), json.loads(site.done('status', '--json'))
        assert document['pid'] == other['pid'] == site.process.pid
        assert [p['name'] for p in document['pools']] == ['web', 'status']
        assert shape(document) == shape(other)


def test_health_and_readiness():
    with Site(http() + status_pool()) as site:
        healthy = ask(site, '/healthz')
        assert (healthy.status, healthy.body) == (200, b'preforkd running\n')
        ready = ask(site, '/readyz')
        assert (ready.status, ready.body) == (200, b'ready\n')
        site.done('drain', 'web')
        ready = ask(site, '/readyz')
        assert (ready.status, ready.body) == (503, b'pool web is drained\n')
        assert ask(site, '/healthz').status == 200
        site.done('resume', 'web')
        eventually(lambda: ask(site, '/readyz').status == 200, 'being ready again')


def test_what_is_not_there():
    with Site(http() + status_pool()) as site:
        assert ask(site, '/nothing').status == 404
        assert ask(site, '/healthz/').status == 404
        refused = site.client('status').ask('/healthz', method='POST', body=b'x')
        assert (refused.status, refused['Allow']) == (405, 'GET, HEAD, OPTIONS')
        options = site.client('status').ask('/healthz', method='OPTIONS')
        assert (options.status, options['Allow'], options.body) == (200, 'GET, HEAD, OPTIONS', b'')
        assert site.client('status').ask('/healthz', method='GUESS').status == 501
        head = site.client('status').ask('/healthz', method='HEAD')
        assert (head.status, head['Content-Length'], head.body) == (200, '17', b'')


def test_a_section_of_a_site_says_the_same_to_whom_it_may():
    conf = http(f'status "/server-status" {{ {OPEN} }}', 'status "/closed/" { allow = { "192.0.2.1" } }')
    with Site(conf) as site:
        assert site.ask('/server-status/readyz').body == b'ready\n'
        assert json.loads(site.ask('/server-status/status.json').body)['state'] == 'running'
        assert site.ask('/closed/readyz').status == 403
        assert site.ask('/server-statusx').status == 404


def test_a_section_without_its_slash_leads_to_the_page():
    with Site(http(f'status "/the status ü" {{ {OPEN} }}')) as site:
        moved = site.ask('/the%20status%20%C3%BC')
        assert (moved.status, moved['Location']) == (301, '/the%20status%20%C3%BC/')
        assert site.ask(moved['Location']).status == 200


def test_only_the_pools_that_are_named():
    with Site(http() + http(name='other') + status_pool('pools = { "other" }')) as site:
        document = json.loads(ask(site, '/status.json').body)
        assert [p['name'] for p in document['pools']] == ['other']
        site.done('drain', 'web')
        assert ask(site, '/readyz').status == 200
        site.done('drain', 'other')
        assert ask(site, '/readyz').status == 503


def test_it_answers_when_all_other_pools_are_saturated():
    conf = pool('p', 'workers = 2', script('read line'), service='exec') + status_pool()
    with Site(conf) as site:
        with site.connect('p'), site.connect('p'), site.connect('p'), site.connect('p'):
            def seen():
                [p] = [p for p in json.loads(ask(site, '/status.json').body)['pools'] if p['name'] == 'p']
                return (p['busy'], p['queue_length']) == (2, 2)
            eventually(seen, 'two busy and two who wait')
            assert ask(site, '/readyz').body == b'ready\n'


def test_bytes_of_a_request_are_text():
    target = '/<script>alert(1)</script>?"&\\'
    site = Site(http(*ENDLESS) + status_pool())
    make_endless(site)
    with site:
        site.address('web')
        with site.client() as client:
            client.send(f'GET {target} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())

            def seen():
                return [w for p in json.loads(ask(site, '/status.json').body)['pools'] for w in p['workers']
                        if target in w['request']]
            eventually(seen, 'the worker that waits for its client')


def test_a_master_that_hangs_is_said_to_hang():
    with Site(http() + status_pool()) as site:
        assert ask(site, '/healthz').status == 200
        with site.client('status') as client:
            site.signal(signal.SIGSTOP)
            try:
                response = client.ask('/healthz')
            finally:
                site.signal(signal.SIGCONT)
            assert response.status == 503 and b'the master does not answer' in response.body
        eventually(lambda: ask(site, '/healthz').status == 200, 'health')


def abstract_sockets(pid):
    """Those that a process listens on."""
    own = {os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')}
    with open('/proc/net/unix', encoding='ascii', errors='replace') as table:
        rows = [line.split() for line in table]
    return {row[7] for row in rows if len(row) > 7 and f'socket:[{row[6]}]' in own and row[7][0] == '@'}


def test_nobody_else_may_ask_there():
    with Site(http() + status_pool()) as site:
        assert ask(site, '/healthz').status == 200
        [name] = abstract_sockets(site.pid)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect('\0' + name[1:])
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(b'status\n')
                assert sock.recv(100) == b''


def test_the_agent_says_how_much_is_free():
    conf = pool('p', 'workers = 4', script('read line'), service='exec') + status_pool('agent = true', name='agent')
    with Site(conf) as site:
        assert agent(site) == 'ready up 100%\n'
        with site.connect('p'), site.connect('p'), site.connect('p'):
            eventually(lambda: agent(site) == 'ready up 25%\n', 'a quarter')
            with site.connect('p'):
                eventually(lambda: agent(site) == 'ready up 1%\n', 'next to nothing')
        eventually(lambda: agent(site) == 'ready up 100%\n', 'all of it')
        site.done('drain', 'p')
        assert agent(site) == 'drain\n'
        site.done('resume', 'p')
        eventually(lambda: agent(site) == 'ready up 100%\n', 'all of it again')


@pytest.mark.parametrize('conf, complaint', [
    (http('status "/s" { }'), r':\d+: status "/s": say who may see it'),
    (http('status "s" { allow = { "all" } }'), r'the title is a decoded path that begins with a slash'),
    (http('status "/s" { allow = { "nobody" } }'), r':\d+: allow: .*nobody'),
    (status_pool('deny = { "1.2.3.4/99" }'), r':\d+: deny: .*1\.2\.3\.4/99'),
])
def test_what_is_refused(conf, complaint):
    assert re.search(complaint, Site(conf).refusal())


def test_it_stays_over_an_upgrade():
    with UpgradedSite(http() + status_pool()) as site:
        before = json.loads(ask(site, '/status.json').body)['pid']
        site.upgraded()

        def changed():
            return json.loads(ask(site, '/status.json').body)['pid'] != before
        eventually(changed, 'the new master in the status')
