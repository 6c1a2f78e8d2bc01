"""Debian's Chromium for a test, by the DevTools protocol over a pipe: no port, no library.

`Browser` is the program with a profile that goes with it; `Browser.fresh_page` is a page with
a cache and connections of its own.  What a page has asked for is in `Page.answers`; whatever
the browser does not like is a failure.
"""
import base64
import collections
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

from harness import PATIENCE

PROGRAM = shutil.which('chromium')
needs_browser = pytest.mark.skipif(not PROGRAM, reason='needs chromium')
# No sandbox: root has none, and nor have many containers, whose /dev/shm is small, too.
OPTIONS = ['--headless', '--remote-debugging-pipe', '--no-sandbox', '--disable-dev-shm-usage',
           '--disable-gpu', '--no-first-run', '--no-proxy-server', '--disable-extensions',
           '--disable-background-networking', '--disable-component-update', '--disable-sync']
COMMANDS_FD, EVENTS_FD = 3, 4  # of the browser


class Browser:
    """Inside a with block."""

    def __init__(self):
        self._last, self._unread, self.pages = 0, b'', {}

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='preforkd-test-browser-')
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # Out of the way of the numbers that they get in the browser.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs_in, theirs_out)]

        def set_descriptors():
            for fd, number in zip(high, (COMMANDS_FD, EVENTS_FD)):
                os.dup2(fd, number)
        with open(f'{self.dir}/said', 'wb') as said:
            self.process = subprocess.Popen(
                [PROGRAM, *OPTIONS, f'--user-data-dir={self.dir}/profile', 'about:blank'],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, close_fds=False,
                preexec_fn=set_descriptors, env=dict(os.environ, HOME=self.dir))
        for fd in [theirs_in, theirs_out, *high]:
            os.close(fd)
        return self

    def __exit__(self, *failure):
        with contextlib.suppress(OSError, AssertionError, subprocess.TimeoutExpired):
            self.call('Browser.close')
            self.process.wait(PATIENCE)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _message(self, deadline):
        while b'\0' not in self._unread:
            left = max(0, deadline - time.monotonic())
            assert select.select([self._from], [], [], left)[0], 'the browser says nothing'
            piece = os.read(self._from, 1 << 20)
            assert piece, 'the browser has ended:\n' + open(f'{self.dir}/said').read()[-3000:]
            self._unread += piece
        message, self._unread = self._unread.split(b'\0', 1)
        return json.loads(message)

    def read(self, deadline):
        """One message; an event goes to its page."""
        message = self._message(deadline)
        if message.get('sessionId') in self.pages and 'method' in message:
            self.pages[message['sessionId']].note(message['method'], message['params'])
        return message

    def call(self, method, session=None, **params):
        """A command to its end: what it returns."""
        self._last += 1
        command = {'id': self._last, 'method': method, 'params': params}
        if session:
            command['sessionId'] = session
        os.write(self._to, json.dumps(command).encode() + b'\0')
        deadline = time.monotonic() + 2 * PATIENCE
        while True:
            message = self.read(deadline)
            if message.get('id') == self._last:
                assert 'error' not in message, (method, message['error'])
                return message['result']

    def fresh_page(self):
        context = self.call('Target.createBrowserContext')['browserContextId']
        target = self.call('Target.createTarget', url='about:blank', browserContextId=context)
        session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)
        return Page(self, session['sessionId'], context)


class Answer:
    """To one request, as the network log has it."""

    def __init__(self, request, url):
        self.request, self.url = request, url
        self.status, self.type, self.connection = None, None, None
        self.has_extra, self.done = True, False


