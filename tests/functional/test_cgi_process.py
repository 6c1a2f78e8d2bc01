"""CGI: which file a script is, the state of its process, and configurations that are refused."""
import os
import re
import resource
import shutil
import socket
import subprocess

import pytest

from harness import ROOT, check_config
from scripts import TEXT, Scripts, cgi, chunked, nothing_left
from test_cgi_env import SHOW, facts, shows
from web import http, put, request

NAME = 'echo X: y; echo; echo "$SCRIPT_NAME"'


# ---- which file --------------------------------------------------------------------------

def odd_files(site):
    """Whatever can lie in a directory of scripts; never shown."""
    for name, mode in [('plain.txt', 0o644), ('no-x', 0o666), ('d/no-x', 0o644), ('unread', 0o000),
                       ('.hidden', 0o755), ('.d/script', 0o755), ('d/.hidden', 0o755),
                       ('.well-known/script', 0o755), ('d/script', 0o755)]:
        site.script(name, NAME, mode)
    cgi_bin = site.dir / 'cgi'
    (cgi_bin / 'loop').symlink_to('loop')
    (cgi_bin / 'dangling').symlink_to('nothing')
    (cgi_bin / 'to-dir').symlink_to('d')
    (cgi_bin / 'to-script').symlink_to('d/script')
    (cgi_bin / 'to-plain').symlink_to('plain.txt')
    os.mkfifo(cgi_bin / 'fifo', 0o777)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(cgi_bin / 'socket'))
    (cgi_bin / 'null').symlink_to('/dev/null')


FOUND = ['script', 'd/script', 'to-dir/script', 'to-script']
STATUS = {'': 404, 'nothing': 404, 'nothing/x': 404, 'd': 404, 'd/': 404, 'd/nothing': 404,
          'to-dir': 404, 'to-dir/': 404, 'plain.txt': 403, 'plain.txt/x': 403, 'no-x': 403,
          'd/no-x': 403, 'to-plain': 403, '.hidden': 404, '.hidden/x': 404, '.d/script': 404,
          'd/.hidden': 404, 'dangling': 404, 'fifo': 404, 'socket': 404, 'null': 404, 'unread': 403,
          'scrip': 404, 'script2': 404, 'Script': 404, 'd/script.': 404, '.': 404}


@pytest.mark.parametrize('method', ['GET', 'HEAD', 'POST', 'OPTIONS'])
def test_what_is_no_script_has_its_status_and_is_never_shown(method):
    site = Scripts({'script': NAME}, files={'file': b'file', 'cgi-bin/file': b'what the root has'})
    odd_files(site)
    with site, site.client() as client:
        for name in FOUND:
            answer = client.ask(f'/cgi-bin/{name}', method=method)
            assert answer.status == 200 and answer['X'] == 'y', name
            assert method == 'HEAD' or answer.body == f'/cgi-bin/{name}\n'.encode()
        wrong = []
        for name, status in STATUS.items():
            answer = client.ask(f'/cgi-bin/{name}', method=method)
            if answer.status != status or b'SCRIPT_NAME' in answer.body:
                wrong.append((name, status, answer))
        assert not wrong, wrong
        for name in 'loop', 'x' * 300:
            assert client.ask(f'/cgi-bin/{name}', method=method).status in (403, 404)


def test_dotfiles_may_be_scripts():
    site = Scripts({'script': NAME}, conf=http('dotfiles = true', cgi()))
    odd_files(site)
    with site:
        for name in '.hidden', '.d/script', 'd/.hidden':
            assert site.ask(f'/cgi-bin/{name}').body == f'/cgi-bin/{name}\n'.encode()


def test_the_longest_prefix_counts_and_a_script_comes_before_a_file():
    conf = http(cgi(), cgi(prefix='/cgi-bin/deep/', where='path = "{dir}/deep"'),
                'alias "/cgi-bin/files/" { path = "{dir}/www" }',
                'alias "/both/" { path = "{dir}/www" }', cgi(prefix='/both/'),
                'redirect "/cgi-bin/gone/" { to = "/x/" }',
                'location "/cgi-bin/no/" {', 'deny = { "all" }', '}')
    scripts = {each: NAME for each in ('one', 'files/file', 'deep/one', 'gone/x', 'no/x')}
    site = Scripts(scripts, conf=conf, files={'file': b'file', 'one': b'a file'})
    put(site.dir / 'deep/two', b'#!/bin/sh\n' + NAME.encode(), 0o755)
    with site:
        for target, body in [('/cgi-bin/one', b'/cgi-bin/one\n'), ('/both/one', b'/both/one\n'),
                             ('/cgi-bin/deep/two', b'/cgi-bin/deep/two\n'),
                             ('/cgi-bin/files/file', b'file'), ('/one', b'a file')]:
            assert site.ask(target).body == body
        assert site.ask('/cgi-bin/deep/one').status == 404
        assert site.ask('/cgi-bin/gone/x')['Location'] == '/x/x'
        assert site.ask('/cgi-bin/no/x').status == 403
        assert site.ask('/cgi-bin').status == 404


