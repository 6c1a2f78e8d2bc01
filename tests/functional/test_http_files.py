"""The http service: which files it serves, under which names, as what, and to whom."""
import base64
import contextlib
import hashlib
import html.parser
import os
import re
import socket
import time
import urllib.parse
import warnings

import pytest

from harness import check_config, eventually
from test_listen import ipv6
from web import MTIME_NS, Client, Site, http, put, request, took

with warnings.catch_warnings():
    warnings.simplefilter('ignore', DeprecationWarning)
    crypt = pytest.importorskip('crypt')

CLOSE = 'Connection: close'


# ---- files that stay open ----------------------------------------------------------------

def open_files(site):
    """What the workers hold below the root, by the links of /proc."""
    found = []
    for pid in site.workers():
        for fd in os.listdir(f'/proc/{pid}/fd'):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
    return [name for name in found if name.startswith(f'{site.root}/')]


def replace(path, content):
    put(path.with_suffix('.new'), content)
    os.rename(path.with_suffix('.new'), path)


def link(path, content):
    put(path.with_suffix('.new'), content)
    path.unlink()
    path.symlink_to(path.with_suffix('.new').name)


@pytest.mark.parametrize('change, status, body', [
    (replace, 200, b'second'), (lambda path, content: put(path, content), 200, b'second'),
    (lambda path, content: path.unlink(), 404, None),
    (lambda path, content: path.rename(path.with_suffix('.old')), 404, None),
    (lambda path, content: path.parent.rename(path.parent.with_suffix('.old')), 404, None),
    (link, 404, None)],
    ids=['another', 'written', 'deleted', 'renamed', 'directory renamed', 'link'])
def test_a_change_of_a_file_that_stays_open_is_seen_by_the_next_request(change, status, body):
    conf = http('follow_symlinks = no', options=('workers = 1',))
    with Site(conf, {'dir/file': b'first'}) as site:
        path = site.root / 'dir/file'

        def is_kept():
            assert site.ask('/dir/file').body == b'first'
            return str(path) in open_files(site)

        eventually(is_kept)     # not before it has been there for two seconds
        before = site.ask('/dir/file')['ETag']
        change(path, b'second')
        answer = site.ask('/dir/file')
        assert (answer.status, answer['ETag'] == before) == (status, False)
        assert body in (None, answer.body)
        assert str(path) not in open_files(site)


# ---- index and directories ---------------------------------------------------------------

def test_the_first_index_that_is_there_is_served():
    files = {'both/index.html': b'html', 'both/index.htm': b'htm', 'one/index.htm': b'htm',
             'none/index.txt': b'txt', 'odd/index.html/file': b'', 'odd/index.htm': b'htm'}
    with Site(http('index = { "index.html", "index.htm" }'), files) as site:
        assert site.ask('/both/').body == b'html'
        assert site.ask('/one/').body == b'htm'
        assert site.ask('/odd/').body == b'htm'
        assert site.ask('/none/').status == 403
        assert site.ask('/nothing/').status == 404


def test_an_index_that_may_not_be_read_is_no_reason_for_another_one():
    with Site(http('index = { "index.html", "index.htm" }'), {'index.htm': b'htm'}) as site:
        assert site.ask('/').body == b'htm'
        put(site.root / 'index.html', b'secret', mode=0o000)
        assert site.ask('/').status == 403


@pytest.mark.parametrize('name, path', [
    ('plain', '/plain'), ('two words', '/two%20words'), ('100%', '/100%25'),
    ('a?b#c', '/a%3Fb%23c'), ('gr\u00fc\u00df', '/gr%C3%BC%C3%9F'), ('a:b', '/a:b'),
    ('"<&>', '/%22%3C&%3E')])
def test_a_directory_is_redirected_to_itself_with_a_slash(name, path):
    with Site(http(), {f'{name}/index.html': b'here'}) as site:
        for query in '', '?', '?a=b&c=%20/..':
            answer = site.ask(path + query)
            assert (answer.status, answer['Location'][0]) == (301, '/')
            there, _, rest = answer['Location'].partition('?')
            assert urllib.parse.unquote(there) == f'/{name}/'
            assert rest == query[1:] and not re.search(r'[^!-~]|["<>\\^`{|}]', there)
            assert site.ask(answer['Location']).body == b'here'


# ---- directory listing -------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """What a browser makes of a listing: its links, its text, and all its elements."""

    def __init__(self, response):
        super().__init__()
        self.links, self.pieces, self.elements, self.href = [], [], set(), None
        assert response.status == 200 and response['Content-Type'] == 'text/html; charset=utf-8'
        self.feed(response.body.decode('utf-8'))

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        assert not [name for name, _ in attributes if name.startswith('on')], attributes
        if tag == 'a':
            self.href = dict(attributes)['href']
            self.links.append((self.href, ''))

    def handle_endtag(self, tag):
        if tag == 'a':
            self.href = None

    def handle_data(self, data):
        self.pieces.append(data)
        if self.href is not None:
            self.links[-1] = (self.href, self.links[-1][1] + data)

    @property
    def text(self):
        return ' '.join(self.pieces)

    @property
    def names(self):
        return [urllib.parse.unquote(href).removeprefix('./')
                for href, _ in self.links if href != '../']


ODD_NAMES = ['plain.txt', 'two words.txt', '<script>alert(1)<', '&amp;', '&lt;', '"quoted"', "it's",
             '100%', '%41', 'question?', 'hash#', 'a+b', 'a:b', 'javascript:alert(1)', '~tilde',
             'back\\slash', 'gr\u00fc\u00df', '\u65e5\u672c', 'UPPER', 'x' * 250, 'a;b=c', '[x]',
             '-dash', 'tab\there', 'new\nline', '<a><h1>']
LISTING = http('directory_listing = true', 'index = { "index.html" }', 'follow_symlinks = "yes"')


def test_each_link_of_a_listing_leads_to_what_it_says():
    with Site(LISTING, {f'd/{name}': name.encode() for name in ODD_NAMES}) as site:
        page = Page(site.ask('/d/'))
        assert sorted(page.names) == sorted(ODD_NAMES)
        for href, _ in page.links:
            target = urllib.parse.urljoin(f'http://{site.port("web")}.test/d/', href)
            parts = urllib.parse.urlsplit(target)
            assert (parts.scheme, parts.query, parts.fragment) == ('http', '', '')
            if href != '../':
                assert site.ask(parts.path).body.decode() in ODD_NAMES
        shown = [re.sub(r'\s+', ' ', text) for _, text in page.links]
        for name in 'plain.txt', '<script>alert(1)<', '&amp;', '"quoted"', '\u65e5\u672c', '%41':
            assert name in shown


def test_a_listing_has_no_elements_that_names_could_have_made():
    with Site(LISTING, {'d/plain': b''}) as site:
        elements = Page(site.ask('/d/')).elements
        for name in ODD_NAMES:
            put(site.root / 'd' / name)
        put(site.root / 'd' / '<img src=x onerror=alert(1)>')
        page = Page(site.ask('/d/'))
        assert page.elements == elements and len(page.names) == len(ODD_NAMES) + 2


