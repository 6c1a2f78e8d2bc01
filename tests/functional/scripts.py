"""Sites with CGI scripts, and what these leave behind.

`Scripts` is a site whose scripts are in DIR/cgi, below /cgi-bin/.  Whatever a script starts
has its SCRIPT_FILENAME in the environment, and is found by that, whoever its parent is now.
"""
import contextlib
import os
import re
import socket

from harness import alive, descriptors, eventually, title
from test_services import descendants
from web import Site, check_fields, http, put

# The start of a script of the shell that answers with text.
TEXT = 'echo Content-Type: text/plain; echo; '
PYTHON = '#!/usr/bin/python3 -IS\n'


def cgi(*lines, prefix='/cgi-bin/', where='path = "{dir}/cgi"'):
    """The text of a cgi section."""
    return '\n'.join([f'cgi "{prefix}" {{', where, *lines, '}'])


class Scripts(Site):
    """A site with scripts: {name: text}, of the shell unless the text begins with #!.  lines
    go into the cgi section, unless conf is the whole configuration."""

    def __init__(self, scripts, *lines, conf=None, options=('workers = 4',), files=None, **rest):
        # With so much patience, a connection that ends is one that was ended.
        conf = conf or http('keepalive_timeout = 1h', cgi(*lines), options=options)
        super().__init__(conf, files, **rest)
        for name, text in scripts.items():
            self.script(name, text)
        self.script('warm', 'cat >/dev/null; ' + TEXT)
        self.there = self.dir / 'there'  # where scripts may write
        self.there.mkdir()
        self.there.chmod(0o777)

    def script(self, name, text, mode=0o755):
        """A script; {dir} in its text is the directory of the test."""
        if isinstance(text, str):
            text = text if text.startswith('#!') else '#!/bin/sh\n' + text + '\n'
            text = text.replace('{dir}', str(self.dir)).encode()
        return put(self.dir / 'cgi' / name, text, mode)

    def running(self, name=''):
        """Pids of all live processes of scripts whose name begins so."""
        mark = f'\0SCRIPT_FILENAME={self.dir}/cgi/{name}'.encode()
        found = []
        for entry in os.listdir('/proc'):
            with contextlib.suppress(OSError):
                if entry.isdigit() and alive(int(entry)):
                    with open(f'/proc/{entry}/environ', 'rb') as environ:
                        if mark in b'\0' + environ.read():
                            found.append(int(entry))
        return found

    def wait_running(self, name='', number=1):
        """Waits until so many processes of scripts run, or more; their pids."""
        return eventually(lambda: len(self.running(name)) >= number and self.running(name),
                          f'{number} processes of {name or "scripts"}')

    def wait_gone(self, name='', seconds=None):
        """Waits until no script runs and none is unreaped."""
        def rest():
            workers = {self.pid, *self.workers()}
            children = descendants(self.pid) - workers if not name else set()
            return {pid: title(pid) for pid in {*self.running(name), *children} - workers}
        eventually(lambda: not rest(), 'the end of all scripts', seconds, every=0.02)

    def held(self):
        """{pid: what its descriptors are} of the master and the workers."""
        found = {}
        for pid in [self.pid, *self.workers()]:
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                found[pid] = sorted(re.sub(r':\[\d+\]', '', what)
                                    for what in descriptors(pid).values())
        return found

    def in_turn(self, target, client=None):
        """The answer of a script once it has a place: one that has answered holds its own until
        it has ended."""
        def answered():
            answer = (client or self).ask(target)
            return answer if answer.status != 503 else None
        return eventually(answered, f'a place for {target}')

    def warm(self):
        """Has each worker run one script, and waits until all of them are idle."""
        workers = self.workers()
        with contextlib.ExitStack() as stack:
            for _ in workers:
                client = stack.enter_context(self.client())
                assert self.in_turn('/cgi-bin/warm', client).status == 200

        def idle():
            records, _ = self.request('status web')  # to its end: it leaves no descriptor
            return next(fields for kind, fields in records if kind == 'pool')['idle']
        eventually(lambda: idle() == str(len(workers)), 'idle workers')

    def wait_log_of(self, target, text, level='warning', since=0):
        """Waits for a line of the log about a script; the match, with (peer, pid)."""
        return self.wait_log(rf'{level}: pool web: (\S+) {re.escape(target)} pid (\d+): {text}$',
                             since=since)


@contextlib.contextmanager
def nothing_left(site, seconds=None, same=True):
    """That the block leaves nothing behind: no process of a script, no descriptor, and the
    same workers, or as many of them."""
    site.warm()
    before = site.held()
    yield
    site.wait_gone(seconds=seconds)

    def right():
        held = site.held()
        return held == before if same else sorted(held.values()) == sorted(before.values())
    try:
        eventually(right)
    except AssertionError:
        raise AssertionError(f'{before} before, {site.held()} now') from None


def broken(client, method='GET'):
    """What came of a response that breaks off: its head, with the body as it was framed."""
    response = client.head()
    check_fields(response, method)
    data = [client.buffer]
    client.buffer = b''
    with contextlib.suppress(ConnectionResetError):
        while client.more():
            data.append(client.buffer)
            client.buffer = b''
    response.body = b''.join(data)
    length = response['Content-Length']
    if response['Transfer-Encoding']:
        assert not response.body.endswith(b'0\r\n\r\n'), f'a whole response: {response}'
    else:
        assert length is None or len(response.body) < int(length), f'a whole response: {response}'
    return response


def reset(client):
    """Leaves without a good-bye."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    client.sock.close()


def chunked(data, size=1000):
    """A chunked body."""
    pieces = [data[at:at + size] for at in range(0, len(data), size)] + [b'']
    return b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in pieces)


