"""CGI: what a script gets, RFC 3875 4: its environment to the byte, its arguments, its input,
and the state of its process.
"""
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from harness import PREFORKD
from scripts import PYTHON, TEXT, Scripts, cgi, chunked
from test_http_files import basic, hashed
from test_listen import ipv6
from test_proxy import ON as PROXY, tlv, v2
from test_services import account
from web import HOST, http, put, request

# Tells all that a process can see of itself, as JSON.
SHOW = PYTHON + r'''
import hashlib, json, os, resource, sys
fds = {}
for fd in os.listdir('/proc/self/fd'):
    try:
        fds[fd] = os.readlink('/proc/self/fd/' + fd)
    except FileNotFoundError:
        pass
body = sys.stdin.buffer.read()
umask = os.umask(0)
facts = {
    'environment': open('/proc/self/environ', 'rb').read().decode('latin-1').split('\0'),
    'argv': open('/proc/self/cmdline').read().split('\0')[2:-1],
    'cwd': os.getcwd(), 'umask': umask, 'nice': os.nice(0), 'fds': sorted(fds),
    'nofile': resource.getrlimit(resource.RLIMIT_NOFILE),
    'core': resource.getrlimit(resource.RLIMIT_CORE),
    'cpu': resource.getrlimit(resource.RLIMIT_CPU),
    'ids': [os.getuid(), os.geteuid(), os.getgid(), os.getegid()], 'groups': os.getgroups(),
    'pid': os.getpid(), 'group': os.getpgrp(), 'session': os.getsid(0),
    'tty': open('/proc/self/stat').read().rsplit(')')[1].split()[4],
    'body': [len(body), hashlib.sha256(body).hexdigest()],
}
print('Content-Type: application/json\n')
print(json.dumps(facts))
'''
FILES = {'index.html': b'home'}
VERSION = subprocess.run([PREFORKD, '-V'], capture_output=True, text=True).stdout.split()[1]


def shows(*lines, conf=None, **rest):
    return Scripts({'show': SHOW}, *lines, conf=conf, files=FILES, **rest)


def facts(response):
    """What the script has told; nothing in its environment stands twice."""
    assert response.status == 200, response
    told = json.loads(response.body)
    assert told['environment'].pop() == ''
    pairs = [item.split('=', 1) for item in told['environment']]
    assert len({name for name, _ in pairs}) == len(pairs), pairs
    told['environment'] = dict(pairs)
    return told


def expected(site, client, target, **changes):
    """The environment for a plain GET of a target below /cgi-bin/show; None takes one away."""
    local, remote = ('unix:', 80), ('unix:', None)
    if client.sock.family != socket.AF_UNIX:
        local, remote = client.sock.getpeername(), client.sock.getsockname()
    variables = {
        **account(), 'PATH': '/usr/local/bin:/usr/bin:/bin',
        'GATEWAY_INTERFACE': 'CGI/1.1', 'SERVER_SOFTWARE': f'preforkd/{VERSION}',
        'SERVER_PROTOCOL': 'HTTP/1.1', 'SERVER_NAME': HOST, 'SERVER_ADDR': local[0],
        'SERVER_PORT': str(local[1]), 'REMOTE_ADDR': remote[0], 'REMOTE_HOST': remote[0],
        'REMOTE_PORT': remote[1] and str(remote[1]), 'REQUEST_SCHEME': 'http',
        'REQUEST_METHOD': 'GET', 'REQUEST_URI': target, 'QUERY_STRING': target.partition('?')[2],
        'SCRIPT_NAME': '/cgi-bin/show', 'SCRIPT_FILENAME': f'{site.dir}/cgi/show',
        'DOCUMENT_ROOT': str(site.root), 'REDIRECT_STATUS': '200', 'HTTP_HOST': HOST, **changes}
    return {name: value for name, value in variables.items() if value is not None}


def environment_is_exact(site, target='/cgi-bin/show', *fields, changes=None, **rest):
    """That a request has just this environment; what else the script has told."""
    with site.client() as client:
        told = facts(client.ask(target, *fields, **rest))
        assert told['environment'] == expected(site, client, target, **(changes or {}))
        assert client.is_open() or rest.get('version') == '1.0'
        return told