def test_a_listing_has_directories_first_and_then_the_order_of_bytes():
    files = {'d/b': b'', 'd/a': b'', 'd/B': b'', 'd/z/': None, 'd/C/': None, 'd/10': b'',
             'd/9': b'', 'd/\u00e4': b''}
    with Site(LISTING, files) as site:
        page = Page(site.ask('/d/'))
        assert page.names == ['C/', 'z/', '10', '9', 'B', 'a', 'b', '\u00e4']


def test_a_listing_shows_sizes_and_dates():
    with Site(LISTING, {'d/file': b'x' * 4711, 'd/other': b'y' * 3 * 2 ** 20}) as site:
        text = Page(site.ask('/d/')).text
        assert re.search(r'\b2020-01-01\b', text), text
        assert re.search(r'\b(4711|4\.6 ?K)', text) and re.search(r'\b(3145728|3(\.0)? ?M)', text)


def test_a_listing_has_a_link_to_the_parent_but_the_root_has_none():
    with Site(LISTING, {'d/e/file': b''}) as site:
        assert [href for href, _ in Page(site.ask('/')).links] == ['d/']
        assert '../' in [href for href, _ in Page(site.ask('/d/')).links]
        assert '../' in [href for href, _ in Page(site.ask('/d/e/')).links]


def test_a_listing_shows_only_what_can_be_served():
    with Site(LISTING, {'d/file': b'', 'd/dir/': None, 'd/.hidden': b'', 'd/.git/': None}) as site:
        put(site.dir / 'outside', b'secret')
        os.mkfifo(site.root / 'd/fifo')
        os.symlink('nothing', site.root / 'd/dangling')
        os.symlink('../../outside', site.root / 'd/leads-out')
        os.symlink(site.dir / 'outside', site.root / 'd/leads-out-absolute')
        os.symlink('file', site.root / 'd/link')
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.bind(str(site.root / 'd/socket'))
        assert Page(site.ask('/d/')).names == ['dir/', 'file', 'link']


def test_a_listing_of_an_empty_directory_and_its_head():
    with Site(LISTING, {'d/': None}) as site:
        page = site.ask('/d/')
        assert Page(page).names == []
        head = site.ask('/d/', method='HEAD')
        assert (head.status, head.body) == (200, b'')
        assert head['Content-Type'] == page['Content-Type']


def test_an_index_or_the_option_prevents_a_listing():
    files = {'d/index.html': b'index', 'e/file': b''}
    with Site(LISTING, files) as site:
        assert site.ask('/d/').body == b'index'
        assert Page(site.ask('/e/')).names == ['file']
    for conf in http(), http('directory_listing = false'):
        with Site(conf, files) as site:
            assert site.ask('/e/').status == 403
            assert site.ask('/e/file').status == 200


def test_a_listing_of_many_files_is_whole_and_may_be_kept_alive():
    names = {f'd/{number:05}': b'' for number in range(2000)}
    with Site(LISTING, names) as site, site.client() as client:
        for _ in range(2):
            assert len(Page(client.ask('/d/')).names) == 2000
        old = client.ask('/d/', version='1.0')
        assert len(Page(old).names) == 2000


# ---- types -------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['', 'mime_types = "{dir}/no-such-file"'])
def test_types_go_by_the_last_extension(option):
    types = {'a.html': 'text/html; charset=utf-8', 'a.HTM': 'text/html; charset=utf-8',
             'a.css': 'text/css; charset=utf-8', 'a.txt': 'text/plain; charset=utf-8',
             'a.json': 'application/json; charset=utf-8', 'a.svg': 'image/svg+xml; charset=utf-8',
             'a.png': 'image/png', 'a.JPG': 'image/jpeg', 'a.gif': 'image/gif',
             'a.webp': 'image/webp', 'a.woff2': 'font/woff2', 'a.pdf': 'application/pdf',
             'a.wasm': 'application/wasm', 'a.mp4': 'video/mp4', 'a.html.png': 'image/png',
             'a.png.html': 'text/html; charset=utf-8', 'a': 'application/octet-stream',
             'html': 'application/octet-stream', 'a.': 'application/octet-stream',
             'a.unheard-of': 'application/octet-stream', 'a.html~': 'application/octet-stream',
             'dir.html/a': 'application/octet-stream'}
    with Site(http(option), {name: b'' for name in types}) as site, site.client() as client:
        assert {name: client.ask('/' + name)['Content-Type'] for name in types} == types
        put(site.root / 'a.js')
        assert client.ask('/a.js')['Content-Type'] in (
            'text/javascript; charset=utf-8', 'application/javascript; charset=utf-8')


def test_types_are_read_from_a_file():
    site = Site(http('mime_types = "{dir}/types"'), {'a.own': b'', 'a.two': b'', 'a.html': b''})
    put(site.dir / 'types', b'# a comment\ntext/x-own own\n\nimage/x-two\t one  two\n')
    with site, site.client() as client:
        assert client.ask('/a.own')['Content-Type'] == 'text/x-own; charset=utf-8'
        assert client.ask('/a.two')['Content-Type'] == 'image/x-two'
        assert client.ask('/a.html')['Content-Type'] == 'text/html; charset=utf-8'


# ---- precompressed -----------------------------------------------------------------------

PACKED = {'a.css': b'plain plain plain', 'a.css.gz': b'gzip', 'a.css.br': b'br'}
BOTH = 'Accept-Encoding: gzip, br'


def test_packed_files_are_served_only_where_they_are_wanted():
    with Site(http('precompressed = { "gzip" }'), PACKED) as site:
        answer = site.ask('/a.css', BOTH)
        assert (answer.body, answer['Content-Encoding']) == (b'gzip', 'gzip')
        assert answer['Vary'] == 'Accept-Encoding'
    with Site(http('precompressed = { }'), PACKED) as site:
        answer = site.ask('/a.css', BOTH)
        assert (answer.body, answer['Content-Encoding'], answer['Vary']) == (
            PACKED['a.css'], None, None)


def test_each_packed_file_has_a_tag_of_its_own_that_is_the_same_each_time():
    with Site(http('precompressed = { "br", "gzip" }'), PACKED) as site:
        tags = {coding: site.ask('/a.css', f'Accept-Encoding: {coding}')['ETag']
                for coding in ('br', 'gzip', 'identity')}
        assert len(set(tags.values())) == 3
        for coding, tag in tags.items():
            fields = [f'Accept-Encoding: {coding}', f'If-None-Match: {tag}']
            assert site.ask('/a.css', *fields).status == 304
            put(site.root / f'a.css{dict(br=".br", gzip=".gz", identity="")[coding]}', b'changed',
                mtime_ns=time.time_ns())
            answer = site.ask('/a.css', *fields)
            assert (answer.status, answer.body) == (200, b'changed')


