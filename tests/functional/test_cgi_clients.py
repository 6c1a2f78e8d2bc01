"""CGI programs that people run, seen by the clients that people use."""
import hashlib
import json
import os
import pathlib
import re
import shutil

import pytest

from harness import ROOT
from scripts import Scripts, cgi, nothing_left
from test_http_clients import Url, curl, needs, run
from web import http, put

MB = 1 << 20
BACKEND = '/usr/lib/git-core/git-http-backend'
GITWEB = '/usr/share/gitweb/gitweb.cgi'
CGIT = '/usr/lib/cgit/cgit.cgi'
IDENTITY = [word for each in ('user.name=T', 'user.email=t@example.org', 'init.defaultBranch=main')
            for word in ('-c', each)]


def needs_file(path):
    return pytest.mark.skipif(not os.path.exists(path), reason=f'needs {path}')


def give_away(path):
    """To the user of the workers, so that git trusts it."""
    if ROOT:
        for each in [path, *path.rglob('*')]:
            shutil.chown(each, 'nobody', 'nogroup')
    path.chmod(0o755)


# ---- git ---------------------------------------------------------------------------------

class Repository:
    """A bare repository below DIR/git, and a working copy in DIR/work."""

    def __init__(self, site):
        self.site, self.work, self.bare = site, site.dir / 'work', site.dir / 'git/repo.git'
        run('git', *IDENTITY, 'init', '-q', str(self.work))
        self.commit('README', b'Hello\n')
        run('git', 'clone', '-q', '--bare', str(self.work), str(self.bare))
        run('git', 'config', 'http.receivepack', 'true', cwd=self.bare)
        give_away(self.site.dir / 'git')

    def commit(self, name, content):
        (self.work / name).write_bytes(content)
        self.git('add', '.')
        self.git('commit', '-q', '-m', f'add {name}')

    def git(self, *words, cwd=None):
        return run('git', *IDENTITY, *words, cwd=cwd or self.work)

    def head(self, directory):
        return self.git('-c', f'safe.directory={directory}', 'rev-parse', 'main', cwd=directory)


def git_site():
    section = cgi('environment = { "GIT_PROJECT_ROOT={dir}/git", "GIT_HTTP_EXPORT_ALL=" }',
                  prefix='/git/', where=f'script = "{BACKEND}"')
    return Scripts({}, conf=http(section, cgi(), options=('workers = 4',)))


@needs('git')
@needs_file(BACKEND)
@pytest.mark.parametrize('buffer', ['65536', '52428800'], ids=['chunked', 'a length'])
def test_git_clones_pushes_and_fetches(buffer):
    site = git_site()
    repository = Repository(site)
    with site, nothing_left(site):
        url = Url(site) / 'git/repo.git'
        first, second = site.dir / 'first', site.dir / 'second'
        for clone in first, second:
            run('git', 'clone', '-q', url, str(clone))
        large = os.urandom(20 * MB)
        (first / 'large').write_bytes(large)
        repository.git('add', '.', cwd=first)
        repository.git('commit', '-q', '-m', 'large', cwd=first)
        mark = site.mark()
        repository.git('-c', f'http.postBuffer={buffer}', 'push', '-q', 'origin', 'main', cwd=first)
        assert repository.head(repository.bare) == repository.head(first)
        repository.git('pull', '-q', '--ff-only', cwd=second)
        assert (second / 'large').read_bytes() == large
        run('git', 'fsck', '--strict', cwd=second)
        third = site.dir / 'third'
        run('git', 'clone', '-q', '--depth', '1', url, str(third))
        assert hashlib.sha256((third / 'large').read_bytes()).digest() == \
            hashlib.sha256(large).digest()
        assert 'warning' not in site.log()[mark:]


@needs('git')
@needs_file(BACKEND)
def test_git_fetches_what_takes_long_to_name():
    """A request for many things is compressed by git: Content-Encoding goes to the script."""
    site = git_site()
    repository = Repository(site)
    with site, nothing_left(site):
        url = Url(site) / 'git/repo.git'
        clone = site.dir / 'clone'
        run('git', 'clone', '-q', url, str(clone))
        for number in range(30):
            repository.git('commit', '-q', '--allow-empty', '-m', f'{number}', cwd=clone)
            repository.git('tag', f'tag-{number}', cwd=clone)
        repository.git('push', '-q', 'origin', 'main', '--tags', cwd=clone)
        for number in range(30):
            repository.git('commit', '-q', '--allow-empty', '-m', f'own {number}')
        for version in '0', '2':
            repository.git('-c', f'protocol.version={version}', 'fetch', '-q', url, '--tags')
        assert len(repository.git('tag').split()) == 30


@needs('git')
@needs_file(BACKEND)
def test_git_says_why_when_there_is_no_such_repository():
    site = git_site()
    Repository(site)
    with site, nothing_left(site):
        run('git', 'ls-remote', Url(site) / 'git/repo.git')
        run('git', 'ls-remote', Url(site) / 'git/other.git', status=128)
        assert site.ask('/git/other.git/info/refs').status == 404
        assert site.ask('/git/../etc/passwd').status in (400, 404)


