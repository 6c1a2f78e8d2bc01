"""CGI: what becomes of a script's output, RFC 3875 6, and of requests for what is no script.

A case is the output of a script to the byte with the one right answer.  Each is asked for
twice on one connection, so that an end that is wrong shows in the second answer, then over
HTTP/1.0 and with HEAD.
"""
import re
import signal

import pytest

from scripts import TEXT, Scripts, broken, cgi, nothing_left
from web import Malformed, check, http, put, request

NOT_CGI = 'the output is not a CGI response: '
SAY = 'exec cat "{dir}/answers/$QUERY_STRING"'
BODY = b'body\n'
BINARY = bytes(range(256)) * 1000
OK = b'X: y\n\n'  # the shortest head


class Case:
    """fields: {name: value, None for none of it}.  closes: the connection ends with the answer."""

    def __init__(self, name, output, status=200, body=BODY, closes=False, **fields):
        self.name, self.output, self.status, self.closes = name, output, status, closes
        self.body, self.fields = body, {key.replace('_', '-'): fields[key] for key in fields}

    def compare(self, answer, method='GET'):
        check(answer.status == self.status, f'not {self.status}: {answer}')
        check(answer.body == (b'' if method == 'HEAD' else self.body), f'another body: {answer}')
        for name, value in self.fields.items():
            if name == 'reason':
                check(answer.reason == value, f'another reason: {answer}')
            else:
                check(answer[name] == value, f'{name} is not {value}: {answer}')


def head(*lines, end=b'\n', body=BODY):
    lines = [line.encode() if isinstance(line, str) else line for line in lines]
    return end.join([*lines, b'', b'']) + body


PLAIN = 'Content-Type: text/plain'
FRAMING = ('Connection: close', 'Connection: keep-alive', 'Keep-Alive: timeout=9', 'TE: trailers',
           'Proxy-Connection: close', 'Trailer: X', 'Transfer-Encoding: chunked', 'Upgrade: h2c')

