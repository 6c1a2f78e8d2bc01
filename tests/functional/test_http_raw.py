"""The http service, request by request: what stands on the wire, and what comes back.

Each case is a request in bytes with the one right answer.  It is sent three times: alone;
between two requests that are right, in one piece, so that whatever is wrong about its
length shows in the third answer; and in small pieces.  An answer that closes the connection
is the last one, whatever stands behind it.
"""
import re
import socket
from email.utils import formatdate

import pytest

from web import HOST, LAST_MODIFIED, Client, Malformed, Site, check, http, put, request

HELLO = b'Hello, world!\n'
TEN = b'0123456789'
GZ, BR, PLAIN = b'as gzip has it', b'by brotli', b'as it is, and longer than both'

FILES = {
    'hello.txt': HELLO,
    'ten': TEN,
    'empty.txt': b'',
    'first.txt': b'first\n',
    'last.txt': b'last\n',
    'index.html': b'<p>home</p>\n',
    'dir/index.html': b'<p>index</p>\n',
    'bare/file': b'',
    'two words/index.html': b'<p>spaced</p>\n',
    'two words.txt': b'two words\n',
    '100%.txt': b'percent\n',
    'a+b&c;d=e,f.txt': b'signs\n',
    'gr\u00fc\u00df.txt': b'greeting\n',
    'question?.txt': b'question\n',
    'hash#.txt': b'hash\n',
    'back\\slash.txt': b'backslash\n',
    'colon:.txt': b'colon\n',
    'packed.txt': PLAIN,
    'packed.txt.gz': GZ,
    'packed.txt.br': BR,
    'only-gz.html': PLAIN,
    'only-gz.html.gz': GZ,
    '.hidden': b'secret',
    '.git/config': b'secret',
    'sub/.git/config': b'secret',
    'sub/.well-known/token': b'secret',
    '.well-known/token': b'well known\n',
    '.well-known/.secret': b'secret',
    'other/hello.txt': b'the other site\n',
}

CONF = http('precompressed = { "br", "gzip" }', 'keepalive_requests = 10000',
            'site "other" {', 'server_name = "other.test"', 'document_root = "{dir}/www/other"',
            '}')

ALLOWED = {'get', 'head', 'options'}
LATER = 'later'
CLOSE = 'Connection: close'


class Case:
    """close: whether the connection ends with the answer, or LATER, when what stands behind the
    head turns out to be wrong.  fields: {name: text, set of words, pattern, or None where there
    must be none}.  body: bytes, a list of the parts of a multipart answer, or None for the page
    that goes with the status."""

    def __init__(self, name, data, status, body=None, close=None, **fields):
        self.name, self.data, self.status, self.body = name, data, status, body
        self.close = status in (400, 413, 414, 417, 431, 501, 505) if close is None else close
        self.fields = {key.replace('_', '-'): value for key, value in fields.items()}
        self.method = re.match(rb'(?:\r\n)?(\w*)', data)[1].decode()

    def bytes(self, tags):
        data = self.data
        for key, tag in tags.items():
            data = data.replace(b'{%s}' % key.encode(), tag.encode())
        return data


def ok(name, data, body=HELLO, close=False, **fields):
    return Case(name, data, 200, body, close, **fields)


def bad(name, data, status=400, **rest):
    return Case(name, data, status, **rest)


def line(first, *fields):
    """A request whose first line is written out."""
    head = [first, f'Host: {HOST}', *fields]
    return b'\r\n'.join(each if isinstance(each, bytes) else each.encode() for each in head) + \
        b'\r\n\r\n'


def hello(*fields, **rest):
    return request('/hello.txt', *fields, **rest)


def field(text):
    """A request with that field line between two others."""
    return hello('X-Before: 1', text, 'X-After: 2')


def padded(start, total):
    """start, drawn out to so many bytes."""
    return start + 'x' * (total - len(start))