# ---- gitweb and cgit ---------------------------------------------------------------------

def links_of(page):
    return {link for link in re.findall(rb'''<a [^>]*href=['"]([^'"#]+)''', page)}


def crawl(site, start, number):
    """Follows links below a page; each one of so many answers well."""
    seen, todo = set(), [start]
    while todo and len(seen) < number:
        target = todo.pop(0)
        if target in seen:
            continue
        seen.add(target)
        answer = site.ask(target)
        assert answer.status in (200, 301, 302), (target, answer)
        for link in sorted(links_of(answer.body)):
            link = link.decode().replace('&amp;', '&')
            if link.startswith(start) and 'snapshot' not in link:
                todo.append(link)
    return seen


@needs('git', 'perl', 'curl')
@needs_file(GITWEB)
def test_gitweb_shows_a_repository():
    section = cgi('environment = { "GITWEB_CONFIG={dir}/gitweb.conf" }', prefix='/gitweb/',
                  where=f'script = "{GITWEB}"')
    site = Scripts({}, conf=http(section, 'alias "/static/" { path = "/usr/share/gitweb/static" }',
                                 cgi()))
    Repository(site)
    put(site.dir / 'gitweb.conf', f'$projectroot = "{site.dir}/git";\n'
        '@stylesheets = ("/static/gitweb.css");\n'.encode())
    with site, nothing_left(site):
        page = curl(Url(site) / 'gitweb/')
        assert b'repo.git' in page and page.rstrip().endswith(b'</html>')
        assert b'add README' in curl(Url(site) / 'gitweb/?p=repo.git;a=shortlog')
        assert curl(Url(site) / 'gitweb/?p=repo.git;a=blob_plain;f=README') == b'Hello\n'
        assert b'404' in curl(Url(site) / 'gitweb/?p=none.git;a=summary')
        assert curl('-w', '%{http_code}', '-o', '/dev/null',
                    Url(site) / 'gitweb/?p=none.git;a=summary') == b'404'
        assert curl(Url(site) / 'static/gitweb.css')


@needs('git', 'curl')
@needs_file(CGIT)
def test_cgit_shows_a_repository():
    section = cgi('environment = { "CGIT_CONFIG={dir}/cgitrc" }', prefix='/cgit/',
                  where=f'script = "{CGIT}"')
    site = Scripts({}, conf=http(section, cgi()))
    repository = Repository(site)
    put(site.dir / 'cgitrc', f'virtual-root=/cgit/\ncache-size=0\nrepo.url=repo\n'
        f'repo.path={repository.bare}\nenable-http-clone=1\nsnapshots=tar.gz\n'.encode())
    with site, nothing_left(site):
        page = curl(Url(site) / 'cgit/')
        assert b'repo' in page and page.rstrip().endswith(b'</html>')
        assert b'add README' in curl(Url(site) / 'cgit/repo/log/')
        assert curl(Url(site) / 'cgit/repo/plain/README') == b'Hello\n'
        assert curl('-w', '%{http_code}', '-o', '/dev/null',
                    Url(site) / 'cgit/repo/plain/nothing') == b'404'
        assert len(crawl(site, '/cgit/repo/', 20)) > 10


# ---- PHP, Python, Perl -------------------------------------------------------------------

PHP = r'''#!/usr/bin/php-cgi
<?php
header('X-Powered: yes');
if ($_GET['go'] ?? '') {
    header('Location: http://other.test/' . $_GET['go']);
    exit;
}
if ($_GET['status'] ?? '')
    http_response_code((int)$_GET['status']);
header('Content-Type: application/json');
$file = $_FILES['file']['tmp_name'] ?? null;
echo json_encode(['get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE,
    'info' => $_SERVER['PATH_INFO'] ?? null, 'method' => $_SERVER['REQUEST_METHOD'],
    'self' => $_SERVER['SCRIPT_NAME'], 'file' => $file ? hash_file('sha256', $file) : null]);
'''

PYTHON = r'''#!/usr/bin/python3
import hashlib, html, json, os, re, sys, urllib.parse
query = urllib.parse.parse_qs(os.environ['QUERY_STRING'])
if 'go' in query:
    print('Location: http://other.test/' + query['go'][0] + '\n')
    sys.exit()
body, file = sys.stdin.buffer.read(), None
kind = os.environ.get('CONTENT_TYPE', '')
if kind.startswith('multipart/'):
    boundary = b'\r\n--' + re.search('boundary=(.*)', kind)[1].encode()
    file = hashlib.sha256(body.split(b'\r\n\r\n', 1)[1].split(boundary)[0]).hexdigest()
elif kind.startswith('application/x-www-form-urlencoded'):
    query.update(urllib.parse.parse_qs(body.decode()))
if 'status' in query:
    print('Status:', query['status'][0])
print('X-Powered: yes\nContent-Type: application/json\n')
values = {name: value[0] for name, value in query.items()}
print(json.dumps({'get': values, 'post': values, 'info': os.environ.get('PATH_INFO'), 'file': file,
                  'method': os.environ['REQUEST_METHOD'], 'self': os.environ['SCRIPT_NAME'],
                  'cookie': dict([os.environ.get('HTTP_COOKIE', 'no=ne').split('=')])}))
'''