def test_several_ranges_of_a_packed_file_are_the_whole():
    # Content-Encoding is of the whole body, and that would be parts with text between them.
    with Site(http('precompressed = { "gzip" }'), {'a.txt': b'plain', 'a.txt.gz': b'packed'}) as site:
        field = 'Accept-Encoding: gzip'
        one = site.ask('/a.txt', field, 'Range: bytes=1-2')
        assert (one.status, one['Content-Encoding'], one.body) == (206, 'gzip', b'ac')
        several = site.ask('/a.txt', field, 'Range: bytes=0-0,2-3')
        assert (several.status, several['Content-Encoding'], several.body) == (200, 'gzip', b'packed')
        assert site.ask('/a.txt', 'Range: bytes=0-0,2-3').status == 206


def test_a_packed_index():
    files = {'index.html': b'plain plain', 'index.html.gz': b'packed'}
    with Site(http('precompressed = { "gzip" }'), files) as site:
        answer = site.ask('/', BOTH)
        assert (answer.body, answer['Content-Encoding']) == (b'packed', 'gzip')
        assert answer['Content-Type'] == 'text/html; charset=utf-8'


def test_what_is_no_packed_file_is_passed_by():
    files = {'a.txt': b'plain', 'a.txt.br/file': b'', 'b.txt': b'plain', 'c.txt': b'plain',
             'd.txt.gz': b'packed', 'e.txt': b'plain'}
    conf = http('precompressed = { "br", "gzip" }', 'follow_symlinks = "yes"')
    with Site(conf, files) as site:
        put(site.dir / 'outside', b'secret')
        os.symlink('../outside', site.root / 'b.txt.gz')
        os.mkfifo(site.root / 'c.txt.br')
        put(site.root / 'e.txt.gz', b'secret', mode=0o000)
        for name in 'a.txt', 'b.txt', 'c.txt', 'e.txt':
            answer = site.ask('/' + name, BOTH)
            assert (answer.body, answer['Content-Encoding']) == (b'plain', None), name
        assert site.ask('/d.txt', BOTH).status == 404


def test_a_directory_is_no_less_a_directory_beside_a_packed_file():
    files = {'d/index.html': b'index', 'd.gz': b'a backup of it', 'secret.txt.gz': b'readable'}
    with Site(http('precompressed = { "gzip" }'), files) as site:
        put(site.root / 'secret.txt', b'secret', mode=0o000)
        for field in 'Accept-Encoding: gzip', 'X: y':
            assert (site.ask('/d', field).status, site.ask('/d', field)['Location']) == (301, '/d/')
            assert site.ask('/secret.txt', field).status == 403


# ---- header, error_document, alias, redirect ---------------------------------------------

def test_header_adds_fields_to_answers():
    lines = ['header = { "X-Content-Type-Options: nosniff", "X-Two: a, b", "X-Two: c" }']
    with Site(http(*lines), {'a.txt': b'a', 'd/': None}) as site:
        answers = [site.ask('/a.txt'), site.ask('/a.txt', method='HEAD'),
                   site.ask('/a.txt', f'If-None-Match: {site.ask("/a.txt")["ETag"]}'),
                   site.ask('/a.txt', 'Range: bytes=0-0')]
        assert [answer.status for answer in answers] == [200, 200, 304, 206]
        for answer in answers:
            assert answer.all('X-Content-Type-Options') == ['nosniff']
            assert answer.all('X-Two') == ['a, b', 'c']
    with Site(http(), {'a.txt': b'a'}) as site:
        assert site.ask('/a.txt')['X-Content-Type-Options'] is None


def test_error_document_is_the_page_of_its_status():
    lines = ['error_document 404 { file = "{dir}/404.html" }',
             'error_document 403 { file = "{dir}/403.html" }']
    site = Site(http(*lines), {'d/': None, 'a.txt': b'a'})
    put(site.dir / '404.html', b'<p>our own page</p>')
    put(site.dir / '403.html', b'forbidden')
    with site, site.client() as client:
        answer = client.ask('/nothing')
        assert (answer.status, answer.body) == (404, b'<p>our own page</p>')
        assert answer['Content-Type'] == 'text/html; charset=utf-8'
        head = client.ask('/nothing', method='HEAD')
        assert (head.status, head['Content-Length']) == (404, '19')
        for field in 'Range: bytes=0-3', 'If-None-Match: *', 'If-Match: "x"':
            answer = client.ask('/nothing', field)
            assert (answer.status, answer.body) == (404, b'<p>our own page</p>'), field
        assert client.ask('/d/').body == b'forbidden'
        (site.dir / '403.html').unlink()
        answer = client.ask('/d/')
        assert answer.status == 403 and b'403 Forbidden' in answer.body
        assert client.ask('/a.txt').body == b'a'


def test_error_document_of_a_request_that_is_wrong():
    site = Site(http('error_document 400 { file = "{dir}/400.html" }'))
    put(site.dir / '400.html', b'our own page')
    with site:
        answer = site.raw(b'what is this\r\n\r\n')
        assert (answer.status, answer.body, answer.closes) == (400, b'our own page', True)


@pytest.mark.parametrize('refused, status', [
    (request('/', host='docs.test', method='POST', body=b'x' * 11), 413),
    (request('/', 'Expect: the unexpected', host='docs.test'), 417),
    (request('/', 'Transfer-Encoding: gzip', host='docs.test'), 501),
    (request('http://docs.test/', 'A: ' + 'b' * 70), 431)])
def test_a_request_that_is_refused_is_for_the_site_that_it_names(refused, status):
    lines = ['server_name = "default.test"', 'limit_request_body = 10',
             'limit_request_field_size = 64', 'site "docs" {', 'server_name = "docs.test"',
             'header = { "X-Site: docs" }', f'error_document {status} {{ file = "{{dir}}/page" }}', '}']
    options = ('access_log = "{dir}/access.log"', 'access_format = "%v %s"')
    site = Site(http(*lines, options=options))
    put(site.dir / 'page', b'our own page')
    with site:
        answer = site.raw(refused)
        assert (answer.status, answer.body, answer['X-Site']) == (status, b'our own page', 'docs')
        assert site.wait_lines(1) == [f'docs.test {status}'.encode()]


@pytest.mark.root
def test_an_error_document_that_the_workers_cannot_read_is_refused():
    conf = http('error_document 404 { file = "{dir}/404.html" }')
    site = Site(conf)
    put(site.dir / '404.html', b'our own page', mode=0o600)
    with site.spawned():
        assert site.ended() == 1
        assert re.search(r'preforkd\.conf:\d+: file: .*/404\.html: .*nobody', site.log()), site.log()
    site = Site(http())
    put(site.dir / '404.html', b'our own page', mode=0o600)
    with site:
        assert '/404.html: ' in site.reload(conf, expect='refused')
        os.chmod(site.dir / '404.html', 0o644)
        site.reload(conf)
        eventually(lambda: site.ask('/nothing').body == b'our own page', 'the page of new workers')


