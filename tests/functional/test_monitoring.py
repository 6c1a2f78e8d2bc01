"""What preforkctl says to Prometheus, and the examples of what can be made of it: they use
the metrics that there are, and Prometheus' own tool (Debian's package prometheus) finds no
fault with any of it.
"""
import json
import re
import shutil
import subprocess

import pytest

from fake import DAEMON, Fake, pool
from harness import PATIENCE, SRCDIR
from status_site import crowd, everyday, odd

MONITORING = SRCDIR / 'conf/examples/monitoring'
RULES, SCRAPE, DASHBOARD = (MONITORING / name for name in (
    'preforkd.rules.yml', 'prometheus.yml', 'grafana-dashboard.json'))
needs_promtool = pytest.mark.skipif(not shutil.which('promtool'), reason='needs promtool')


def promtool(*words, said=b''):
    """That it finds nothing; what it prints."""
    result = subprocess.run(['promtool', *map(str, words)], input=said, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=2 * PATIENCE)
    assert result.returncode == 0, result.stdout.decode()
    return result.stdout.decode()


def metrics(records):
    with Fake(records) as fake:
        result = fake.run('status', '--prometheus', text=False)
        assert (result.returncode, result.stderr) == (0, b'')
        return result.stdout


def families():
    """{name: type} of all that there is."""
    said = metrics(everyday().replace(b'reload_state=none', b'reload_state=done')).decode()
    found = dict(re.findall(r'^# TYPE (\w+) (\w+)$', said, re.M))
    assert len(found) > 20
    return found


def series():
    names = set()
    for name, kind in families().items():
        parts = ('_bucket', '_sum', '_count') if kind == 'histogram' else ('',)
        names |= {name + part for part in parts}
    return names


@needs_promtool
@pytest.mark.parametrize('records', [everyday(), crowd(), odd(), DAEMON + b'ok\n',
                                     DAEMON + pool('a\\x5c"\xff') + b'ok\n'],
                         ids=['everyday', 'crowd', 'odd', 'no-pools', 'quotes'])
def test_promtool_finds_no_fault_with_the_metrics(records):
    assert promtool('check', 'metrics', said=metrics(records)) == ''


@needs_promtool
def test_promtool_finds_a_fault_when_there_is_one():
    with pytest.raises(AssertionError):
        promtool('check', 'metrics', said=b'preforkd_workers{pool="a} 1\n')


@needs_promtool
def test_the_example_rules_and_the_scrape_configuration_are_valid():
    assert 'SUCCESS' in promtool('check', 'rules', RULES)
    assert 'SUCCESS' in promtool('check', 'config', SCRAPE)


# (alert, {series: values each minute}, labels of the alert beside its severity)
FIRES = [
    ('PreforkdDoesNotAnswer', {'up{job="preforkd"}': '0x20'}, 'job="preforkd"'),
    ('PreforkdPoolBackedOff', {'preforkd_pool_state{pool="a", state="backed off"}': '1x20'},
     'pool="a", state="backed off"'),
    ('PreforkdPoolSaturated', {'preforkd_saturated_seconds{pool="a"}': '0+60x20'}, 'pool="a"'),
    ('PreforkdQueueFilling', {'preforkd_accept_queue_length{pool="a"}': '300x20',
                              'preforkd_accept_queue_limit{pool="a"}': '511x20'}, 'pool="a"'),
    ('PreforkdTurnsClientsAway',
     {'preforkd_refused_total{pool="a", reason="load"}': '0x20',
      'preforkd_refused_total{pool="a", reason="queue_wait"}': '0+5x20'}, 'pool="a"'),
    ('PreforkdOutOfMemory', {'preforkd_worker_deaths_total{pool="a", reason="oom"}': '0+1x20'},
     'pool="a", reason="oom"'),
    ('PreforkdWorkersDie', {'preforkd_worker_deaths_total{pool="a", reason="signal"}': '0+1x20'},
     'pool="a", reason="signal"'),
    ('PreforkdRequestsTimeOut', {'preforkd_request_timeouts_total{pool="a"}': '0+60x20'}, 'pool="a"'),
    ('PreforkdSlow', {'preforkd_request_duration_seconds_bucket{pool="a", le="5"}': '0x20',
                      'preforkd_request_duration_seconds_bucket{pool="a", le="10"}': '0+60x20',
                      'preforkd_request_duration_seconds_bucket{pool="a", le="+Inf"}': '0+60x20'},
     'pool="a"'),
    ('PreforkdNearItsLimit', {'preforkd_workers{pool="a", state="busy"}': '8x20',
                              'preforkd_workers{pool="a", state="writing"}': '1x20',
                              'preforkd_workers{pool="a", state="idle"}': '1x20',
                              'preforkd_workers_limit{pool="a"}': '10x20'}, 'pool="a"'),
    ('PreforkdReloadRefused', {'preforkd_last_reload_successful': '0x20'}, ''),
    ('PreforkdPoolDrained', {'preforkd_pool_state{pool="a", state="drained"}': '1x90'},
     'pool="a", state="drained"'),
]
QUIET = {  # a pool that is well
    'up{job="preforkd"}': '1x90', 'preforkd_pool_state{pool="b", state="running"}': '1x90',
    'preforkd_pool_state{pool="b", state="backed off"}': '0x90',
    'preforkd_pool_state{pool="b", state="drained"}': '0x90',
    'preforkd_saturated_seconds{pool="b"}': '0x90', 'preforkd_last_reload_successful': '1x90',
    'preforkd_accept_queue_length{pool="b"}': '3x90', 'preforkd_accept_queue_limit{pool="b"}': '511x90',
    'preforkd_refused_total{pool="b", reason="access"}': '0+5x90',
    'preforkd_refused_total{pool="b", reason="load"}': '0x90',
    'preforkd_worker_deaths_total{pool="b", reason="signal"}': '7x90',
    'preforkd_worker_deaths_total{pool="b", reason="oom"}': '1x90',
    'preforkd_request_timeouts_total{pool="b"}': '1x90',
    'preforkd_request_duration_seconds_bucket{pool="b", le="1"}': '0+60x90',
    'preforkd_request_duration_seconds_bucket{pool="b", le="+Inf"}': '0+60x90',
    'preforkd_workers{pool="b", state="busy"}': '3x90', 'preforkd_workers{pool="b", state="idle"}': '7x90',
    'preforkd_workers_limit{pool="b"}': '10x90',
    'preforkd_workers{pool="program", state="running"}': '4x90', 'preforkd_workers_limit{pool="program"}': '4x90',
}