@pytest.mark.parametrize('at', ['/app/', '/shown/'])
def test_a_script_that_is_an_index_is_run_and_never_shown(at):
    script = '#!/bin/sh\n# secret\necho X: y; echo; echo "$SCRIPT_NAME $QUERY_STRING $REQUEST_URI"\n'
    conf = http('index = { "nothing", "index.cgi", "index.html" }', 'alias "/shown" { path = "{dir}/www/app" }',
                *[f'cgi "{path}index.cgi" {{ script = "{{dir}}/www/app/index.cgi" }}'
                  for path in ('/app/', '/shown/')],
                'location "/app/index.cgi" { deny = { "127.0.0.2" } }')
    site = Scripts({}, conf=conf, files={'app/index.html': b'file', 'index.html': b'home'})
    put(site.root / 'app/index.cgi', script.encode(), 0o755)
    with site, site.client() as client:
        answer = client.ask(f'{at}?a=b')
        assert (answer.status, answer.body.decode()) == (200, f'{at}index.cgi a=b {at}?a=b\n')
        head = client.ask(at, method='HEAD')
        assert (head.status, head['X'], head['Content-Length']) == (200, 'y', None)
        assert client.ask(f'{at}index.html').body == b'file'
        assert client.ask('/').body == b'home'
        (site.root / 'app/index.cgi').unlink()
        assert client.ask(at).body == b'file'


def test_files_are_served_as_before_beside_scripts():
    with Scripts({'script': NAME}, files={'file': b'file'}) as site, site.client() as client:
        for _ in range(2):
            assert client.ask('/file').body == b'file'
            assert client.ask('/cgi-bin/script').status == 200
            assert client.ask('/file', 'Range: bytes=1-2').body == b'il'
            assert client.ask('/file', method='POST', body=b'x').status == 405


# ---- what cannot be started --------------------------------------------------------------

CANNOT = {
    'no-interpreter': (b'#!/no/such/program\n', 500, r'.+'),
    'interpreter-is-a-directory': (b'#!/usr\n', 403, None),
    'no-program': (b'this is no program\n', 500, 'Exec format error'),
    'empty': (b'', 500, 'Exec format error'),
    'cut': (b'\x7fELF\x02\x01\x01', 500, 'Exec format error'),
}


@pytest.mark.parametrize('name', CANNOT)
def test_what_the_kernel_cannot_run(name):
    content, status, why = CANNOT[name]
    site = Scripts({})
    path = site.script(name, content)
    with site, nothing_left(site), site.client() as client:
        for method in 'GET', 'POST':
            answer = client.ask(f'/cgi-bin/{name}', method=method, body=b'x' * 100)
            assert answer.status == status
        if why:
            site.wait_log(rf'error: pool web: .*cannot run {path}: {why}')
        assert client.ask('/cgi-bin/warm').status == 200


@pytest.mark.root
def test_a_script_that_the_workers_may_not_run_is_403():
    site = Scripts({})
    site.script('private', NAME, 0o700)
    site.script('closed/script', NAME)
    (site.dir / 'cgi/closed').chmod(0o700)
    with site:
        assert site.ask('/cgi-bin/private').status == 403
        assert site.ask('/cgi-bin/closed/script').status == 403
        site.script('unreadable', NAME, 0o711)  # its interpreter has to say so
        assert site.ask('/cgi-bin/unreadable').status == 502


def test_a_script_that_vanished_and_came_back():
    conf = http(cgi(prefix='/one/', where='script = "{dir}/cgi/one"'), cgi())
    with Scripts({'one': NAME}, conf=conf) as site:
        path = site.dir / 'cgi/one'
        assert site.ask('/one/').body == b'/one\n'
        path.rename(site.dir / 'away')
        for _ in range(5):
            assert site.ask('/one/').status in (404, 500)
            assert site.ask('/cgi-bin/one').status == 404
        (site.dir / 'away').rename(path)
        assert site.ask('/one/').body == b'/one\n'
        assert site.ask('/cgi-bin/one').body == b'/cgi-bin/one\n'