def test_alias_is_another_tree_below_a_prefix():
    site = Site(http('alias "/icons/" { path = "{dir}/icons/" }', 'index = { "index.html" }',
                     'follow_symlinks = "yes"'),
                {'a.txt': b'root', 'icons/hidden-by-the-alias': b'', 'iconsmore': b'more'})
    put(site.dir / 'icons/a.png', b'icon')
    put(site.dir / 'icons/sub/index.html', b'index')
    put(site.dir / 'icons/.hidden', b'secret')
    put(site.dir / 'secret', b'secret')
    os.symlink('../secret', site.dir / 'icons/leads-out')
    with site, site.client() as client:
        icon = client.ask('/icons/a.png')
        assert (icon.body, icon['Content-Type']) == (b'icon', 'image/png')
        assert client.ask('/icons/sub/').body == b'index'
        assert client.ask('/icons/sub')['Location'] == '/icons/sub/'
        assert client.ask('/%69cons//a.png').body == b'icon'
        assert client.ask('/icons/../a.txt').body == b'root'
        assert client.ask('/iconsmore').body == b'more'
        for target in ('/icons/a.txt', '/icons/hidden-by-the-alias', '/icons/leads-out',
                       '/icons/.hidden', '/icons/../secret', '/icons/%2e%2e/secret',
                       '/icons/..%2fsecret', '/iconsa.png'):
            assert client.ask(target).status == 404, target
        assert client.ask('/icons/../../secret').status == 400


def test_a_very_long_redirect_is_an_answer():
    with Site(http('redirect "/old/" { to = "/new/" }')) as site:
        for rest in 'x' * 8000, '"' * 8000, '%22' * 2700, '?' + 'x' * 8000:
            answer = site.ask('/old/' + rest)
            assert answer.status in (302, 414), answer
            assert answer.status == 414 or urllib.parse.unquote(answer['Location']) == \
                '/new/' + urllib.parse.unquote(rest)


HEADER_BYTES = 32768


