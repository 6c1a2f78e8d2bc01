"""CGI: so many scripts at once, and workers that end, are ended or are killed with a script."""
import contextlib
import os
import random
import re
import signal

import pytest

from harness import SANITIZED, alive, eventually, proc_stat
from load import Sampler, paced
from scripts import TEXT, Scripts, broken, cgi, nothing_left
from test_http_conn import wait_state
from web import Browsers, http, request, took

LATE = 10 if SANITIZED else 3
SLEEP = 'exec sleep 1000'
DEAF = 'trap "" TERM; '
HEAD = TEXT + 'echo part; '
# Answers when the test says so.
WAIT = 'until [ -e "{dir}/there/go" ]; do sleep 0.02; done; ' + TEXT + 'echo done'


def begun(site, name, number=1, stack=None):
    """So many clients whose scripts run."""
    before = len(site.running(name))
    clients = [site.client().send(request(f'/cgi-bin/{name}')) for _ in range(number)]
    if stack:
        for client in clients:
            stack.enter_context(client)
    eventually(lambda: len(site.running(name)) >= before + number, f'{number} of {name}')
    return clients


def worker_of(site, client):
    """The pid of the worker that serves a client."""
    name = '{}:{}'.format(*client.sock.getsockname())
    return next(worker['pid'] for worker in site.pool_status('web')['workers']
                if worker['client'] == name)


def is_full(site, target):
    answer = site.ask(target)
    return (answer.status, answer['Retry-After']) == (503, '1')


def has_places(site, name, number):
    """That there are just so many places for scripts."""
    def found():
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(site.client()) for _ in range(number + 1)]
            heads = []
            for client in clients:
                heads.append(client.send(request(f'/cgi-bin/{name}')).head().status)
        return heads == [200] * number + [503]
    eventually(found, f'{number} places', every=0.2)
    site.wait_gone(name)


# ---- limit -------------------------------------------------------------------------------

def limited(number, **rest):
    """A site of 8 workers with so many places for the scripts below /cgi-bin/, and a section
    beside it that has none of its own."""
    scripts = {'wait': WAIT, 'head': HEAD + SLEEP, 'quick': TEXT + 'echo quick'}
    conf = http(cgi(f'limit = {number}'), cgi(prefix='/free/'), 'keepalive_requests = 10000',
                options=('workers = 8', 'graceful_timeout = 60s'))
    return Scripts(scripts, conf=conf, files={'file': b'file'}, **rest)


def test_a_script_beyond_the_limit_is_503_and_what_else_there_is_goes_on():
    with limited(3) as site, nothing_left(site), contextlib.ExitStack() as stack:
        clients = begun(site, 'wait', 3, stack)
        with took(most=LATE), site.client() as other:
            for target in '/cgi-bin/quick', '/cgi-bin/wait':
                for method in 'GET', 'HEAD', 'POST':
                    answer = other.ask(target, method=method, body=b'x')
                    assert (answer.status, answer['Retry-After']) == (503, '1')
            assert other.ask('/cgi-bin/nothing').status == 404
            assert other.ask('/free/quick').body == b'quick\n'
            assert other.ask('/file').body == b'file'
        (site.there / 'go').touch()
        assert {client.response().body for client in clients} == {b'done\n'}
        assert site.in_turn('/cgi-bin/quick').body == b'quick\n'


def test_limit_1_is_one_after_the_other():
    with limited(1) as site, nothing_left(site), site.client() as client:
        for _ in range(20):
            assert client.ask('/cgi-bin/quick').body == b'quick\n'
        has_places(site, 'head', 1)


def test_each_way_to_end_gives_the_place_back():
    ways = {'bad': ('echo', 502), 'dies': ('kill -9 $$', 502), 'silent': (SLEEP, 504),
            'leaves': (TEXT + 'sleep 1000 & exit', 200), 'nothing': (None, 404), 'plain': ('', 500),
            'closes': (TEXT + 'exec >&-; ' + SLEEP, 200), 'head': (HEAD + SLEEP, None)}
    conf = http(cgi('limit = 1', 'timeout = 500ms'), options=('workers = 8',))
    scripts = {name: text for name, (text, _) in ways.items() if text}
    site = Scripts(scripts, conf=conf)
    site.script('plain', b'nothing that could be run')
    with site, nothing_left(site):
        for name, (_, status) in ways.items():
            if status:
                assert site.in_turn(f'/cgi-bin/{name}').status == status, name
                assert site.in_turn('/cgi-bin/warm').status == 200, f'after {name}'
        has_places(site, 'head', 1)


