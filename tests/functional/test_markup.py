"""What others can put into the status stays text, wherever it is shown: markup, quotes, a
backslash, control characters, UTF-8, and what is no UTF-8, from pool names, addresses, request
lines, modules, programs, and errors.
"""
import contextlib
import html.parser
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from browser import needs_browser
from harness import PATIENCE, SRCDIR, eventually
from load import pool
from status_look import browser, page, text, wait_live, without_script  # noqa: F401
from test_status import status_pool
from test_top import TMUX, Terminal
from web import ENDLESS, Site, http, make_endless

pytestmark = pytest.mark.skipif(not shutil.which('cc'), reason='needs cc')

MARKUP = b'<script>alert(1)</script>"\'&lt;\\'
CONTROLS = b'\n\x1b[2J\x7f\xc2\x9b2J'  # the last one is CSI, as UTF-8 has it
LETTERS = b'\xc3\xbc\xe6\x97\xa5'
BROKEN = b'\xff\xe2('
ODD = MARKUP + CONTROLS + LETTERS + BROKEN
NAME = MARKUP + LETTERS + BROKEN  # of a pool: no control character may be in it
PATH = b'<b>"\\' + LETTERS + BROKEN
STATUS = ODD.replace(b'\n', b'')  # which ends what a program says
TARGET = '/<script>alert(2)</script>"\'&lt;\\'  # more than that is no request
AGENT = b'<i>agent</i>"' + LETTERS + BROKEN

# As a terminal shows them, and what needs no terminal.
SHOWN = r'''<script>alert(1)</script>"'&lt;\\x0a\x1b[2J\x7f\xc2\x9b2Jü日\xff\xe2('''
NAME_SHOWN = '<script>alert(1)</script>"\'&lt;\\ü日\\xff\\xe2('
PATH_SHOWN = '<b>"\\ü日\\xff\\xe2('


def as_json(shown):
    """What is no UTF-8 is U+FFFD there."""
    return shown.replace('\\xff\\xe2', '\ufffd\ufffd')


def quoted(data):
    """For a string of the configuration."""
    return ''.join(chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f'\\x{byte:02x}'
                   for byte in data)


def in_c(data):
    return '"' + ''.join(f'\\{byte:03o}' for byte in data) + '"'


MODULE = f'''#include <preforkd/module.h>
static int
prepare(const struct preforkd_pool *pool, void **shared, struct preforkd_error *error)
{{
	(void)shared;
	return preforkd_option(pool, "fail") ? preforkd_fail(error, "%s", {in_c(ODD)}) : 0;
}}
static void
serve(struct preforkd_conn *conn)
{{
	char line[80];

	preforkd_say(conn, {in_c(ODD)});
	preforkd_log(conn->pool, LOG_WARNING, "%s", {in_c(ODD)});
	preforkd_read_line(conn, line, sizeof(line));
}}
static const char *const options[] = {{ "fail", NULL }};
const struct preforkd_module preforkd_module = {{
	.api = PREFORKD_MODULE_API, .size = sizeof(struct preforkd_module), .description = "odd",
	.options = options, .prepare = prepare, .serve = serve,
}};
'''
PROGRAM = f'''#!/usr/bin/python3 -IS
import os, signal, socket
name = os.environ['NOTIFY_SOCKET']
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.sendto(b'READY=1\\nSTATUS=' + {STATUS!r}, '\\0' + name[1:] if name[0] == '@' else name)
signal.pause()
'''
CONF = http(*ENDLESS, options=['workers = 2', 'access_log = "{dir}/access.log"',
                                         'access_format = "json"']) + \
    pool(quoted(NAME), 'workers = 1', 'module { file = "{dir}/odd.so" }', service='module',
         listen='{dir}/' + quoted(PATH)) + \
    pool('exec', 'workers = 1', 'exec { command = { "{dir}/' + quoted(ODD) + '" } }', service='exec') + \
    pool('program', 'workers = 1', 'program { command = { "{dir}/program" } ready = "notify" }',
         service='program') + status_pool()
REFUSED = pool('fails', 'module { file = "{dir}/odd.so" option = { "fail=1" } }', service='module')


def furnish(site):
    """Its module, and its programs."""
    subprocess.run(['cc', f'-I{SRCDIR}/include', '-shared', '-fPIC', '-x', 'c', '-', '-o', site.dir / 'odd.so'],
                   input=MODULE, text=True, check=True)
    (site.dir / 'odd.so').chmod(0o644)
    (site.dir / 'program').write_text(PROGRAM)
    (site.dir / 'program').chmod(0o755)
    path = pathlib.Path(os.fsdecode(os.fsencode(site.dir) + b'/' + ODD))
    path.parent.mkdir(parents=True)
    for directory in path.parents:
        if directory == site.dir:
            break
        directory.chmod(0o755)
    path.symlink_to('/bin/cat')