def test_expect_100_continue_is_answered_when_a_script_is_about_to_read():
    with Scripts({'reads': TEXT + 'cat'}, 'limit = 100') as site, site.client() as client:
        put(site.dir / 'cgi/plain', b'x')
        for _ in range(2):
            client.send(request('/cgi-bin/reads', 'Expect: 100-continue', 'Content-Length: 4',
                                method='POST'))
            assert client.head().status == 100
            assert client.send(b'body').response().body == b'body'
        for target, status in [('/cgi-bin/nothing', 404), ('/cgi-bin/plain', 403)]:
            assert site.raw(request(target, 'Expect: 100-continue', 'Content-Length: 4',
                                    method='POST')).status == status
        client.send(request('/cgi-bin/reads', 'Expect: 100-continue', method='POST', body=b'now'))
        answer = client.head()
        if answer.status == 100:
            answer = client.head()
        assert client.body(answer, 'POST') == b'now'


# ---- the process -------------------------------------------------------------------------

def test_a_script_runs_in_its_directory_with_three_descriptors_and_leads_a_session():
    site = shows()
    site.script('deep/show', SHOW)
    with site:
        told = facts(site.ask('/cgi-bin/deep/show/x'))
        assert told['cwd'] == f'{site.dir}/cgi/deep'
        assert told['fds'] == ['0', '1', '2']
        assert told['pid'] == told['group'] == told['session'] and told['tty'] == '0'


SIGNALS = TEXT + 'exec cat /proc/self/status'
IGNORE = 'trap "" HUP INT QUIT PIPE CHLD TSTP TTIN TTOU USR2; exec "$0" "$@"'


@pytest.mark.parametrize('wrap', [[], ['/bin/sh', '-c', IGNORE]], ids=['default', 'odd'])
def test_a_script_has_default_signals(wrap):
    with Scripts({'signals': SIGNALS}, wrap=wrap) as site:
        told = site.ask('/cgi-bin/signals').body.decode()
        found = dict(re.findall(r'^(Sig\w+):\s+([0-9a-f]{16})$', told, re.M))
        assert {int(found[f'Sig{name}'], 16) for name in ('Blk', 'Ign', 'Cgt', 'Pnd')} == {0}


def test_umask_nice_and_limits_are_those_of_the_section_else_of_the_pool():
    conf = http(cgi('umask = "0027"', 'nice = 9', 'rlimit_nofile = 55', 'rlimit_cpu = 100'),
                cgi(prefix='/two/', where='script = "{dir}/cgi/show"'),
                options=('workers = 2', 'umask = "0077"', 'nice = 5', 'rlimit_nofile = 66',
                         'rlimit_core = 0'))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    with shows(conf=conf) as site:
        for _ in range(2):
            told = facts(site.ask('/cgi-bin/show'))
            assert (told['umask'], told['nice']) == (0o027, 9)
            assert (told['nofile'], told['core'], told['cpu']) == ([55] * 2, [0] * 2, [100] * 2)
            told = facts(site.ask('/two/'))
            assert (told['umask'], told['nice']) == (0o077, 5)
            assert (told['nofile'], told['core']) == ([66] * 2, [0] * 2)
            assert told['cpu'][1] == hard


IN_A_JAIL = r'''
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
    char where[100];
    printf("Content-Type: text/plain\n\n%s %s %d", getcwd(where, sizeof(where)),
           getenv("SCRIPT_FILENAME"), access("/jail", F_OK));
    fflush(stdout);
    while (fork() == 0 || getsid(0) != getpid())
        pause();
    return 0;
}
'''


@pytest.mark.root
@pytest.mark.skipif(not shutil.which('cc'), reason='needs a C compiler')
def test_a_script_in_a_chroot_and_what_it_leaves_behind():
    conf = http(cgi(where='path = "/cgi"'), root='/www',
                options=('workers = 1', 'chroot = "{dir}/jail"'))
    site = Scripts({}, conf=conf)
    for name in 'www', 'cgi':
        (site.dir / 'jail' / name).mkdir(parents=True)
    build = subprocess.run(['cc', '-static', '-x', 'c', '-', '-o', 'jail/cgi/jailed'],
                           cwd=site.dir, input=IN_A_JAIL, text=True, capture_output=True)
    if build.returncode != 0:
        shutil.rmtree(site.dir)
        pytest.skip('needs a static C library')
    with site:
        for _ in range(2):
            assert site.ask('/cgi-bin/jailed').body == b'/cgi /cgi/jailed -1'
            assert site.ask('/cgi-bin/nothing').status == 404
        site.wait_gone()