def check_alerts(path, values, at, wanted):
    """That at this time these alerts fire, and no other; wanted: {alert: labels}."""
    names = re.findall(r'- alert: (\w+)', RULES.read_text())
    lines = [f'rule_files: [{RULES}]', 'tests:', '  - interval: 1m', '    input_series:']
    for name, numbers in values.items():
        lines += [f"      - series: '{name}'", f"        values: '{numbers}'"]
    lines += ['    promql_expr_test:']
    for name in names:
        lines += [f"      - expr: 'sum by (pool) (ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}})'",
                  f'        eval_time: {at}', '        exp_samples:']
        if name in wanted:
            lines += [f"          - labels: '{{{wanted[name]}}}'", '            value: 1']
        else:
            lines[-1] += ' []'
    path.write_text('\n'.join(lines) + '\n')
    promtool('test', 'rules', path)


@needs_promtool
@pytest.mark.parametrize('alert, values, labels', FIRES, ids=[alert for alert, *_ in FIRES])
def test_an_alert_fires(tmp_path, alert, values, labels):
    pools = re.findall(r'pool="\w+"', labels)
    check_alerts(tmp_path / 'test.yml', values, '89m' if 'x90' in str(values) else '19m',
                 {alert: ''.join(pools)})


@needs_promtool
def test_no_alert_fires_for_a_pool_that_is_well(tmp_path):
    check_alerts(tmp_path / 'test.yml', QUIET, '89m', {})
    with pytest.raises(AssertionError):
        check_alerts(tmp_path / 'test.yml', {**QUIET, 'up{job="preforkd"}': '0x90'}, '89m', {})


def test_every_alert_is_tested():
    assert sorted(re.findall(r'- alert: (\w+)', RULES.read_text())) == sorted(
        alert for alert, *_ in FIRES)


@pytest.mark.parametrize('path', [RULES, SCRAPE, DASHBOARD], ids=lambda path: path.name)
def test_an_example_uses_metrics_that_exist(path):
    text = re.sub(r'^ *#.*|preforkd\.rules\.yml', '', path.read_text(), flags=re.M)
    used = set(re.findall(r'\bpreforkd_\w+', text))
    assert used <= series(), used - series()
    assert used or path == SCRAPE


@pytest.mark.parametrize('label', ['state', 'reason'])
def test_an_example_uses_values_that_exist(label):
    said = metrics(everyday()).decode()
    known = set(re.findall(rf'\b{label}="([^"]*)"', said))
    for path in RULES, DASHBOARD:
        text = path.read_text().replace('\\"', '"')
        used = {value for values in re.findall(rf'\b{label}(?:=|!=|=~|!~)"([^"]*)"', text)
                for value in values.split('|')}
        assert used <= known, used - known


def test_the_dashboard_is_one():
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard['panels']
    assert len({panel['id'] for panel in panels}) == len(panels) > 10
    taken = set()
    for panel in panels:
        at = panel['gridPos']
        cells = {(at['x'] + x, at['y'] + y) for x in range(at['w']) for y in range(at['h'])}
        assert at['x'] + at['w'] <= 24 and not cells & taken, panel['title']
        taken |= cells
        assert panel['targets'] and all(target['expr'] for target in panel['targets'])


@needs_promtool
def test_the_expressions_of_the_dashboard_are_valid(tmp_path):
    dashboard = json.loads(DASHBOARD.read_text())
    rules = ['groups: [{name: dashboard, rules: [']
    for panel in dashboard['panels']:
        for target in panel['targets']:
            expr = target['expr'].replace('$__rate_interval', '1m')
            rules.append(json.dumps({'record': f'r{len(rules)}', 'expr': expr}) + ',')
    (tmp_path / 'rules.yml').write_text('\n'.join(rules) + ']}]\n')
    assert f'{len(rules) - 1} rules found' in promtool('check', 'rules', tmp_path / 'rules.yml')