def waiting_request(site):
    """A worker that says it as long as nobody reads its answer."""
    client = site.client('web')
    client.send(f'GET {TARGET} HTTP/1.1\r\nHost: x\r\nUser-Agent: '.encode() + AGENT + b'\r\n\r\n')
    return client


@pytest.fixture(scope='module')
def site():
    """Everything that can be odd is."""
    with contextlib.ExitStack() as stack:
        site = Site(CONF)
        furnish(site)
        make_endless(site)
        stack.enter_context(site)
        module = stack.enter_context(socket.socket(socket.AF_UNIX))
        module.connect(os.fsencode(site.dir) + b'/' + PATH)
        stack.enter_context(site.connect('exec'))
        stack.enter_context(waiting_request(site))
        site.reload(CONF + REFUSED, expect='refused')
        eventually(lambda: said(site) == {'web': 1, NAME_SHOWN: 1, 'exec': 1, 'program': 1},
                   'all the texts')
        yield site


def said(site):
    """{pool: how many workers have something odd to say}"""
    found = {}
    for line in site.done('workers').splitlines():
        if '<script>' in line.split('  ', 1)[1]:
            name = re.split('  +', line)[0]
            found[name] = found.get(name, 0) + 1
    return found


def metrics(site):
    return site.ask('/metrics', pool_name='status').body


def has_no_controls(data):
    """Nothing that a terminal would obey, and all of it UTF-8."""
    assert not re.findall(r'[^\n\x20-\x7e\xa0-\U0010ffff]', data.decode()), data


# --- the terminal ------------------------------------------------------------------------

def ctl(site, *words):
    said = subprocess.run(site.ctl_command(*words), stdout=subprocess.PIPE, check=True,
                          timeout=PATIENCE).stdout
    has_no_controls(said.replace(b'\t', b''))
    return said.decode()


def test_the_text_is_text(site):
    status, workers = ctl(site, 'status'), ctl(site, 'workers')
    refusal, = re.findall(r'^  (\S.*)$', status, re.M)
    assert refusal.endswith(SHOWN)
    assert re.search('^' + re.escape(NAME_SHOWN) + ' +module +/.*/' + re.escape(PATH_SHOWN) + ' +running ',
                     status, re.M)
    assert re.search('^' + re.escape(NAME_SHOWN) + r' +\d+ +busy .*' + re.escape(SHOWN) + '$', workers, re.M)
    assert re.search(r'^exec +\d+ +busy .*/<script>alert\(1\)<', workers, re.M)  # as far as there is room
    assert re.search(r'^program +\d+ +running .* ' + re.escape(SHOWN.replace('\\x0a', '')) + '$', workers, re.M)
    assert f'GET {TARGET} HTTP/1.1\n' in workers
    assert 'agent' not in status + workers


@pytest.mark.skipif(not TMUX, reason='needs tmux')
@pytest.mark.parametrize('term', [None, 'dumb'])
def test_top_shows_text(site, term):
    with Terminal(site, term=term, size=(250, 60)) as terminal:
        terminal.wait(r'^<script>alert\(.* +module ')  # as far as there is room
        terminal.wait('busy .*' + re.escape(SHOWN) + '$')
        terminal.wait(re.escape(f'GET {TARGET} HTTP/1.1'))
        assert 'agent' not in terminal.screen()


# --- documents ---------------------------------------------------------------------------

def check_document(document):
    by_name = {pool['name']: pool for pool in document['pools']}
    odd = by_name[as_json(NAME_SHOWN)]
    assert odd['listen'].endswith('/' + as_json(PATH_SHOWN))
    texts = {name: [worker['request'] for worker in by_name[name]['workers'] if worker['request']]
             for name in by_name}
    assert texts[odd['name']] == [ODD.decode(errors='replace')]
    assert texts['program'] == [STATUS.decode(errors='replace')]
    assert f'GET {TARGET} HTTP/1.1' in texts['web']
    assert document['last_reload']['text'].endswith(as_json(SHOWN))  # a line already
    assert any(event['text'].endswith(document['last_reload']['text']) for event in document['events'])


def test_json_is_text(site):
    data = site.ask('/status.json', pool_name='status').body
    has_no_controls(data)
    check_document(json.loads(data))
    check_document(json.loads(ctl(site, 'status', '--json')))


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        label = LABEL.match(text, at)
        assert label and label[1] not in labels, text
        labels[label[1]] = re.sub(r'\\(.)', lambda m: '\n' if m[1] == 'n' else m[1], label[2])
        at = label.end()
    return labels


