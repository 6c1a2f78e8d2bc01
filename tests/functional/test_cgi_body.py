"""CGI: the body of a request on its way to the script, while the output is on its way back."""
import hashlib
import os
import random
import select
import threading

import pytest

from harness import SANITIZED, eventually
from load import paced
from scripts import TEXT, Scripts, broken, cgi, chunked, nothing_left
from test_services import Growth
from web import http, request, took

MB = 1 << 20
LATE = 15 if SANITIZED else 5
POST = {'method': 'POST'}
CAT = TEXT + 'cat'
CHUNKED = 'Transfer-Encoding: chunked'


def post(target, length, *fields):
    """The head of a request with a body of so many bytes, which is still to come."""
    return request(target, f'Content-Length: {length}', *fields, **POST)


def while_sending(client, data, method='POST'):
    """The response to what a thread sends meanwhile."""
    sender = threading.Thread(target=client.send, args=[data], daemon=True)
    sender.start()
    answer = client.response(method)
    sender.join()
    return answer


def posted(site, data, times):
    """The answers to the same request, as far as possible on one connection."""
    client, answers = site.client(), []
    for _ in range(times):
        with took(most=LATE):
            answers.append(while_sending(client, data))
        if answers[-1].closes:
            client.sock.close()
            client = site.client()
    client.sock.close()
    return answers


def upload(client, total, piece=bytes(65536)):
    """Sends so many bytes, until an answer comes or no more are taken for a second; how many
    went."""
    sent = 0
    while sent < total:
        readable, writable, _ = select.select([client.sock], [client.sock], [], 1)
        if readable or not writable:
            break
        sent += client.sock.send(piece[:total - sent], 0x40)  # MSG_DONTWAIT
    return sent


# ---- there and back ----------------------------------------------------------------------