class Page:
    def __init__(self, browser, session, context):
        self.browser, self.session, self.context = browser, session, context
        browser.pages[session] = self
        self._forget()
        for domain in 'Page', 'Network', 'Runtime', 'Log':
            self.call(f'{domain}.enable')

    def _forget(self):
        self._requests, self._status, self.complaints, self.loaded = {}, {}, [], False

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def note(self, event, params):
        """What the browser tells of it."""
        request = params.get('requestId')
        if event == 'Network.requestWillBeSent':
            if not params['request']['url'].startswith('data:'):
                self._requests[request] = Answer(request, params['request']['url'])
        elif event == 'Network.responseReceived' and request in self._requests:
            response, answer = params['response'], self._requests[request]
            answer.status, answer.type = response['status'], response['mimeType']
            answer.connection, answer.has_extra = response['connectionId'], params['hasExtraInfo']
        elif event == 'Network.responseReceivedExtraInfo':
            self._status[request] = params['statusCode']  # of the wire, not of the cache
        elif event == 'Network.loadingFinished' and request in self._requests:
            self._requests[request].done = True
        elif event == 'Network.loadingFailed' and params.get('canceled'):
            del self._requests[request]     # by the page itself
        elif event == 'Network.loadingFailed':
            self.complaints.append(f'{self._requests[request].url}: {params["errorText"]}')
        elif event == 'Log.entryAdded':
            self.complaints.append(f'{params["entry"]["level"]}: {params["entry"]["text"]}')
        elif event == 'Runtime.exceptionThrown':
            self.complaints.append(str(params['exceptionDetails']))
        elif event == 'Runtime.consoleAPICalled':
            self.complaints.append(f'console: {params["args"]}')
        elif event == 'Page.loadEventFired':
            self.loaded = True

    def _whole(self):
        return self.loaded and all(
            answer.done and (number in self._status or not answer.has_extra)
            for number, answer in self._requests.items())

    def _load(self, method, **params):
        self._forget()
        self.call(method, **params)
        self.wait()

    def wait(self):
        """Until all that was asked for is there, and nothing is wrong with it."""
        deadline = time.monotonic() + 2 * PATIENCE
        while not self._whole() and not self.complaints:
            self.browser.read(deadline)
        assert self.complaints == []

    def visit(self, url):
        self._load('Page.navigate', url=url)

    def reload(self):
        self._load('Page.reload')

    def show_as(self, width, height, *, dark=False, phone=False):
        """The window, and what its owner prefers."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])

    def screenshot(self, path):
        """All of the page, also what is below the window."""
        size = self.run('[innerWidth, document.documentElement.scrollHeight]')
        shot = self.call('Page.captureScreenshot', captureBeyondViewport=True, clip={
            'x': 0, 'y': 0, 'width': size[0], 'height': size[1], 'scale': 1})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot['data']))

    def press(self, key):
        for event in 'rawKeyDown', 'keyUp':
            self.call('Input.dispatchKeyEvent', type=event, key=key, code=key,
                      windowsVirtualKeyCode={'Tab': 9, 'Escape': 27, 'End': 35, 'Home': 36,
                                             'ArrowUp': 38, 'ArrowRight': 39, 'ArrowDown': 40}[key])

    def close(self):
        """With its connections and its cache."""
        del self.browser.pages[self.session]
        self.browser.call('Target.disposeBrowserContext', browserContextId=self.context)

    @property
    def answers(self):
        """{url: its Answer}; each was asked for once."""
        for number, status in self._status.items():
            if number in self._requests:
                self._requests[number].status = status
        counts = collections.Counter(answer.url for answer in self._requests.values())
        assert set(counts.values()) <= {1}, counts
        return {answer.url: answer for answer in self._requests.values()}

    @property
    def urls(self):
        """What was asked for, each as often as it was, since the last visit."""
        return [answer.url for answer in self._requests.values()]

    def body(self, answer):
        """The bytes that came, without their coding."""
        body = self.call('Network.getResponseBody', requestId=answer.request)
        return base64.b64decode(body['body']) if body['base64Encoded'] else body['body'].encode()

    def run(self, script):
        """The value of a script; one that is a promise is waited for."""
        result = self.call('Runtime.evaluate', expression=script, awaitPromise=True,
                           returnByValue=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')
