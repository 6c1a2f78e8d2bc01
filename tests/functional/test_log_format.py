"""Lines of the log as objects of JSON."""
import json
import re

from harness import PATIENCE, Daemon, eventually
from load import pool, script

PROGRAM = script(r"printf 'a\\042b\\033c\\134d\\377\\303\\251\\n' >&2")
JSON = 'log_format = "json"\n'


def objects(daemon):
    """Each line is one; what python says of the time is right."""
    found = [json.loads(line) for line in daemon.log().splitlines()]
    for each in found:
        assert list(each) == ['time', 'level', 'program', 'pid', 'message']
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}', each['time'])
        assert each['program'] == 'preforkd' and each['level'] in ('error', 'warning', 'notice', 'info')
    return found


def saying(daemon, text):
    return eventually(lambda: [o for o in objects(daemon) if text in o['message']], f'{text!r} in the log')


def test_every_line_is_an_object_from_the_start_on():
    with Daemon(JSON + pool('p', PROGRAM, service='exec')) as daemon:
        daemon.ask('p')
        [line] = saying(daemon, 'a"b')
        assert line['message'].endswith(': a"b\x1bc\\d\ufffdé') and line['level'] == 'notice'
        assert line['pid'] in daemon.workers('p')
        assert saying(daemon, 'ready: ')[0]['pid'] == daemon.pid


def test_a_reload_changes_the_form_in_place():
    with Daemon(pool('p', PROGRAM, service='exec')) as daemon:
        workers = daemon.workers('p')
        mark = daemon.mark()
        daemon.reload(JSON + pool('p', PROGRAM, service='exec'))
        daemon.wait_log(r'^\{.*"message":"reload done', since=mark)
        assert daemon.workers('p') == workers
        mark = daemon.mark()
        daemon.ask('p')
        daemon.wait_log(r'^\{"time":.*a\\"b\\u001bc\\\\d\\ufffdé"\}$', since=mark)


def test_a_line_that_is_cut_stays_json():
    program = script("head -c 100000 /dev/zero | tr '\\\\0' '\\\\001' >&2")
    with Daemon(JSON + pool('p', program, service='exec')) as daemon:
        daemon.ask('p', timeout=PATIENCE)
        lines = saying(daemon, '\x01\x01\x01')
        assert all(len(json.dumps(line)) < 2200 for line in lines)
