"""The http service as real clients see it: each gets everything, and gets it right."""
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest

from harness import PATIENCE
from web import Site, http as http_pool, put

LARGE = os.urandom(1 << 16) * 64
FILES = {'index.html': b'<a href="a.html">a</a> <a href="d/">d</a> <img src="/i.png">',
         'a.html': b'<a href="two%20words.html">b</a>', 'two words.html': b'words',
         'd/index.html': b'<a href="../a.html">a</a> <a href="deep/c.html?x=1">c</a>',
         'd/deep/c.html': b'deep', 'i.png': b'image', 'large.bin': LARGE, 'empty': b'',
         'text.txt': b'plain text ' * 100}


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f'needs {", ".join(missing)}')


def run(*words, cwd=None, status=0):
    """A client to its end: what it printed, as bytes."""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=4 * PATIENCE, env=dict(os.environ, no_proxy='*', LC_ALL='C'))
    assert done.returncode == status, (done, done.stdout[-999:])
    return done.stdout


class Url:
    """The address of a site; url / 'name' is that of a file."""

    def __init__(self, site):
        self.base = f'http://127.0.0.1:{site.port("web")}'

    def __truediv__(self, name):
        return f'{self.base}/{name}'


# ---- curl --------------------------------------------------------------------------------

def curl(*words, status=0):
    return run('curl', '-sS', '--max-time', str(PATIENCE), *map(str, words), status=status)


@needs('curl')
def test_curl_gets_files_their_heads_and_ranges():
    with Site(http_pool(), FILES) as site:
        url = Url(site)
        assert curl(url / 'large.bin') == LARGE
        assert curl(url / 'empty') == b''
        assert curl('-r', '100-199', url / 'large.bin') == LARGE[100:200]
        assert curl('-r', '-10', url / 'large.bin') == LARGE[-10:]
        assert curl('--http1.0', url / 'large.bin') == LARGE
        head = curl('-I', url / 'large.bin')
        assert head.startswith(b'HTTP/1.1 200 OK\r\n')
        assert b'\r\nContent-Length: %d\r\n' % len(LARGE) in head
        assert curl('-f', url / 'nothing', status=22) == b''
        assert b'bytes 1-2/' in curl('-D', '-', '-o', '/dev/null', '-r', '1-2', url / 'large.bin')
        several = curl('-r', '0-9,20-29', url / 'large.bin')
        assert LARGE[:10] in several and LARGE[20:30] in several


@needs('curl')
def test_curl_uses_one_connection_for_many_files():
    with Site(http_pool(), FILES) as site:
        url = Url(site)
        urls = [url / name for name in ('a.html', 'i.png', 'nothing', 'd', 'd/', 'text.txt')] * 5
        outputs = [word for _ in urls for word in ('-o', '/dev/null')]
        numbers = curl('-w', '%{num_connects} %{http_code}\n', *outputs, *urls).split(b'\n')[:-1]
        assert numbers == [b'1 200', b'0 200', b'0 404', b'0 301', b'0 200', b'0 200',
                           *[b'0 200', b'0 200', b'0 404', b'0 301', b'0 200', b'0 200'] * 4]


@needs('curl')
def test_curl_resumes_a_download():
    with Site(http_pool(), FILES) as site:
        url, there = Url(site), site.dir / 'there'
        there.write_bytes(LARGE[:1000])
        curl('-C', '-', '-o', there, url / 'large.bin')
        assert there.read_bytes() == LARGE
        curl('-C', '-', '-o', there, url / 'large.bin')  # nothing is left to get
        assert there.read_bytes() == LARGE


@needs('curl')
def test_curl_gets_a_file_only_if_it_has_changed():
    with Site(http_pool(), FILES) as site:
        there, tag = site.dir / 'there', site.dir / 'tag'

        def status(*words):
            return int(curl('-w', '%{http_code}', '-o', there, *words, Url(site) / 'a.html'))
        assert status('--etag-save', tag) == 200
        assert status('--etag-compare', tag) == 304
        assert status('-z', 'Wed, 01 Jan 2020 00:00:00 GMT') == 304
        put(site.root / 'a.html', b'changed')
        assert status('--etag-compare', tag) == 200
        assert there.read_bytes() == b'changed'