REQUEST_LINE = [
    ok('HTTP/1.1', line('GET /hello.txt HTTP/1.1'), Connection=None,
       Content_Type='text/plain; charset=utf-8', Content_Length='14', Last_Modified=LAST_MODIFIED,
       ETag=re.compile(r'"[^"]+"'), Accept_Ranges='bytes', Transfer_Encoding=None),
    ok('HTTP/1.0', b'GET /hello.txt HTTP/1.0\r\nX: y\r\n\r\n', close=True, Content_Length='14'),
    ok('HEAD', hello(method='HEAD'), b'', Content_Length='14', Last_Modified=LAST_MODIFIED,
       Content_Type='text/plain; charset=utf-8', ETag=re.compile(r'"[^"]+"')),
    ok('HEAD in 1.0', b'HEAD /hello.txt HTTP/1.0\r\n\r\n', b'', close=True, Content_Length='14'),
    ok('a higher minor version is 1.1', line('GET /hello.txt HTTP/1.2'), Connection=None),
    ok('the highest minor version is 1.1', line('GET /hello.txt HTTP/1.9'), Connection=None),
    bad('a higher minor version needs a Host', b'GET /hello.txt HTTP/1.7\r\n\r\n'),
    *[bad(f'another major version: {version}', line(f'GET /hello.txt {version}'), 505)
      for version in ('HTTP/2.0', 'HTTP/3.1', 'HTTP/0.9', 'HTTP/9.9')],
    bad('the preface of HTTP/2', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
    *[bad(f'no version: {version}', line(f'GET /hello.txt {version}'))
      for version in ('HTTP/1', 'HTTP/1.', 'HTTP/.1', 'HTTP/1.10', 'HTTP/01.1', 'HTTP/11',
                      'HTTP/1,1', 'HTTP/1.x', 'HTTP/x.1', 'HTTP/2', 'HTTP/-1.1', 'HTTP/+1.1',
                      'http/1.1', 'Http/1.1', 'HTTPS/1.1', 'HTP/1.1', 'HTTP /1.1', 'HTTP/ 1.1',
                      'HTTP/1.1;x', 'HTTP/1.1 x', 'x', 'HTTP\\1.1', 'ICY/1.1')],
    bad('HTTP/0.9', b'GET /hello.txt\r\n\r\n'),
    bad('HTTP/0.9 with a blank behind it', b'GET /hello.txt \r\n\r\n'),
    bad('a method alone', b'GET\r\n\r\n'),
    bad('two blanks before the target', line('GET  /hello.txt HTTP/1.1')),
    bad('two blanks before the version', line('GET /hello.txt  HTTP/1.1')),
    bad('a tab before the target', line('GET\t/hello.txt HTTP/1.1')),
    bad('a tab before the version', line('GET /hello.txt\tHTTP/1.1')),
    bad('a blank before the method', line(' GET /hello.txt HTTP/1.1')),
    bad('a blank at the end', line('GET /hello.txt HTTP/1.1 ')),
    bad('a tab at the end', line('GET /hello.txt HTTP/1.1\t')),
    bad('a form feed for a blank', line('GET\f/hello.txt HTTP/1.1')),
    bad('a blank in the target', line('GET /hello .txt HTTP/1.1')),
    ok('one empty line before it', b'\r\n' + hello()),
    bad('two empty lines before it', b'\r\n\r\n' + hello()),
    bad('a LF before it', b'\n' + hello()),
    bad('a CR before it', b'\r' + hello()),
    bad('a LF at its end', hello().replace(b'\r\n', b'\n', 1)),
    bad('a CR at its end', hello().replace(b'\r\n', b'\r', 1)),
    bad('two CR at its end', hello().replace(b'\r\n', b'\r\r\n', 1)),
    bad('a CR in it', line('GET /hello\r.txt HTTP/1.1')),
    bad('a NUL in it', line('GET /hello\0.txt HTTP/1.1')),
    bad('a NUL behind it', line('GET /hello.txt HTTP/1.1\0')),
    ok('8190 bytes', line(padded('GET /hello.txt?', 8181) + ' HTTP/1.1')),
    bad('8191 bytes', line(padded('GET /hello.txt?', 8182) + ' HTTP/1.1'), 414),
    bad('8191 bytes with HEAD', line(padded('HEAD /hello.txt?', 8182) + ' HTTP/1.1'), 414,
        body=b''),
    bad('HEAD and two spaces', line('HEAD  /hello.txt HTTP/1.1'), body=b''),
    bad('20000 bytes', line(padded('GET /hello.txt?', 20000) + ' HTTP/1.1'), 414),
    bad('a line without an end', padded('GET /', 70000).encode(), 414),
    bad('a method without an end', b'G' * 9000, 414),
    bad('a name of 300 bytes', line(padded('GET /', 305) + ' HTTP/1.1'), 404),
    bad('a path of 8000 bytes', line('GET ' + '/hello' * 1300 + ' HTTP/1.1'), 404),
]

METHODS = [
    *[bad(f'{method} is known, but not for a file', hello(method=method), 405, Allow=ALLOWED)
      for method in ('POST', 'PUT', 'DELETE', 'PATCH')],
    bad('POST with a body', hello(method='POST', body=b'12345'), 405, Allow=ALLOWED),
    bad('PUT with a chunked body', hello('Transfer-Encoding: chunked', method='PUT') +
        b'5\r\n12345\r\n0\r\n\r\n', 405, Allow=ALLOWED),
    bad('TRACE', hello(method='TRACE'), 405, Allow=ALLOWED),
    bad('CONNECT', request(f'{HOST}:80', method='CONNECT'), 405, close=True, Allow=ALLOWED),
    *[bad(f'{method} is not known', hello(method=method), 501, close=False)
      for method in ('PROPFIND', 'get', 'Get', 'GETS', 'GE', 'X', "!#$%&'*+-.^_`|~09", 'M' * 1000)],
    bad('no method', line(' / HTTP/1.1')),
    *[bad(f'{sign} in a method', line(f'G{sign}T /hello.txt HTTP/1.1'))
      for sign in '@()/:;<=>?[]{}",\\\x01\x7f\u00e4'],
    ok('OPTIONS of a file', hello(method='OPTIONS'), b'', Allow=ALLOWED),
    ok('OPTIONS *', request('*', method='OPTIONS'), b'', Allow=ALLOWED),
    bad('GET *', request('*')),
    bad('HEAD *', request('*', method='HEAD'), body=b''),
]

TARGET = [
    ok('absolute-form', request(f'http://{HOST}/hello.txt')),
    ok('absolute-form, another case', request(f'HTTP://{HOST.upper()}/hello.txt')),
    ok('absolute-form, a port', request(f'http://{HOST}:8080/hello.txt')),
    ok('absolute-form wins over Host', request('http://other.test/hello.txt'),
       b'the other site\n'),
    ok('absolute-form with a port wins over Host', request('http://other.test:1/hello.txt'),
       b'the other site\n'),
    ok('absolute-form wins over another Host', request('http://www.test/hello.txt',
                                                       host='other.test')),
    ok('the Host chooses', hello(host='other.test'), b'the other site\n'),
    ok('absolute-form without a path', request(f'http://{HOST}'), FILES['index.html']),
    ok('absolute-form with a query alone', request(f'http://{HOST}?x=/y'), FILES['index.html']),
    ok('absolute-form in 1.0', request('http://other.test/hello.txt', version='1.0', host=None),
       b'the other site\n', close=True),
    bad('absolute-form needs a Host all the same', request(f'http://{HOST}/hello.txt', host=None)),
    bad('absolute-form without an authority', request('http:///hello.txt')),
    bad('absolute-form with a user', request(f'http://user@{HOST}/hello.txt')),
    bad('absolute-form with two ports', request(f'http://{HOST}:1:2/hello.txt')),
    bad('authority-form', request(f'{HOST}:80')),
    bad('a path without a slash', request('hello.txt')),
    bad('an empty target', line('GET  HTTP/1.1')),
    bad('a query alone', request('?hello.txt')),
    ok('a query', request('/hello.txt?a=b&c=%00%zz/../?')),
    ok('an empty query', request('/hello.txt?')),
    bad('a fragment', request('/hello.txt#part')),
    bad('a fragment in a query', request('/hello.txt?a#part')),
    *[bad(f'a raw byte {byte[0]:#04x}', line(b'GET /hello' + byte + b'.txt HTTP/1.1'))
      for byte in (b'\x01', b'\x0b', b'\x1b', b'\x1f', b'\x7f', b'\x80', b'\xc3\xa4', b'\xff')],
    *[bad(f'a raw byte {byte[0]:#04x} in a query', line(b'GET /hello.txt?' + byte + b' HTTP/1.1'))
      for byte in (b'\x01', b'\x7f', b'\x80', b'\xff')],
]

PATH = [
    ok('escapes are decoded', request('/%68%65llo%2Etxt')),
    ok('lower case escapes', request('/%68ello%2etxt')),
    bad('once only', request('/%2568ello.txt'), 404),
    bad('once only, for dots', request('/%252e%252e/hello.txt'), 404),
    ok('%25', request('/100%25.txt'), b'percent\n'),
    ok('%20', request('/two%20words.txt'), b'two words\n'),
    bad('+ is no blank', request('/two+words.txt'), 404),
    ok('signs that need no escape', request('/a+b&c;d=e,f.txt'), b'signs\n'),
    ok('signs that need none, with one', request('/a%2Bb%26c%3bd%3De%2cf.txt'), b'signs\n'),
    ok('UTF-8', request('/gr%C3%BC%C3%9F.txt'), b'greeting\n'),
    bad('not UTF-8', request('/gr%FC%DF.txt'), 404),
    ok('%3F', request('/question%3F.txt'), b'question\n'),
    ok('%23', request('/hash%23.txt'), b'hash\n'),
    ok('%5C', request('/back%5Cslash.txt'), b'backslash\n'),
    ok('a colon', request('/colon:.txt'), b'colon\n'),
    bad('%2F', request('/dir%2Findex.html'), 404),
    bad('%2f', request('/dir%2findex.html'), 404),
    bad('%2F alone', request('/%2F'), 404),
    bad('%2F with dots', request('/..%2fhello.txt'), 404),
    bad('%00', request('/hello.txt%00')),
    bad('%00 in the middle', request('/hello.txt%00.html')),
    bad('%0A', request('/hello%0A.txt'), 404),
    bad('%0D%0A', request('/hello.txt%0D%0ASet-Cookie:x'), 404),
    bad('%7F', request('/hello%7F.txt'), 404),
    *[bad(f'the escape {escape}', request(f'/hello.txt{escape}'))
      for escape in ('%', '%4', '%zz', '%4g', '%g4', '%-1', '%+1', '%0x', '%u0041', '%%', '%C3%')],
    ok('a dot', request('/./hello.txt')),
    ok('dots', request('/dir/../hello.txt')),
    ok('dots through what is not there', request('/nothing/../hello.txt')),
    ok('escaped dots', request('/dir/%2e%2E/hello.txt')),
    ok('half escaped dots', request('/dir/.%2e/hello.txt')),
    ok('a dot at the end', request('/dir/.'), FILES['dir/index.html']),
    ok('dots at the end', request('/dir/..'), FILES['index.html']),
    bad('dots above the root', request('/../hello.txt')),
    bad('dots above the root, escaped', request('/%2e%2e/hello.txt')),
    bad('dots above the root, half escaped', request('/.%2e/hello.txt')),
    bad('dots above the root, later', request('/dir/../../hello.txt')),
    bad('dots above the root, at the end', request('/..')),
    bad('dots above the root, to a file that is there', request('/../../../../../etc/passwd')),
    bad('dots above the root and back', request('/../www/hello.txt')),
    bad('dots above the root in absolute-form', request(f'http://{HOST}/../hello.txt')),
    ok('dots in a query', request('/hello.txt?/../../..')),
    bad('backslashes are no slashes', request('/dir\\..\\..\\hello.txt'), 404),
    ok('two slashes are one', request('//hello.txt')),
    ok('more slashes are one', request('/dir///index.html'), FILES['dir/index.html']),
    ok('a directory', request('/dir/'), FILES['dir/index.html'],
       Content_Type='text/html; charset=utf-8'),
    ok('the root', request('/'), FILES['index.html']),
    bad('a directory without a slash', request('/dir'), 301, Location='/dir/'),
    bad('a directory without a slash, with a query', request('/dir?a=b?c'), 301,
        Location='/dir/?a=b?c'),
    bad('a directory without a slash, escaped', request('/two%20words'), 301,
        Location='/two%20words/'),
    bad('a redirect never leads to another host', request('//dir'), 301, Location='/dir/'),
    bad('a redirect behind dots never leads to another host', request('/.//dir'), 301,
        Location='/dir/'),
    bad('a directory without a slash, HEAD', request('/dir', method='HEAD'), 301, body=b'',
        Location='/dir/'),
    bad('a directory without an index', request('/bare/'), 403),
    bad('a file with a slash', request('/hello.txt/'), 404),
    bad('below a file', request('/hello.txt/more'), 404),
    bad('not there', request('/nothing'), 404, Content_Type=re.compile('text/html.*')),
    bad('not there, HEAD', request('/nothing', method='HEAD'), 404, body=b''),
    bad('not there, in 1.0', request('/nothing', version='1.0'), 404, close=True),
    bad('no access', request('/secret.txt'), 403),
    *[bad(f'hidden: {target}', request(target), 404)
      for target in ('/.hidden', '/%2ehidden', '/.git/config', '/.git', '/.git/',
                     '/sub/.git/config', '/sub/.git', '/.well-known/.secret', '/...', '/..a',
                     '/sub/.well-known/token', '/dir/../.hidden', '//.hidden')],
    ok('.well-known', request('/.well-known/token'), b'well known\n'),
]

FIELDS = [
    ok('names in any case', b'GET /hello.txt HTTP/1.1\r\nhOsT: www.test\r\n\r\n'),
    bad('no Host', hello(host=None)),
    bad('two Hosts', hello('Host: other.test')),
    bad('the same Host twice', hello(f'Host: {HOST}')),
    ok('an empty Host', hello(host='')),
    *[ok(f'Host: {host}', hello(host=host))
      for host in ('www.test:80', 'www.test:', '127.0.0.1', '[::1]', '[::1]:8080', 'WWW.TEST',
                   'a_b-c.test', 'xn--bcher-kva.example', '\twww.test \t')],
    *[bad(f'Host: {host!r}', hello(host=host))
      for host in ('www.test/', 'a b', 'user@www.test', 'www.test:port', 'www.test:80:80',
                   'www.test:-1', '[::1', '::1', '[]', '[::1]x', 'http://www.test', 'www.test?',
                   'www.test#', 'www\\test', 'www.test\x01', '<www>', '"www"', ':80', '\u00e4')],
    ok('no Host in 1.0', hello(host=None, version='1.0'), close=True),
    *[ok(f'a value: {value!r}', field(b'X-Field:' + value))
      for value in (b'', b' ', b'\t', b'a', b' a ', b'\ta\t', b' a\tb', b' "a, b; c"', b' a:b',
                    b' \x80\xff\xc3\xa4', b' ' + bytes(range(0x21, 0x7f)))],
    *[bad(f'a value: {value!r}', field(b'X-Field:' + value))
      for value in (b' \0', b' a\0b', b' \x01', b' \x08', b' \x0b', b' \x0c', b' \x1b[31m',
                    b' \x7f', b' a\rb', b' a\nb', b' a\n b', b'\r', b'\n')],
    *[ok(f'a name: {name!r}', field(name + b': 1'))
      for name in (b'a', b'X_Y', b"!#$%&'*+-.^_`|~09", b'X' * 500)],
    *[bad(f'a name: {name!r}', field(name + b': 1'))
      for name in (b'', b' ', b'a b', b'a ', b'a\t', b' a', b'\ta', b'a(b', b'"a"', b'a/b', b'a;b',
                    b'a=b', b'[a]', b'{a}', b'a@b', b'a,b', b'<a>', b'a\0', b'a\x7f', b'\x80a',
                    b'a\xe4', b'a\\b', b'a?b')],
    bad('no colon', field('X-Field')),
    bad('a blank line of blanks', field(' ')),
    bad('a blank before the colon of Host', b'GET / HTTP/1.1\r\nHost : www.test\r\n\r\n'),
    bad('a blank before the colon of Content-Length', hello('Content-Length : 5') + b'12345'),
    bad('obs-fold', field('X-Field: a\r\n b')),
    bad('obs-fold with a tab', field('X-Field: a\r\n\tb')),
    bad('obs-fold in the first line', b'GET /hello.txt HTTP/1.1\r\n Host: www.test\r\n\r\n'),
    bad('obs-fold in the last line', hello('X-Field: a\r\n b')),
    bad('obs-fold of nothing', hello('X-Field: a\r\n ')),
    bad('a LF at the end of a field', b'GET / HTTP/1.1\r\nHost: www.test\nX: y\r\n\r\n'),
    bad('a CR at the end of a field', b'GET / HTTP/1.1\r\nHost: www.test\rX: y\r\n\r\n'),
    bad('a LF at the end of the head', b'GET / HTTP/1.1\r\nHost: www.test\r\n\n'),
    bad('LF everywhere', b'GET / HTTP/1.1\nHost: www.test\n\n'),
    bad('two CR at the end of a field', b'GET / HTTP/1.1\r\nHost: www.test\r\r\n\r\n'),
    bad('a CR alone in the empty line', b'GET / HTTP/1.1\r\nHost: www.test\r\n\rX: y\r\n\r\n'),
    ok('100 fields', hello(*[f'X-{number}: 1' for number in range(99)])),
    bad('101 fields', hello(*[f'X-{number}: 1' for number in range(100)]), 431),
    bad('1000 fields', hello(*[f'X-{number}: 1' for number in range(1000)]), 431),
    ok('a field of 8190 bytes', field(padded('X-Field: ', 8190))),
    bad('a field of 8191 bytes', field(padded('X-Field: ', 8191)), 431),
    bad('a field name of 8191 bytes', field('X' * 8191 + ': 1'), 431),
    bad('a field without an end', hello()[:-2] + b'X-Field: ' + b'x' * 70000, 431),
]

CONNECTION = [
    ok('close', hello(CLOSE), close=True, Connection={'close'}),
    ok('close in capitals', hello('Connection: CLOSE'), close=True),
    ok('close in a list', hello('Connection: Foo, close, ,bar'), close=True),
    ok('close in the second of two', hello('Connection: foo', CLOSE), close=True),
    ok('close as a part of another word', hello('Connection: closed, not-close')),
    ok('keep-alive in 1.1', hello('Connection: keep-alive')),
    ok('1.0', hello(version='1.0'), close=True, Connection={'close'}),
    ok('keep-alive in 1.0', hello('Connection: keep-alive', version='1.0'),
       Connection={'keep-alive'}),
    ok('Keep-Alive in 1.0', hello('Connection: Keep-Alive', version='1.0'),
       Connection={'keep-alive'}),
    ok('close wins over keep-alive', hello('Connection: keep-alive, close'), close=True),
    ok('close wins over keep-alive in 1.0', hello('Connection: close, keep-alive', version='1.0'),
       close=True),
    ok('Proxy-Connection is nothing', hello('Proxy-Connection: close')),
    ok('Upgrade is not taken up', hello('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c',
                                        'HTTP2-Settings: AAMAAABkAAQAAP__'), Upgrade=None),
]


def sized(value, body=b'12345'):
    return hello(f'Content-Length: {value}') + body


def chunked(body, *fields, coding='chunked'):
    return hello(f'Transfer-Encoding: {coding}', *fields) + body


WHOLE = b'5\r\n12345\r\n0\r\n\r\n'

LENGTH = [
    ok('0', sized('0', b'')),
    ok('a body that nobody wants', sized('5')),
    ok('leading zeros', sized('0005')),
    ok('blanks round it', sized(' \t5 \t')),
    ok('HEAD with a body', hello(method='HEAD', body=b'12345'), b'', Content_Length='14'),
    ok('a body that looks like a request', hello(body=hello())),
    ok('a body of 64 KiB', hello(body=b'x' * 65536)),
    ok('a body in 1.0', hello('Connection: keep-alive', version='1.0', body=b'12345')),
    *[bad(f'{value!r}', sized(value))
      for value in ('', '+5', '-5', '-0', '5a', 'a5', '0x5', '5.0', '5e0', '5 5', '5,5', '5, 5',
                    '5;', '"5"', '5,', ',5', '\u0665', '9223372036854775808',
                    '18446744073709551621', '99999999999999999999999999999999')],
    bad('twice the same', hello('Content-Length: 5', 'Content-Length: 5') + b'12345'),
    bad('twice', hello('Content-Length: 5', 'Content-Length: 0') + b'12345'),
    bad('2**63 - 1 is a number, but too much', sized('9223372036854775807'), 413),
    bad('64 MiB and one', sized(str(2 ** 26 + 1)), 413),
]

CHUNKED = [
    ok('a chunk', chunked(WHOLE)),
    ok('none', chunked(b'0\r\n\r\n')),
    ok('in another case', chunked(WHOLE, coding='Chunked')),
    ok('blanks round it', chunked(WHOLE, coding='\t chunked \t')),
    ok('many chunks', chunked(b'1\r\nx\r\n' * 1000 + b'0\r\n\r\n')),
    ok('sizes in hex', chunked(b'a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n')),
    ok('sizes with zeros', chunked(b'0005\r\n12345\r\n000\r\n\r\n')),
    ok('a chunk that looks like an end', chunked(b'5\r\n0\r\n\r\n\r\n0\r\n\r\n')),
    ok('extensions', chunked(b'5;a\r\n12345\r\n1;a=b;c="d;\\" e"\r\nx\r\n0;z\r\n\r\n')),
    ok('blanks round extensions', chunked(b'5 ; a = b\r\n12345\r\n0\r\n\r\n')),
    ok('trailers', chunked(b'5\r\n12345\r\n0\r\nX-Sum: 1\r\nX-More:\r\n\r\n')),
    ok('HEAD', hello('Transfer-Encoding: chunked', method='HEAD') + WHOLE, b''),
    # What nobody waits for is read behind the answer: then it is the last one.
    *[ok(f'a wrong body: {body[:30]!r}', chunked(body), close=LATER)
      for body in (b'g\r\n12345\r\n0\r\n\r\n', b'\r\n12345\r\n0\r\n\r\n',
                   b'-5\r\n12345\r\n0\r\n\r\n', b'+5\r\n12345\r\n0\r\n\r\n',
                   b'0x5\r\n12345\r\n0\r\n\r\n',
                   b'5 \r\n12345\r\n0\r\n\r\n', b' 5\r\n12345\r\n0\r\n\r\n',
                   b'5\t\r\n12345\r\n0\r\n\r\n', b'5h\r\n12345\r\n0\r\n\r\n',
                   b'5\n12345\r\n0\r\n\r\n', b'5\r12345\r\n0\r\n\r\n', b'5\r\n12345\n0\r\n\r\n',
                   b'5\r\n12345\r0\r\n\r\n', b'5\r\n123456\r\n0\r\n\r\n',
                   b'4\r\n12345\r\n0\r\n\r\n',
                   b'5\r\n123450\r\n\r\n', b'5\r\n12345\r\n0\n\n', b'5\r\n12345\r\n0\r\n\n',
                   b'8000000000000000\r\n12345', b'fffffffffffffffff\r\n12345',
                   b'10000000000000005\r\n12345\r\n0\r\n\r\n', b'5;=b\r\n12345\r\n0\r\n\r\n',
                   b'5;\r\n12345\r\n0\r\n\r\n', b'5;a=\r\n12345\r\n0\r\n\r\n',
                   b'5;a b\r\n12345\r\n0\r\n\r\n', b'5;a="b\r\n12345\r\n0\r\n\r\n',
                   b'5;a=b\nc\r\n12345\r\n0\r\n\r\n', b'5;a\0\r\n12345\r\n0\r\n\r\n',
                   b'5;a="\x7f"\r\n12345\r\n0\r\n\r\n', b'5,a\r\n12345\r\n0\r\n\r\n',
                   b'0\r\nno colon\r\n\r\n', b'0\r\n X: y\r\n\r\n', b'0\r\nX : y\r\n\r\n',
                   b'0\r\nX: y\r\n z\r\n\r\n', b'0\r\nX: y\nZ: z\r\n\r\n', b'0\r\n: y\r\n\r\n',
                   b'0\r\nX: \0\r\n\r\n', b'0\r\nX: a\rb\r\n\r\n',
                   b'5;' + b'x' * 70000 + b'\r\n12345\r\n0\r\n\r\n',
                   b'0' * 70000 + b'5\r\n12345\r\n0\r\n\r\n',
                   b'0\r\nX: ' + b'x' * 70000 + b'\r\n\r\n',
                   b'0\r\n' + b'X: y\r\n' * 20000 + b'\r\n')],
    bad('with a length', chunked(WHOLE, 'Content-Length: 5')),
    *[bad(f'with a length of {length} before it',
          hello(f'Content-Length: {length}', 'Transfer-Encoding: chunked') + WHOLE)
      for length in (0, 5)],
    bad('in 1.0', hello('Transfer-Encoding: chunked', version='1.0') + WHOLE),
    bad('in 1.0, kept alive', hello('Transfer-Encoding: chunked', 'Connection: keep-alive',
                                    version='1.0') + WHOLE),
    *[bad(f'another coding: {coding}', chunked(WHOLE, coding=coding), 501)
      for coding in ('gzip', 'identity', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked',
                     'chunked, identity', 'xchunked', 'chunkedx', 'chunked;a=b', 'x, chunked')],
    *[bad(f'no coding: {coding!r}', chunked(WHOLE, coding=coding))
      for coding in ('', ',', '"chunked"', 'chunked gzip', '=')],
    bad('twice', chunked(WHOLE, 'Transfer-Encoding: chunked'), 501),
    bad('another one and then this',
        hello('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked') + WHOLE, 501),
]

EXPECT = [
    ok('100-continue without a body', hello('Expect: 100-continue')),
    ok('100-continue in another case', hello('Expect: 100-Continue')),
    ok('100-continue in 1.0 is nothing', hello('Expect: 100-continue', version='1.0'), close=True),
    bad('something else', hello('Expect: 200-ok'), 417),
    bad('something else beside it', hello('Expect: 100-continue, more'), 417),
    bad('something like it', hello('Expect: 100-continue=yes'), 417),
]


def tagged(*fields, target='/hello.txt', **rest):
    return request(target, *fields, **rest)


DAY_BEFORE, DAY_AFTER = 'Tue, 31 Dec 2019 23:59:59 GMT', 'Wed, 01 Jan 2020 00:00:01 GMT'
NOT_MODIFIED = {'ETag': re.compile(r'"[^"]+"'), 'Content_Type': None}


def same(name, data, **fields):
    return Case(name, data, 304, b'', False, **{**NOT_MODIFIED, **fields})


def failed(name, data):
    return Case(name, data, 412, None, False)


PRECONDITIONS = [
    same('If-None-Match', tagged('If-None-Match: {etag}')),
    same('If-None-Match, weakly', tagged('If-None-Match: W/{etag}')),
    same('If-None-Match, HEAD', tagged('If-None-Match: {etag}', method='HEAD')),
    same('If-None-Match: *', tagged('If-None-Match: *')),
    same('If-None-Match, a list', tagged('If-None-Match: "a", W/"b,c" ,{etag}')),
    same('If-None-Match, a list with holes', tagged('If-None-Match: ,, {etag} ,')),
    same('If-None-Match, in two lines', tagged('If-None-Match: "a"', 'If-None-Match: {etag}')),
    ok('If-None-Match, another', tagged('If-None-Match: "a"')),
    ok('If-None-Match without quotes', tagged('If-None-Match: x{etag}')),
    ok('If-None-Match without an end', tagged('If-None-Match: "{etag}')),
    ok('If-None-Match, in another file', tagged('If-None-Match: {etag}', target='/ten'), TEN),
    ok('If-None-Match wins over If-Modified-Since',
       tagged('If-None-Match: "a"', f'If-Modified-Since: {LAST_MODIFIED}')),
    same('If-None-Match wins over If-Modified-Since, too',
         tagged('If-None-Match: {etag}', f'If-Modified-Since: {DAY_BEFORE}')),
    bad('If-None-Match: * and nothing there', tagged('If-None-Match: *', target='/nothing'), 404),
    same('If-Modified-Since', tagged(f'If-Modified-Since: {LAST_MODIFIED}')),
    same('If-Modified-Since, HEAD', tagged(f'If-Modified-Since: {LAST_MODIFIED}', method='HEAD')),
    same('If-Modified-Since, later', tagged(f'If-Modified-Since: {DAY_AFTER}')),
    ok('If-Modified-Since, before', tagged(f'If-Modified-Since: {DAY_BEFORE}')),
    same('If-Modified-Since, RFC 850',
         tagged('If-Modified-Since: Wednesday, 01-Jan-20 00:00:00 GMT')),
    same('If-Modified-Since, asctime', tagged('If-Modified-Since: Wed Jan  1 00:00:00 2020')),
    *[ok(f'If-Modified-Since, no date: {text}', tagged(f'If-Modified-Since: {text}'))
      for text in ('', '0', 'tomorrow', '2030-01-01', 'Wed, 01 Jan 2020 00:00:00',
                   'Wed, 01 Jan 2020 00:00:00 CET', 'Wed, 32 Jan 2030 00:00:00 GMT',
                   'Wed, 01 Jon 2030 00:00:00 GMT', 'Tue, 01 Jan 2030 25:00:00 GMT',
                   'Tue, 1 Jan 2030 00:00:00 GMT', 'Tue, 01 Jan 2030 00:00:00 GMT, x')],
    ok('If-Match', tagged('If-Match: {etag}')),
    ok('If-Match, HEAD', tagged('If-Match: {etag}', method='HEAD'), b''),
    ok('If-Match: *', tagged('If-Match: *')),
    ok('If-Match, a list', tagged('If-Match: "a", {etag}, "b"')),
    failed('If-Match, another', tagged('If-Match: "a"')),
    failed('If-Match, weakly', tagged('If-Match: W/{etag}')),
    Case('If-Match, another, HEAD', tagged('If-Match: "a"', method='HEAD'), 412, b'', False),
    failed('If-Match before If-None-Match', tagged('If-Match: "a"', 'If-None-Match: {etag}')),
    same('If-Match and If-None-Match', tagged('If-Match: {etag}', 'If-None-Match: {etag}')),
    ok('If-Match wins over If-Unmodified-Since',
       tagged('If-Match: {etag}', f'If-Unmodified-Since: {DAY_BEFORE}')),
    failed('If-Match wins over If-Unmodified-Since, too',
           tagged('If-Match: "a"', f'If-Unmodified-Since: {LAST_MODIFIED}')),
    ok('If-Unmodified-Since', tagged(f'If-Unmodified-Since: {LAST_MODIFIED}')),
    ok('If-Unmodified-Since, later', tagged(f'If-Unmodified-Since: {DAY_AFTER}')),
    failed('If-Unmodified-Since, before', tagged(f'If-Unmodified-Since: {DAY_BEFORE}')),
    ok('If-Unmodified-Since, no date', tagged('If-Unmodified-Since: yesterday')),
    failed('If-Unmodified-Since before If-Modified-Since',
           tagged(f'If-Unmodified-Since: {DAY_BEFORE}', f'If-Modified-Since: {LAST_MODIFIED}')),
    same('If-Unmodified-Since and If-Modified-Since',
         tagged(f'If-Unmodified-Since: {LAST_MODIFIED}', f'If-Modified-Since: {LAST_MODIFIED}')),
    failed('If-Match before a range', tagged('If-Match: "a"', 'Range: bytes=0-1')),
    same('If-None-Match before a range', tagged('If-None-Match: {etag}', 'Range: bytes=0-1')),
    bad('a precondition of a method that is not allowed',
        tagged('If-Match: "a"', method='PUT', body=b'x'), 405),
    bad('a precondition of nothing', tagged('If-Match: "a"', target='/nothing'), 404),
    bad('a precondition of a directory without a slash', tagged('If-Match: "a"', target='/dir'),
        301),
]


def ranged(value, *fields, target='/ten', **rest):
    return request(target, f'Range: {value}', *fields, **rest)


def part(value, body, span, *fields):
    return Case(value, ranged(value, *fields), 206, body, False, Content_Range=f'bytes {span}/10',
                Content_Length=str(len(body)), ETag=re.compile(r'"[^"]+"'),
                Content_Type='application/octet-stream', Last_Modified=LAST_MODIFIED)


def parts(value, *spans):
    """A multipart answer: a part for each span."""
    def ends(span):
        first, last = map(int, span.split('-'))
        return TEN[first:last + 1]
    return Case(value, ranged(value), 206, [(f'bytes {span}/10', ends(span)) for span in spans],
                False, Content_Range=None,
                Content_Type=re.compile('multipart/byteranges; ?boundary=.+'))


def beyond(value, size=10, **rest):
    return Case(value, ranged(value, **rest), 416, None, False, Content_Range=f'bytes */{size}')


def whole(value, *fields, **rest):
    return Case(' and '.join([value, *fields]), ranged(value, *fields, **rest), 200, TEN, False,
                Content_Range=None, Content_Length='10', Accept_Ranges='bytes')


RANGES = [
    part('bytes=0-0', b'0', '0-0'),
    part('bytes=0-3', b'0123', '0-3'),
    part('bytes=9-9', b'9', '9-9'),
    part('bytes=7-', b'789', '7-9'),
    part('bytes=0-', TEN, '0-9'),
    part('bytes=-3', b'789', '7-9'),
    part('bytes=-10', TEN, '0-9'),
    part('bytes=-11', TEN, '0-9'),
    part('bytes=5-100', b'56789', '5-9'),
    part('bytes=8-99999999999999999999999999', b'89', '8-9'),
    part('bytes=-99999999999999999999999999', TEN, '0-9'),
    part('bytes=007-008', b'78', '7-8'),
    part('BYTES=0-1', b'01', '0-1'),
    part('bytes=0-1,', b'01', '0-1'),
    part('bytes=0-1,100-200', b'01', '0-1'),
    part('bytes=100-200,-1', b'9', '9-9'),
    parts('bytes=0-1,4-5', '0-1', '4-5'),
    parts('bytes=0-1, 4-5 ,-1', '0-1', '4-5', '9-9'),
    parts('bytes=8-9,0-0', '8-9', '0-0'),
    parts('bytes=0-0,50-60,9-', '0-0', '9-9'),
    beyond('bytes=10-'),
    beyond('bytes=10-20'),
    beyond('bytes=-0'),
    beyond('bytes=10-,20-30,-0'),
    beyond('bytes=99999999999999999999999999-'),
    beyond('bytes=0-0', 0, target='/empty.txt'),
    *[whole(value) for value in (
        'bytes=', 'bytes', 'bytes=-', 'bytes=5-4', 'bytes=a-b', 'bytes=0-b', 'bytes=0x0-1',
        'bytes=--1', 'bytes=+0-1', 'bytes=0-1-2', 'bytes=0', 'bytes=1 - 2', 'bytes=0-1;4-5',
        'bytes=0-1,x', 'bytes=0-1,5-4', 'bytes 0-1', 'lines=0-1', 'none', 'items=1', '=0-1', '0-1',
        'bytes=0-9,0-9', 'bytes=0-,1-,2-,3-,4-', 'bytes=' + ','.join(['0-0'] * 1000),
        'bytes=' + ','.join(f'{n % 10}-{n % 10}' for n in range(1300)))],
    Case('HEAD has no ranges', ranged('bytes=0-1', method='HEAD'), 200, b'', False,
         Content_Length='10', Content_Range=None),
    part('bytes=0-2', b'012', '0-2', 'If-Range: {ten}'),
    part('bytes=1-2', b'12', '1-2', f'If-Range: {LAST_MODIFIED}'),
    whole('bytes=0-2', 'If-Range: "a"'),
    whole('bytes=0-2', 'If-Range: W/{ten}'),
    whole('bytes=0-2', 'If-Range: {etag}'),
    whole('bytes=0-2', f'If-Range: {DAY_BEFORE}'),
    whole('bytes=0-2', f'If-Range: {DAY_AFTER}'),
    whole('bytes=0-2', 'If-Range: nonsense'),
    whole('bytes=0-2', 'If-Range: *'),
    whole('bytes=20-', 'If-Range: "a"'),
    ok('If-Range without a range', request('/ten', 'If-Range: {ten}'), TEN),
    bad('a range of nothing', ranged('bytes=0-1', target='/nothing'), 404),
    bad('a range of a directory without a slash', ranged('bytes=0-1', target='/dir'), 301),
    Case('a range of what is packed', ranged('bytes=3-6', 'Accept-Encoding: gzip',
                                             target='/packed.txt'), 206, GZ[3:7], False,
         Content_Encoding='gzip', Content_Range=f'bytes 3-6/{len(GZ)}', Vary={'accept-encoding'}),
    Case('beyond what is packed', ranged(f'bytes={len(GZ)}-', 'Accept-Encoding: gzip',
                                         target='/packed.txt'), 416, None, False,
         Content_Range=f'bytes */{len(GZ)}'),
]


def coded(accept, coding, target='/packed.txt', **rest):
    body = {'gzip': GZ, 'br': BR, None: PLAIN}[coding]
    fields = () if accept is None else (f'Accept-Encoding: {accept}',)
    kind = 'text/html; charset=utf-8' if 'html' in target else 'text/plain; charset=utf-8'
    method = rest.get('method', 'GET')
    return ok(f'{method} {accept} of {target}', request(target, *fields, **rest),
              b'' if method == 'HEAD' else body, Content_Encoding=coding,
              Content_Length=str(len(body)), Vary={'accept-encoding'}, Content_Type=kind)


ENCODINGS = [
    coded(None, None),
    coded('', None),
    coded('gzip', 'gzip'),
    coded('GZip', 'gzip'),
    coded('x-gzip', 'gzip'),
    coded('br', 'br'),
    coded('gzip, br', 'br'),
    coded('br, gzip', 'br'),
    coded('gzip, deflate, br, zstd', 'br'),
    coded('gzip;q=1, br;q=0.5', 'gzip'),
    coded('gzip;q=0.5, br;q=0.5', 'br'),
    coded('gzip;q=0.5,br;q=0.501', 'br'),
    coded('gzip ; q=0.8 , br ; q=0.2', 'gzip'),
    coded('gzip;Q=0.8, br;Q=0.2', 'gzip'),
    coded('gzip;q=1.000, br;q=0.999', 'gzip'),
    coded('gzip;q=0', None),
    coded('gzip;q=0.000, br;q=0', None),
    coded('gzip;q=0.001', 'gzip'),
    coded('br;q=0, gzip', 'gzip'),
    coded('*', 'br'),
    coded('br;q=0, *', 'gzip'),
    coded('*;q=0', None),
    coded('*;q=0, gzip', 'gzip'),
    coded('identity', None),
    coded('identity;q=0, gzip', 'gzip'),
    coded('identity;q=1, gzip;q=0.5', None),
    coded('deflate, compress', None),
    coded('gzipped, xgzip, brr', None),
    coded('gzip', 'gzip', method='HEAD'),
    coded('br', 'br', method='HEAD'),
    coded('gzip', 'gzip', '/only-gz.html'),
    coded('br', None, '/only-gz.html'),
    coded('br, gzip;q=0.1', 'gzip', '/only-gz.html'),
    ok('what is not packed', request('/hello.txt', 'Accept-Encoding: gzip, br'), HELLO,
       Content_Encoding=None),
    ok('a packed file by its own name', request('/packed.txt.gz', 'Accept-Encoding: gzip'), GZ,
       Content_Encoding=None),
    same('the tag of what is packed', request('/packed.txt', 'If-None-Match: {gz}',
                                              'Accept-Encoding: gzip'), Vary={'accept-encoding'}),
    same('the other tag of what is packed', request('/packed.txt', 'If-None-Match: {br}',
                                                    'Accept-Encoding: gzip, br')),
    same('the tag of what is not packed', request('/packed.txt', 'If-None-Match: {plain}')),
    ok('the tag of another coding', request('/packed.txt', 'If-None-Match: {gz}'), PLAIN),
    ok('the tag of another coding, packed',
       request('/packed.txt', 'If-None-Match: {plain}, {br}', 'Accept-Encoding: gzip'), GZ),
]

TABLE = {
    'RFC 9112 3, the request line': REQUEST_LINE,
    'RFC 9110 9, methods': METHODS,
    'RFC 9112 3.2, the target': TARGET,
    'RFC 3986 3.3, paths': PATH,
    'RFC 9112 5 and RFC 9110 7.2, fields': FIELDS,
    'RFC 9112 9, connections': CONNECTION,
    'RFC 9112 6.2, lengths': LENGTH,
    'RFC 9112 7.1, chunked': CHUNKED,
    'RFC 9110 10.1.1, Expect': EXPECT,
    'RFC 9110 13, preconditions': PRECONDITIONS,
    'RFC 9110 14, ranges': RANGES,
    'RFC 9110 12.5.3, encodings': ENCODINGS,
}

FIRST = request('/first.txt')
LAST = request('/last.txt', CLOSE)


def multipart(response):
    """[(Content-Range, bytes)] of a multipart/byteranges body, RFC 9110 14.6."""
    boundary = re.search(r'boundary="?([^"]+)"?$', response['Content-Type'])[1].encode()
    first, *middle, last = (b'\r\n' + response.body).split(b'\r\n--' + boundary)
    check(first in (b'', b'\r\n') and last == b'--\r\n', f'no multipart: {response.body!r}')
    found = []
    for each in middle:
        head, body = each.split(b'\r\n\r\n', 1)
        fields = dict(field.split(b': ', 1) for field in head.split(b'\r\n')[1:])
        check(fields[b'Content-Type'] == b'application/octet-stream', f'{fields}')
        found.append((fields[b'Content-Range'].decode(), body))
    return found


class Table:
    """The requests of one section and the answers to them; each wrong one is kept."""

    def __init__(self, site):
        self.site, self.wrong, self.pages = site, [], {}
        self.tags = {name: site.ask(target, f'Accept-Encoding: {coding}')['ETag']
                     for name, target, coding in [
                         ('etag', '/hello.txt', ''), ('ten', '/ten', ''),
                         ('plain', '/packed.txt', ''), ('gz', '/packed.txt', 'gzip'),
                         ('br', '/packed.txt', 'br')]}
        assert None not in self.tags.values() and len(set(self.tags.values())) == 5, self.tags

    def compare(self, case, response):
        """That a response is that of the case."""
        check(response.status == case.status, f'{response}')
        check(response.closes == (case.close is True), f'closes or does not: {response}')
        for name, value in case.fields.items():
            there = response[name]
            if isinstance(value, set):
                right = response.words(name) == value
            elif isinstance(value, re.Pattern):
                right = there is not None and value.fullmatch(there)
            else:
                right = there == value
            check(right, f'{name} is not {value}: {response}')
        if case.body is None:
            self.compare_page(response)
        elif isinstance(case.body, list):
            check(multipart(response) == case.body, f'not these parts: {response.body!r}')
        else:
            check(response.body == case.body, f'another body: {response}')

    def compare_page(self, response):
        """A page of an error has nothing of the request in it: all for a status are one."""
        check(str(response.status).encode() in response.body, f'no page: {response}')
        check(response['Content-Type'].startswith('text/html'), f'no page: {response}')
        page = self.pages.setdefault(response.status, response.body)
        check(response.body == page or response.status == 301, f'another page: {response.body!r}')

    def alone(self, case):
        """On a connection of its own, which goes on unless the answer says otherwise."""
        with self.site.client() as client:
            client.send(case.bytes(self.tags))
            self.compare(case, client.response(case.method))
            if not case.close:
                client.send(LAST)
            self.last_answer(client, case)

    def in_a_row(self, case):
        """Between two others, in one piece."""
        with self.site.client() as client:
            self.answers(client.send(FIRST + case.bytes(self.tags) + LAST), case)

    def in_pieces(self, case):
        """The same row, cut into small pieces; who has said that he closes sends nothing more."""
        last = b'' if case.close is True and case.status in (200, 404) else LAST
        data = FIRST + case.bytes(self.tags) + last
        size = 1 + len(data) // 400
        with self.site.client() as client:
            for start in range(0, len(data), size):
                client.send(data[start:start + size])
            self.answers(client, case)

    def answers(self, client, case):
        check(client.response().body == b'first\n', 'not the first answer')
        self.compare(case, client.response(case.method))
        self.last_answer(client, case)

    @staticmethod
    def last_answer(client, case):
        """Behind an answer that closes comes nothing; response() has seen to that."""
        if case.close is LATER:
            client.ended()
        elif not case.close:
            check(client.response().body == b'last\n', 'not the last answer')

    def run(self, case, way):
        try:
            way(case)
        except (Malformed, OSError) as error:
            self.wrong.append(f'{case.name} ({way.__name__}, {case.data[:100]!r}): '
                              f'{case.status} expected, {type(error).__name__}: {error}')


@pytest.mark.parametrize('section', TABLE)
def test_each_request_has_its_answer(section):
    with Site(CONF, FILES) as site:
        put(site.root / 'secret.txt', b'secret', mode=0o000)
        table = Table(site)
        for case in TABLE[section]:
            for way in table.alone, table.in_a_row, table.in_pieces:
                table.run(case, way)
        assert not table.wrong, f'{len(table.wrong)} are wrong:\n' + '\n'.join(table.wrong)


def test_the_table_is_large_and_no_request_stands_in_it_twice():
    cases = [case.data for section in TABLE.values() for case in section]
    assert len(cases) >= 150
    assert [data for data in cases if cases.count(data) > 1] == []


def answer(*fields, first='HTTP/1.1 200 OK', body=b'ok', end='\r\n'):
    """A response as a server might send it; Date and Content-Length are there unless given."""
    names = {field.split(':')[0].lower() for field in fields}
    fields = [*(() if 'date' in names else (f'Date: {formatdate(usegmt=True)}',)), *fields]
    if not names & {'content-length', 'transfer-encoding', 'connection'}:
        fields.append('Content-Length: 2')
    return end.join([first, *fields, '', '']).encode() + body


# Made when they are read: their Date grows old.
def right():
    return {
        'a length': answer(),
        'chunks': answer('Transfer-Encoding: chunked', body=b'2\r\nok\r\n0\r\n\r\n'),
        'to the end': answer('Connection: close'),
    }


def wrong():
    return {
        'another version': answer(first='HTTP/1.0 200 OK'),
        'no status': answer(first='HTTP/1.1 OK'),
        'no reason': answer(first='HTTP/1.1 200'),
        'LF': answer(end='\n'),
        'CR': answer('X: a\rb'),
        'a fold': answer('X: a\r\n b'),
        'no colon': answer('X'),
        'a blank before the colon': answer('X : a'),
        'no Date': answer('X: a').replace(b'Date:', b'Dote:'),
        'an old Date': answer('Date: Tue, 01 Jan 2019 00:00:00 GMT'),
        'a date of another form': answer('Date: Tue Jan  1 00:00:00 2019'),
        'another day of the week': answer('Last-Modified: Mon, 01 Jan 2019 00:00:00 GMT'),
        'a tag without quotes': answer('ETag: abc'),
        'two lengths': answer('Content-Length: 2', 'Content-Length: 2'),
        'a length and chunks': answer('Content-Length: 2', 'Transfer-Encoding: chunked'),
        'no framing': answer('Connection: keep-alive'),
        'too short': answer(body=b'o'),
        'chunks without an end': answer('Transfer-Encoding: chunked', body=b'2\r\nok\r\n'),
        'chunks that are none': answer('Transfer-Encoding: chunked', body=b'2\nok\n0\n\n'),
        'more behind the last': answer('Connection: close', 'Content-Length: 2', body=b'okHTTP'),
        '204 with a length': answer(first='HTTP/1.1 204 No Content', body=b''),
        '405 without Allow': answer(first='HTTP/1.1 405 Method Not Allowed'),
        '401 without a challenge': answer(first='HTTP/1.1 401 Unauthorized'),
        '206 without a range': answer(first='HTTP/1.1 206 Partial Content'),
        '100 that nobody asked for': b'HTTP/1.1 100 Continue\r\n\r\n' + answer(),
    }


def read(data):
    """What the client of these tests makes of a response."""
    ours, theirs = socket.socketpair()
    with theirs, Client(ours) as client:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return client.response()


def test_the_client_of_these_tests_takes_what_is_well_formed_and_nothing_else():
    for data in right().values():
        assert read(data).body == b'ok'
    for name, data in wrong().items():
        with pytest.raises(Malformed):
            print(name, read(data))
