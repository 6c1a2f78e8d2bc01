"""The page of the status in a browser: what it shows with its script and without, that it
follows the daemon, that nothing from outside becomes more than text.  What it looks like is
left in tests/functional/screenshots of the build directory.
"""
import os
import signal
import time

import pytest

from browser import PROGRAM
from fake import DAEMON, Fake, pool, worker
from harness import SANITIZED, Daemon, eventually, read_all
from status_look import (DESKTOP, NARROW, PHONE, browser, keep_shot, letters, page, text,  # noqa: F401
                         wait_live, without_script)
from status_site import MARKUP, PRINT_PAGE, Site, crowd, event, everyday, odd

pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason='needs chromium'),
    pytest.mark.skipif(not PRINT_PAGE.exists(), reason='needs make tests/unit/print_page')]
of_the_browser = pytest.mark.skipif(
    SANITIZED, reason='what a browser makes of the page is the same with sanitizers')
END = b'ok\n'

# All that a person reads or sees of the figures, as one list.
LOOK = '''[...document.querySelectorAll("title, header dd, #verdict, #refusal, #pools *, tbody td")]
    .filter(e => e.closest("template") === null)
    .map(e => e.matches("li, td, p, h2, dd, b") ? e.textContent
        : e.getAttribute("d") || e.getAttribute("width") || "")
    .concat([...document.querySelectorAll("section, li")].map(e => e.className))'''


def follow(page, site):
    """A visit, up to the first figures that the script has fetched."""
    page.visit(site.url)
    wait_live(page)


def test_it_is_whole_without_its_script(page):
    with Site(everyday()) as site:
        without_script(page, site.url)
        assert letters(page) == text(page, '.grid') and len(letters(page)) == 24
        assert [text(page, '#verdict'), text(page, 'title')] == [
            '2 of 4 pools in trouble: api saturated, mail backed off', '2 in trouble: preforkd 9.8']
        assert page.run('document.querySelector("noscript").innerText').startswith('Without')
        assert 'as of 20' in text(page, '#when') and ' UTC' in text(page, '#when')
        assert page.run('document.querySelector("#pause").offsetWidth') == 0
        assert page.run('document.querySelector(".grid li").title').startswith('worker 4000: ')
        assert page.run('document.querySelectorAll("#requests tbody tr").length') == 10
        assert text(page, '#requests tbody td') == '37s'
        assert page.run('document.querySelectorAll(".each tbody tr").length') == 24 + 16 + 1 + 4
        assert page.urls == [site.url] and site.asked == 0


@pytest.mark.parametrize('records', [everyday(), crowd(150), DAEMON.replace(b'none', b'under way') + END, DAEMON + pool('a') + END],
                         ids=['everyday', 'crowd', 'no-pools', 'no-workers'])
def test_its_script_shows_the_same_as_the_server(page, records):
    with Site(records) as site:
        without_script(page, site.url)
        page.run('document.querySelectorAll("details").forEach(e => e.open = true)')
        wanted = page.run(LOOK)
        page.call('Emulation.setScriptExecutionDisabled', value=False)
        follow(page, site)
        page.run('document.querySelectorAll("details").forEach(e => e.open = true)')
        eventually(lambda: page.run(LOOK) == wanted, (page.run(LOOK), wanted), seconds=5, every=0.2)
        # Also what it has to build from nothing.
        page.run('document.querySelectorAll("#pools > *, tbody > *, #verdict > *").forEach('
                 'e => e.remove())')
        eventually(lambda: page.run('document.querySelectorAll("details").forEach('
                                    'e => e.open = true)') or page.run(LOOK) == wanted,
                   'the page from nothing', every=0.2)
        assert page.complaints == []