PERL = r'''#!/usr/bin/perl
use strict; use warnings; use CGI; use Digest::SHA; use JSON::PP;
my $q = CGI->new;
if ($q->url_param('go')) {
    print $q->redirect('http://other.test/' . $q->url_param('go'));
    exit;
}
my $file = $q->upload('file');
my $digest = $file ? Digest::SHA->new(256)->addfile($file)->hexdigest : undef;
my %values = map { $_ => scalar $q->param($_) } grep { $_ ne 'file' } $q->param;
$values{$_} = $q->url_param($_) for grep { $_ ne 'keywords' } $q->url_param;
print $q->header(-type => 'application/json', -status => $q->url_param('status') // 200,
                 -X_Powered => 'yes');
print encode_json({ get => \%values, post => \%values, file => $digest,
    cookie => { a => scalar $q->cookie('a') }, info => $ENV{PATH_INFO},
    method => $ENV{REQUEST_METHOD}, self => $ENV{SCRIPT_NAME} });
'''


def has_perl_cgi():
    return any(pathlib.Path(base, 'CGI.pm').exists() for base in ('/usr/share/perl5',))


@pytest.mark.parametrize('name, text', [
    pytest.param('page.php', PHP, marks=needs_file('/usr/bin/php-cgi')),
    pytest.param('page.py', PYTHON, marks=needs_file('/usr/bin/python3')),
    pytest.param('page.pl', PERL, marks=pytest.mark.skipif(not has_perl_cgi(),
                                                           reason='needs libcgi-pm-perl'))])
@needs('curl')
def test_a_page_in_php_python_and_perl(name, text):
    with Scripts({name: text}) as site, nothing_left(site):
        url, path = Url(site) / f'cgi-bin/{name}', f'/cgi-bin/{name}'

        def page(*words):
            return json.loads(curl('-f', *words))
        there = page('-b', 'a=b', f'{url}/in%20fo?x=y&z=%26')
        assert there == {'get': {'x': 'y', 'z': '&'}, 'post': there['post'], 'cookie': {'a': 'b'},
                         'info': '/in fo', 'method': 'GET', 'self': path, 'file': None}
        assert page('-d', 'name=gr%C3%BC%C3%9F&n=1', url)['post']['n'] == '1'
        assert page('-d', 'n=1', '-H', 'Transfer-Encoding: chunked', url)['post']['n'] == '1'
        upload = put(site.dir / 'upload', os.urandom(MB))
        digest = hashlib.sha256(upload.read_bytes()).hexdigest()
        for chunked in [], ['-H', 'Transfer-Encoding: chunked']:
            assert page('-F', f'file=@{upload}', *chunked, url)['file'] == digest
        head = curl('-D', '-', '-o', '/dev/null', f'{url}?status=404').decode()
        assert head.startswith('HTTP/1.1 404 ')
        assert re.search(r'(?i)^X-Powered: yes', head, re.M)
        head = curl('-D', '-', '-o', '/dev/null', f'{url}?go=there').decode()
        assert head.startswith('HTTP/1.1 302 ')
        assert re.search(r'(?i)^Location: http://other.test/there\r$', head, re.M)
        assert curl('-I', url).startswith(b'HTTP/1.1 200 ')
        assert 'warning' not in site.log()


@needs_file('/usr/bin/php-cgi')
def test_php_gets_no_arguments_from_the_query():
    """CVE-2012-1823: -s would show the source."""
    with Scripts({'page.php': PHP}) as site:
        for query in '-s', '-h', '-d+allow_url_include%3d1', '%2Ds', '-i':
            answer = site.ask(f'/cgi-bin/page.php?{query}')
            assert answer['Content-Type'] == 'application/json', answer
            assert json.loads(answer.body)['self'] == '/cgi-bin/page.php'


@needs('curl')
def test_curl_sends_100_continue_and_leaves_early():
    large = 'echo Content-Type: a/b; echo; head -c 100000000 /dev/zero'
    with Scripts({'cat': 'echo Content-Type: a/b; echo; cat', 'large': large}) as site:
        with nothing_left(site):
            upload = put(site.dir / 'upload', os.urandom(3 * MB))
            for words in [], ['-H', 'Expect: 100-continue'], ['-H', 'Expect:'], ['--http1.0']:
                assert curl('--data-binary', f'@{upload}', *words, Url(site) / 'cgi-bin/cat') == \
                    upload.read_bytes()
            curl('-m', '0.2', '--limit-rate', '1M', '-o', '/dev/null', Url(site) / 'cgi-bin/large',
                 status=28)