@pytest.mark.parametrize('size', [1, 65536, 65537, 20 * MB])
@pytest.mark.parametrize('framing', ['a length', 'chunks'])
def test_a_body_arrives_as_it_was_sent(size, framing):
    data = random.Random(size).randbytes(size)
    sent = post('/cgi-bin/cat', size) + data if framing == 'a length' else \
        request('/cgi-bin/cat', CHUNKED, **POST) + chunked(data, 1 + size // 1000)
    with Scripts({'cat': CAT}) as site, nothing_left(site):
        for answer in posted(site, sent, 2):
            assert answer.status == 200
            assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize('framing', ['a length', 'chunks'])
def test_a_script_that_writes_1_mb_before_it_reads_1_mb(framing):
    early = TEXT + f'head -c {MB} /dev/zero; wc -c'
    sent = post('/cgi-bin/early', MB) + b'x' * MB if framing == 'a length' else \
        request('/cgi-bin/early', CHUNKED, **POST) + chunked(b'x' * MB)
    with Scripts({'early': early}, 'timeout = 10s') as site, nothing_left(site):
        for answer in posted(site, sent, 2):
            assert (answer.status, answer.body) == (200, bytes(MB) + b'%d\n' % MB)


def test_a_script_that_reads_a_part_of_the_body():
    with Scripts({'part': TEXT + 'head -c 10'}) as site, nothing_left(site):
        for size in 10, 1000, 3 * MB:
            with site.client() as client:
                # At once what the script reads: the head of its answer may come before the rest.
                client.send(post('/cgi-bin/part', size) + b'x' * 10)
                upload(client, size - 10, b'x' * 65536)
                assert client.response().body == b'x' * 10
        with site.client() as client:  # little of it is left: the connection goes on
            for _ in range(3):
                assert client.ask('/cgi-bin/part', body=b'y' * 20000, **POST).body == b'y' * 10


def test_a_script_that_closes_its_input():
    with Scripts({'closes': 'exec <&-; ' + TEXT + 'echo body'}) as site, nothing_left(site):
        for size in 0, 1000, 3 * MB:
            with site.client() as client:
                client.send(post('/cgi-bin/closes', size))
                upload(client, size)
                assert client.response().body == b'body\n'


def test_a_script_that_reads_nothing_of_100_mb_has_its_answer():
    with Scripts({'deaf': TEXT + 'echo answer'}, conf=HUGE) as site, nothing_left(site):
        growth = Growth(site)
        for _ in range(3):
            with site.client() as client:
                client.send(post('/cgi-bin/deaf', 100 * MB))
                upload(client, 100 * MB)
                answer = client.response()
                assert (answer.status, answer.body) == (200, b'answer\n')
        growth.assert_small()


HUGE = http('limit_request_body = 1G', cgi('timeout = 20s'), options=('workers = 2',))


def test_what_a_script_does_not_read_waits_with_the_client():
    slow = 'until [ -e "{dir}/there/go" ]; do sleep 0.05; done; ' + TEXT + 'echo answer'
    with Scripts({'slow': slow}, conf=HUGE) as site, nothing_left(site), site.client() as client:
        growth = Growth(site)
        client.send(post('/cgi-bin/slow', 100 * MB))
        assert upload(client, 100 * MB) < 50 * MB  # the rest did not fit into the sockets
        growth.assert_small()
        (site.there / 'go').touch()
        assert client.response().body == b'answer\n'


def test_100_mb_are_streamed():
    with Scripts({'count': TEXT + 'wc -c'}, conf=HUGE) as site, nothing_left(site):
        growth = Growth(site)
        with site.client() as client:
            client.send(post('/cgi-bin/count', 100 * MB))
            for _ in range(100):
                client.send(bytes(MB))
            assert client.response().body == b'%d\n' % (100 * MB)
        with site.client() as client:
            client.send(request('/cgi-bin/count', CHUNKED, **POST))
            for _ in range(100):
                client.send(b'100000\r\n' + bytes(MB) + b'\r\n')
            assert client.send(b'0\r\n\r\n').response().body == b'%d\n' % (100 * MB)
        growth.assert_small()


def test_the_script_gets_a_body_as_it_comes():
    echo = TEXT + 'while read line; do echo "got $line"; done'
    with Scripts({'echo': echo}) as site, nothing_left(site), site.client() as client:
        client.send(post('/cgi-bin/echo', 15))
        answer = client.head()
        for line in b'one', b'two', b'three':
            client.send(line + b'\n')
            while b'got ' + line not in client.buffer:
                assert client.more()
        client.send(b'4')
        client.body(answer, 'POST')
        assert answer.status == 200


@pytest.mark.parametrize('answer', ['Content-Length: 3\\n\\nhi\\n', 'Status: 204\\n\\n'])
def test_a_script_may_read_the_body_behind_its_whole_answer(answer):
    """However long that takes: the client has its answer, and still sends."""
    reads = f'printf "{answer}"; wc -c >"{{dir}}/there/new"; mv "{{dir}}/there/new" "{{dir}}/there/size"'
    with Scripts({'reads': reads}) as site, nothing_left(site), site.client() as client:
        client.send(post('/cgi-bin/reads', 5 * MB))
        assert client.head().status in (200, 204)
        for _ in paced(2, 2.5):
            client.send(bytes(MB))
        assert int(eventually((site.there / 'size').exists, 'the size') and
                   (site.there / 'size').read_text()) == 5 * MB


def test_a_request_behind_the_body_is_not_for_the_script():
    with Scripts({'cat': CAT}) as site, nothing_left(site), site.client() as client:
        one = post('/cgi-bin/cat', 5) + b'body\n'
        two = request('/cgi-bin/cat', CHUNKED, **POST) + chunked(b'chunks\n', 2)
        client.send((one + two + request('/cgi-bin/cat')) * 5)
        assert [client.response().body for _ in range(15)] == [b'body\n', b'chunks\n', b''] * 5


def long_head(size, body):
    """A request whose head has so many bytes, in fields that the limits of one allow."""
    fields = [f'X-{number}: '.ljust(8000, 'x') for number in range(size // 8002)]
    short = request('/cgi-bin/cat', *fields, body=body, **POST)
    rest = size - (len(short) - len(body)) - len('X-Rest: ') - 2
    return request('/cgi-bin/cat', *fields, 'X-Rest: ' + 'x' * rest, body=body, **POST)


@pytest.mark.parametrize('behind', [0, 100, 8000, 16000, 16383, 16384, 16385])
def test_a_head_leaves_room_for_its_body_or_is_431(behind):
    most, body = 8190 + 262144 + 6, os.urandom(100000)
    with Scripts({'cat': CAT}) as site:
        for size, status in (most, 200), (most + behind, 431 if behind else 200):
            data = long_head(size, body)
            assert len(data) == size + len(body)
            with site.client() as client:
                answer = while_sending(client, data)
                assert (answer.status, status != 200 or answer.body == body) == (status, True)


# ---- bodies that are refused or do not come ----------------------------------------------

def test_a_body_that_is_too_long_is_413_and_no_script_runs():
    conf = http('limit_request_body = 100k', cgi())
    with Scripts({'runs': 'touch "{dir}/there/ran"; ' + CAT}, conf=conf) as site:
        with nothing_left(site):
            with site.client() as client:
                assert client.send(post('/cgi-bin/runs', 102401)).response().status == 413
            for size in 102401, 10 * MB:
                with site.client() as client:
                    client.send(request('/cgi-bin/runs', CHUNKED, **POST))
                    upload(client, size * 2, b'ffff\r\n' + b'x' * 0xffff + b'\r\n')
                    assert client.response().status == 413
        assert os.listdir(site.there) == []
        body = b'x' * 102400
        assert site.ask('/cgi-bin/runs', body=body, **POST).body == body
        assert os.listdir(site.there) == ['ran']


def test_a_body_that_cannot_be_spooled_is_500_and_costs_no_worker():
    options = ('workers = 2', 'rlimit_fsize = 1M')
    with Scripts({'count': TEXT + 'wc -c'}, options=options) as site, nothing_left(site):
        piece = b'ffff\r\n' + b'x' * 0xffff + b'\r\n'
        for pieces, status in (16, 200), (17, 500), (100, 500):
            with site.client() as client:
                client.send(request('/cgi-bin/count', CHUNKED, **POST))
                upload(client, pieces * len(piece), piece)
                if status == 200:
                    client.send(b'0\r\n\r\n')
                assert client.response().status == status
        site.wait_log(r'error: pool web: \S+ /cgi-bin/count: a request body, in a file in .*: File too large')


@pytest.mark.parametrize('body', [b'5\nbody\n', b'x\r\n', b'5\r\nbody\nx\r\n', b'-1\r\n', b'\r\n'])
def test_chunks_that_are_wrong_are_400_and_no_script_runs(body):
    with Scripts({'runs': 'touch "{dir}/there/ran"; ' + CAT}) as site, nothing_left(site):
        answer = site.raw(request('/cgi-bin/runs', CHUNKED, **POST) + b'3\r\nabc\r\n' + body)
        assert (answer.status, answer.closes) == (400, True)
        assert os.listdir(site.there) == []


SLOW = http('body_timeout = 500ms', 'body_min_rate = 1000000', cgi())


@pytest.mark.parametrize('head', [post('/cgi-bin/cat', 10) + b'12345',
                                  request('/cgi-bin/cat', CHUNKED, **POST) + b'5\r\n12345\r\n'],
                         ids=['a length', 'chunks'])
def test_a_body_that_does_not_come_is_408(head):
    counts = 'wc -c >&2; ' + TEXT
    with Scripts({'cat': counts}, conf=SLOW) as site, nothing_left(site), site.client() as client:
        client.send(head)
        with took(0.4, LATE):
            answer = client.response()
        assert (answer.status, answer.closes) == (408, True)


def test_a_body_that_does_not_come_breaks_off_what_has_begun():
    with Scripts({'cat': CAT}, conf=SLOW) as site, nothing_left(site), site.client() as client:
        client.send(post('/cgi-bin/cat', 10) + b'12345')
        with took(0.4, LATE):
            answer = broken(client)
        assert answer.status == 200 and b'12345' in answer.body


def test_a_slow_body_is_no_silence_of_the_script():
    with Scripts({'count': 'n=$(wc -c); ' + TEXT + 'echo $n'}, 'timeout = 500ms') as site:
        with nothing_left(site), site.client() as client:
            client.send(post('/cgi-bin/count', 3))
            for _ in range(3):
                assert select.select([client.sock], [], [], 0.4) == ([], [], [])
                client.send(b'x')
            assert client.response().body == b'3\n'


def test_a_client_that_leaves_in_its_body_ends_the_script():
    with Scripts({'cat': CAT}) as site, nothing_left(site, seconds=LATE):
        for head in post('/cgi-bin/cat', 10), request('/cgi-bin/cat', CHUNKED, **POST) + b'9\r\n':
            with site.client() as client:
                client.send(head + b'12345')
        with site.client() as client:
            client.send(post('/cgi-bin/cat', 10) + b'12345')
            site.wait_running('cat')
        site.wait_gone(seconds=LATE)
        eventually(lambda: site.log().count('the client has gone') >= 1, 'a word about it')