@pytest.mark.parametrize('to', ['/' + 'n' * 8189, '/?' + 'n' * 8188], ids=['path', 'query'])
def test_any_answer_has_room_for_all_fields_that_a_site_may_add(to):
    field = 'X-Long: ' + 'x' * (HEADER_BYTES // 2 - len('X-Long: \r\n'))
    lines = [f'header = {{ "{field}", "{field}" }}', f'redirect "/old/" {{ to = "{to}" }}',
             'limit_request_line = 65536']
    rest = '%22' * 4000 + '?' + 'q' * 16000
    with Site(http(*lines), {'a': b'a', 'd/' + 'x' * 200 + '/index.html': b''}) as site:
        for target, status in (('/a', 200), ('/none', 404), ('/d/' + 'x' * 200, 301), ('/old/a', 302),
                               ('/old/' + rest, 302), ('/old/%22' * 7000, 414)):
            answer = site.ask(target)
            assert (answer.status, answer.all('X-Long')) == (status, [field[8:]] * 2), target[:20]


@pytest.mark.parametrize('lines, at, why', [
    ([f'header = {{ "A: {"x" * HEADER_BYTES}" }}'], 'header', f'{HEADER_BYTES + 5} bytes together, and may'),
    ([f'header = {{ "A: {"x" * (HEADER_BYTES - 10)}", "B: b" }}'], 'header', f'may have {HEADER_BYTES}'),
    (['site "a" {', 'server_name = "a"', f'header = {{ "A: {"x" * HEADER_BYTES}" }}', '}'], 'header', 'bytes together'),
    (['redirect "/a/" {', f'to = "/{"x" * 8190}"', '}'], 'to =', 'to has at most 8190 bytes')])
def test_more_than_an_answer_has_room_for_is_refused(tmp_path, lines, at, why):
    source = 'user = "nobody"\n' + http(*lines, root='/usr')
    (tmp_path / 'conf').write_text(source)
    result = check_config(tmp_path / 'conf')
    line = 1 + next(n for n, text in enumerate(source.splitlines()) if text.startswith(at))
    assert result.returncode != 0 and f'conf:{line}: ' in result.stderr, result
    assert why in result.stderr


@pytest.mark.parametrize('length', [20000, 40000, 45000, 65000])
def test_a_redirect_has_the_whole_query_or_is_none(length):
    lines = ['limit_request_line = 65536', 'redirect "/old/" { to = "/new/" }']
    with Site(http(*lines), {'d/index.html': b''}) as site:
        for target, there in ('/old/a', '/new/a'), ('/d', '/d/'):
            answer = site.ask(f'{target}?{"x" * length}')
            assert answer.status in (301, 302, 414), answer
            assert answer.status == 414 or answer['Location'] == f'{there}?{"x" * length}'


def test_redirect_sends_elsewhere_with_what_stands_behind_its_prefix():
    lines = ['redirect "/old/" { to = "https://www.example.org/new/" code = 301 }',
             'redirect "/moved/" { to = "/here/" }',
             'redirect "/kept/" { to = "http://h.test/" code = 308 }']
    with Site(http(*lines), {'older': b'older', 'here/a': b'a', 'old/file': b''}) as site:
        for target, status, location in [
                ('/old/', 301, 'https://www.example.org/new/'),
                ('/old/a/b', 301, 'https://www.example.org/new/a/b'),
                ('/old/a?b=c&d', 301, 'https://www.example.org/new/a?b=c&d'),
                ('/old/file', 301, 'https://www.example.org/new/file'),
                ('/old/two%20words', 301, 'https://www.example.org/new/two%20words'),
                ('/old/%0D%0Ax', 301, 'https://www.example.org/new/%0D%0Ax'),
                ('/moved/a', 302, '/here/a'), ('/kept/x', 308, 'http://h.test/x')]:
            answer = site.ask(target)
            assert (answer.status, answer['Location']) == (status, location)
        assert site.ask('/older').body == b'older'
        assert site.ask('/here/a').body == b'a'


def test_what_is_named_longer_than_a_redirect_beside_it_stays_where_it_is():
    lines = ['redirect "/" { to = "https://www.example.org/" }',
             'alias "/.well-known/acme-challenge/" { path = "{dir}/www/acme" }',
             'status "/status" { allow = { "127.0.0.1" } }', 'site "old" { server_name = "old.test"',
             'redirect "/" { to = "https://new.test/" }', '}']
    with Site(http(*lines), {'acme/token': b'token', 'file': b''}) as site:
        assert site.ask('/.well-known/acme-challenge/token').body == b'token'
        assert site.ask('/status/').status == 200
        for target in '/file', '/.well-known/acme-challenge', '/.well-known/other':
            assert site.ask(target)['Location'] == 'https://www.example.org' + target
        # What the site has from the section around it does not stand beside its redirect.
        for target in '/status/', '/.well-known/acme-challenge/token':
            assert site.ask(target, host='old.test')['Location'] == 'https://new.test' + target


@pytest.mark.parametrize('prefix, to, expected', [
    ('/old', 'http://h.test/new', {'/old': 'http://h.test/new', '/old/': 'http://h.test/new/',
                                   '/old/a': 'http://h.test/new/a', '/old?q': 'http://h.test/new?q',
                                   '/old/a/?q': 'http://h.test/new/a/?q', '/older': None}),
    ('/old', 'http://h.test/new/', {'/old': 'http://h.test/new/', '/old/': 'http://h.test/new/',
                                    '/old/a': 'http://h.test/new/a'}),
    ('/old/', 'http://h.test/new', {'/old/': 'http://h.test/new', '/old/a': 'http://h.test/new/a',
                                    '/old/?q': 'http://h.test/new?q', '/old': None}),
    # Nobody can add to the name of the host, nor make the path another host.
    ('/', 'http://h.test', {'/': 'http://h.test', '/.evil.test': 'http://h.test/.evil.test',
                            '/:1/': 'http://h.test/%3A1/'}),
    ('/old', '/', {'/old': '/', '/old/evil.test/': '/evil.test/', '/old//evil.test': '/evil.test'}),
    # What has a query or a fragment is the whole target.
    ('/old', '/new?page=1', {'/old': '/new?page=1', '/old/a': '/new?page=1',
                             '/old?q': '/new?page=1', '/old/a?page=2': '/new?page=1'}),
    ('/old/', 'http://h.test/#top', {'/old/': 'http://h.test/#top', '/old/a?q': 'http://h.test/#top'}),
])
def test_redirect_joins_what_stands_behind_its_prefix_with_one_slash(prefix, to, expected):
    with Site(http(f'redirect "{prefix}" {{ to = "{to}" }}')) as site:
        got = {target: site.ask(target)['Location'] for target in expected}
        assert got == expected


# ---- sites -------------------------------------------------------------------------------

SITES = http(
    'server_name = "www.test"', 'header = { "X-From: outer" }', 'index = { "start.html" }',
    'directory_listing = true',
    'site "docs" {', 'server_name = "docs.test"', 'server_alias = { "manual.test", "*.docs.test" }',
    'document_root = "{dir}/docs"', '}',
    'site "wild" {', 'server_name = "wild.test"', 'server_alias = { "*.test" }',
    'document_root = "{dir}/wild"', 'header = { "X-From: inner" }', 'index = { "index.html" }',
    'directory_listing = false', 'error_document 404 { file = "{dir}/wild-404" }', '}')


@pytest.fixture
def sites():
    site = Site(SITES, {'start.html': b'www start', 'index.html': b'www index', 'd/': None})
    for name in 'docs', 'wild':
        put(site.dir / name / 'start.html', name.encode() + b' start')
        put(site.dir / name / 'index.html', name.encode() + b' index')
        (site.dir / name / 'd').mkdir(mode=0o755)
    put(site.dir / 'wild-404', b'a wild page')
    with site:
        yield site


@pytest.mark.parametrize('host, expected', [
    ('www.test', 'www start'), ('docs.test', 'docs start'), ('DOCS.test', 'docs start'),
    ('docs.test:8080', 'docs start'), ('manual.test', 'docs start'), ('a.docs.test', 'docs start'),
    ('A.Docs.Test', 'docs start'), ('xdocs.test', 'wild index'), ('wild.test', 'wild index'),
    ('any.test', 'wild index'), ('test', 'www start'), ('docs.test.evil', 'www start'),
    ('unknown', 'www start'), ('127.0.0.1', 'www start'), ('[::1]', 'www start'),
    ('', 'www start')])
def test_the_host_chooses_the_site(sites, host, expected):
    assert sites.ask('/', host=host).body == expected.encode()


def test_without_a_host_the_default_site_answers(sites):
    assert sites.ask('/', host=None, version='1.0').body == b'www start'


def test_a_site_inherits_what_it_does_not_set(sites):
    docs, wild = (sites.ask('/', host=host) for host in ('docs.test', 'wild.test'))
    assert (docs['X-From'], wild['X-From']) == ('outer', 'inner')
    assert sites.ask('/d/', host='docs.test').status == 200
    assert sites.ask('/d/', host='wild.test').status == 403
    assert sites.ask('/nothing', host='wild.test').body == b'a wild page'
    assert sites.ask('/nothing', host='docs.test').body != b'a wild page'


def test_one_connection_may_ask_several_sites(sites):
    with sites.client() as client:
        for host, expected in (('www.test', b'www start'), ('docs.test', b'docs start')) * 3:
            assert client.ask('/', host=host).body == expected


# ---- location: allow and deny ------------------------------------------------------------

def locations(*each):
    """location sections with these lines, at /0/, /1/ and so on."""
    return [f'location "/{number}/" {{ {lines} }}' for number, lines in enumerate(each)]


def ask_from(site, source, target, *fields):
    """One request from another address of this host."""
    with socket.create_connection(site.address('web')[1], 30, (source, 0)) as sock:
        return Client(sock).ask(target, CLOSE, *fields)


def test_allow_and_deny_say_who_may_see_a_location():
    rules = [('allow = { "127.0.0.1" }', (200, 403)),
             ('allow = { "127.0.0.0/8" }', (200, 200)),
             ('allow = { "192.0.2.0/24", "127.0.0.2" }', (403, 200)),
             ('allow = { "192.0.2.0/24", "2001:db8::/32" }', (403, 403)),
             ('deny = { "127.0.0.2" }', (200, 403)),
             ('deny = { "127.0.0.0/8" }', (403, 403)),
             ('deny = { "192.0.2.0/24" }', (200, 200)),
             ('allow = { "127.0.0.0/8" } deny = { "127.0.0.2" }', (200, 403)),
             ('allow = { "::1" }', (403, 403))]
    conf = http(*locations(*[lines for lines, _ in rules]))
    with Site(conf, {f'{number}/file': b'f' for number in range(len(rules))}) as site:
        for number, (lines, expected) in enumerate(rules):
            there = tuple(ask_from(site, source, f'/{number}/file').status
                          for source in ('127.0.0.1', '127.0.0.2'))
            assert there == expected, lines


@pytest.mark.skipif(not ipv6(), reason='needs IPv6')
def test_allow_and_deny_for_ipv6_and_a_dual_stack_socket():
    conf = http(*locations('allow = { "::1" }', 'allow = { "127.0.0.1" }'), listen='[::]:0') \
        .replace('listen = "[::]:0"', 'listen = "[::]:0"\nipv6only = false')
    with Site(conf, {'0/file': b'f', '1/file': b'f'}) as site:
        port = site.port('web')
        for address, expected in ('::1', [200, 403]), ('127.0.0.1', [403, 200]):
            with socket.create_connection((address, port), 30) as sock:
                client = Client(sock)
                assert [client.ask(f'/{number}/file').status for number in (0, 1)] == expected


def test_no_way_of_writing_a_path_leads_past_a_location():
    conf = http('location "/private/" { deny = { "127.0.0.1" } }', 'directory_listing = true')
    with Site(conf, {'private/file': b'secret', 'private/d/file': b'secret', 'x/': None,
                     'privately': b'open'}) as site, site.client() as client:
        for target in ('/private/file', '/private/', '/private/d/file', '/%70rivate/file',
                       '//private/file', '/./private/file', '/x/../private/file', '/private//file',
                       '/private/%66ile', '/x/%2e%2e/private/file', '/private/nothing',
                       '/private/./file', '/private/d/../file', 'http://www.test/private/file'):
            answer = client.ask(target)
            assert answer.status == 403 and b'secret' not in answer.body, target
        assert client.ask('/privately').body == b'open'
        assert client.ask('/PRIVATE/file').status == 404
        assert ask_from(site, '127.0.0.2', '/private/file').body == b'secret'


def test_the_location_of_an_index_holds_for_its_directory_too():
    site = Site(http('index = { "start.html", "index.html" }',
                     'location "/deny/index.html" { deny = { "127.0.0.1" } }',
                     'location "/ask/index.html" { auth_realm = "x"\nauth_user_file = "{dir}/users" }',
                     'location "/around" { deny = { "127.0.0.1" } }',
                     'location "/around/index.html" { allow = { "127.0.0.1" } }',
                     'redirect "/deny/start.html" { to = "/" }',
                     options=('access_log = "{dir}/access.log"', 'access_format = "%U %s %u"')),
                {f'{name}/index.html': b'secret' for name in ('deny', 'ask', 'around')})
    put(site.dir / 'users', f'joe:{hashed("pw", "bcrypt")}\n'.encode())
    with site, site.client() as client:
        for method in 'GET', 'HEAD':
            assert client.ask('/deny/', method=method).status == 403
            assert client.ask('/around/', method=method).status == 403
            assert client.ask('/around/index.html', method=method).status == 200
        asked = client.ask('/ask/')
        assert (asked.status, asked['WWW-Authenticate']) == (401, 'Basic realm="x", charset="UTF-8"')
        assert client.ask('/ask/', basic('joe', 'pw')).body == b'secret'
        assert site.wait_lines(8)[-1] == b'/ask/ 200 joe'
        put(site.root / 'deny/start.html', b'start')
        assert client.ask('/deny/').body == b'start'


def test_the_methods_of_a_denied_location_are_denied_too():
    with Site(http(*locations('deny = { "127.0.0.1" }')), {'0/file': b'f'}) as site:
        for method in 'GET', 'HEAD':
            assert site.ask('/0/file', method=method).status == 403
        assert site.ask('/0/file', 'Range: bytes=0-0').status == 403
        assert site.ask('/0/file', 'If-None-Match: *').status == 403


# ---- location: passwords -----------------------------------------------------------------

def hashed(password, kind):
    """A line's second half in an htpasswd file."""
    salt = {'bcrypt': lambda: crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2 ** 4),
            'sha512': lambda: crypt.mksalt(crypt.METHOD_SHA512, rounds=1000),
            'yescrypt': lambda: '$y$j75$saltsaltsalt'}[kind]()
    text = crypt.crypt(password, salt)
    if not text or text.startswith('*'):
        pytest.skip(f'libcrypt has no {kind}')
    return text