def test_it_follows_what_happens(page):
    with Site(DAEMON + pool('a', queue_limit=9) + worker('a', 1, state='idle', age_ms=20000)
              + END) as site:
        follow(page, site)
        assert letters(page) == 'I' and text(page, '#verdict') == '1 pool, all in order'
        site.records = DAEMON.replace(b'none', b'refused').replace(b'reload_text=', b'reload_text=f:1: no') \
            + event(5, 'a', 'death', 'killed by signal 9') \
            + pool('a', queue_length=7, queue_limit=9, saturated_ms=9000, requests=50) \
            + worker('a', 1, state='writing', age_ms=30000, client='::1', request='GET /x') \
            + worker('a', 2, state='reading', age_ms=9000) + pool('b', state='backed off') + END
        eventually(lambda: letters(page) == 'WR', 'a new worker', every=0.1)
        assert page.run('[...document.querySelectorAll("#pool-1 .grid li")].map(e => e.className)') \
            == ['writing', 'reading young']
        assert text(page, '[data-f="queue_length"]') == '7'
        assert page.run('document.querySelectorAll("[data-width]")[1].getAttribute("width")') == '77'
        assert text(page, '#pool-1 .notes').startswith('saturated for 9.0s: all workers are busy and 7')
        assert text(page, '#pool-2 .grid') == '!'
        assert text(page, '#verdict') == '2 of 2 pools in trouble: a saturated, b backed off'
        assert text(page, 'title') == '2 in trouble: preforkd 9.8'
        assert text(page, '#refusal') == 'The last reload was refused: f:1: no'
        assert text(page, '#events tbody').startswith('0.0sadeathkilled by signal 9')
        assert text(page, '#requests tbody tr').endswith('awriting::1GET /x'[-10:])
        assert text(page, '[data-f="rate"]') != '0.0'
        site.records = DAEMON + pool('b') + END
        eventually(lambda: page.run('document.querySelectorAll(".pool").length') == 1, every=0.1)
        assert text(page, 'h2') == 'b' and text(page, '#verdict') == '1 pool, all in order'
        assert text(page, '#refusal') == '' and 'No worker is busy.' in text(page, '#requests')
        assert page.complaints == []


def test_a_killed_worker_of_a_daemon_is_seen(page):
    with Daemon('pool "a" { service = "echo"\n listen = "127.0.0.1:0"\n workers = 3 }\n') as daemon:
        def records():
            with daemon.control_connect() as sock:
                sock.sendall(b'status\n')
                return read_all(sock)
        daemon.wait_workers(3, 'a')
        with Site(records) as site:
            follow(page, site)
            page.run('document.querySelector("details").open = true')
            pids = '[...document.querySelectorAll(".each tbody tr")].map(e => +e.firstChild.textContent)'
            before = eventually(lambda: len(set(page.run(pids))) == 3 and page.run(pids), every=0.05)
            assert sorted(before) == daemon.workers('a')
            os.kill(before[1], signal.SIGKILL)
            killed = time.monotonic()
            eventually(lambda: before[1] not in page.run(pids) and letters(page) == 'III', every=0.05)
            print('seen after %.1f s' % (time.monotonic() - killed))
            assert text(page, '#pool-1 [data-f="died"]').startswith('1 ')
            assert page.complaints == []


@pytest.mark.parametrize('script', [False, True])
def test_what_comes_from_outside_is_text(page, script):
    with Site(odd()) as site:
        if script:
            follow(page, site)
        else:
            without_script(page, site.url)
        page.run('document.querySelector("details").open = true')
        for selector in ('h2', 'h1', '#pool-1 .what', '.word', '.notes', '#refusal', '.each tbody',
                         '#requests tbody', '#events tbody', 'header dl'):
            eventually(lambda: MARKUP in text(page, selector), selector, every=0.05)
            assert '\\x1b[2J\\x0a\\x7f' in text(page, selector)
        assert not any(ord(c) < 32 and c != '\n' or ord(c) == 127
                       for c in page.run('document.documentElement.textContent.replace(/\\t/g, "")'))
        assert page.run('document.scripts.length') == 1
        assert page.run('document.querySelectorAll(":not(.now, #legend li) > b").length') == 0
        assert page.complaints == [] and set(page.urls) <= {site.url, site.url + 'status.json'}


def test_it_asks_for_nothing_else_and_its_policy_forbids_it(page):
    with Site(everyday()) as site:
        follow(page, site)
        eventually(lambda: site.asked > 2, every=0.1)
        page.run('1')
        assert set(page.urls) == {site.url, site.url + 'status.json'} and page.complaints == []
        policy, _ = site.page()
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert 'unsafe' not in policy
        for strange in ('Object.assign(document.createElement("script"), { text: "var had = 1" })',
                        'Object.assign(new Image(), { src: "/other.png" })',
                        'Object.assign(document.createElement("style"), { textContent: "a {}" })'):
            page.complaints.clear()
            page.run(f'void document.body.append({strange})')
            eventually(lambda: page.run('1') and 'Content Security Policy' in str(page.complaints),
                       strange, every=0.05)
        assert page.run('typeof had') == 'undefined'
        assert set(site.paths) == {'/', '/status.json'}