def parse_metrics(said):
    """{(name, (label, value)...): number} by the rules of the text format, and no laxer."""
    samples, family, closed = {}, None, set()
    assert said.endswith('\n')
    for line in said[:-1].split('\n'):
        if line.startswith('#'):
            _, word, name, _ = line.split(' ', 3)
            assert word in ('HELP', 'TYPE') and name not in closed
            if name != family and family:
                closed.add(family)
            family = name
            continue
        name, labels, number = SAMPLE.fullmatch(line).groups()
        assert name == family or re.fullmatch(f'{family}_(bucket|sum|count)', name), line
        key = name, tuple(sorted(parse_labels(labels or '').items()))
        assert key not in samples, f'twice: {line}'
        samples[key] = float(number)
    return samples


def test_metrics_are_text(site):
    said = metrics(site)
    has_no_controls(said)
    samples = parse_metrics(said.decode())
    assert samples['preforkd_requests_total', (('pool', NAME_SHOWN),)] == 1
    info = dict(next(labels for name, labels in samples
                     if name == 'preforkd_pool_info' and dict(labels)['pool'] == NAME_SHOWN))
    assert info['listen'].endswith('/' + PATH_SHOWN)
    assert parse_metrics(ctl(site, 'status', '--prometheus')).keys() == samples.keys()


@pytest.mark.skipif(not shutil.which('promtool'), reason='needs promtool')
def test_promtool_finds_the_metrics_to_be_text(site):
    done = subprocess.run(['promtool', 'check', 'metrics'], input=metrics(site), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, b'')


# --- the page ----------------------------------------------------------------------------

class Elements(html.parser.HTMLParser):
    """The elements of a page, and its text but that of its script and style."""

    def __init__(self, source):
        super().__init__()
        self.names, self.text, self.attributes, self._open = [], '', '', ''
        self.feed(source)
        self.close()

    def handle_starttag(self, name, attributes):
        self.names.append(name)
        self._open = name
        self.attributes += ' '.join(value for _, value in attributes if value)

    def handle_endtag(self, name):
        self._open = ''

    def handle_data(self, data):
        if self._open not in ('script', 'style'):
            self.text += data


@pytest.mark.parametrize('how', ['service', 'preforkctl'])
def test_the_source_of_the_page_has_text(site, how):
    if how == 'service':
        source = site.ask('/', pool_name='status').body
    else:
        source = ctl(site, 'status', '--html').encode()
    has_no_controls(source.replace(b'\t', b''))
    elements = Elements(source.decode())
    assert elements.names.count('script') == (how == 'service')
    assert 'i' not in elements.names and 'agent' not in elements.text
    assert b'<script>alert' not in source and b'<b>"' not in source
    for each in (SHOWN, NAME_SHOWN, PATH_SHOWN, f'GET {TARGET} HTTP/1.1'):
        assert each in elements.text, each
    assert SHOWN in elements.attributes  # in the words of a cell


@needs_browser
@pytest.mark.parametrize('script', [False, True])
def test_the_page_shows_text(site, page, script):
    address = f'http://127.0.0.1:{site.port("status")}/'
    if script:
        page.visit(address)
        wait_live(page)
    else:
        without_script(page, address)
    page.run('document.querySelectorAll("details").forEach(each => each.open = true)')
    shown, name, path = (as_json(each) if script else each for each in (SHOWN, NAME_SHOWN, PATH_SHOWN))
    for selector, wanted in (
            ('#pool-2 h2', name), ('#pool-2 .what', path),
            ('#pool-2 .each tbody', shown), ('#pool-3 .each tbody', '/<script>alert(1)<'),
            ('#pool-4 .each tbody', shown.replace('\\x0a', '')),
            ('#pool-1 .each tbody', f'GET {TARGET} HTTP/1.1'), ('#requests tbody', name),
            ('#requests tbody', shown), ('#requests tbody', TARGET), ('#refusal', shown),
            ('#events tbody', shown)):
        eventually(lambda: wanted in text(page, selector), (selector, wanted, text(page, selector)), every=0.05)
    assert page.run('document.scripts.length') == 1
    assert page.run('document.querySelectorAll("i, main :not(.now, #legend li) > b").length') == 0
    assert 'agent' not in page.run('document.body.innerText')
    assert page.complaints == [] and set(page.urls) <= {address, address + 'status.json'}


# --- the logs ----------------------------------------------------------------------------

def test_the_log_has_lines(site):
    log = site.log_path.read_bytes()
    assert not re.findall(rb'[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]', log)
    assert len(re.findall(re.escape(SHOWN.replace(r'\xff\xe2', '').encode()[:-1]), log)) >= 2


def test_the_access_log_has_a_line_of_json(site):
    waiting_request(site).sock.close()
    line = eventually(site.access_log, 'a line')[0]
    said = json.loads(line)
    assert said['target'] == TARGET
    # What is no UTF-8 is taken for Latin-1 there.
    assert said['user_agent'] == AGENT.replace(BROKEN, '\u00ff\u00e2('.encode()).decode()