@needs('curl', 'gzip')
def test_curl_unpacks_what_is_packed():
    with Site(http_pool('precompressed = { "gzip" }'), FILES) as site:
        run('gzip', '-k', 'text.txt', cwd=site.root)
        (site.root / 'text.txt.gz').chmod(0o644)
        url = Url(site)
        assert curl('--compressed', url / 'text.txt') == FILES['text.txt']
        packed = curl('-H', 'Accept-Encoding: gzip', url / 'text.txt')
        assert packed == (site.root / 'text.txt.gz').read_bytes()
        assert curl(url / 'text.txt') == FILES['text.txt']


@needs('curl')
@pytest.mark.parametrize('size', [10, 60000, 3 << 20])
def test_an_upload_by_curl_is_refused_and_curl_sees_why(size):
    with Site(http_pool(), FILES) as site:
        upload = put(site.dir / 'upload', b'x' * size)
        for words in (['-T', upload], ['-T', upload, '-H', 'Expect:'], ['-F', f'file=@{upload}'],
                      ['-T', upload, '-H', 'Transfer-Encoding: chunked'],
                      ['--data-binary', f'@{upload}']):
            said = curl('-w', '%{http_code}', '-o', '/dev/null', *words, Url(site) / 'a.html')
            assert said == b'405', words
        assert (site.root / 'a.html').read_bytes() == FILES['a.html']


@needs('curl', 'htpasswd')
def test_curl_with_a_password_that_htpasswd_has_made():
    lines = ['location "/d/" {', 'auth_realm = "Staff"', 'auth_user_file = "{dir}/htpasswd"', '}']
    site = Site(http_pool(*lines), FILES)
    run('htpasswd', '-cbB', '-C', '4', str(site.dir / 'htpasswd'), 'anna', 'p:ss w\u00f6rd')
    (site.dir / 'htpasswd').chmod(0o644)
    with site:
        url = Url(site) / 'd/deep/c.html'
        assert curl('-u', 'anna:p:ss w\u00f6rd', url) == b'deep'
        assert curl('-w', '%{http_code}', '-o', '/dev/null', '-u', 'anna:wrong', url) == b'401'
        assert curl('-w', '%{http_code}', '-o', '/dev/null', url) == b'401'


# ---- wget --------------------------------------------------------------------------------

@needs('wget')
def test_wget_mirrors_a_site():
    with Site(http_pool(), FILES) as site:
        port = site.port('web')
        there = site.dir / 'mirror'
        there.mkdir()
        words = ['wget', '-q', '-r', '-p', '-nH', '-P', str(there), f'http://127.0.0.1:{port}/']
        run(*words)
        found = {str(path.relative_to(there)): path.read_bytes()
                 for path in there.rglob('*') if path.is_file()}
        found.pop('robots.txt', None)
        assert found == {name.replace('c.html', 'c.html?x=1'): FILES[name] for name in (
            'index.html', 'a.html', 'two words.html', 'd/index.html', 'd/deep/c.html', 'i.png')}


@needs('wget')
def test_wget_resumes_and_looks_at_times():
    with Site(http_pool(), FILES) as site:
        url, there = Url(site), site.dir / 'large.bin'
        there.write_bytes(LARGE[:-5])
        run('wget', '-q', '-c', url / 'large.bin', cwd=site.dir)
        assert there.read_bytes() == LARGE
        before = there.stat().st_mtime
        assert before == 1577836800  # Last-Modified
        run('wget', '-q', '-N', url / 'large.bin', cwd=site.dir)
        assert there.stat().st_mtime == before


# ---- git ---------------------------------------------------------------------------------

