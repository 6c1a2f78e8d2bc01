"""The page of the status against a daemon under load: a browser sees what happens when it
happens.
"""
import contextlib
import os
import signal
import statistics
import time

from browser import needs_browser
from harness import SANITIZED, eventually
from load import Load, pool, script
from status_look import (DESKTOP, PHONE, browser, keep_shot, letters, page, text,  # noqa: F401
                         wait_live, without_script)
from test_status import status_pool
from web import Browsers, Site, http

pytestmark = needs_browser
PROMISE = 2  # seconds until a dead worker is seen
WORK = 4
# A request takes a fifth of a second: 20 of them a second are all that it can do.
CONF = http(options=['workers = 8']) + status_pool() + \
    pool('work', f'workers = {WORK}', script('sleep 0.2; exec cat'), service='exec')
WEB, OWN, SLOW = '#pool-1', '#pool-2', '#pool-3'


@contextlib.contextmanager
def loaded():
    """A site with people on it."""
    with Site(CONF, {'file': b'file'}) as site, Browsers(site, clients=4, pause=0.02), \
            Load(site.address('work'), rate=10, clients=2):
        yield site


def url(site):
    return f'http://127.0.0.1:{site.port("status")}/'


def number(page, selector):
    return int(text(page, selector).replace(',', ''))


def pids(page, pool_id):
    """Of the cells, as each says when it is pointed at."""
    return page.run('''[...document.querySelectorAll("%s .grid li")].map(cell => {
        cell.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" }));
        return parseInt(document.querySelector("%s .which").textContent.slice("worker ".length));
    })''' % (pool_id, pool_id))


def seen_after(page, site, pid):
    """Kills a worker; the seconds until the grid has another one in its place."""
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    eventually(lambda: pid not in pids(page, WEB) and len(letters(page, WEB)) == 8,
               'another worker in the grid', every=0.05)
    seconds = time.monotonic() - killed
    assert set(pids(page, WEB)) == set(site.workers('web'))
    return seconds


def test_a_killed_worker_is_seen_at_once(page):
    with loaded() as site:
        page.visit(url(site))
        wait_live(page)
        page.run(f'document.querySelector("{WEB}").scrollIntoView()')
        before = pids(page, WEB)
        assert set(before) == set(site.workers('web'))
        seconds = [seen_after(page, site, pid) for pid in before[:3]]
        print('seen after', ', '.join('%.1f s' % each for each in seconds))
        assert SANITIZED or statistics.median(seconds) <= PROMISE
        eventually(lambda: text(page, f'{WEB} [data-f="died"]') == '3 (signal 3)', every=0.1)
        # Deaths that follow each other within a second are one line, with the last of them.
        assert f'worker {before[2]} killed by signal 9 (Killed)' in text(page, '#events tbody')
        assert page.complaints == []


def test_the_queue_grows_and_shrinks(page):
    def queue():
        return number(page, f'{SLOW} [data-f="queue_length"]')
    with loaded() as site:
        page.visit(url(site))
        wait_live(page)
        with Load(site.address('work'), rate=1000, clients=WORK + 8):
            eventually(lambda: queue() >= 6, 'a queue', every=0.05)
            assert letters(page, SLOW) == 'B' * WORK
            eventually(lambda: text(page, f'{SLOW} .word') == 'saturated', every=0.05)
            assert 'work saturated' in text(page, '#verdict')
            assert page.run(f'document.querySelectorAll("{SLOW} [data-width]")[1]'
                            '.getAttribute("width")') != '0'
        eventually(lambda: queue() == 0 and text(page, f'{SLOW} .word') == 'running', every=0.05)
        assert text(page, '#verdict') == '3 pools, all in order'
        assert page.complaints == []


def test_the_lines_of_the_last_minutes_move(page):
    def lines():
        return [page.run(f'document.querySelector("{WEB} [data-path={name}]").getAttribute("d")')
                for name in ('busy_path', 'rate_path')]
    with loaded() as site:
        page.visit(url(site))
        wait_live(page)
        first = eventually(lambda: all(lines()) and lines(), 'lines', every=0.2)
        eventually(lambda: all(now != before for now, before in zip(lines(), first)),
                   'longer lines', every=0.2)
        assert float(text(page, f'{WEB} [data-f="rate"]')) > 0
        assert text(page, f'{WEB} [data-f="p99_s"]') != '-'
        assert page.complaints == []
        assert set(page.urls) == {url(site), url(site) + 'status.json'}


def test_without_its_script_it_is_the_moment_of_the_request(page):
    with loaded() as site:
        eventually(lambda: site.pool_status('web')['requests'] > 20)
        without_script(page, url(site))
        assert len(letters(page, WEB)) == 8 and len(letters(page, SLOW)) == WORK
        assert text(page, '#verdict') == '3 pools, all in order'
        before = number(page, f'{WEB} [data-f="requests"]')
        assert before > 20
        page.visit(url(site))
        eventually(lambda: site.pool_status('web')['requests'] > before)
        page.visit(url(site))
        assert number(page, f'{WEB} [data-f="requests"]') > before
        assert page.urls == [url(site)]


def test_what_it_looks_like_under_load(page, tmp_path):
    with loaded() as site, Load(site.address('work'), rate=1000, clients=WORK + 8):
        site.reload('nonsense', expect='refused')
        os.kill(site.workers('web')[0], signal.SIGKILL)
        page.visit(url(site))
        wait_live(page)
        eventually(lambda: page.run(
            f'document.querySelector("{SLOW} [data-path=queue_path]").getAttribute("d")'),
            'a history', every=0.2)
        eventually(lambda: text(page, f'{SLOW} .word') == 'saturated', every=0.05)
        for name, size, dark in (('live-light', DESKTOP, False), ('live-dark', DESKTOP, True),
                                 ('live-phone', PHONE, False), ('live-phone-dark', PHONE, True)):
            page.show_as(*size, dark=dark, phone=size == PHONE)
            assert keep_shot(page, name, tmp_path).stat().st_size > 20000
            assert page.run('document.documentElement.scrollWidth <= innerWidth')
        assert page.complaints == []