@pytest.mark.root
def test_user_and_group_of_a_section():
    conf = http(cgi('user = "nobody"', 'group = "daemon"'),
                cgi('user = "daemon"', prefix='/daemon/', where='script = "{dir}/cgi/show"'),
                cgi(prefix='/root/', where='script = "{dir}/cgi/show"'),
                options=('workers = 2', 'user = "root"', 'group = "root"'))
    with shows(conf=conf) as site:
        told = facts(site.ask('/cgi-bin/show'))
        assert told['ids'] == [65534, 65534, 1, 1] and not set(told['groups']) - {1}
        there = told['environment']
        assert [there[name] for name in ('USER', 'LOGNAME', 'HOME')] == \
            ['nobody', 'nobody', '/nonexistent']
        told = facts(site.ask('/daemon/'))
        assert told['ids'] == [1] * 4 and not set(told['groups']) - {1}
        assert told['environment']['USER'] == 'daemon'
        told = facts(site.ask('/root/'))
        assert told['ids'] == [0] * 4 and told['environment']['USER'] == 'root'


@pytest.mark.root
def test_a_script_of_another_user_may_open_its_ends_by_their_names():
    conf = http(cgi('user = "nobody"'), options=('workers = 1', 'user = "root"', 'group = "root"'))
    text = 'echo seen >/dev/stderr; { echo; cat /dev/stdin; } >/dev/stdout'
    scripts = {'names': 'echo A: b; ' + text, 'pipe': TEXT + 'readlink /proc/$$/fd/2'}
    with Scripts(scripts, conf=conf) as site:
        assert len({site.ask('/cgi-bin/pipe').body for _ in range(3)}) == 3  # none can be read by the next
        for body in b'', b'x', b'x' * 100000:
            assert site.ask('/cgi-bin/names', method='POST', body=body).body == body
            site.wait_log_of('/cgi-bin/names', 'seen', level='notice')
        with site.client() as client:
            client.send(request('/cgi-bin/names', 'Transfer-Encoding: chunked', method='POST'))
            client.send(chunked(b'y' * 100000))
            assert client.response().body == b'y' * 100000


def test_without_user_a_script_is_what_the_worker_is():
    with shows() as site:
        ids = [os.stat(f'/proc/{site.workers()[0]}').st_uid, 65534 if ROOT else os.getgid()]
        told = facts(site.ask('/cgi-bin/show'))
        assert told['ids'] == [ids[0], ids[0], ids[1], ids[1]]


# ---- what is refused ---------------------------------------------------------------------

GOOD = http(cgi('timeout = 60s', 'max_time = 0s', 'limit = 0', 'environment = { "A=b" }',
                'pass_environment = { "C" }', 'pass_authorization = false', 'keep_running = false',
                'umask = "0022"', 'nice = 0', 'rlimit_nofile = 100'),
            cgi(prefix='/one', where='script = "{dir}/cgi/warm"'), 'server_admin = "a@b"',
            'spool_dir = "/var/tmp"')
ALIASES = 'alias "/x/" { path = "{dir}" }'


def refused(name, text, *lines, section=(), at='cgi "'):
    """lines of the http section; the fault is told for the line that begins with at."""
    return pytest.param(http(cgi(*section) if section else '', *lines), at, text, id=name)


def where(*lines):
    return 'cgi "/x/" {\n' + '\n'.join(lines) + '\n}'