@of_the_browser
@pytest.mark.parametrize('failure, why', [(503, '(it says 503)'), ('closed', '(no connection)'),
                                          ('silent', '(time is up)')])
def test_a_daemon_that_does_not_answer_is_told_from_one_that_does(page, tmp_path, failure, why):
    with Site(everyday()) as site:
        follow(page, site)
        assert page.run('document.querySelector("#lost").hidden')
        site.fails = failure
        eventually(lambda: why in text(page, '#lost'), why, every=0.1)
        assert text(page, '#lost').startswith('No answer from the daemon for ')
        assert page.run('document.querySelector("#lost").offsetHeight') > 0
        assert (text(page, '#when'), text(page, 'title')) == ('no answer', 'no answer: preforkd')
        assert len(letters(page)) == 24  # what was known stays
        if failure == 503:
            keep_shot(page, 'no-answer', tmp_path)
        site.fails = None
        site.over.set()
        wait_live(page)
        assert page.run('document.querySelector("#lost").hidden')
        assert not page.run('document.documentElement.classList.contains("stale")')


def asks_on(page, site):
    """Waits until it asks, and has its answer."""
    before = site.asked
    eventually(lambda: site.asked > before, 'a question')
    page.run('1')  # by then, what is asked for is known
    page.wait()
    return True


def is_silent(page, site):
    """Whether it asks nothing for more than two times its interval, by the clock of the page."""
    before = site.asked
    page.run('new Promise(done => setTimeout(done, 2500))')
    return site.asked == before


@of_the_browser
def test_it_does_not_ask_while_nobody_looks_or_it_is_paused(page):
    def hide(hidden):
        page.run('Object.defineProperty(document, "hidden", { get: () => %s, configurable: true });'
                 'void document.dispatchEvent(new Event("visibilitychange"))' % str(hidden).lower())

    def click():
        page.run('document.querySelector("#pause").click()')
    with Site(everyday()) as site:
        follow(page, site)
        assert asks_on(page, site)
        hide(True)
        assert is_silent(page, site)
        hide(False)
        assert asks_on(page, site)
        click()
        assert text(page, '#when').startswith('paused, ') and text(page, '#pause') == 'Go on'
        assert is_silent(page, site)
        hide(True)
        hide(False)
        assert is_silent(page, site)
        click()
        assert asks_on(page, site)
        assert text(page, '#when').startswith('live, ') and page.complaints == []


@of_the_browser
def test_a_worker_is_found_with_the_keyboard_and_the_mouse(page, tmp_path):
    with Site(everyday()) as site:
        follow(page, site)
        for _ in range(9):
            page.press('Tab')
            if page.run('document.activeElement.matches(".grid")'):
                break
        assert page.run('document.activeElement.matches("#pool-1 .grid")')
        assert text(page, '.which').startswith('worker 4000: ')
        for key, pid in (('ArrowRight', 4001), ('End', 4023), ('Home', 4000), ('Escape', None)):
            page.press(key)
            assert text(page, '.which').startswith(f'worker {pid}: ' if pid else ''), key
        assert text(page, '.which') == ''
        for key in 'Home', 'ArrowDown':
            page.press(key)
        below = text(page, '.which')
        assert below.startswith('worker 40') and not below.startswith('worker 4000')
        page.press('ArrowUp')
        assert text(page, '.which').startswith('worker 4000: ')
        label = page.run('document.querySelector("[aria-selected=true]").getAttribute("aria-label")')
        assert label == text(page, '.which')
        x, y = page.run('(box => [box.x + 5, box.y + 5])('
                        'document.querySelectorAll(".grid li")[2].getBoundingClientRect())')
        page.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)
        eventually(lambda: text(page, '.which').startswith('worker 4002: '), every=0.05)
        keep_shot(page, 'pointed-at', tmp_path)
        page.press('Tab')
        assert page.run('document.activeElement.matches("summary")')
        assert page.complaints == []


