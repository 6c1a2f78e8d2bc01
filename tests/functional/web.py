"""A site for a test, and a client that believes nothing: it checks each response by itself.

`Site` is a daemon with one http pool and a tree of files below DIR/www.  `Client` is a
connection; `Client.response` reads one response and fails when it is not well-formed
(RFC 9112: status line, fields, framing; RFC 9110: which of them go together), and when a
connection does not end as its last response has said.
"""
import calendar
import collections
import contextlib
import os
import random
import re
import socket
import time

from harness import PATIENCE, Daemon, eventually
from load import ANSWERED, Clients, pool

HOST = 'www.test'
HEAD_BYTES_MAX = 131072
# 2020-01-01, a Wednesday; ten and a half billionths of a second past the full one.
MTIME = 1577836800
MTIME_NS = MTIME * 10 ** 9 + 10
LAST_MODIFIED = 'Wed, 01 Jan 2020 00:00:00 GMT'

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STATUS_LINE = re.compile(rb'HTTP/1\.1 ([1-5]\d\d) ([\t\x20-\x7e]+)')
FIELD_LINE = re.compile(rb'(%s):[ \t]*((?:[\x21-\xff](?:[ \t\x21-\xff]*[\x21-\xff])?)?)[ \t]*'
                        % TOKEN)
ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
MEDIA_TYPE = re.compile(r'[\w.+-]+/[\w.+-]+(; ?[\w-]+=([\w.+-]+|"[^"\\]*"))*')
# Never more than one of each in a response.
SINGLE = {'date', 'server', 'content-length', 'content-type', 'content-range', 'etag',
          'last-modified', 'location', 'transfer-encoding', 'content-encoding', 'accept-ranges',
          'www-authenticate', 'allow'}
MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
DAYS = 'Mon Tue Wed Thu Fri Sat Sun'.split()


def http(*lines, name='web', options=('workers = 4',), root='{dir}/www', listen='127.0.0.1:0'):
    """The text of an http pool; lines go into its http section, options into the pool."""
    section = '\n'.join([f'document_root = "{root}"', *lines])
    return pool(name, *options, f'http {{\n{section}\n}}', service='http', listen=listen)


# Any target that is not there is answered until somebody reads.
ENDLESS = ('send_timeout = 1h', *(f'error_document "{status}" {{ file = "{{dir}}/www/endless" }}'
                                  for status in (400, 404)))


def make_endless(site):
    with open(site.root / 'endless', 'wb') as file:
        os.fchmod(file.fileno(), 0o644)
        file.truncate(1 << 28)


def request(target='/', *fields, method='GET', version='1.1', host=HOST, body=None):
    """The bytes of a request; a field is a whole line without its end, text or bytes."""
    head = [f'{method} {target} HTTP/{version}']
    if host is not None:
        head.append(f'Host: {host}')
    if body is not None:
        head.append(f'Content-Length: {len(body)}')
    lines = [line if isinstance(line, bytes) else line.encode() for line in [*head, *fields]]
    return b'\r\n'.join(lines) + b'\r\n\r\n' + (body or b'')


class Malformed(AssertionError):
    """A response that no server may send."""


def check(truth, what):
    if not truth:
        raise Malformed(what)


def date_of(text):
    """Seconds since 1970 of an IMF-fixdate, the only form that may be sent."""
    match = re.fullmatch(r'(\w{3}), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT', text)
    check(match and match[3] in MONTHS, f'not a date: {text!r}')
    day, year, hour, minute, second = (int(match[i]) for i in (2, 4, 5, 6, 7))
    seconds = calendar.timegm((year, MONTHS.index(match[3]) + 1, day, hour, minute, second))
    check(DAYS[time.gmtime(seconds).tm_wday] == match[1], f'the wrong day of the week: {text}')
    return seconds


class Response:
    def __init__(self, status, reason, fields):
        self.status, self.reason, self.fields, self.body = status, reason, fields, b''

    def all(self, name):
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def __getitem__(self, name):
        """The value of a field, None without one; several are one list."""
        return ', '.join(self.all(name)) if self.all(name) else None

    def words(self, name):
        return {word.strip().lower() for word in (self[name] or '').split(',') if word.strip()}

    @property
    def closes(self):
        return 'close' in self.words('Connection')

    def __repr__(self):
        fields = ', '.join(f'{name}: {value}' for name, value in self.fields)
        return f'<{self.status} {self.reason}; {fields}; {len(self.body)} bytes {self.body[:80]!r}>'


def parse_head(head):
    """A Response of the bytes up to and without the empty line."""
    check(head.count(b'\n') == head.count(b'\r') == head.count(b'\r\n'), f'bare CR or LF: {head!r}')
    first, *lines = head.split(b'\r\n')
    status_line = STATUS_LINE.fullmatch(first)
    check(status_line, f'not a status line: {first!r}')
    fields = []
    for line in lines:
        match = FIELD_LINE.fullmatch(line)
        check(match, f'not a field: {line!r}')
        fields.append((match[1].decode(), match[2].decode('latin-1')))
    return Response(int(status_line[1]), status_line[2].decode(), fields)