def test_no_more_than_the_limit_run_whoever_asks():
    """Each script counts those that are there with it."""
    counts = TEXT + 'mkdir "{dir}/there/$$"; sleep 0.02; ls "{dir}/there" | wc -l; ' \
        'rmdir "{dir}/there/$$"'
    conf = http(cgi('limit = 3'), 'keepalive_requests = 10000', options=('workers = 8',))
    with Scripts({'counts': counts}, conf=conf) as site, nothing_left(site):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Sampler(lambda: site.ask('/cgi-bin/counts'), every=0))
                       for _ in range(6)]
            eventually(lambda: sum(len(client.answers) for client in clients) > 500, '500 answers')
        answers = [answer for client in clients for answer in client.answers]
        assert {answer.status for answer in answers} == {200, 503}
        numbers = {int(answer.body) for answer in answers if answer.status == 200}
        assert numbers <= {1, 2, 3} and 3 in numbers


def test_a_killed_worker_takes_its_script_along_and_leaks_no_place():
    with limited(3) as site, nothing_left(site, same=False):
        chance = random.Random(5)
        for _ in range(15):
            with contextlib.ExitStack() as stack:
                clients = begun(site, 'head', chance.randint(1, 3), stack)
                scripts = site.running('head')
                victims = chance.sample(clients, chance.randint(1, len(clients)))
                for client in victims:
                    os.kill(worker_of(site, client), signal.SIGKILL)
                for client in victims:
                    with contextlib.suppress(ConnectionResetError):
                        client.rest()
            eventually(lambda: not any(map(alive, scripts)), f'the end of {scripts}')
        site.wait_workers(8)
        has_places(site, 'head', 3)


def test_workers_killed_at_random_moments_leak_no_place():
    with limited(4) as site:
        chance = random.Random(6)
        with Browsers(site, clients=6, target='/cgi-bin/quick', pause=0.001):
            for _ in paced(20, 2):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(site.workers()), signal.SIGKILL)
        site.wait_workers(8)
        site.wait_gone()
        has_places(site, 'head', 4)


def test_scripts_of_workers_that_leave_count_as_well():
    with limited(2) as site, contextlib.ExitStack() as stack:
        clients = begun(site, 'wait', 2, stack)
        site.done('recycle', '--no-wait')
        eventually(lambda: site.pool_status('web')['draining'] == 2 or None, 'two that leave')
        site.wait_workers(10)
        assert is_full(site, '/cgi-bin/quick')
        (site.there / 'go').touch()
        assert {client.response().body for client in clients} == {b'done\n'}
        assert site.in_turn('/cgi-bin/quick').body == b'quick\n'
        site.wait_workers(8)
        has_places(site, 'head', 2)


def test_a_reload_changes_the_limit():
    with limited(1) as site, contextlib.ExitStack() as stack:
        begun(site, 'wait', 1, stack)
        assert is_full(site, '/cgi-bin/quick')
        site.reload(site.conf_path.read_text().split('\n', 3 if site.identity else 1)[-1]
                    .replace('limit = 1', 'limit = 4'))
        assert site.in_turn('/cgi-bin/quick').status == 200
        (site.there / 'go').touch()


def test_scripts_that_go_on_over_an_upgrade_count_as_well():
    with limited(2) as site, contextlib.ExitStack() as stack:
        clients = begun(site, 'wait', 2, stack)
        site.done('upgrade')
        try:
            assert is_full(site, '/cgi-bin/quick')
            (site.there / 'go').touch()
            assert {client.response().body for client in clients} == {b'done\n'}
            assert site.in_turn('/cgi-bin/quick').body == b'quick\n'
        finally:
            site.done('stop')


# ---- workers that end --------------------------------------------------------------------

SCRIPTS = {'silent': SLEEP, 'head': HEAD + SLEEP, 'wait': WAIT, 'deaf': DEAF + SLEEP,
           'children': 'sleep 1000 & sleep 1000 & wait',
           'polite': 'trap "echo was told >&2; exit 0" TERM; while :; do sleep 0.05; done'}
STOPPED = http(cgi(), options=('workers = 4', 'graceful_timeout = 60s'))


def is_ended(client, name):
    """The answer of a client whose script was ended from outside."""
    if name == 'head':
        assert broken(client).status == 200
    else:
        assert client.response().status == 503


@pytest.mark.parametrize('name', ['silent', 'head', 'children', 'polite'])
def test_a_worker_that_is_to_end_at_once_ends_its_script(name):
    with Scripts(SCRIPTS, conf=STOPPED) as site, nothing_left(site, same=False):
        client, = begun(site, name)
        with client, took(most=LATE):
            pid = worker_of(site, client)
            with site.ctl_begun('kill', pid, '--now'):
                is_ended(client, name)
                eventually(lambda: not alive(pid), 'its end')
            site.wait_gone(name)
        if name == 'polite':
            site.wait_log_of('/cgi-bin/polite', 'was told', 'notice')
        site.wait_workers(4)