# The least contrast of a text with what is behind it, and which text that is (WCAG 2.2, 1.4.3).
CONTRAST = '''(() => {
    const numbers = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => numbers(color).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => {
        for (; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (numbers(color)[3] !== 0) return color;
        }
        return getComputedStyle(document.body).backgroundColor;
    };
    return [...document.querySelectorAll("body *")]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.offsetWidth)
        .map(e => [light(getComputedStyle(e).color), light(ground(e)), e.outerHTML.slice(0, 90)])
        .map(([a, b, text]) => [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text])
        .sort((a, b) => a[0] - b[0])[0];
})()'''


@of_the_browser
@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
def test_its_texts_can_be_read(page, dark):
    with Site(everyday().replace(b'reload_state=none', b'reload_state=refused')) as site:
        page.show_as(*DESKTOP, dark=dark)
        follow(page, site)
        site.fails = 503
        eventually(lambda: text(page, '#lost'), every=0.05)
        page.run('document.querySelector(".grid").click()')
        page.press('Tab')
        contrast, where = page.run(CONTRAST)
        assert contrast >= 4.5, where
        print('least contrast: %.2f, %s' % (contrast, where))


@of_the_browser
@pytest.mark.parametrize('records', [everyday, crowd, odd])
@pytest.mark.parametrize('size', [NARROW, PHONE, (768, 1024), DESKTOP, (2560, 1440)], ids=str)
def test_it_fits_any_window(page, size, records):
    with Site(records()) as site:
        page.show_as(*size, phone=size[0] < 500)
        follow(page, site)
        assert page.run('document.documentElement.scrollWidth <= innerWidth')
        page.run('document.querySelectorAll("details").forEach(e => e.open = true)')
        eventually(lambda: page.run('document.querySelectorAll(".each td").length'), every=0.05)
        assert page.run('document.documentElement.scrollWidth <= innerWidth')


@of_the_browser
@pytest.mark.parametrize('name, records, size, dark', [
    ('light', everyday, DESKTOP, False), ('dark', everyday, DESKTOP, True),
    ('phone', everyday, PHONE, False), ('phone-dark', everyday, PHONE, True),
    ('thousand', crowd, DESKTOP, False), ('thousand-phone', crowd, PHONE, False),
    ('markup', odd, DESKTOP, False)])
def test_what_it_looks_like(page, tmp_path, name, records, size, dark):
    begun = time.monotonic()

    def now():
        return everyday(int(41 * (time.monotonic() - begun)))
    with Site(now if records is everyday else records()) as site:
        page.show_as(*size, dark=dark, phone=size == PHONE)
        follow(page, site)
        if records is everyday:
            eventually(lambda: float(text(page, '[data-f="rate"]')) > 0, every=0.05)
        assert keep_shot(page, name, tmp_path).stat().st_size > 20000 and page.complaints == []


def test_a_thousand_workers_are_shown_quickly(page):
    def busy():
        return {each['name']: each['value']
                for each in page.call('Performance.getMetrics')['metrics']}['TaskDuration']
    with Site(crowd()) as site:
        page.call('Performance.enable')
        follow(page, site)
        first, asked = busy(), site.asked
        eventually(lambda: site.asked >= asked + 4, every=0.1)
        per_update = (busy() - first) / (site.asked - asked)
        print('%.0f ms of work for each update, %d bytes of page' % (
            1000 * per_update, len(site.page()[1])))
        assert per_update < 0.9 and len(letters(page)) == 1000


def test_what_preforkctl_prints_is_one_moment(page, tmp_path):
    with Fake(everyday()) as fake:
        said = fake.run('status', '--html', text=False).stdout
    assert b'<script' not in said and b'<noscript' not in said and b'<template' not in said
    (tmp_path / 'status.html').write_bytes(said)
    page.visit(f'file://{tmp_path}/status.html')
    assert len(letters(page)) == 24 and text(page, '#when').startswith('as of 20')
    assert page.run('getComputedStyle(document.querySelector("section")).borderTopStyle') == 'solid'
    assert page.urls == [f'file://{tmp_path}/status.html'] and page.complaints == []