def basic(user, password, scheme='Basic'):
    pair = user.encode() + b':' + password.encode()
    return f'Authorization: {scheme} {base64.b64encode(pair).decode()}'


AUTH = http('location "/private/" {', 'auth_realm = "Staff"',
            'auth_user_file = "{dir}/htpasswd"', '}')


def staff(users, conf=AUTH):
    """A site with these users: {name: the hash}."""
    site = Site(conf, {'private/file': b'private', 'file': b'public'})
    put_users(site, users)
    return site


def put_users(site, users):
    text = ''.join(f'{user}:{hash}\n' for user, hash in users.items())
    new = put(site.dir / 'htpasswd.new', text.encode(), mtime_ns=time.time_ns())
    new.rename(site.dir / 'htpasswd')


@pytest.mark.parametrize('kind', ['bcrypt', 'sha512', 'yescrypt'])
def test_a_password_lets_its_user_in_and_nobody_else(kind):
    password = 'p\u00e4ss: wo"rd'
    with staff({'anna': hashed(password, kind), 'otto': hashed('other', kind)}) as site:
        for _ in range(2):
            assert site.ask('/private/file', basic('anna', password)).body == b'private'
            assert site.ask('/private/file', basic('otto', 'other')).body == b'private'
            for user, word in [('anna', 'other'), ('otto', password), ('anna', ''), ('', password),
                               ('nobody', password), ('anna', password + 'x'), ('Anna', password),
                               ('anna', password[:-1]), ('anna:otto', 'other'), ('', '')]:
                assert site.ask('/private/file', basic(user, word)).status == 401, (user, word)
        assert site.ask('/file').body == b'public'


def test_who_does_not_say_who_he_is_is_asked():
    with staff({'anna': hashed('pass', 'sha512')}) as site:
        answer = site.ask('/private/file')
        assert answer.status == 401
        assert re.match(r'Basic realm="Staff"', answer['WWW-Authenticate'])
        good = basic('anna', 'pass')
        for field in ('Authorization:', 'Authorization: Basic', 'Authorization: Basic !!!!',
                      'Authorization: Basic YW5uYTpwYXNz=', 'Authorization: Basic YW5uYQ==',
                      'Authorization: Basic YW5uYTpwYXNz x', 'Authorization: Bearer YW5uYTpwYXNz',
                      'Authorization: Digest username="anna"', 'Authorization: YW5uYTpwYXNz',
                      'X-Authorization: Basic YW5uYTpwYXNz', good + '\r\n' + basic('x', 'y')):
            assert site.ask('/private/file', field).status == 401, field
        for scheme in 'Basic', 'basic', 'BASIC':
            assert site.ask('/private/file', basic('anna', 'pass', scheme)).body == b'private'


def test_what_stands_behind_the_door_does_not_show_through_it():
    with staff({'anna': hashed('pass', 'sha512')}) as site:
        pages = [site.ask(f'/private/{name}') for name in ('file', 'nothing', '', '../private/x')]
        assert {(page.status, page.body) for page in pages} == {(401, pages[0].body)}
        assert site.ask('/private/nothing', basic('anna', 'pass')).status == 404
        assert site.ask('/private/file', method='HEAD').status == 401
        assert site.ask('/private/file', 'If-None-Match: *').status == 401


def test_a_kept_alive_connection_says_each_time_who_it_is():
    with staff({'anna': hashed('pass', 'bcrypt')}) as site, site.client() as client:
        for _ in range(3):
            assert client.ask('/private/file', basic('anna', 'pass')).body == b'private'
            assert client.ask('/private/file').status == 401
            assert client.ask('/private/file', basic('anna', 'wrong')).status == 401


def test_a_change_of_the_users_takes_effect_by_itself():
    with staff({'anna': hashed('pass', 'sha512')}) as site:
        assert site.ask('/private/file', basic('anna', 'pass')).status == 200
        put_users(site, {'anna': hashed('new', 'sha512'), 'otto': hashed('pass', 'sha512')})
        for user, password, status in [('anna', 'new', 200), ('otto', 'pass', 200),
                                       ('anna', 'pass', 401)]:
            # Each worker looks for itself.
            eventually(lambda: {site.ask('/private/file', basic(user, password)).status
                                for _ in range(20)} == {status}, f'{status} for {user}')


@pytest.mark.parametrize('bad_hash', [
    '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', '$apr1$saltsalt$0123456789012345678901', '$9$what$x',
    '$1$saltsalt$0123456789012345678901', 'inclear', 'saX8fKuHX4e2s'])
def test_a_hash_that_cannot_be_checked_is_told_and_lets_nobody_in(bad_hash):
    with staff({'old': bad_hash, 'anna': hashed('pass', 'sha512')}) as site:
        answer = site.ask('/private/file', basic('old', 'inclear'))
        assert answer.status == 500 and bad_hash.encode() not in answer.body
        site.wait_log(r'(error|warning): .*htpasswd(:1\b|.*\bold\b)')
        assert bad_hash not in site.log()
        assert site.ask('/private/file', basic('anna', 'pass')).body == b'private'
        assert site.ask('/private/file', basic('anna', 'wrong')).status == 401


