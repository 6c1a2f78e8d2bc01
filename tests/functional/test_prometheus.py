"""A real Prometheus (Debian's package) asks a daemon under load for a minute, by the example
configuration and with the example rules: it gets all figures, they are those that the clients
have counted, and the alerts that fire are those that are staged.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import pytest

from harness import PATIENCE, SANITIZED, SRCDIR, eventually
from load import open_client, pool, script
from test_control import wait_pool
from test_status import status_pool
from web import Browsers, Site, http

PROGRAM = shutil.which('prometheus')
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason='needs prometheus'),
    pytest.mark.skipif(SANITIZED, reason='a minute is as long with sanitizers, and shows the same')]

MONITORING = SRCDIR / 'conf/examples/monitoring'
MINUTE = 60
WINDOW = 30  # seconds that a rate is taken over
# Of these, one has workers that die, and one has all of them busy and its queue full.
CONF = http(options=['workers = 4']) + pool('mortal', 'workers = 6') + \
    pool('narrow', 'workers = 1', 'listen_backlog = 8', script('read line'), service='exec') + \
    status_pool()
FIRING = {('PreforkdWorkersDie', 'mortal'), ('PreforkdQueueFilling', 'narrow')}


class Prometheus:
    """With the files of the example, but for the target and the seconds between two looks."""

    def __init__(self, port):
        self.dir = tempfile.mkdtemp(prefix='preforkd-test-prometheus-')
        conf = (MONITORING / 'prometheus.yml').read_text()
        conf, targets = re.subn(r'127\.0\.0\.1:9145(?=\')', f'127.0.0.1:{port}', conf)
        conf, intervals = re.subn('scrape_interval: 15s', 'scrape_interval: 1s', conf)
        assert (targets, intervals) == (1, 1)
        with open(f'{self.dir}/prometheus.yml', 'w') as file:
            file.write('global: { evaluation_interval: 1s }\n' + conf)
        shutil.copy(MONITORING / 'preforkd.rules.yml', self.dir)

    def __enter__(self):
        with open(f'{self.dir}/log', 'wb') as log:
            self.process = subprocess.Popen(
                [PROGRAM, f'--config.file={self.dir}/prometheus.yml', f'--storage.tsdb.path={self.dir}/data',
                 '--web.listen-address=127.0.0.1:0'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        eventually(lambda: 'Server is ready' in self.log() or self.process.poll() is not None, 'readiness')
        address = re.search(r'Listening on" address=(127\.0\.0\.1:\d+)', self.log())
        assert address and self.process.poll() is None, self.log()
        self.url = f'http://{address[1]}'
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(f'{self.dir}/log') as file:
            return file.read()

    def get(self, path, **words):
        target = f'{self.url}{path}?{urllib.parse.urlencode(words)}'
        with urllib.request.urlopen(target, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def api(self, what, **words):
        answer = json.loads(self.get(f'/api/v1/{what}', **words))
        assert answer['status'] == 'success', answer
        return answer['data']

    def query(self, expression, at=None):
        """[(labels, value), ...], or, of a range, [(labels, [value, ...]), ...]."""
        words = {'query': expression, **({} if at is None else {'time': at})}
        return [(each['metric'], float(each['value'][1]) if 'value' in each
                 else [float(value) for _, value in each['values']])
                for each in self.api('query', **words)['result']]

    def value(self, expression, at=None):
        """Of the one series that there is, or None."""
        found = self.query(expression, at)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def alerts(self, state):
        return {(alert['labels']['alertname'], alert['labels'].get('pool'))
                for alert in self.api('alerts')['alerts'] if alert['state'] == state}

    def own(self, pattern):
        """{name: value} of its own metrics, whatever their labels."""
        return dict(re.findall(rf'^({pattern}(?:{{.*}})?) (\S+)$', self.get('/metrics'), re.M))


class Diary:
    """How many requests the clients had by when, a line each tenth of a second."""

    def __init__(self, browsers):
        self.browsers, self.lines, self._stop = browsers, [], threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self._stop.set()
        self._thread.join()

    def _write(self):
        while not self._stop.wait(0.1):
            self.lines.append((time.time(), self.browsers.answered))

    def count(self, at):
        """By then."""
        return max(count for when, count in self.lines if when <= at)


def stage(site):
    """What alerts are for; the connections that are part of it."""
    for pid in site.workers('mortal')[:5]:
        os.kill(pid, signal.SIGKILL)
    wait_pool(site, 'mortal', died_signal=5, idle=6)
    busy = site.connect('narrow')
    wait_pool(site, 'narrow', busy=1)
    return [busy] + [open_client(site.address('narrow'), b'waits\n') for _ in range(6)]


def check_scrapes(prometheus):
    [target] = prometheus.api('targets')['activeTargets']
    assert (target['health'], target['lastError']) == ('up', '')
    assert prometheus.value(f'min_over_time(up[{MINUTE}s])') == 1
    assert prometheus.value(f'count_over_time(up[{MINUTE}s])') > MINUTE / 2
    # Each look has the same series as the one before.
    assert prometheus.value(f'min_over_time(scrape_samples_scraped[{MINUTE}s])') > 100
    assert prometheus.value(f'sum(sum_over_time(scrape_series_added[{WINDOW}s]))') == 0
    odd = prometheus.own(r'prometheus_(?:target_scrapes?_.*(?:duplicate|out_of|exceeded).*'
                         r'|rule_evaluation_failures_total)')
    assert odd and set(odd.values()) == {'0'}, odd
    assert not re.findall(r'^.*level=(?:warn|error).*$', prometheus.log(), re.M)


def check_rules(prometheus):
    [group] = prometheus.api('rules')['groups']
    names = re.findall(r'- alert: (\w+)', (MONITORING / 'preforkd.rules.yml').read_text())
    assert [rule['name'] for rule in group['rules']] == names
    assert {(rule['health'], rule.get('lastError')) for rule in group['rules']} == {('ok', None)}


def test_a_real_one_looks_for_a_minute():
    requests = 'preforkd_requests_total{pool="web"}'
    with Site(CONF, {'file': b'file'}) as site, Prometheus(site.port('status')) as prometheus:
        eventually(lambda: prometheus.value(requests) == 0, 'the first look', every=0.1)
        began = time.monotonic()
        with Browsers(site, clients=2, pause=0.02) as browsers, Diary(browsers) as diary:
            clients = stage(site)
            eventually(lambda: time.monotonic() > began + MINUTE and
                       prometheus.alerts('firing') == FIRING,
                       'the alerts that were staged, and no other', MINUTE + PATIENCE, every=0.2)
            check_scrapes(prometheus)
            check_rules(prometheus)
            at = time.time() - 1  # and a look was after that
            rate = prometheus.value(f'rate({requests}[{WINDOW}s])', at)
        assert browsers.failures == {} and browsers.counts['retried'] == 0
        counted = (diary.count(at) - diary.count(at - WINDOW)) / WINDOW
        print(f'{rate:.2f} requests a second by Prometheus, {counted:.2f} by the clients')
        assert rate == pytest.approx(counted, rel=0.1)
        eventually(lambda: prometheus.value(requests) == browsers.answered,
                   f'{browsers.answered} requests', every=0.1)
        values = prometheus.query(f'{requests}[5m]')[0][1]
        assert values[0] == 0 and values == sorted(values)
        assert prometheus.value('preforkd_accept_queue_length{pool="narrow"}') == 6
        assert prometheus.value('preforkd_worker_deaths_total{pool="mortal", reason="signal"}') == 5
        assert prometheus.value('preforkd_request_duration_seconds_count{pool="web"}') == browsers.answered
        for sock in clients:
            sock.close()
        eventually(lambda: prometheus.alerts('firing') == {('PreforkdWorkersDie', 'mortal')},
                   'the end of an alert', every=0.2)
