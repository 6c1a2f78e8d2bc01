"""The page of the status as a browser shows it: what a test reads of it, and pictures of it."""
import os

import pytest

from browser import Browser
from harness import eventually
from status_site import BUILD

DESKTOP, PHONE, NARROW = (1280, 900), (390, 844), (320, 640)


@pytest.fixture(scope='module')
def browser():
    with Browser() as one:
        yield one


@pytest.fixture
def page(browser):
    one = browser.fresh_page()
    one.show_as(*DESKTOP)
    yield one
    one.close()


def wait_live(page):
    eventually(lambda: page.run('document.querySelector("#when").textContent').startswith('live'),
               'live figures', every=0.05)


def text(page, selector):
    return page.run(f'document.querySelector({selector!r}).textContent')


def letters(page, pool='.pool'):
    """Of the workers of one pool."""
    return ''.join(text(page, f'{pool} .grid').split())


def without_script(page, url):
    page.call('Emulation.setScriptExecutionDisabled', value=True)
    page.visit(url)


def keep_shot(page, name, elsewhere):
    """As an artefact of the build, or elsewhere if that is somebody else's."""
    directory = BUILD / 'tests/functional/screenshots' if os.access(BUILD, os.W_OK) else elsewhere
    page.screenshot(directory / f'{name}.png')
    return directory / f'{name}.png'