def test_an_empty_or_locked_password_lets_nobody_in():
    users = {'empty': '', 'locked': '!', 'star': '*', 'x': 'x', 'anna': hashed('pass', 'sha512')}
    with staff(users) as site:
        for user in 'empty', 'locked', 'star', 'x':
            for password in '', '!', '*', 'x':
                assert site.ask('/private/file', basic(user, password)).status in (401, 500)
        assert site.ask('/private/file', basic('anna', 'pass')).body == b'private'


def test_without_a_file_of_users_nobody_gets_in_and_the_log_says_why():
    with staff({'anna': hashed('pass', 'sha512')}) as site:
        assert site.ask('/private/file', basic('anna', 'pass')).body == b'private'
        (site.dir / 'htpasswd').unlink()
        eventually(lambda: {site.ask('/private/file', basic('anna', 'pass')).status
                            for _ in range(20)} == {500}, 'nobody gets in')
        site.wait_log(r'(error|warning): .*htpasswd.*No such file')
        assert site.ask('/file').body == b'public'


# ---- dotfiles and symbolic links ---------------------------------------------------------

def test_dotfiles_are_served_where_they_are_wanted():
    files = {'.hidden': b'hidden', '.git/config': b'config', 'a': b'a'}
    with Site(http('dotfiles = true', 'directory_listing = true'), files) as site:
        assert site.ask('/.hidden').body == b'hidden'
        assert site.ask('/.git/config').body == b'config'
        assert Page(site.ask('/')).names == ['.git/', '.hidden', 'a']
        assert site.ask('/../.hidden').status == 400
    with Site(http(), files) as site:
        assert [site.ask(target).status for target in ('/.hidden', '/.git/config', '/a')] == [
            404, 404, 200]


LINKS = {'to-file': 'file', 'to-link': 'to-file', 'to-dir': 'd', 'd/up': '../file',
         'd/up-and-down': '../d/inner', 'there-and-back': 'd/../file'}
OUTSIDE = {'absolute-inside': '{root}/file', 'absolute': '{dir}/outside/secret',
           'relative': '../outside/secret', 'dir-out': '../outside',
           'd/out': '../../outside/secret', 'through': 'dir-out/secret',
           'out-and-in': '../www/file', 'root': '/', 'proc': '/proc/self/root',
           'passwd': '/etc/passwd', 'dangling': 'nothing', 'loop': 'loop', 'self': '.'}


def linked(choice):
    """A site full of symbolic links."""
    site = Site(http(f'follow_symlinks = "{choice}"'), {'file': b'file', 'd/inner': b'inner'})
    put(site.dir / 'outside/secret', b'secret')
    for name, target in {**LINKS, **OUTSIDE}.items():
        os.symlink(target.format(root=site.root, dir=site.dir), site.root / name)
    return site


@pytest.mark.parametrize('choice', ['no', 'owner', 'yes'])
def test_a_link_never_leads_out_of_the_root(choice):
    with linked(choice) as site, site.client() as client:
        for name in OUTSIDE:
            for rest in '', '/secret', '/outside/secret', '/etc/passwd':
                target = f'/{name}{rest}'
                answer = client.ask(target)
                assert answer.status in (404, 301) and b'secret' not in answer.body, target
                assert answer.status == 404 or name == 'self', target
        assert client.ask('/file').body == b'file'


@pytest.mark.parametrize('choice', ['no', 'owner', 'yes'])
def test_links_inside_of_the_root_are_followed_if_they_may_be(choice):
    with linked(choice) as site, site.client() as client:
        expected = {'to-file': b'file', 'to-link': b'file', 'to-dir/inner': b'inner',
                    'd/up': b'file', 'd/up-and-down': b'inner', 'there-and-back': b'file'}
        for name, content in expected.items():
            answer = client.ask('/' + name)
            if choice == 'no':
                assert answer.status == 404
            else:
                assert (answer.status, answer.body) == (200, content), name
        assert client.ask('/d/inner').body == b'inner'


@pytest.mark.root
def test_owner_follows_a_link_only_if_its_target_has_the_same_owner():
    with linked('owner') as site, site.client() as client:
        assert client.ask('/to-file').body == b'file'
        assert client.ask('/to-dir/inner').body == b'inner'
        os.lchown(site.root / 'to-file', 1, 1)
        os.lchown(site.root / 'to-dir', 1, 1)
        assert client.ask('/to-file').status == 404
        assert client.ask('/to-link').status == 404  # leads through it
        assert client.ask('/to-dir/inner').status == 404
        assert client.ask('/file').body == b'file'
        os.chown(site.root / 'file', 1, 1)
        assert client.ask('/to-file').body == b'file'
        assert client.ask('/file').body == b'file'
        os.chown(site.root / 'd', 1, 1)
        assert client.ask('/to-dir/inner').body == b'inner'


@pytest.mark.root
def test_yes_follows_a_link_whoever_owns_it():
    with linked('yes') as site:
        os.lchown(site.root / 'to-file', 1, 1)
        assert site.ask('/to-file').body == b'file'


# ---- large files, odd files --------------------------------------------------------------

def test_a_large_file_comes_whole_and_in_pieces():
    piece = os.urandom(1 << 20)
    content = b''.join(piece[number:] + piece[:number] for number in range(24))
    with Site(http(), {'large.bin': content}) as site, site.client() as client:
        for _ in range(2):
            whole = client.ask('/large.bin')
            assert hashlib.sha256(whole.body).digest() == hashlib.sha256(content).digest()
        for first, last in [(0, 1), (65535, 65536), (1 << 20, 3 << 20),
                            (20_000_000, len(content) - 1)]:
            answer = client.ask('/large.bin', f'Range: bytes={first}-{last}')
            assert answer.status == 206 and answer.body == content[first:last + 1]
        several = client.ask('/large.bin', 'Range: bytes=0-99999,5000000-7999999,-100000')
        assert several.status == 206
        for start, end in (0, 100000), (5000000, 8000000), (len(content) - 100000, None):
            assert content[start:end] in several.body


def test_a_file_cannot_have_what_stands_between_the_parts_of_an_answer():
    with Site(http(options=('workers = 1',)), {'file': b'0123456789'}) as site, \
            site.client() as client:
        one, other = (client.ask('/file', 'Range: bytes=0-0,2-2') for _ in range(2))
        assert one['Content-Type'] != other['Content-Type']
        assert len(one.body) == len(other.body) and one.body != other.body