def check_fields(response, method):
    """What RFC 9110 wants of the fields of any final response."""
    for name in SINGLE:
        check(len(response.all(name)) <= 1, f'{name} stands twice: {response}')
    check(response['Date'], f'no Date: {response}')  # RFC 9110 6.6.1
    check(abs(date_of(response['Date']) - time.time()) < PATIENCE, f'the wrong Date: {response}')
    if response['Last-Modified']:
        date_of(response['Last-Modified'])
    if response['ETag']:
        check(ETAG.fullmatch(response['ETag']), f'not an ETag: {response}')
    if response['Content-Type']:
        check(MEDIA_TYPE.fullmatch(response['Content-Type']), f'not a media type: {response}')
    length = response['Content-Length']
    check(length is None or re.fullmatch(r'0|[1-9]\d*', length), f'not a length: {response}')
    check(length is None or not response['Transfer-Encoding'], f'two framings: {response}')
    check(length is None or response.status != 204, f'204 with a length: {response}')  # 8.6
    if response.status == 405:
        check(response['Allow'], f'405 without Allow: {response}')  # 15.5.6
    if response.status == 401:
        check(response['WWW-Authenticate'], f'401 without a challenge: {response}')  # 11.6.1
    if response.status in (301, 302, 303, 307, 308):
        check(response['Location'], f'a redirect to nowhere: {response}')
    if response.status == 206 and not (response['Content-Type'] or '').startswith('multipart/'):
        check(response['Content-Range'], f'206 without a range: {response}')  # 15.3.7.1
    if response.status == 304:
        check(not response['Content-Range'], f'304 with a range: {response}')
    check(not (response.closes and 'keep-alive' in response.words('Connection')),
          f'closes and does not: {response}')


