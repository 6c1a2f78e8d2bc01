"""The http service as a browser sees it, which asks for much at one time."""
import base64
import gzip
import random
import struct
import zlib

import pytest

from browser import Browser, needs_browser
from web import Site, http, put

# One triangle for the letter "a".
FONT = base64.b64decode(
    'd09GRgABAAAAAAH0AAoAAAAAAhQAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAABPUy8yAAABYAAAACMAAABgQVg/rWNt'
    'YXAAAAGMAAAAKQAAADQADAC0Z2x5ZgAAAcAAAAAUAAAAFDMROT9oZWFkAAAA9AAAADYAAAA2Xx49EGhoZWEAAAEs'
    'AAAAGwAAACQAFgAGaG10eAAAAYQAAAAGAAAABgAIAABsb2NhAAABuAAAAAYAAAAGAAoAAG1heHAAAAFIAAAAFgAA'
    'ACAABAAFbmFtZQAAAdQAAAAUAAAAFAAUBGNwb3N0AAAB6AAAAAwAAAAgAAMAAAABAAAAAQAA/esnUV8PPPUAAwAQ'
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAACAAIAAAAAwACAAAAAAAAeJxjYGRgYOD5/wdIcjAwgElGBlTACAA9mwIbAHic'
    'Y2BkYGBgYmBmANEgFhoAAAD5AAoAAHicY2Bm4GCcwMDKwMJAGDAic+yBAEglAiEuoMDAAAB2RwKFAAAIAAAAAAAA'
    'eJxjYGBgYmBgYAZiESDJCKZZGBSANAsQgviJ//9DyP8LwHwGAFU3Br0AAAAAAAAAAAoAAAABAAAAAAAIAAgAAgAA'
    'MTUzCAgAAAAAAQASAAMAAQQJAAEAAgAAAFR4nGNgZsALAAB9AAQ=')
CONNECTIONS = 6  # of Chromium to one host
STYLES, SCRIPTS, PICTURES, DRAWINGS, BACKGROUNDS = 7, 8, 10, 6, 3
LARGE = 9        # the number of the picture that is far larger than the others
NOTE = 'two w\u00f6rds.txt'