def test_ranges_of_a_file_beyond_4_gib():
    size = (5 << 30) + 7
    with Site() as site, site.client() as client:
        marks = {0: b'begin', (1 << 31) - 2: b'two', (1 << 32) - 2: b'four', size - 3: b'end'}
        with open(site.root / 'sparse.bin', 'wb') as file:
            for offset, mark in marks.items():
                file.seek(offset)
                file.write(mark)
        assert (site.root / 'sparse.bin').stat().st_size == size
        assert client.ask('/sparse.bin', method='HEAD')['Content-Length'] == str(size)
        for offset, mark in marks.items():
            last = offset + len(mark) - 1
            answer = client.ask('/sparse.bin', f'Range: bytes={offset}-{last}')
            assert (answer.status, answer.body) == (206, mark)
            assert answer['Content-Range'] == f'bytes {offset}-{last}/{size}'
        assert client.ask('/sparse.bin', 'Range: bytes=-3').body == b'end'
        assert client.ask('/sparse.bin', f'Range: bytes={size - 3}-').body == b'end'
        answer = client.ask('/sparse.bin', f'Range: bytes={(1 << 31) - 2}-{1 << 31},-3')
        assert answer.status == 206 and b'\r\n\r\ntwo\r\n' in answer.body
        assert client.ask('/sparse.bin', f'Range: bytes={size}-').status == 416


def test_the_whole_of_a_file_of_more_than_2_gib_is_sent():
    size = (1 << 31) + 4099
    with Site() as site, site.client() as client:
        with open(site.root / 'sparse.bin', 'wb') as file:
            file.truncate(size - 3)
            file.seek(size - 3)
            file.write(b'end')
        client.send(request('/sparse.bin', CLOSE))
        assert client.head()['Content-Length'] == str(size)
        number, last, buffer = len(client.buffer), client.buffer[-3:], bytearray(1 << 20)
        while True:
            got = client.sock.recv_into(buffer)
            if got == 0:
                break
            number, last = number + got, (last + bytes(buffer[max(0, got - 3):got]))[-3:]
        assert (number, last) == (size, b'end')


def test_neither_a_fifo_nor_a_socket_blocks_a_worker():
    with Site(http(options=('workers = 1',)), {'file': b'file', 'index/': None}) as site:
        os.mkfifo(site.root / 'fifo')
        os.mkfifo(site.root / 'index/index.html')
        os.chmod(site.root / 'fifo', 0o666)
        os.chmod(site.root / 'index/index.html', 0o666)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.bind(str(site.root / 'socket'))
        for _ in range(3):
            with took(most=10):
                for target in '/fifo', '/socket', '/index/':
                    assert site.ask(target).status in (403, 404), target
                assert site.ask('/file').body == b'file'


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection():
    size = 256 << 20
    with Site(http(options=('workers = 1',)), {'file': b'file'}) as site:
        with open(site.root / 'shrinks', 'wb') as file:
            file.truncate(size)
        with site.client() as client:
            client.send(request('/shrinks') + request('/file'))
            assert client.head()['Content-Length'] == str(size)
            os.truncate(site.root / 'shrinks', 1000)
            number = len(client.buffer)
            with contextlib.suppress(ConnectionResetError):
                while piece := client.sock.recv(1 << 20):
                    assert not piece.strip(b'\0'), 'something else than the file'
                    number += len(piece)
            assert number < size
        site.wait_log(r'warning: pool web: \S+: cannot read \S+/www/shrinks: it has become shorter$')
        assert site.ask('/file').body == b'file'
        assert site.ask('/shrinks')['Content-Length'] == '1000'


@pytest.mark.parametrize('fields', [(), ('Range: bytes=0-0',)])
def test_why_a_file_cannot_be_read_is_told(fields):
    root = '/sys/devices/virtual/net/lo'
    if not os.access(f'{root}/speed', os.R_OK):
        pytest.skip('no file here that can be opened and not read')
    with Site(http(root=root)) as site, site.client() as client:
        client.send(request('/speed', *fields))
        assert client.head().status == (206 if fields else 500)
        site.wait_log(fr'warning: pool web: \S+: cannot read {root}/speed: Invalid argument$')


def test_a_file_that_grows_while_it_is_sent_comes_as_long_as_it_was():
    size = 64 << 20
    with Site(http(options=('workers = 1',)), {'file': b'file'}) as site, site.client() as client:
        with open(site.root / 'grows', 'wb') as file:
            file.truncate(size)
        client.send(request('/grows') + request('/file'))
        assert client.head()['Content-Length'] == str(size)
        with open(site.root / 'grows', 'ab') as file:
            file.write(b'more' * 1000)
        assert client.take(size) == bytes(size)
        assert client.response().body == b'file'


def test_a_file_that_is_replaced_is_another_one_at_once():
    with Site(http(), {'file': b'one', 'other': b'two'}) as site, site.client() as client:
        before = client.ask('/file')
        (site.root / 'other').rename(site.root / 'file')
        after = client.ask('/file')
        assert (before.body, after.body) == (b'one', b'two')
        # Of the same size and the same time, and another file all the same.
        assert before['Last-Modified'] == after['Last-Modified']
        assert before['ETag'] != after['ETag']
        put(site.root / 'file', b'six', mtime_ns=MTIME_NS + 1)
        assert client.ask('/file')['ETag'] not in (before['ETag'], after['ETag'])


def test_what_may_not_be_read_is_403():
    files = {'closed/file': b'f', 'open/file': b'f', 'file': b'f'}
    with Site(http('directory_listing = true'), files) as site:
        (site.root / 'file').chmod(0)
        (site.root / 'closed').chmod(0)
        assert site.ask('/file').status == 403
        assert site.ask('/closed/file').status == 403
        assert site.ask('/closed/').status == 403
        assert site.ask('/open/file').body == b'f'
        (site.root / 'closed').chmod(0o755)


def test_each_byte_of_a_name_can_be_asked_for():
    names = {byte: b'x' + bytes([byte]) + b'y' for byte in range(1, 256) if byte != 0x2f}
    with Site(http('keepalive_requests = 1000', 'directory_listing = true')) as site, \
            site.client() as client:
        for byte, name in names.items():
            path = os.path.join(os.fsencode(site.root), name)
            with open(path, 'wb') as file:
                file.write(name)
        for byte, name in names.items():
            for target in f'/x%{byte:02X}y', f'/x%{byte:02x}%79':
                answer = client.ask(target)
                assert (answer.status, answer.body) == (200, name), target
            if chr(byte).isalnum() and byte < 128 or chr(byte) in "-._~!$&'()*+,;=:@":
                assert client.ask(f'/x{chr(byte)}y').body == name
        page = client.ask('/').body.decode('utf-8')  # what is no UTF-8 does not break the page
        assert 'xay' in page


def test_a_name_of_255_bytes_and_a_deep_path():
    deep = '/'.join(['d' * 50] * 40)
    with Site(http(), {'n' * 255: b'long', f'{deep}/file': b'deep'}) as site:
        assert site.ask('/' + 'n' * 255).body == b'long'
        assert site.ask('/' + 'n' * 256).status == 404
        assert site.ask(f'/{deep}/file').body == b'deep'
        assert site.ask(f'/{deep}/nothing').status == 404


@pytest.mark.root
def test_a_site_in_a_chroot():
    conf = http(root='/www', options=('workers = 1', 'chroot = "{dir}/jail"'))
    site = Site(conf)
    put(site.dir / 'jail/www/file', b'jailed')
    with site:
        assert site.ask('/file').body == b'jailed'
