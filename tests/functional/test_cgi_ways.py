"""CGI: each script that does wrong, in each way that a client can ask for it."""
import contextlib
import threading

import pytest

from harness import SANITIZED
from scripts import PYTHON, TEXT, Scripts, broken, cgi, nothing_left
from web import http, request, took

MB = 1 << 20
SLEEP = 'exec sleep 1000'
BODY = b'body\n'
GROUP = PYTHON + '''
import os, time
if os.fork() == 0:
    os.setpgid(0, 0)
    time.sleep(1000)
print('Content-Type: text/plain\\n\\nbody')
'''


class Fault:
    """end: what is of the connection behind the answer: 'kept' (as far as the client wants it),
    'closed', or 'broken': the answer is not whole.  With HEAD there is nothing to break."""

    def __init__(self, text, status=200, body=None, end='kept', where='cgi-bin', sends=None):
        self.text, self.status, self.body, self.end = text, status, body, end
        self.where, self.sends = where, sends


def page(text, status, where='cgi-bin'):
    """A fault that is answered with a page of ours."""
    return Fault(text, status, where=where)


FAULTS = {
    'silent': page(SLEEP, 504, 'short'),
    'begun': Fault(TEXT + 'echo body; ' + SLEEP, end='broken', where='short'),
    'deaf': page('trap "" TERM; ' + SLEEP, 504, 'short'),
    'stops': page('kill -STOP $$', 504, 'short'),
    'nothing': page(':', 502),
    'text': page('echo text', 502),
    'cr': page(r'printf "X: a\rb\n\nbody\n"', 502),
    'nul': page(r'printf "X: a\0b\n\nbody\n"', 502),
    'both': Fault(r'printf "Transfer-Encoding: chunked\nContent-Length: 5\n\nbody\n"', body=BODY),
    'short': Fault(r'printf "Content-Length: 10\n\nbody\n"', end='broken'),
    'long': Fault(r'printf "Content-Length: 3\n\nbody\n"', body=b'bod', end='closed'),
    'stderr': Fault(r'head -c 1000000 /dev/zero | tr "\0" x >&2; ' + TEXT + 'echo body', body=BODY),
    'forks': Fault(TEXT + 'echo body; sleep 1000 & exit', body=BODY),
    'twice': Fault(TEXT + '(sh -c "sleep 1000 & sleep 1001" &); echo body', body=BODY),
    'group': Fault(GROUP, body=BODY),
    'closes': Fault(TEXT + 'echo body; exec >&-; ' + SLEEP, body=BODY),
    'spins': Fault(TEXT + 'echo body; exec >&-; while :; do :; done', body=BODY),
    'dies': Fault(TEXT + 'echo body; kill -KILL $$', end='broken'),
    'endless': Fault(TEXT + 'exec yes', end='broken'),
    'early': Fault(TEXT + f'head -c {MB} /dev/zero; wc -c', body=bytes(MB) + b'%d\n' % MB, sends=MB),
    'no-reader': Fault(TEXT + 'echo body', body=BODY, sends=3 * MB),
}


class Way:
    def __init__(self, *fields, version='1.1', head=False, behind=False, unix=False):
        self.fields, self.version, self.head = fields, version, head
        self.behind, self.unix = behind, unix

    def data(self, name, fault):
        method = 'HEAD' if self.head else 'POST' if fault.sends else 'GET'
        body = bytes(fault.sends) if fault.sends and not self.head else None
        return request(f'/{fault.where}/{name}', *self.fields, method=method, version=self.version,
                       body=body) + (request('/cgi-bin/warm') if self.behind else b'')

    def read(self, client, fault):
        """The answer; whether the connection goes on."""
        method = 'HEAD' if self.head else 'GET'
        if fault.end == 'broken' and not self.head:
            if fault.text.endswith('yes'):  # its end is that of the client
                answer = client.head()
                assert client.take(MB) and client.sock.close() is None
            else:
                answer = broken(client)
            assert answer.status == fault.status
            return False
        answer = client.response(method, self.version)
        assert answer.status == fault.status, answer
        if fault.body is not None:
            assert answer.body == (b'' if self.head else fault.body)
        wants = 'Connection: close' not in self.fields and (self.version == '1.1' or self.fields)
        if fault.end == 'closed' and not self.head:
            assert answer.closes or client.ended()
            return False
        if self.version == '1.1' and not fault.sends:
            assert bool(wants) != answer.closes, answer
        return not answer.closes


WAYS = {
    '1.1': Way(), '1.1 closed': Way('Connection: close'), '1.0': Way(version='1.0'),
    '1.0 kept': Way('Connection: keep-alive', version='1.0'), 'HEAD': Way(head=True),
    'HEAD 1.0': Way(head=True, version='1.0'), 'pipelined': Way(behind=True),
    'pipelined HEAD': Way(head=True, behind=True), 'unix': Way(unix=True),
}


def send(client, data):
    """As much as is taken."""
    with contextlib.suppress(OSError):
        client.send(data)


def is_served(client, way, fault):
    with client:
        goes_on = way.read(client, fault)
        if goes_on and not way.behind:
            client.send(request('/cgi-bin/warm'))
        if goes_on:
            assert client.response().body == b''


def site_of(way):
    listen = {'listen': '{dir}/socket'} if way.unix else {}
    options = (f'workers = {len(FAULTS)}', *(['listen_mode = "0666"'] if way.unix else []))
    conf = http('keepalive_timeout = 1h', cgi(), cgi('timeout = 500ms', prefix='/short/'),
                options=options, **listen)
    return Scripts({name: fault.text for name, fault in FAULTS.items()}, conf=conf)


@pytest.mark.parametrize('way', WAYS)
def test_each_fault_has_its_answer_and_leaves_nothing(way):
    wrong, way = {}, WAYS[way]

    def ask(site, name):
        try:
            client = site.client()
            sender = threading.Thread(target=send, args=[client, way.data(name, FAULTS[name])])
            sender.start()
            is_served(client, way, FAULTS[name])
            sender.join()
        except Exception as error:
            wrong[name] = repr(error)
    with site_of(way) as site, nothing_left(site), took(most=30 if SANITIZED else 15):
        threads = [threading.Thread(target=ask, args=[site, name]) for name in FAULTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong, wrong
        site.wait_gone()