def variables(site, target='/cgi-bin/show', *fields, **rest):
    return facts(site.ask(target, *fields, **rest))['environment']


def digest(body):
    return [len(body), hashlib.sha256(body).hexdigest()]


# ---- the golden environment --------------------------------------------------------------

def test_the_environment_of_a_get():
    with shows() as site:
        told = environment_is_exact(site)
        assert told['body'] == digest(b'')
        environment_is_exact(site, '/cgi-bin/show?')
        environment_is_exact(site, '/cgi-bin/show?a=b&c=%20+d/../?e')


def test_the_environment_of_a_get_over_http_1_0():
    with shows() as site:
        environment_is_exact(site, version='1.0', changes={'SERVER_PROTOCOL': 'HTTP/1.0'})
        environment_is_exact(site, version='1.0', host=None, changes={
            'SERVER_PROTOCOL': 'HTTP/1.0', 'HTTP_HOST': None, 'SERVER_NAME': '127.0.0.1'})


@pytest.mark.parametrize('method', ['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'NEW',
                                    'get'])
def test_each_method_goes_to_the_script(method):
    tells = TEXT + 'echo "method $REQUEST_METHOD" >&2'
    with Scripts({'tells': tells}) as site:
        assert site.ask('/cgi-bin/tells', method=method).status == 200
        site.wait_log_of('/cgi-bin/tells', f'method {method}', level='notice')


def test_trace_and_connect_do_not():
    with Scripts({'tells': TEXT}) as site:
        assert site.ask('/cgi-bin/tells', method='TRACE').status == 405
        assert site.raw(b'CONNECT www.test:80 HTTP/1.1\r\nHost: www.test\r\n\r\n').status == 405


@pytest.mark.parametrize('body', [b'', b'a=b', bytes(range(256)) * 1000], ids=len)
def test_the_environment_of_a_post(body):
    length = {'REQUEST_METHOD': 'POST', 'CONTENT_LENGTH': str(len(body))}
    with shows() as site:
        told = environment_is_exact(site, '/cgi-bin/show?q', method='POST', body=body,
                                    changes=length)
        assert told['body'] == digest(body)
        told = environment_is_exact(site, '/cgi-bin/show', 'Content-Type: a/b; c="d"', body=body,
                                    method='POST', changes={**length, 'CONTENT_TYPE': 'a/b; c="d"'})
        assert told['body'] == digest(body)


@pytest.mark.parametrize('length, size', [(0, 1), (1, 1), (65536, 4096), (65537, 1000),
                                          (3000000, 100000)])