class Client:
    """A connection to a site.  Bytes that came too early stay in `buffer`."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b''
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def more(self):
        """Reads something; False at the end."""
        piece = self.sock.recv(1 << 18)
        self.buffer += piece
        return bool(piece)

    def take(self, number):
        pieces, left = [self.buffer[:number]], number - len(self.buffer)
        self.buffer = self.buffer[number:]
        while left > 0:
            piece = self.sock.recv(min(left, 1 << 20))
            check(piece, f'the end after {number - left} of {number} bytes')
            pieces.append(piece)
            left -= len(piece)
        return b''.join(pieces)

    def take_line(self):
        while b'\r\n' not in self.buffer:
            check(self.more(), f'the end in a line: {self.buffer!r}')
        line, self.buffer = self.buffer.split(b'\r\n', 1)
        return line

    def rest(self):
        """Everything up to the end."""
        data, self.buffer = [self.buffer], b''
        while self.more():
            data.append(self.buffer)
            self.buffer = b''
        return b''.join(data)

    def ended(self):
        """That nothing more comes, and the connection ends in order."""
        data = self.rest()
        check(not data, f'more behind the last response: {data[:300]!r}')
        return True

    def head(self):
        while b'\r\n\r\n' not in self.buffer:
            check(len(self.buffer) < HEAD_BYTES_MAX, f'an endless head: {self.buffer[:300]!r}')
            check(self.more(), f'the end in a head: {self.buffer!r}')
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        return parse_head(head)

    def chunks(self):
        """A chunked body without extensions and trailers, RFC 9112 7.1."""
        pieces = []
        while True:
            line = self.take_line()
            check(re.fullmatch(rb'[0-9A-Fa-f]{1,15}', line), f'not a chunk size: {line!r}')
            pieces.append(self.take(int(line, 16)))
            check(self.take(2) == b'\r\n', 'no end of a chunk')
            if not pieces[-1]:
                return b''.join(pieces)

    def body(self, response, method):
        """RFC 9112 6.3, for a client."""
        if method == 'HEAD' or response.status in (204, 304):
            return b''
        if response['Transfer-Encoding']:
            check(response['Transfer-Encoding'] == 'chunked', f'not chunked: {response}')
            return self.chunks()
        if response['Content-Length'] is not None:
            return self.take(int(response['Content-Length']))
        check(response.closes, f'neither a length nor an end: {response}')
        return self.rest()

    def response(self, method='GET', version='1.1'):
        """Reads one response.  When it says that the connection ends, that is true."""
        response = self.head()
        check(response.status >= 200, f'an interim response: {response}')
        check_fields(response, method)
        check(version == '1.1' or not response['Transfer-Encoding'], f'chunked in 1.0: {response}')
        response.body = self.body(response, method)
        if response.closes:
            self.ended()
        return response

    def ask(self, target='/', *fields, **rest):
        """One request and its response."""
        self.send(request(target, *fields, **rest))
        return self.response(rest.get('method', 'GET'), rest.get('version', '1.1'))

    def is_open(self):
        """That the connection has not ended, without waiting; nothing may have come."""
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(1, socket.MSG_PEEK)
            check(not data, f'something unasked for: {data!r}')
            return False
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)


def put(path, content=b'', mode=0o644, mtime_ns=MTIME_NS):
    """A file that anybody can read, with directories that anybody can enter."""
    missing = [each for each in [path.parent, *path.parent.parents] if not each.exists()]
    for directory in reversed(missing):
        directory.mkdir()
        directory.chmod(0o755)
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


class Site(Daemon):
    """A daemon with one http pool "web" and its files in DIR/www: {name: content}; a name
    that ends with / is a directory."""

    def __init__(self, conf=None, files=None, **rest):
        super().__init__(http() if conf is None else conf, **rest)
        self.root = self.dir / 'www'
        self.root.mkdir()
        self.root.chmod(0o755)
        for name, content in (files or {}).items():
            if name.endswith('/'):
                (self.root / name).mkdir(mode=0o755, parents=True)
            else:
                put(self.root / name, content)

    def client(self, pool_name='web', address=None):
        """A new connection; address, if known, saves a look at the log."""
        family, where = address or self.address(pool_name)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(PATIENCE)
            sock.connect(where)
        except OSError:
            sock.close()
            raise
        return Client(sock)

    def ask(self, target='/', *fields, pool_name='web', **rest):
        """One request on a connection of its own, which then must end in order."""
        with self.client(pool_name) as client:
            response = client.ask(target, 'Connection: close', *fields, **rest)
            check(response.closes, f'does not close: {response}')
            return response

    def raw(self, data, method='GET'):
        """One raw request on a connection of its own; the response."""
        with self.client() as client:
            return client.send(data).response(method)

    @property
    def access_path(self):
        return self.dir / 'access.log'

    def access_log(self):
        """The whole lines of the access log."""
        try:
            return self.access_path.read_bytes().split(b'\n')[:-1]
        except FileNotFoundError:
            return []

    def wait_lines(self, number):
        """Waits for so many lines of the access log; there may not be more."""
        eventually(lambda: len(self.access_log()) >= number,
                   f'{number} lines of the access log, not {len(self.access_log())}')
        lines = self.access_log()
        assert len(lines) == number, lines
        return lines


@contextlib.contextmanager
def took(least=0.0, most=PATIENCE):
    """That the block takes so many seconds."""
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    assert least <= seconds <= most, f'{seconds:.3f} s, not {least} to {most}'


RETRIED = 'retried'


class Browsers(Clients):
    """Clients that keep their connections alive.

    A kept-alive connection may end in order instead of an answer; then the request is sent
    again on a new one, where it must be answered.  All else is a failure.
    """

    def __init__(self, site, clients=6, target='/file', expected=b'file', pause=0.002, fields=()):
        super().__init__(clients)
        self.site, self.target, self.expected, self.pause = site, target, expected, pause
        self.address, self.fields = site.address('web'), fields

    def run(self, number):
        chance, client = random.Random(number), None
        while not self._stop.wait(chance.random() * 2 * self.pause):
            client, word = self._once(client)
            self._counts[number][word] += 1
        if client:
            client.sock.close()

    def _once(self, kept):
        """(the connection if it stays, in one word what came of one request)"""
        word = ANSWERED
        try:
            if kept:
                answer = self._try(kept)
                if answer:
                    return self._judge(kept, answer, ANSWERED)
                kept.sock.close()
                word = RETRIED
            kept = self.site.client(address=self.address)
            answer = self._try(kept)
            if not answer:
                raise Malformed('no answer on a new connection')
            return self._judge(kept, answer, word)
        except (Malformed, OSError) as error:
            if kept:
                kept.sock.close()
            return None, f'{type(error).__name__}: {error}'

    def _try(self, client):
        """The response, or None when the connection ended in order before it."""
        client.send(request(self.target, *self.fields))
        if not client.more():
            return None
        return client.response()

    def _judge(self, client, answer, word):
        if (answer.status, answer.body) != (200, self.expected):
            word = f'wrong: {answer}'
        if answer.closes:
            client.sock.close()
            return None, word
        return client, word

    @property
    def answered(self):
        return self.counts[ANSWERED] + self.counts[RETRIED]

    @property
    def failures(self):
        counts = self.counts.items()
        return {word: count for word, count in counts if word not in (ANSWERED, RETRIED)}

    def wait_answered(self, more):
        wanted = self.answered + more
        eventually(lambda: self.answered >= wanted, f'{more} more answers, {dict(self.counts)}')
