"""CGI: each script that does not end as it should, each client that does not wait.

Every test sees that no process, no descriptor and no worker is lost, and that the answer is
the right one, within its time.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from harness import SANITIZED, alive, descriptors, eventually
from load import paced
from scripts import TEXT, Scripts, broken, cgi, chunked, nothing_left, reset
from web import http, request, took

# How much later than it should something may come.
LATE = 10 if SANITIZED else 3
SLEEP = 'exec sleep 1000'
DEAF = 'trap "" TERM; '
SILENT = r'no output for 0\.500s \(timeout\)'
PRINTS = 'while :; do echo line; sleep 0.1; done'


def gone(site, name, pid, since=0):
    """That the log says that the client has gone."""
    site.wait_log(rf'info: pool web: \S+ /cgi-bin/{name} pid {pid}: the client has gone$', since)


# ---- timeout and max_time ----------------------------------------------------------------

def test_a_silent_script_is_504():
    scripts = {'silent': SLEEP, 'begun': 'echo Content-Type: text/plain; ' + SLEEP,
               'head': 'printf X-; ' + SLEEP}
    ways = list(zip(['GET', 'HEAD', 'POST'], scripts))
    with Scripts(scripts, 'timeout = 500ms') as site, nothing_left(site):
        with took(0.4, 1 + LATE), contextlib.ExitStack() as stack:
            clients = [stack.enter_context(site.client()) for _ in ways]
            for client, (method, name) in zip(clients, ways):
                client.send(request(f'/cgi-bin/{name}', method=method, body=b'x'))
            for client, (method, name) in zip(clients, ways):
                assert client.response(method).status == 504
                site.wait_log_of(f'/cgi-bin/{name}', SILENT)
                assert client.ask('/cgi-bin/warm').status == 200


def test_a_script_that_falls_silent_behind_its_head():
    with Scripts({'silent': TEXT + 'echo part; ' + SLEEP}, 'timeout = 500ms') as site:
        with nothing_left(site), site.client() as client:
            with took(0.4, 1 + LATE):
                answer = broken(client.send(request('/cgi-bin/silent')))
            assert answer.status == 200 and b'part\n' in answer.body
            site.wait_log_of('/cgi-bin/silent', SILENT)


@pytest.mark.parametrize('options, cgi_options, status', [
    ((), ['timeout = 500ms'], 504), ((), ['max_time = 500ms'], 504),
    (['request_timeout = 2s'], (), 503)])
def test_a_script_that_redirects_and_does_not_end_is_answered_once(options, cgi_options, status):
    conf = http('keepalive_timeout = 1h', cgi(*cgi_options), options=['workers = 4', *options])
    scripts = {'redirects': 'echo Location: /other; echo; ' + SLEEP}
    with Scripts(scripts, conf=conf, files={'other': b'other', 'next': b'next'}) as site:
        with nothing_left(site), site.client() as client:
            assert client.ask('/cgi-bin/redirects').status == status
            assert client.ask('/next').body == b'next'


def test_a_script_that_is_silent_behind_its_whole_answer_costs_no_connection():
    scripts = {'whole': 'echo Content-Type: text/plain; echo Content-Length: 3; echo; echo hi; ' + SLEEP}
    conf = http('keepalive_timeout = 1h', cgi('timeout = 300ms'))
    with Scripts(scripts, conf=conf, files={'next': b'next'}) as site, nothing_left(site):
        with site.client() as client:
            mark = site.mark()
            assert client.ask('/cgi-bin/whole').body == b'hi\n'
            assert client.ask('/next').body == b'next'
            assert 'no output' not in site.log()[mark:]


@pytest.mark.parametrize('rest', [SLEEP, 'exec yes', f'({DEAF}exec yes) & wait'],
                         ids=['silent', 'endless', 'children'])
@pytest.mark.parametrize('method, status', [('HEAD', 200), ('GET', 204), ('POST', 304)])
def test_an_answer_without_a_body_is_complete_with_its_head(method, status, rest):
    """Who waits for nothing more would hold the worker for as long as it stays."""
    goes_on = f'echo Status: {status}; echo Content-Length: 5; echo; {rest}'
    conf = http('keepalive_timeout = 1h', cgi('timeout = 1h'))
    with Scripts({'goes-on': goes_on}, conf=conf) as site, nothing_left(site), site.client() as client:
        with took(most=2 * (2 + LATE)):
            for _ in range(2):
                assert client.ask('/cgi-bin/goes-on', method=method).status == status
            assert client.ask('/cgi-bin/warm').status == 200
        assert 'warning' not in site.log()


@pytest.mark.parametrize('answer', ['Content-Length: 3\\n\\nhi\\n', 'Status: 204\\n\\n'])
def test_keep_running_has_no_timeout_behind_a_whole_answer(answer):
    whole = f'printf "{answer}"; sleep 1; echo done >"{{dir}}/there/done"'
    with Scripts({'whole': whole}, 'keep_running = true', 'timeout = 300ms') as site:
        with nothing_left(site), site.client() as client:
            assert client.ask('/cgi-bin/whole').status in (200, 204)
            assert client.ask('/cgi-bin/warm').status == 200
            assert (site.there / 'done').read_text() == 'done\n'


def test_a_script_that_goes_on_has_no_timeout():
    scripts = {'slow': TEXT + 'for i in 1 2 3 4; do sleep 0.3; echo $i; done'}
    with Scripts(scripts, 'timeout = 1s') as site, nothing_left(site):
        assert site.ask('/cgi-bin/slow').body == b'1\n2\n3\n4\n'


def test_a_client_that_does_not_read_is_no_silence_of_the_script():
    size = 30 << 20
    with Scripts({'large': TEXT + f'head -c {size} /dev/zero'}, 'timeout = 1s') as site:
        with nothing_left(site), site.client() as client:
            client.send(request('/cgi-bin/large'))
            answer = client.head()
            for _ in paced(2, 2):  # seconds, longer than the timeout
                assert site.running('large')
            assert len(client.body(answer, 'GET')) == size


def test_max_time_ends_what_is_not_silent():
    scripts = {'prints': TEXT + PRINTS, 'silent': SLEEP,
               'head': 'while :; do echo X: y; sleep 0.1; done'}
    with Scripts(scripts, 'max_time = 1s') as site, nothing_left(site):
        with took(0.9, 1 + LATE):
            clients = {name: site.client().send(request(f'/cgi-bin/{name}')) for name in scripts}
            assert broken(clients['prints']).status == 200
            assert [clients[name].response().status for name in ('silent', 'head')] == [504, 504]
        for name, client in clients.items():
            client.sock.close()
            site.wait_log_of(f'/cgi-bin/{name}', r'has run for 1(\.000)?s \(max_time\)')


# ---- clients that leave ------------------------------------------------------------------

SCRIPTS_OF_ALL_KINDS = {'silent': SLEEP, 'head': TEXT + SLEEP, 'endless': TEXT + 'exec yes',
                        'nph-endless': 'exec yes', 'prints': TEXT + PRINTS,
                        'stderr': PRINTS + ' >&2', 'pair': 'yes | cat >/dev/null',
                        'children': 'sleep 1000 & sleep 1001 & ' + TEXT + 'wait'}


@pytest.mark.parametrize('leave', [lambda client: client.sock.close(), reset], ids=['fin', 'rst'])
@pytest.mark.parametrize('name', SCRIPTS_OF_ALL_KINDS)
def test_a_client_that_leaves_ends_the_script(name, leave):
    with Scripts(SCRIPTS_OF_ALL_KINDS, 'timeout = 1h') as site, nothing_left(site, seconds=LATE):
        client = site.client()
        client.send(request(f'/cgi-bin/{name}') + request('/cgi-bin/warm'))
        eventually(lambda: site.running(name), 'the script')
        mark = site.mark()
        with took(most=1 + LATE):
            leave(client)
            site.wait_gone(name)
        gone(site, name, r'\d+', mark)


def test_term_comes_within_a_second_and_kill_5_seconds_later():
    scripts = {'waits': 'trap "echo was told >&2; exit" TERM; while :; do sleep 0.05; done',
               'deaf': DEAF + SLEEP, 'deaf-prints': DEAF + TEXT + PRINTS,
               'deaf-children': f'({DEAF}{SLEEP}) & ({DEAF}{SLEEP}) & wait'}
    conf = http(cgi(), cgi('timeout = 200ms', prefix='/short/'), options=('workers = 8',))
    late = {'deaf-silent': DEAF + SLEEP, 'deaf-bad': DEAF + 'echo; ' + SLEEP,
            'deaf-closes': DEAF + TEXT + 'echo body; exec >&-; ' + SLEEP}
    with Scripts({**scripts, **late}, conf=conf) as site, nothing_left(site):
        clients = [site.client().send(request(f'/cgi-bin/{name}')) for name in scripts]
        for name in scripts:
            eventually(lambda: site.running(name), name)
        for client in clients:
            client.sock.close()
        patient = site.client()
        assert patient.ask('/cgi-bin/deaf-closes').body == b'body\n'
        with took(4.5, 6 + LATE):
            with took(most=1 + LATE):
                site.wait_log_of('/cgi-bin/waits', 'was told', 'notice')
                site.wait_gone('waits')
                # Who has his answer does not wait for the script, either.
                assert site.client().ask('/short/deaf-silent').status == 504
                assert site.client().ask('/short/deaf-bad').status == 502
            assert all(site.running(name) for name in [*late, 'deaf'])
            assert patient.ask('/cgi-bin/warm').status == 200
            site.wait_gone('deaf')
        patient.sock.close()


def test_a_client_that_has_left_before_it_is_told_to_continue():
    conf = http('keepalive_timeout = 1h', cgi(), options=['workers = 1'],
                listen='{dir}/socket')  # where a request outlives its client
    expecting = request('/cgi-bin/silent', 'Expect: 100-continue', method='POST', body=b'x' * 10)
    with Scripts({'silent': SLEEP}, conf=conf) as site, nothing_left(site):
        for _ in range(3):
            mark = site.mark()
            with site.client() as client:
                client.send(expecting[:-10])
            gone(site, 'silent', r'\d+', mark)


def test_a_client_that_half_closes_has_left_but_not_over_a_unix_socket():
    slow = 'sleep 0.5; ' + TEXT + 'echo answer'
    with Scripts({'silent': SLEEP}) as site, nothing_left(site, seconds=LATE):
        with site.client() as client:
            client.send(request('/cgi-bin/silent'))
            site.wait_running('silent')
            client.sock.shutdown(1)
            site.wait_gone('silent', seconds=1 + LATE)
    conf = http(cgi(), options=('workers = 2', 'listen_mode = "0666"'), listen='{dir}/socket')
    with Scripts({'slow': slow, 'silent': SLEEP}, conf=conf) as site, nothing_left(site):
        with site.client() as client:
            client.send(request('/cgi-bin/slow'))
            client.sock.shutdown(1)
            assert client.response().body == b'answer\n'
        with site.client() as client:
            client.send(request('/cgi-bin/silent'))
            site.wait_running('silent')
        site.wait_gone('silent', seconds=1 + LATE)


def test_keep_running_lets_a_script_finish():
    done = 'until test -e {dir}/there/go; do sleep 0.1; done; echo done >"{dir}/there/$QUERY_STRING"'
    scripts = {'head': TEXT + 'head -c 10000000 /dev/zero; ' + done, 'silent': done,
               'closes': TEXT + 'exec >&-; ' + done}
    with Scripts(scripts, 'keep_running = true') as site, nothing_left(site):
        for name in scripts:
            with site.client() as client:
                client.send(request(f'/cgi-bin/{name}?{name}'))
                site.wait_running(name)
        (site.there / 'go').touch()
        for name in scripts:
            eventually(lambda: (site.there / name).exists() and
                       (site.there / name).read_text() == 'done\n', f'the end of {name}')


def test_keep_running_has_its_limit_in_max_time():
    scripts = {'silent': SLEEP, 'endless': TEXT + 'exec yes', 'closes': TEXT + 'exec >&-; ' + SLEEP}
    with Scripts(scripts, 'keep_running = true', 'max_time = 1s') as site, nothing_left(site):
        with took(0.9, 1 + LATE):
            for name in scripts:
                with site.client() as client:
                    client.send(request(f'/cgi-bin/{name}'))
                    eventually(lambda: site.running(name), name)
            site.wait_gone()


# ---- scripts that leave something --------------------------------------------------------

@pytest.mark.parametrize('child', [
    'sleep 1000', '(trap "" TERM; exec sleep 1000)', 'yes', 'yes >/dev/null', f'({PRINTS}) >&2',
    '(sleep 1000 & sleep 1000 & wait)'])
def test_a_script_that_forks_and_leaves(child):
    leaves = TEXT + f'echo body; {child} & exit'
    with Scripts({'leaves': leaves}, 'timeout = 1h') as site, nothing_left(site, seconds=2 + LATE):
        for _ in range(2):
            with took(most=LATE), site.client() as client:
                answer = client.send(request('/cgi-bin/leaves')).response()
            assert answer.status == 200 and answer.body.startswith(b'body\n')
            assert re.fullmatch(rb'body\n(y\n)*y?', answer.body)


def test_a_script_that_forks_and_leaves_without_an_answer():
    with Scripts({'leaves': 'sleep 1000 & exit'}) as site, nothing_left(site, seconds=2 + LATE):
        with took(most=LATE):
            assert site.ask('/cgi-bin/leaves').status == 502


@pytest.mark.skipif(not shutil.which('setsid'), reason='needs setsid (util-linux)')
def test_a_child_in_a_session_of_its_own_lives_on_and_holds_nobody_up():
    leaves = TEXT + 'setsid sh -c "trap : PIPE; echo \\$\\$ >{dir}/there/pid; sleep 1; ' \
        'echo late; echo late >&2; exec sleep 1000" & ' \
        'until [ -s "{dir}/there/pid" ]; do sleep 0.01; done; echo body'
    with Scripts({'leaves': leaves}, options=('workers = 1',)) as site:
        site.warm()
        before = site.held()
        with took(most=LATE):
            assert site.ask('/cgi-bin/leaves').body == b'body\n'
        pid = int((site.there / 'pid').read_text())
        try:
            assert set(descriptors(pid)) <= {0, 1, 2}
            for _ in paced(50, 1.5):  # what it says meanwhile is nobody else's
                assert site.ask('/cgi-bin/warm').body == b''
            assert 'late' not in site.log() and alive(pid)
        finally:
            os.kill(pid, signal.SIGKILL)
        site.wait_gone()
        eventually(lambda: site.held() == before, f'{before}')


# Ends while its child has not yet made a session.
DAEMON = r'''
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    puts("Content-Type: text/plain\n\nbody");
    fflush(stdout);
    return daemon(0, 0) == 0 && sleep(1000);
}
'''


@pytest.mark.skipif(not shutil.which('cc'), reason='needs a C compiler')
def test_a_script_may_become_a_daemon():
    site = Scripts({})
    subprocess.run(['cc', '-x', 'c', '-', '-o', site.dir / 'cgi/daemon'], input=DAEMON, text=True, check=True)
    with site:
        site.warm()
        before = site.held()
        try:
            for _ in range(20):
                assert site.ask('/cgi-bin/daemon').body == b'body\n'
            # Those that the scheduler has held up for too long may be taken for left behind.
            for _ in paced(10, 2):
                assert len(site.running('daemon')) >= 15
            eventually(lambda: site.held() == before, f'{before}')
        finally:
            for pid in site.running('daemon'):
                os.kill(pid, signal.SIGKILL)
        site.wait_gone()


@pytest.mark.parametrize('rest', [SLEEP, 'sleep 1000 & wait'])
def test_a_script_that_closes_its_output_and_goes_on(rest):
    closes = TEXT + f'echo body; exec >&- 2>&-; {rest}'
    with Scripts({'closes': closes}, 'timeout = 1h') as site, nothing_left(site, seconds=2 + LATE):
        with site.client() as client:
            with took(most=LATE):
                assert client.ask('/cgi-bin/closes').body == b'body\n'
            with took(most=2 + LATE):
                assert client.ask('/cgi-bin/warm').status == 200


def test_a_script_that_closes_its_output_without_an_answer():
    closes = 'exec >&- 2>&-; ' + SLEEP
    with Scripts({'closes': closes}, 'timeout = 1h') as site, nothing_left(site, seconds=2 + LATE):
        with took(most=1 + LATE):
            assert site.ask('/cgi-bin/closes').status == 502


def test_a_script_that_goes_on_behind_its_content_length():
    goes_on = 'printf "Content-Length: 5\\n\\nbody\\n"; ' + SLEEP
    with Scripts({'goes-on': goes_on}, 'timeout = 1h') as site, nothing_left(site):
        with site.client() as client, took(most=2 + LATE):
            for _ in range(2):
                assert client.ask('/cgi-bin/goes-on').body == b'body\n'


def test_a_script_that_ends_soon_after_its_output_is_let_alone():
    closes = TEXT + 'echo body; exec >&-; sleep 0.3; echo done >"{dir}/there/done"'
    with Scripts({'closes': closes}) as site, nothing_left(site):
        assert site.ask('/cgi-bin/closes').body == b'body\n'
        eventually(lambda: (site.there / 'done').exists(), 'its end')


# ---- too much ----------------------------------------------------------------------------

def test_10_mb_to_stderr_first_do_not_block():
    flood = 'head -c 10000000 /dev/zero | tr "\\0" x >&2; ' + TEXT + 'echo body'
    with Scripts({'flood': flood}) as site, nothing_left(site), took(most=5 * LATE):
        assert site.ask('/cgi-bin/flood').body == b'body\n'
        site.wait_log(r'/cgi-bin/flood pid \d+ ended with status 0')
        lines = re.findall(r'/cgi-bin/flood pid \d+: (x+)$', site.log(), re.M)
        left_out = re.findall(r'pid \d+: (\d+) more lines? in that second', site.log())
        assert len(lines) > 100 and len(lines) + sum(map(int, left_out)) == -(-10 ** 7 // 1024)


def test_endless_output_to_a_client_that_does_not_read():
    conf = http('send_timeout = 1s', cgi('timeout = 1h'))
    with Scripts({'endless': TEXT + 'exec yes'}, conf=conf) as site:
        with nothing_left(site), site.client() as client:
            with took(0.9, 1 + 2 * LATE):
                client.send(request('/cgi-bin/endless'))
                site.wait_running('endless')
                site.wait_gone('endless')


def test_many_children_are_no_more_than_one():
    forks = 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; ' + TEXT + 'echo $(ulimit -n)'
    with Scripts({'forks': forks}) as site, nothing_left(site, seconds=2 + LATE):
        for _ in range(5):
            assert site.ask('/cgi-bin/forks').status == 200


def test_scripts_one_after_the_other_cost_no_descriptor_and_no_memory():
    with Scripts({'one': TEXT + 'echo body', 'bad': 'echo', 'dies': 'kill -9 $$'},
                 options=('workers = 1',)) as site, nothing_left(site):
        for round in range(50):
            for name, status in [('one', 200), ('bad', 502), ('dies', 502), ('nothing', 404)]:
                assert site.ask(f'/cgi-bin/{name}').status == status


def test_without_descriptors_there_is_an_error_and_none_is_lost():
    answers = set()
    for number in range(12, 18):
        options = ('workers = 1', f'rlimit_nofile = {number}')
        with Scripts({'cat': TEXT + 'cat'}, options=options) as site:
            before = site.held()
            for _ in range(3):
                for body in {}, {'body': b'x'}:
                    answers.add(site.ask('/cgi-bin/cat', method='POST', **body).status)
                data = request('/cgi-bin/cat', 'Transfer-Encoding: chunked', method='POST')
                with site.client() as client:
                    client.send(data + chunked(b'x' * 70000, 10000))
                    answers.add(client.response().status)
            eventually(lambda: site.held() == before, f'{before}')
    assert {200, 503} <= answers <= {200, 500, 503}


# ---- what is written of it ---------------------------------------------------------------

@pytest.mark.parametrize('name', ['endless', 'nph-endless'])
def test_the_access_log_has_what_went_out_and_not_what_the_script_wrote(name):
    scripts = {'endless': TEXT + 'exec cat /dev/zero',
               'nph-endless': 'printf "HTTP/1.1 200 OK\\r\\n\\r\\n"; exec cat /dev/zero'}
    options = ('workers = 1', 'access_log = "{dir}/access.log"', "access_format = '%s %B %X %O'")
    with Scripts(scripts, conf=http(cgi(), options=options)) as site:
        for number in range(1, 6):
            with site.client() as client:
                client.send(request(f'/cgi-bin/{name}')).take(500000)
            status, body, sign, sent = site.wait_lines(number)[-1].split()
            assert (status, sign) == (b'200', b'X')
            assert 400000 < int(body) <= int(sent)


def test_the_access_log():
    scripts = {'body': TEXT + 'printf body', 'cat': TEXT + 'cat', 'bad': 'echo', 'silent': SLEEP,
               'nph-raw': 'printf "HTTP/1.1 299 Odd\\r\\n\\r\\nraw"',
               'file': 'echo Location: /file; echo', 'left': TEXT + 'printf left; ' + SLEEP,
               'part': 'printf "X: y\\n\\npart"; kill -9 $$',
               'nph-part': 'printf "HTTP/1.1 200 OK\\r\\n\\r\\npart"; kill -9 $$'}
    options = ('workers = 2', 'access_log = "{dir}/access.log"',
               "access_format = '%m %U%q %s %B %X %{X-Name}i %{Content-Type}o'")
    conf = http(cgi('timeout = 300ms'), cgi(prefix='/long/'), options=options)
    size = 5 << 20
    with Scripts(scripts, conf=conf, files={'file': b'file'}) as site:
        with site.client() as client:
            client.ask('/cgi-bin/body', method='HEAD')
            for target in 'body?q', 'bad', 'silent', 'file', 'nothing':
                client.ask(f'/cgi-bin/{target}', 'X-Name: one')
        client = site.client()
        client.send(request('/cgi-bin/cat', f'Content-Length: {size}', 'X-Name: two',
                            method='POST'))
        threading.Thread(target=client.send, args=[b'x' * size], daemon=True).start()
        assert len(client.response().body) == size
        for name in 'nph-raw', 'nph-part', 'part', 'left':
            with site.client() as client:
                client.send(request(f'/long/{name}'))
                while b'left' not in client.buffer and client.more():
                    pass
            site.wait_gone()
        lines = [line.decode().replace('\\x20', ' ') for line in site.wait_lines(11)]
        assert [re.sub(r'(?<= [45]\d\d) \d{3} ', ' page ', line) for line in lines] == [
            'HEAD /cgi-bin/body 200 0 + - text/plain',
            'GET /cgi-bin/body?q 200 4 + one text/plain',
            'GET /cgi-bin/bad 502 page + one text/html; charset=utf-8',
            'GET /cgi-bin/silent 504 page + one text/html; charset=utf-8',
            'GET /cgi-bin/file 200 4 + one application/octet-stream',
            'GET /cgi-bin/nothing 404 page + one text/html; charset=utf-8',
            f'POST /cgi-bin/cat 200 {size} - two text/plain',
            'GET /long/nph-raw 299 23 - - -',
            'GET /long/nph-part 200 23 X - -',
            'GET /long/part 200 4 X - -',
            'GET /long/left 200 4 X - text/plain']