def png(side, chance):
    """A square of noise."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))
    lines = b''.join(b'\0' + chance.randbytes(3 * side) for _ in range(side))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)) \
        + chunk(b'IDAT', zlib.compress(lines, 1)) + chunk(b'IEND', b'')


def make_assets():
    """{name: (content, media type)}: 40 of them."""
    chance, files = random.Random(1), {}
    for n in range(STYLES):
        background = f'background-image: url("../bg/{n}.png");' if n < BACKGROUNDS else ''
        files[f'css/{n}.css'] = f'.c{n} {{ width: {n + 1}px; {background} }}', 'text/css'
    files['css/imported.css'] = '.imported { width: 99px }', 'text/css'
    files['css/0.css'] = '@import "imported.css";' + files['css/0.css'][0], 'text/css'
    files['css/1.css'] = files['css/1.css'][0] + \
        '@font-face { font-family: T; src: url("../font.woff") } p { font: 16px T }', 'text/css'
    for n in range(SCRIPTS):
        files[f'js/{n}.js'] = f'loaded.push({n}); /*' + 'x' * 5000 * n + '*/', 'text/javascript'
    files['js/main.mjs'] = 'import { n } from "./other.mjs"; loaded.push(n)', 'text/javascript'
    files['js/other.mjs'] = 'export const n = "module"', 'text/javascript'
    for n in range(PICTURES):
        files[f'img/{n}.png'] = png(500 if n == LARGE else n + 1, chance), 'image/png'
    for n in range(DRAWINGS):
        files[f'img/{n}.svg'] = '<svg xmlns="http://www.w3.org/2000/svg" width="%d" ' \
            'height="9"><rect width="5" height="5"/></svg>' % (n + 1), 'image/svg+xml'
    for n in range(BACKGROUNDS):
        files[f'bg/{n}.png'] = png(3, chance), 'image/png'
    files['font.woff'] = FONT, 'font/woff'
    files['data.json'] = '{"is": "here"}', 'application/json'
    files[NOTE] = 'gr\u00fc\u00df', 'text/plain'
    return {name: (content if isinstance(content, bytes) else content.encode(), kind)
            for name, (content, kind) in files.items()}


def make_page():
    lines = ['<!DOCTYPE html><meta charset="utf-8"><title>Many</title><link rel="icon" href="data:,">',
             '<script>const loaded = [];</script>']
    lines += [f'<link rel="stylesheet" href="css/{n}.css">' for n in range(STYLES)]
    lines += [f'<script src="js/{n}.js" {("", "defer", "async")[n % 3]}></script>'
              for n in range(SCRIPTS)]
    lines += ['<script type="module" src="js/main.mjs"></script>', '<p class="imported">aaa</p>']
    lines += [f'<div class="c{n}">{n}</div>' for n in range(STYLES)]
    lines += [f'<img src="img/{n}.png">' for n in range(PICTURES)]
    lines += [f'<img src="img/{n}.svg">' for n in range(DRAWINGS)]
    lines += ['''<script>
const fetched = Promise.all([fetch("data.json").then(a => a.json()),
                             fetch("%s").then(a => a.text()), document.fonts.ready]);
const width = e => getComputedStyle(e).width;
async function state() {
    const [data, text] = await fetched;
    return { data, text, loaded: loaded.map(String).sort(),
             images: [...document.images].map(i => i.complete && i.naturalWidth),
             widths: [...document.querySelectorAll("p, div")].map(width),
             fonts: [...document.fonts].map(f => f.status) };
}
</script>''' % NOTE]
    return '\n'.join(lines).encode()


ASSETS = make_assets()
PAGE = make_page()
STATE = {
    'data': {'is': 'here'}, 'text': 'gr\u00fc\u00df', 'fonts': ['loaded'],
    'loaded': [*map(str, range(SCRIPTS)), 'module'],
    'images': [500 if n == LARGE else n + 1 for n in range(PICTURES)]
    + [n + 1 for n in range(DRAWINGS)],
    'widths': ['99px', *(f'{n + 1}px' for n in range(STYLES))],
}


class ManyAssets(Site):
    """A page with 40 assets; the browser must ask each time whether they have changed."""

    def __init__(self, workers):
        options = f'workers = {workers}', 'access_log = "{dir}/access.log"', 'access_format = "%>s"'
        lines = ('precompressed = { "gzip" }', 'header = { "Cache-Control: no-cache" }',
                 'keepalive_timeout = 1h')
        files = {name: content for name, (content, _) in ASSETS.items()}
        super().__init__(http(*lines, options=options), {'index.html': PAGE, **files})
        put(self.root / 'js/1.js.gz', gzip.compress(ASSETS['js/1.js'][0]))

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port("web")}/'

    def expect(self, page, status):
        """That the page is whole, and was answered in this way by the network."""
        state = page.run('state()')
        page.wait()
        assert state == STATE
        answers = page.answers
        wanted = {'': (PAGE, 'text/html'), **ASSETS}
        assert len(answers) == len(wanted) == 41
        for name, (content, kind) in wanted.items():
            url = self.url + name.replace(' ', '%20').replace('\u00f6', '%C3%B6')
            answer = answers[url]
            assert (answer.status, answer.type) == (status, kind), name
            assert status == 304 or page.body(answer) == content, name
        return {answer.connection for answer in answers.values()}

    def statuses(self, number):
        """Of the last so many requests, as the server's own log has it."""
        return {int(line) for line in self.wait_lines(number)[-41:]}


@needs_browser
def test_a_page_with_40_assets_loads_whole_and_is_asked_for_again():
    with ManyAssets(workers=3 * CONNECTIONS) as site, Browser() as browser:
        page = browser.fresh_page()
        page.visit(site.url)
        connections = site.expect(page, 200)
        assert site.statuses(41) == {200}
        page.reload()
        connections |= site.expect(page, 304)
        assert site.statuses(2 * 41) == {304}
        assert len(connections) <= CONNECTIONS  # and so they were kept
        page.close()

        page = browser.fresh_page()
        page.visit(site.url)
        others = site.expect(page, 200)
        assert site.statuses(3 * 41) == {200}
        assert len(others) <= CONNECTIONS and not others & connections


@needs_browser
def test_a_change_is_seen_at_the_next_visit():
    with ManyAssets(workers=3 * CONNECTIONS) as site, Browser() as browser:
        page = browser.fresh_page()
        page.visit(site.url)
        site.expect(page, 200)
        put(site.root / 'data.json', b'{"is": "new"}')
        page.reload()
        assert page.run('state()')['data'] == {'is': 'new'}
        page.wait()
        changed = [url for url, answer in page.answers.items() if answer.status != 304]
        assert changed == [site.url + 'data.json']


@needs_browser
@pytest.mark.parametrize('workers', [1, 2, 4])
def test_a_browser_with_more_connections_than_there_are_workers_gets_everything(workers):
    with ManyAssets(workers) as site, Browser() as browser:
        for _ in range(2):
            page = browser.fresh_page()
            page.visit(site.url)
            site.expect(page, 200)
            page.reload()
            site.expect(page, 304)
            page.close()