@pytest.mark.parametrize('conf, at, text', [
    refused('neither', 'path', where()),
    refused('both', 'script', where('path = "{dir}/cgi"', 'script = "{dir}/cgi/warm"'),
            at='(cgi|path|script)'),
    refused('relative path', 'not an absolute path', where('path = "cgi"'), at='path'),
    refused('relative script', 'not an absolute path', where('script = "warm"'), at='script'),
    refused('no such path', 'No such file', where('path = "{dir}/nothing"'), at='path'),
    refused('path is a file', 'irectory', where('path = "{dir}/cgi/warm"'), at='path'),
    refused('no such script', 'No such file', where('script = "{dir}/cgi/nothing"'), at='script'),
    refused('script is a directory', 'regular file', where('script = "{dir}/cgi"'), at='script'),
    refused('script is not executable', '', where('script = "{dir}/cgi/plain"'), at='script'),
    refused('title', 'path', 'cgi "x" { path = "{dir}/cgi" }'),
    refused('twice', 'cgi', cgi(), cgi()),
    refused('unknown option', 'unknown option', section=['time = 1s'], at='time'),
    *[refused(name, name.split('=')[0], section=[f'environment = {{ "A=b", "{name}" }}'],
              at='environment')
      for name in ('QUERY_STRING=x', 'HTTP_X=1', 'HTTP_PROXY=x', 'REMOTE_USER=root', 'PATH_INFO=/',
                   'CONTENT_LENGTH=1', 'GATEWAY_INTERFACE=CGI/1.1', 'REDIRECT_STATUS=200')],
    refused('environment without =', '', section=['environment = { "A" }'], at='environment'),
    refused('pass_environment with =', '', section=['pass_environment = { "A=b" }'],
            at='pass_environment'),
    refused('timeout', '', section=['timeout = 0s'], at='timeout'),
    refused('limit', '', section=['limit = -1'], at='limit'),
    refused('umask', '', section=['umask = "9"'], at='umask'),
    refused('shown below an alias', 'its scripts would be shown as files at /x/cgi/', ALIASES,
            cgi(), at='path = "{dir}/cgi"'),
    refused('shown below the root', 'its scripts would be shown as files at /scripts/',
            cgi(where='path = "{dir}/www/scripts"'), at='path = "{dir}/www'),
    refused('shown below an alias of the outer site', 'shown as files at /x/cgi/', ALIASES,
            'site "s" {', 'server_name = "s.test"', cgi(), '}', at='path = "{dir}/cgi"'),
    refused('spool_dir', 'not an absolute path', 'spool_dir = "tmp"', at='spool_dir'),
])
def test_a_bad_configuration_is_refused_with_its_line_and_changes_nothing(conf, at, text):
    site = Scripts({}, conf=GOOD)
    put(site.dir / 'cgi/plain', b'x')
    put(site.root / 'scripts/one', NAME.encode(), 0o755)
    with site:
        workers = site.wait_workers(4)
        line = site.reload(conf, expect='refused')
        said = check_config(site.conf_path, '-n').stderr
        numbers = [number for number, each in enumerate(site.conf_path.read_text().split('\n'), 1)
                   if re.match(at.replace('{dir}', str(site.dir)), each)]
        assert any(re.search(rf'{site.conf_path}:{number}: .*{text}', said)
                   for number in numbers), (numbers, said)
        assert text in line
        assert site.ask('/cgi-bin/warm').status == 200 and site.workers() == workers


@pytest.mark.root
@pytest.mark.parametrize('option', ['user', 'group'])
def test_user_and_group_are_refused_where_workers_are_not_root(option):
    site = Scripts({}, conf=http(cgi(f'{option} = "daemon"')))
    assert re.search(rf'preforkd.conf:12: {option}: .*root', site.refusal())


@pytest.mark.parametrize('conf', [
    GOOD, http(cgi(where='path = "{dir}/www/cgi-bin"')),
    http(cgi(), ALIASES, cgi(prefix='/x/cgi/')),
    http(cgi(where='path = "{dir}/cgi/"', prefix='/cgi-bin')),
], ids=['all', 'in the root', 'in an alias', 'without slash'])
def test_a_good_configuration(conf):
    site = Scripts({}, conf=conf)
    put(site.root / 'cgi-bin/warm', NAME.encode(), 0o755)
    with site:
        assert check_config(site.conf_path, '-n').returncode == 0
        if 'www/cgi-bin' in conf:
            site.script('../www/cgi-bin/one', NAME)
            assert site.ask('/cgi-bin/one').body == b'/cgi-bin/one\n'
        else:
            assert site.ask('/cgi-bin/warm').status == 200


def test_a_reload_takes_over_another_section():
    with Scripts({'one': NAME}) as site:
        assert site.ask('/cgi-bin/one').status == 200
        old = site.workers()
        site.reload(http(cgi(prefix='/other/')))
        site.wait_replaced(old, 4)
        assert [site.ask(f'/{name}/one').status for name in ('cgi-bin', 'other')] == [404, 200]