@pytest.mark.parametrize('name', ['silent', 'head', 'children', 'polite'])
def test_term_to_a_worker_ends_its_script(name):
    with Scripts(SCRIPTS, conf=STOPPED) as site, nothing_left(site, same=False):
        client, = begun(site, name)
        with client, took(most=LATE):
            os.kill(worker_of(site, client), signal.SIGTERM)
            is_ended(client, name)
            site.wait_gone(name)
        site.wait_workers(4)


@pytest.mark.parametrize('names', [[name for name in SCRIPTS if name != 'deaf'], ['deaf']],
                         ids=['', 'deaf'])
def test_a_fast_stop_ends_all_scripts(names):
    with Scripts(SCRIPTS, conf=http(cgi(), options=('workers = 8',))) as site:
        clients = {name: begun(site, name)[0] for name in names}
        with took(most=(6 if names == ['deaf'] else 0) + LATE):
            site.signal(signal.SIGTERM)
            for name, client in clients.items():
                with client:
                    if name != 'deaf':  # whose worker may be killed before it can say a word
                        is_ended(client, name)
            assert site.ended() == 0
            eventually(lambda: not site.running(), 'the end of all scripts')


def test_a_graceful_stop_waits_for_scripts():
    with Scripts(SCRIPTS, conf=STOPPED) as site, contextlib.ExitStack() as stack:
        clients = begun(site, 'wait', 3, stack)
        site.signal(signal.SIGQUIT)
        eventually(lambda: len(site.workers()) == 3, 'the end of the idle one')
        (site.there / 'go').touch()
        assert {client.response().body for client in clients} == {b'done\n'}
        assert site.ended() == 0


def test_a_graceful_stop_has_its_limit():
    with Scripts(SCRIPTS, conf=STOPPED.replace('60s', '1s')) as site:
        clients = begun(site, 'silent', 2) + begun(site, 'head', 2)
        with took(0.9, 7 + LATE):
            site.signal(signal.SIGQUIT)
            assert site.ended() == 0
            eventually(lambda: not site.running(), 'the end of all scripts')
        for client in clients:
            client.sock.close()


def test_when_the_master_has_died_scripts_end_with_their_clients():
    with Scripts(SCRIPTS, conf=STOPPED) as site:
        leaving, waiting = begun(site, 'children', 2), begun(site, 'wait', 2)
        workers = site.workers()
        site.process.kill()
        site.ended()
        for client in leaving:
            client.sock.close()
        eventually(lambda: not site.running('children'), 'the end of who has no client')
        (site.there / 'go').touch()
        for client in waiting:
            with client:
                assert client.response().body == b'done\n'
        eventually(lambda: not any(map(alive, workers)) and not site.running(), 'the end of all')


def test_a_reload_lets_scripts_finish():
    with Scripts(SCRIPTS, conf=STOPPED) as site, contextlib.ExitStack() as stack:
        site.warm()
        clients = begun(site, 'wait', 3, stack)
        old = site.workers()
        site.reload(http(cgi('environment = { "A=b" }'), options=('workers = 4',
                                                                  'graceful_timeout = 60s')))
        assert site.ask('/cgi-bin/warm').status == 200
        (site.there / 'go').touch()
        assert {client.response().body for client in clients} == {b'done\n'}
        site.wait_replaced(old, 4)
        site.wait_gone()


def test_request_timeout_ends_scripts():
    names = ['silent', 'head', 'children', 'polite', 'deaf']
    conf = http(cgi(), options=('workers = 8', 'request_timeout = 1s'))
    with Scripts(SCRIPTS, conf=conf) as site, nothing_left(site, same=False):
        with took(0.9, 6 + 2 * LATE):
            with took(0.9, 1 + 2 * LATE):
                clients = {name: begun(site, name)[0] for name in names}
                for name, client in clients.items():
                    with client:
                        is_ended(client, name)
            site.wait_gone()
        assert len(re.findall(r'\(request_timeout\)', site.log())) == len(names)
        site.wait_workers(8)


def test_the_status_shows_the_request_of_a_script():
    with Scripts(SCRIPTS) as site, nothing_left(site):
        client, = begun(site, 'wait')
        with client:
            assert wait_state(site, client, 'writing').startswith('GET /cgi-bin/wait HTTP/1.1')
            assert proc_stat(site.running('wait')[0])[2] in site.workers()
            (site.there / 'go').touch()
            assert client.response().body == b'done\n'