def test_a_chunked_post_has_its_true_length(length, size):
    body = (bytes(range(256)) * (length // 256 + 1))[:length]
    with shows() as site, site.client() as client:
        for fields in [], ['Content-Type: x/y']:
            client.send(request('/cgi-bin/show', 'Transfer-Encoding: chunked', *fields,
                                method='POST') + chunked(body, size))
            told = facts(client.response())
            assert told['environment'] == expected(
                site, client, '/cgi-bin/show', REQUEST_METHOD='POST', CONTENT_LENGTH=str(length),
                CONTENT_TYPE='x/y' if fields else None)
            assert told['body'] == digest(body)


def test_a_body_beyond_rlimit_fsize_is_500_and_the_worker_lives_on():
    options = ('workers = 1', 'rlimit_fsize = 100k', 'access_log = "{dir}/access.log"')
    head = request('/cgi-bin/show', 'Transfer-Encoding: chunked', method='POST')
    with shows(conf=http('spool_dir = "{dir}/there"', cgi(), options=options)) as site:
        workers = site.workers()
        with site.client() as client:
            client.send(head + chunked(b'x' * 300000))
            assert client.response('POST').status == 500
        site.wait_log(r'error: pool web: .*a request body, in a file in .*: File too large$')
        for _ in range(200):
            assert site.ask('/cgi-bin/' + 'x' * 1000).status == 404
        site.wait_log(r'error: .*/access\.log: cannot write: File too large')
        assert site.workers() == workers


def test_a_spooled_body_is_in_spool_dir_and_leaves_nothing_there():
    conf = http('spool_dir = "{dir}/spool"', cgi())
    peeks = TEXT + 'exec ls -l /proc/self/fd "{dir}/spool"'
    with Scripts({'peeks': peeks}, conf=conf) as site:
        (site.dir / 'spool').mkdir()
        (site.dir / 'spool').chmod(0o777)
        data = request('/cgi-bin/peeks', 'Transfer-Encoding: chunked', method='POST')
        said = site.raw(data + chunked(b'x' * 200000)).body.decode()
        assert re.search(r'0 -> .*/spool/.*\(deleted\)$', said, re.M), said
        assert os.listdir(site.dir / 'spool') == []
        said = site.raw(data + chunked(b'x' * 2000)).body.decode()
        assert '/spool/' not in said.replace(f'{site.dir}/spool:', ''), said


def test_the_environment_of_one_request_is_not_that_of_the_next():
    with shows() as site, site.client() as client:
        post = facts(client.ask('/cgi-bin/show/info?q', 'X-A: 1', 'Content-Type: a/b',
                                method='POST', body=b'x'))['environment']
        assert {'CONTENT_LENGTH', 'CONTENT_TYPE', 'PATH_INFO', 'HTTP_X_A'} < set(post)
        assert facts(client.ask('/cgi-bin/show'))['environment'] == \
            expected(site, client, '/cgi-bin/show')


@ipv6
def test_the_environment_over_ipv6():
    with shows(conf=http(cgi(), listen='[::1]:0')) as site:
        told = environment_is_exact(site)
        assert told['environment']['REMOTE_ADDR'] == told['environment']['SERVER_ADDR'] == '::1'
        assert variables(site, host='[::1]:8080')['SERVER_NAME'] == '[::1]'


@ipv6
def test_ipv4_on_a_dual_stack_socket_is_shown_as_ipv4():
    with shows(conf=http(cgi(), listen='0')) as site:
        told = environment_is_exact(site)
        assert told['environment']['SERVER_ADDR'] == '127.0.0.1'


def test_the_environment_over_a_unix_socket():
    conf = http(cgi(), options=('workers = 2', 'listen_mode = "0666"'), listen='{dir}/socket')
    with shows(conf=conf) as site:
        environment_is_exact(site)


@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/socket'])
def test_the_environment_behind_a_proxy(listen):
    ends = ('192.0.2.9', 12345), ('198.51.100.2', 443)
    named = {'REMOTE_ADDR': ends[0][0], 'REMOTE_HOST': ends[0][0], 'REMOTE_PORT': '12345',
             'SERVER_ADDR': ends[1][0], 'SERVER_PORT': '443'}
    tls = {'HTTPS': 'on', 'REQUEST_SCHEME': 'https'}
    with shows(conf=http(cgi(), options=('workers = 2', *PROXY), listen=listen)) as site:
        for header, changes in [(v2(*ends), named),
                                (v2(*ends, tlv(0x20, b'\x01\0\0\0\0')), {**named, **tls})]:
            with site.client() as client:
                for _ in range(2):
                    told = facts(client.send(header + request('/cgi-bin/show')).response())
                    assert told['environment'] == expected(site, client, '/cgi-bin/show', **changes)
                    header = b''


# ---- names and paths ---------------------------------------------------------------------

@pytest.mark.parametrize('target, name, info, filename', [
    ('/cgi-bin/show', '/cgi-bin/show', None, 'show'),
    ('/cgi-bin/show/', '/cgi-bin/show', '/', 'show'),
    ('/cgi-bin/show/a/b?c/d', '/cgi-bin/show', '/a/b', 'show'),
    ('/cgi-bin/show/a%20b/%C3%BC%25%3F/', '/cgi-bin/show', '/a b/\xc3\xbc%?/', 'show'),
    ('/cgi-bin/show/.hidden/.x', '/cgi-bin/show', '/.hidden/.x', 'show'),
    ('/cgi-bin/sh%6Fw/x', '/cgi-bin/show', '/x', 'show'),
    ('/cgi-bin//show//a//b', '/cgi-bin/show', '/a/b', 'show'),
    ('/cgi-bin/x/../show/a/../b', '/cgi-bin/show', '/b', 'show'),
    ('/cgi-bin/show/show', '/cgi-bin/show', '/show', 'show'),
    ('/cgi-bin/deep/er/show/x', '/cgi-bin/deep/er/show', '/x', 'deep/er/show'),
    ('/cgi-bin/two%20words/x', '/cgi-bin/two words', '/x', 'two words'),
    ('/cgi-bin/link/x', '/cgi-bin/link', '/x', 'link'),
    ('/cgi-bin/away/show/x', '/cgi-bin/away/show', '/x', 'away/show'),
])
def test_the_path_is_split_at_the_first_file(target, name, info, filename):
    site = shows()
    for each in 'deep/er/show', 'two words':
        site.script(each, SHOW)
    (site.dir / 'cgi/link').symlink_to('show')
    (site.dir / 'cgi/away').symlink_to('deep/er')
    with site:
        environment_is_exact(site, target, changes={
            'SCRIPT_NAME': name, 'PATH_INFO': info,
            'PATH_TRANSLATED': info and str(site.root).encode().decode('latin-1') + info,
            'SCRIPT_FILENAME': f'{site.dir}/cgi/{filename}'})


@pytest.mark.parametrize('prefix, target, name, info', [
    ('/one/', '/one/', '/one', '/'),
    ('/one/', '/one/a/b', '/one', '/a/b'),
    ('/one', '/one', '/one', None),
    ('/one', '/one/x', '/one', '/x'),
    ('/a/b/', '/a/b/.git/x', '/a/b', '/.git/x'),
    ('/', '/', '', '/'),
    ('/', '/index.html', '', '/index.html'),
    ('/', '/a/b', '', '/a/b'),
])
def test_a_script_at_a_prefix(prefix, target, name, info):
    conf = http(cgi(prefix=prefix, where='script = "{dir}/cgi/show"'), cgi(prefix='/cgi-bin/'))
    with shows(conf=conf) as site:
        environment_is_exact(site, target, changes={
            'SCRIPT_NAME': name, 'PATH_INFO': info,
            'PATH_TRANSLATED': info and f'{site.root}{info}'})


def test_the_url_of_the_request_is_as_it_was_sent():
    with shows() as site:
        there = variables(site, 'http://other.test:81/cgi-bin/./show?x')
        assert (there['REQUEST_URI'], there['SERVER_NAME']) == ('/cgi-bin/./show?x', 'other.test')


@pytest.mark.parametrize('host, name', [
    (HOST, HOST), (HOST + ':8080', HOST), ('x-1.test', 'x-1.test'), ('127.0.0.1', '127.0.0.1'),
    ('[2001:db8::1]', '[2001:db8::1]'), ('a_b.test', 'main.test'), ('a%20b', 'main.test'),
    ("a'b", 'main.test'), ('', 'main.test'), ('odd_name.test', 'odd_name.test')])
def test_the_name_of_the_server_is_that_of_the_request_if_it_can_do_no_harm(host, name):
    conf = http('server_name = "main.test"', 'server_alias = { "odd_name.test" }', cgi())
    with shows(conf=conf) as site:
        there = variables(site, host=host)
        assert (there['SERVER_NAME'], there.get('HTTP_HOST', '')) == (name, host)


def test_a_site_inherits_the_scripts_and_has_its_own():
    conf = http(cgi(), 'server_admin = "root@www.test"', 'site "a" {', 'server_name = "a.test"',
                'document_root = "{dir}/www/a"', '}', 'site "b" {', 'server_name = "b.test"',
                'server_admin = "b@b.test"', cgi(where='script = "{dir}/cgi/show"', prefix='/own/'),
                '}')
    site = shows(conf=conf)
    (site.root / 'a').mkdir(mode=0o755)
    with site:
        for host, root, admin in [(HOST, site.root, 'root@www.test'),
                                  ('a.test', site.root / 'a', 'root@www.test'),
                                  ('b.test', site.root, 'b@b.test')]:
            environment_is_exact(site, host=host, changes={
                'SERVER_NAME': host, 'HTTP_HOST': host, 'DOCUMENT_ROOT': str(root),
                'SERVER_ADMIN': admin})
        assert variables(site, '/own/x', host='b.test')['SCRIPT_NAME'] == '/own'
        assert site.ask('/own/x').status == 404


# ---- fields ------------------------------------------------------------------------------

def test_fields_of_the_request_are_variables():
    fields = {'X-A: 1': ('HTTP_X_A', '1'), 'accept: a/b': ('HTTP_ACCEPT', 'a/b'),
              'X-Empty:': ('HTTP_X_EMPTY', ''), 'X9: =a"b\'$(id)`': ('HTTP_X9', '=a"b\'$(id)`'),
              'Range: bytes=0-1': ('HTTP_RANGE', 'bytes=0-1'),
              'If-None-Match: *': ('HTTP_IF_NONE_MATCH', '*'),
              'X-Long: ' + 'x' * 5000: ('HTTP_X_LONG', 'x' * 5000)}
    with shows() as site:
        environment_is_exact(site, '/cgi-bin/show', *fields, changes=dict(fields.values()))


def test_fields_of_one_name_are_one_variable():
    with shows() as site:
        environment_is_exact(
            site, '/cgi-bin/show', 'X-A: 1', 'Cookie: a=b', 'X-B: x', 'x-a: 2', 'cookie: c=d',
            'X-A: 3', changes={'HTTP_X_A': '1, 2, 3', 'HTTP_COOKIE': 'a=b; c=d', 'HTTP_X_B': 'x'})


def test_fields_that_are_not_for_scripts():
    with shows() as site:
        environment_is_exact(
            site, '/cgi-bin/show', 'Proxy: http://evil.test/', 'PROXY: x', 'X_A: 1', 'X.B: 2',
            "X'C: 3", 'X-A: right', 'Content_Length: 5', 'Connection: keep-alive', 'Keep-Alive: 5',
            'Proxy-Connection: x', 'Proxy-Authorization: Basic YTpi', 'TE: trailers', 'Trailer: x',
            'Upgrade: h2c', 'Authorization: Basic YTpi', changes={'HTTP_X_A': 'right'})
        with site.client() as client:
            client.send(request('/cgi-bin/show', 'Expect: 100-continue', 'Content-Length: 1',
                                method='POST'))
            assert client.head().status == 100
            told = facts(client.send(b'x').response())
            assert told['environment'] == expected(site, client, '/cgi-bin/show',
                                                   REQUEST_METHOD='POST', CONTENT_LENGTH='1')


def test_many_fields():
    fields = {f'X-{n}: ' + 'y' * 1000: (f'HTTP_X_{n}', 'y' * 1000) for n in range(90)}
    with shows() as site:
        environment_is_exact(site, '/cgi-bin/show', *fields, changes=dict(fields.values()))


@pytest.mark.parametrize('query', ['-s', '-0', '--version', 'a+b', '%2Ds', '-d+x%3dy', '-'])
def test_no_argument_comes_from_the_query(query):
    """CVE-2012-1823.  Without arguments env(1) shows the environment, line by line."""
    site = shows()
    (site.dir / 'cgi/nph-env').symlink_to('/usr/bin/env')
    with site:
        assert facts(site.ask(f'/cgi-bin/show?{query}'))['argv'] == [f'{site.dir}/cgi/show']
        with site.client() as client:
            lines = client.send(request(f'/cgi-bin/nph-env?{query}')).rest().split(b'\n')
        assert f'QUERY_STRING={query}'.encode() in lines, lines


@pytest.mark.skipif(not shutil.which('cc'), reason='needs a C compiler')
@pytest.mark.parametrize('where', ['path = "{dir}/cgi"', 'script = "{dir}/cgi/argv"'])
def test_the_only_argument_is_the_path(where):
    site = shows(conf=http(cgi(where=where)))
    source = '#include <stdio.h>\nint main(int n, char **v)\n' \
             '{ printf("Content-Type: x/y\\n\\n%d %s", n, v[0]); }\n'
    subprocess.run(['cc', '-x', 'c', '-', '-o', str(site.dir / 'cgi/argv')], input=source,
                   text=True, check=True)
    with site:
        assert site.ask('/cgi-bin/argv?-s').body.decode() == f'1 {site.dir}/cgi/argv'


# ---- who asks ----------------------------------------------------------------------------

@pytest.mark.parametrize('lines, passed', [([], None), (['pass_authorization = true'], True)])
def test_a_user_that_was_proven_and_his_password(lines, passed):
    conf = http(cgi(*lines), 'location "/cgi-bin/show/staff/" {', 'auth_realm = "Staff"',
                'auth_user_file = "{dir}/htpasswd"', '}')
    site = shows(conf=conf)
    put(site.dir / 'htpasswd', f'anna:{hashed("pass", "sha512")}\n'.encode())
    with site:
        field = basic('anna', 'pass')
        sent = field.split(': ')[1]
        environment_is_exact(site, '/cgi-bin/show/staff/x', field, changes={
            'AUTH_TYPE': 'Basic', 'REMOTE_USER': 'anna', 'PATH_INFO': '/staff/x',
            'PATH_TRANSLATED': f'{site.root}/staff/x', 'HTTP_AUTHORIZATION': passed and sent})
        # Where nobody has asked for it, a password proves nothing.
        environment_is_exact(site, '/cgi-bin/show', field,
                             changes={'HTTP_AUTHORIZATION': passed and sent})
        environment_is_exact(site, '/cgi-bin/show', 'Authorization: Bearer x',
                             changes={'HTTP_AUTHORIZATION': passed and 'Bearer x'})
        assert site.ask('/cgi-bin/show/staff/x').status == 401
        assert site.ask('/cgi-bin/show/staff/x', basic('anna', 'x')).status == 401


# ---- what the configuration adds ---------------------------------------------------------

def test_environment_and_pass_environment():
    conf = http(cgi('environment = { "A=section", "C=section", "E=", "DOCUMENT_ROOT=/d",'
                    '"SERVER_ADMIN=a@b", "HTTPS=on", "REQUEST_SCHEME=https",'
                    '"SCRIPT_FILENAME=/s" }',
                    'pass_environment = { "B", "D", "NOT_THERE" }'),
                options=('workers = 2', 'environment = { "A=pool", "B=pool", "F=pool" }',
                         'pass_environment = { "C", "PASSED" }'))
    secrets = {'B': 'passed b', 'C': 'passed c', 'D': 'passed=d ', 'PASSED': 'p', 'SECRET': 's',
               'LD_BIND_NOW': '1', 'HTTP_X': 'x'}
    with shows(conf=conf, env=secrets) as site:
        environment_is_exact(site, changes={
            'A': 'section', 'B': 'passed b', 'C': 'section', 'D': 'passed=d ', 'E': '', 'F': 'pool',
            'PASSED': 'p', 'HTTPS': 'on', 'DOCUMENT_ROOT': '/d', 'SERVER_ADMIN': 'a@b',
            'REQUEST_SCHEME': 'https', 'SCRIPT_FILENAME': '/s'})


def test_sections_have_their_environments():
    conf = http(cgi('environment = { "A=one" }'),
                cgi('environment = { "B=two" }', prefix='/two/', where='script = "{dir}/cgi/show"'))
    with shows(conf=conf) as site:
        for _ in range(2):
            environment_is_exact(site, changes={'A': 'one'})
            environment_is_exact(site, '/two/x', changes={
                'B': 'two', 'SCRIPT_NAME': '/two', 'PATH_INFO': '/x',
                'PATH_TRANSLATED': f'{site.root}/x'})