HEADS = [
    Case('LF', head(PLAIN), Content_Type='text/plain'),
    Case('CRLF', head(PLAIN, 'X-A: 1', end=b'\r\n'), Content_Type='text/plain', X_A='1'),
    Case('LF and CRLF', b'X-A: 1\r\nX-B: 2\nX-C: 3\r\n\n' + BODY, X_A='1', X_B='2', X_C='3'),
    Case('one field', OK + BODY, X='y', Content_Type=None),
    Case('names in any case', head('content-TYPE: a/b', 'sTATUS: 404 x'), 404, Content_Type='a/b'),
    Case('no blank behind the colon', head('X-A:1', 'Content-Type:a/b'), X_A='1',
         Content_Type='a/b'),
    Case('blanks round the value', head('X-A: \t 1\t ', 'X-B: a \t b'), X_A='1', X_B='a \t b'),
    Case('an empty value', head(PLAIN, 'X-A:', 'X-B: '), X_A='', X_B=''),
    Case('8-bit bytes', head(PLAIN, b'X-A: gr\xc3\xbc\xdf'), X_A='gr\xc3\xbc\xdf'),
    Case('odd names', head(PLAIN, "!#$%&'*+-.^`|~9: 1"), **{"!#$%&'*+-.^`|~9": '1'}),
    Case('fields of one name', head('Set-Cookie: a=1', 'X: y', 'Set-Cookie: b=2'),
         Set_Cookie='a=1, b=2'),
    Case('fields that pass', head('ETag: "x"', 'Cache-Control: no-store', 'Vary: *', 'Link: </x>',
                                  'Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT',
                                  'Content-Encoding: gzip', 'Content-Disposition: attachment'),
         ETag='"x"', Cache_Control='no-store', Vary='*', Link='</x>', Content_Encoding='gzip',
         Last_Modified='Wed, 01 Jan 2020 00:00:00 GMT', Content_Disposition='attachment'),
    Case('fields that are ours', head(PLAIN, 'Date: x', 'Server: x', *FRAMING), Server='preforkd',
         Keep_Alive=None, TE=None, Proxy_Connection=None, Trailer=None, Upgrade=None),
    Case('nothing but a field that is dropped', head('Server: x')),
    Case('a large head', head(*[f'X-{number}: ' + 'y' * 1000 for number in range(50)]),
         X_49='y' * 1000),
    Case('a body of all bytes', OK + BINARY, body=BINARY),
    Case('no body', OK, body=b''),
    Case('a body like a head', OK + b'X: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
         body=b'X: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
]

STATUS = [
    *[Case(f'Status: {text}', head(f'Status: {text}', PLAIN), int(text[:3]), reason=text[4:])
      for text in ('200 OK', '200 Fine', '299 Odd', '404 Not  here', '404 x:y', '400 a',
                   '500 Broken', '599 Last', '418 I\'m a teapot')],
    Case('Status without words', head('Status: 404', PLAIN), 404),
    Case('Status without words, with a blank', head('Status: 404 ', PLAIN), 404),
    Case('a Status that nobody knows, without words', head('Status: 299', PLAIN), 299),
    Case('Status alone', head('Status: 202 Accepted'), 202),
    Case('a challenge', head('Status: 401 No', 'WWW-Authenticate: Basic realm="x"'), 401,
         WWW_Authenticate='Basic realm="x"'),
    Case('204', head('Status: 204 None', 'X: y', body=b''), 204, b'', X='y', Content_Length=None,
         Transfer_Encoding=None),
    Case('204 with a body', head('Status: 204 None', PLAIN), 204, b''),
    Case('304 with a body', head('Status: 304 Same', 'ETag: "x"'), 304, b'', ETag='"x"'),
    Case('304 with a length', head('Status: 304 Same', 'Content-Length: 5'), 304, b''),
]

LENGTH = [
    Case('the right length', head('Content-Length: 5'), Content_Length='5', Transfer_Encoding=None),
    Case('a length of 0', head('Content-Length: 0', body=b''), body=b'', Content_Length='0'),
    Case('a length with zeros', head('Content-Length: 0005'), Content_Length='5'),
    Case('a length and Transfer-Encoding', head('Transfer-Encoding: chunked', 'Content-Length: 5'),
         Content_Length='5', Transfer_Encoding=None),
    Case('a large length', head(f'Content-Length: {len(BINARY)}', body=BINARY), body=BINARY,
         Content_Length=str(len(BINARY))),
    Case('too much', head('Content-Length: 3'), body=b'bod', closes=True, Content_Length='3'),
    Case('much too much', head('Content-Length: 3', body=BINARY * 20), body=BINARY[:3],
         closes=True),
    Case('more than nothing', head('Content-Length: 0'), body=b'', closes=True, Content_Length='0'),
]

ELSEWHERE = [
    *[Case(f'a redirect to {there}', head(f'Location: {there}', body=b''), 302, b'', Location=there)
      for there in ('http://other.test/x?y#z', 'https://x.test', '//x.test/y', 'mailto:a@b')],
    Case('a redirect with a page', head('Location: http://x/', PLAIN), 302, Location='http://x/',
         Content_Type='text/plain'),
    Case('a redirect with a status', head('Status: 301 Gone there', 'Location: http://x/'), 301,
         Location='http://x/', reason='Gone there'),
    Case('a path with a status', head('Status: 303 There', 'Location: /x'), 303, Location='/x'),
    Case('a place of what was made', head('Status: 201 Made', 'Location: /x'), 201, Location='/x'),
    Case('a path with a cookie', head('Location: /file?x', 'Set-Cookie: a=b'), 302,
         Location='/file?x', Set_Cookie='a=b'),
]


def wrong(name, output, why=r'.+'):
    return name, output, why


TWICE = ('Status: 200 OK', PLAIN, 'Content-Length: 5', 'Location: http://x/')
NO_RESPONSE = [
    wrong('nothing', b''),
    wrong('an end in the head', b'Content-Type: text/plain\n'),
    wrong('an end in a line', b'Content-Type: text/plain'),
    wrong('an end before the last LF', b'Content-Type: text/plain\r\n\r'),
    wrong('text', b'hello\n'),
    wrong('text with an empty line', b'hello\n\nworld\n'),
    wrong('a page', b'<!DOCTYPE html>\n<html><a href="x:y">\n\n</html>\n'),
    wrong('no field', b'\n' + BODY),
    wrong('no field, CRLF', b'\r\n' + BODY),
    wrong('an empty line first', b'\nX: y\n\n' + BODY),
    *[wrong(f'the status line {line}', head(line, PLAIN), r'.*(?:HTTP/|nph-|status line).*')
      for line in ('HTTP/1.1 200 OK', 'HTTP/1.0 302 Found')],
    *[wrong(f'a line {line!r}', head('X-Before: 1', line, 'X-After: 2'))
      for line in (b'no colon', b': y', b'X : y', b'X\t: y', b' X: y', b'\tX: y', b'X Y: z',
                   b'(x): y', b'X@: y', b'"X": y', b'\xc3\xbc: y', b'X\0: y', b'X: a\0b',
                   b'X: a\rb', b'X: a\r\r', b'X: \r\r', b'\rX: y', b'\r\r', b'X: a\x01b',
                   b'X: \x1b[31m', b'X: \x7f')],
    *[wrong(f'a fold {line!r}', head(PLAIN, line)) for line in (b' b', b'\tb', b'  X: y', b' ')],
    *[wrong(f'Status: {text}', head(f'Status: {text}', PLAIN))
      for text in ('', '0', '99', '100', '100 Continue', '101 Switching', '199 x', '600', '999 x',
                   '20', '2000 x', '-200', '+200', '200OK', 'OK', 'two', '2 00', '200\x01',
                   '0200 x')],
    *[wrong(f'Content-Length: {text}', head(f'Content-Length: {text}'))
      for text in ('', '-1', '+5', '5 5', '5, 5', '5x', '0x5', '5.0', 'five', '9' * 30)],
    *[wrong(f'twice {line}', head(line, 'X: y', line)) for line in TWICE],
    wrong('lengths that differ', head('Content-Length: 5', 'content-length: 6')),
    wrong('a head of more than 64 KiB', head(*[f'X-{n}: ' + 'y' * 1000 for n in range(70)])),
    wrong('a line of more than 64 KiB', head('X: ' + 'y' * 70000)),
    wrong('a head without end', b'X: ' + b'y' * 1000000),
    wrong('NUL bytes', bytes(100000)),
    wrong('all bytes', BINARY),
]


class Table:
    def __init__(self, cases):
        self.site, self.cases, self.wrong = Scripts({'say': SAY, 'nph-say': SAY}), cases, []
        for number, case in enumerate(cases):
            put(self.site.dir / 'answers' / str(number),
                case[1] if isinstance(case, tuple) else case.output)

    def run(self, *ways):
        with self.site:
            for number, case in enumerate(self.cases):
                for way in ways:
                    try:
                        way(self.site, f'/cgi-bin/say?{number}', case)
                    except (Malformed, AssertionError, OSError) as error:
                        name = case[0] if isinstance(case, tuple) else case.name
                        self.wrong.append(f'{name} ({way.__name__}): {error}')
        assert not self.wrong, f'{len(self.wrong)} are wrong:\n' + '\n'.join(self.wrong)


def in_a_row(site, target, case):
    with site.client() as client:
        for _ in range(2):
            answer = client.ask(target)
            case.compare(answer)
            check(case.closes or not answer.closes, f'closes: {answer}')
            bodiless = case.status in (204, 304)
            check(bodiless or answer['Content-Length'] or answer['Transfer-Encoding'] == 'chunked',
                  f'no framing: {answer}')
            if case.closes:
                client.ended()
                return


def in_http_1_0(site, target, case):
    answer = site.ask(target, version='1.0')
    case.compare(answer)
    check(answer.closes and not answer['Transfer-Encoding'], f'chunked in 1.0: {answer}')


def by_head(site, target, case):
    with site.client() as client:
        for _ in range(2):
            answer = client.ask(target, method='HEAD')
            case.compare(answer, 'HEAD')
            if case.closes:
                return
        check(client.ask('/cgi-bin/warm').status == 200, 'no next answer')


@pytest.mark.parametrize('cases', [HEADS, STATUS, LENGTH, ELSEWHERE],
                         ids=['heads', 'status', 'length', 'elsewhere'])
def test_each_output_has_its_answer(cases):
    Table(cases).run(in_a_row, in_http_1_0, by_head)


def test_what_is_no_cgi_response_is_502_and_a_line_in_the_log():
    pages = set()

    def is_refused(site, target, case):
        with site.client() as client:
            for method in 'GET', 'HEAD':
                mark = site.mark()
                answer = client.ask(target, method=method)
                check(answer.status == 502 and answer['X-Before'] is None, f'not 502: {answer}')
                peer, _ = site.wait_log_of('/cgi-bin/say', NOT_CGI + case[2], since=mark).groups()
                check(peer == '{}:{}'.format(*client.sock.getsockname()), f'another peer: {peer}')
                check(site.log().count('not a CGI response', mark) == 1, 'more than one line')
            check(client.ask('/cgi-bin/warm').status == 200, 'no next answer')
            pages.add(client.ask(target).body)
    Table(NO_RESPONSE).run(is_refused)
    assert len(pages) == 1 and b'502' in pages.pop()


def test_a_length_that_promises_too_much_breaks_the_connection_off():
    with Scripts({'short': 'printf "Content-Length: 10\\n\\nfive\\n"'}) as site:
        for version in '1.1', '1.0':
            with site.client() as client:
                answer = broken(client.send(request('/cgi-bin/short', version=version)))
                assert (answer['Content-Length'], answer.body) == ('10', b'five\n')


# ---- local redirects ---------------------------------------------------------------------

GO = 'printf "Location: %s\\n$MORE\\n" "$QUERY_STRING"'
TELL = TEXT + 'echo "$REQUEST_METHOD $REQUEST_URI $SCRIPT_NAME $PATH_INFO ?$QUERY_STRING"; ' \
    'echo "${CONTENT_LENGTH-none} ${CONTENT_TYPE-none}"; cat'
COUNT = 'n=$QUERY_STRING; if [ "$n" = 0 ]; then ' + TEXT + 'echo arrived; else ' \
    'echo "Location: /cgi-bin/count?$((n - 1))"; echo; fi'


def local(*more, site_lines=()):
    scripts = {'go': GO.replace('$MORE', ''.join(f'{line}\\n' for line in more)), 'tell': TELL,
               'count': COUNT, 'self': 'echo Location: /cgi-bin/self; echo'}
    return Scripts(scripts, conf=http(cgi(), *site_lines),
                   files={'file.txt': b'file', 'dir/index.html': b'index', 'private/x': b'x'})


def test_a_local_redirect_is_answered_as_if_its_target_was_asked_for():
    with local() as site, site.client() as client:
        answer = client.ask('/cgi-bin/go?/file.txt')
        assert (answer.status, answer.body) == (200, b'file')
        assert answer['Content-Type'].startswith('text/plain') and answer['Location'] is None
        assert client.ask('/cgi-bin/go?/dir/').body == b'index'
        assert client.ask('/cgi-bin/go?/nothing').status == 404
        assert client.ask('/cgi-bin/go?/dir').status == 301
        assert client.ask('/cgi-bin/go?/file.txt', 'Range: bytes=0-1').body in (b'fi', b'file')
        answer = client.ask('/cgi-bin/go?/cgi-bin/tell/info?a=b&c')
        assert answer.body == \
            b'GET /cgi-bin/go?/cgi-bin/tell/info?a=b&c /cgi-bin/tell /info ?a=b&c\nnone none\n'


def test_a_local_redirect_is_a_get_or_a_head():
    with local() as site, site.client() as client:
        for method in 'POST', 'PUT', 'DELETE':
            answer = client.ask('/cgi-bin/go?/cgi-bin/tell?q', 'Content-Type: a/b', method=method,
                                body=b'x' * 1000)
            assert answer.body == b'GET /cgi-bin/go?/cgi-bin/tell?q /cgi-bin/tell  ?q\nnone none\n'
            assert client.ask('/cgi-bin/go?/file.txt', method=method, body=b'x').body == b'file'
        answer = client.ask('/cgi-bin/go?/file.txt', method='HEAD')
        assert (answer.status, answer['Content-Length'], answer.body) == (200, '4', b'')
        assert client.ask('/cgi-bin/go?/cgi-bin/tell', method='HEAD').status == 200


def test_a_local_redirect_may_have_a_type_and_a_body_which_are_dropped():
    with local(PLAIN, 'Content-Length: 4', '', 'body') as site, site.client() as client:
        for _ in range(2):
            assert client.ask('/cgi-bin/go?/file.txt').body == b'file'


def test_a_local_redirect_may_be_5_deep():
    with local() as site, nothing_left(site), site.client() as client:
        for depth in range(6):
            answer = client.ask(f'/cgi-bin/count?{depth}')
            assert (answer.status, answer.body) == (200, b'arrived\n')
        for target in '/cgi-bin/count?6', '/cgi-bin/count?1000', '/cgi-bin/self':
            mark = site.mark()
            assert client.ask(target).status == 500
            site.wait_log(rf'warning: pool web: .*redirect.*{re.escape(target)}$', since=mark)
        assert client.ask('/file.txt').body == b'file'


def test_a_local_redirect_opens_no_door():
    lines = ('location "/private/" {', 'deny = { "all" }', '}', 'redirect "/old/" { to = "/dir/" }')
    with local(site_lines=lines) as site, site.client() as client:
        assert client.ask('/cgi-bin/go?/private/x').status == 403
        assert client.ask('/cgi-bin/go?/dir/../private/x').status == 403
        assert client.ask('/cgi-bin/go?/%70rivate/x').status == 403
        assert client.ask('/cgi-bin/go?/old/x')['Location'] == '/dir/x'
        for target in '/../etc/passwd', '/%2e%2e/x', '/a%00b', '/a%zz', '/%2Fx':
            assert site.ask(f'/cgi-bin/go?{target}').status in (302, 400, 404, 500, 502)


# ---- nph- --------------------------------------------------------------------------------

RAW = [b'HTTP/1.1 299 Raw\r\nX: y\r\nContent-Length: 3\r\n\r\nraw', b'no HTTP at all\n', BINARY,
       b'HTTP/1.0 200 OK\nTransfer-Encoding: chunked\nX: a\rb\0\n\n', b'Status: 404\n\n']


@pytest.mark.parametrize('output', RAW, ids=len)
def test_the_output_of_nph_goes_out_as_it_is_and_the_connection_ends(output):
    table = Table([Case('raw', output)])
    with table.site as site, nothing_left(site):
        for version in '1.1', '1.0':
            with site.client() as client:
                client.send(request('/cgi-bin/nph-say?0', version=version))
                assert client.rest() == output


def test_nph_is_known_by_the_name_of_the_file():
    nph = Scripts({'nph-here': r'printf "raw $PATH_INFO"', 'other': TEXT},
                  conf=http(cgi(), cgi(prefix='/x/', where='script = "{dir}/cgi/nph-here"')))
    with nph as site:
        for target, output in [('/x/y', b'raw /y'), ('/cgi-bin/nph-here/nph-x', b'raw /nph-x')]:
            with site.client() as client:
                assert client.send(request(target)).rest() == output
        assert site.ask('/cgi-bin/other/nph-here').status == 200


# ---- as it comes -------------------------------------------------------------------------

WAIT = 'while [ ! -e "{dir}/there/%s" ]; do sleep 0.02; done; '


@pytest.mark.parametrize('version', ['1.1', '1.0'])
@pytest.mark.parametrize('length', ['', 'Content-Length: 10\\n'])
def test_output_goes_out_while_the_script_still_runs(version, length):
    slow = f'printf "X: y\\n{length}\\n"; ' + WAIT % 'one' + 'printf first; ' + WAIT % 'two' + \
        'printf again'
    with Scripts({'slow': slow}) as site, nothing_left(site), site.client() as client:
        client.send(request('/cgi-bin/slow', version=version))
        answer = client.head()
        assert answer['X'] == 'y' and client.buffer == b''
        put(site.there / 'one')
        while b'first' not in client.buffer:
            assert client.more()
        assert b'again' not in client.buffer and site.running('slow')
        put(site.there / 'two')
        assert client.body(answer, 'GET') == b'firstagain'


def test_output_of_nph_goes_out_while_the_script_still_runs():
    slow = 'printf first; ' + WAIT % 'two' + 'printf again'
    with Scripts({'nph-slow': slow}) as site, nothing_left(site), site.client() as client:
        assert client.send(request('/cgi-bin/nph-slow')).take(5) == b'first'
        assert site.running('nph-slow')
        put(site.there / 'two')
        assert client.rest() == b'again'


def test_100_mb_go_out_whole():
    large = TEXT + 'head -c 104857600 /dev/zero'
    with Scripts({'large': large}) as site, nothing_left(site), site.client() as client:
        client.send(request('/cgi-bin/large'))
        answer, size = client.head(), 0
        while piece := int(client.take_line(), 16):
            size += piece
            assert not client.take(piece).strip(b'\0') and client.take(2) == b'\r\n'
        assert (answer.status, size, client.take(2)) == (200, 100 << 20, b'\r\n')
        assert client.ask('/cgi-bin/warm').status == 200


# ---- how scripts end ---------------------------------------------------------------------

@pytest.mark.parametrize('status', [0, 1, 255])
def test_the_exit_status_does_not_matter(status):
    with Scripts({'exits': TEXT + f'echo all; exit {status}'}) as site, site.client() as client:
        for _ in range(2):
            assert client.ask('/cgi-bin/exits').body == b'all\n'


def test_nothing_of_the_output_is_lost_whatever_else_a_script_does_last():
    says = 'head -c 100000 /dev/zero | tr "\\0" x >&2; printf "X: y\\n\\nbody"'
    conf = http(cgi(), 'keepalive_requests = 1000')
    with Scripts({'says': says}, conf=conf) as site, nothing_left(site), site.client() as client:
        assert {client.ask('/cgi-bin/says').body for _ in range(100)} == {b'body'}


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_script_that_a_signal_ends_before_its_head_was_whole(number):
    scripts = {'dies': f'printf "Content-Type: text/plain\\n"; kill -{number} $$; sleep 10'}
    with Scripts(scripts) as site, nothing_left(site), site.client() as client:
        for _ in range(2):
            mark = site.mark()
            assert client.ask('/cgi-bin/dies').status == 502
            site.wait_log_of('/cgi-bin/dies', NOT_CGI + '.+', since=mark)


@pytest.mark.parametrize('version', ['1.1', '1.0'])
@pytest.mark.parametrize('length', ['', 'Content-Length: 10\\n'])
def test_a_script_that_a_signal_ends_behind_its_head(version, length):
    scripts = {'dies': f'printf "X: y\\n{length}\\npart"; kill -KILL $$; sleep 10'}
    with Scripts(scripts) as site, nothing_left(site), site.client() as client:
        answer = broken(client.send(request('/cgi-bin/dies', version=version)))
        assert answer.status == 200 and b'part' in answer.body


# ---- stderr ------------------------------------------------------------------------------

def test_each_line_of_stderr_is_in_the_log_and_nothing_of_it_in_the_answer():
    says = r'echo one >&2; ' + TEXT + r'echo two words >&2; echo body; ' \
        r'printf "a\033[31mb\001\rc\177 back\\\\slash\n\nno newline" >&2'
    with Scripts({'says': says}) as site, site.client() as client:
        for _ in range(2):
            mark = site.mark()
            assert client.ask('/cgi-bin/says').body == b'body\n'
            found = [site.wait_log_of('/cgi-bin/says', text, 'notice', mark).groups() for text in (
                'one', 'two words', r'a\\x1b\[31mb\\x01\\x0dc\\x7f back\\slash', 'no newline')]
            assert len(set(found)) == 1
            assert found[0][0] == '{}:{}'.format(*client.sock.getsockname())


def test_a_script_that_closes_stderr_and_one_that_prints_it_alone():
    scripts = {'closes': 'exec 2>&-; ' + TEXT + 'echo body', 'only': 'echo to stderr >&2'}
    with Scripts(scripts) as site, nothing_left(site), site.client() as client:
        for _ in range(2):
            assert client.ask('/cgi-bin/closes').body == b'body\n'
            assert client.ask('/cgi-bin/only').status == 502
        site.wait_log_of('/cgi-bin/only', 'to stderr', 'notice')