@needs('git')
def test_git_clones_over_dumb_http():
    with Site(http_pool('dotfiles = true')) as site:
        work, bare = site.dir / 'work', site.root / 'repo.git'
        config = [word for each in ('user.name=T', 'user.email=t@example.org',
                                    'init.defaultBranch=main') for word in ('-c', each)]
        run('git', *config, 'init', '-q', str(work))
        for number in range(20):
            (work / f'file {number}').write_bytes(os.urandom(1000) + b'%d' % number)
            run('git', 'add', '.', cwd=work)
            run('git', *config, 'commit', '-q', '-m', f'commit {number}', cwd=work)
        run('git', 'clone', '-q', '--bare', str(work), str(bare))
        run('git', 'update-server-info', cwd=bare)
        run('chmod', '-R', 'a+rX', str(bare))
        url = Url(site) / 'repo.git'
        run('git', 'clone', '-q', url, str(site.dir / 'clone'))
        assert run('git', 'rev-parse', 'HEAD', cwd=site.dir / 'clone') == \
            run('git', 'rev-parse', 'HEAD', cwd=work)
        run('git', 'fsck', '--strict', cwd=site.dir / 'clone')
        # Packed, and then one commit more, by fetch.
        run('git', 'gc', '-q', cwd=bare)
        (work / 'more').write_bytes(b'more')
        run('git', 'add', '.', cwd=work)
        run('git', *config, 'commit', '-q', '-m', 'more', cwd=work)
        run('git', 'push', '-q', str(bare), 'HEAD:main', cwd=work)
        run('git', 'update-server-info', cwd=bare)
        run('chmod', '-R', 'a+rX', str(bare))
        run('git', 'pull', '-q', '--ff-only', cwd=site.dir / 'clone')
        assert (site.dir / 'clone/more').read_bytes() == b'more'


# ---- load generators ---------------------------------------------------------------------

@needs('ab')
@pytest.mark.parametrize('words', [[], ['-k'], ['-k', '-i']])
def test_ab_finds_no_failure(words):
    with Site(http_pool('keepalive_requests = 50', options=('workers = 8',)), FILES) as site:
        said = run('ab', '-q', '-n', '2000', '-c', '8', *words, Url(site) / 'text.txt').decode()
        assert re.search(r'Complete requests:\s+2000$', said, re.M), said
        assert re.search(r'Failed requests:\s+0$', said, re.M), said
        assert 'Non-2xx' not in said, said


@needs('wrk')
@pytest.mark.parametrize('name', ['text.txt', 'large.bin'])
def test_wrk_finds_no_failure(name):
    # More workers than connections: one that gives way is an error for wrk.
    with Site(http_pool(options=('workers = 32',)), FILES) as site:
        said = run('wrk', '-t', '2', '-c', '16', '-d', '2', Url(site) / name).decode()
        assert re.search(r' [1-9]\d* requests in', said), said
        assert 'Socket errors' not in said and 'Non-2xx' not in said, said


@needs('h2load')
def test_h2load_finds_no_failure():
    with Site(http_pool(options=('workers = 8',)), FILES) as site:
        said = run('h2load', '--h1', '-n', '2000', '-c', '8', Url(site) / 'text.txt').decode()
        assert re.search(r'2000 succeeded, 0 failed', said), said


# ---- Python ------------------------------------------------------------------------------

def test_http_client_reads_one_answer_after_the_other():
    with Site(http_pool(), FILES) as site:
        connection = http.client.HTTPConnection('127.0.0.1', site.port('web'), timeout=PATIENCE)
        for _ in range(5):
            for method, target, status, body in [
                    ('GET', '/large.bin', 200, LARGE), ('HEAD', '/large.bin', 200, b''),
                    ('GET', '/nothing', 404, None), ('PUT', '/a.html', 405, None),
                    ('GET', '/d', 301, None), ('GET', '/empty', 200, b'')]:
                connection.request(method, target, body=b'x' * 1000 if method == 'PUT' else None)
                answer = connection.getresponse()
                data = answer.read()
                assert answer.status == status and body in (None, data)
                sock = connection.sock
                assert sock is not None  # kept alive
        connection.close()


def test_urllib_follows_redirects():
    with Site(http_pool('redirect "/old/" { to = "/d/" }'), FILES) as site:
        url = Url(site)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url / 'd', timeout=PATIENCE) as answer:
            assert (answer.read(), answer.url) == (FILES['d/index.html'], url / 'd/')
        with opener.open(url / 'old/deep/c.html', timeout=PATIENCE) as answer:
            assert answer.read() == b'deep'
        with pytest.raises(urllib.error.HTTPError) as error:
            opener.open(url / 'nothing', timeout=PATIENCE)
        assert error.value.code == 404
        digest = hashlib.sha256(opener.open(url / 'large.bin', timeout=PATIENCE).read()).digest()
        assert digest == hashlib.sha256(LARGE).digest()
