"""PHP by php-cgi behind a real nginx, with preforkd as its process manager."""
import contextlib
import signal
import time

import pytest

from fastcgi import PHP, Nginx, Requests, needs_nginx, needs_php
from harness import Daemon, alive, eventually
from load import pool
from test_program import programs

pytestmark = [needs_nginx, needs_php]

FIXED = ['workers = 4']
SCRIPTS = {
    'hello.php': '<?php echo "hello";',
    'echo.php': '<?php echo $_SERVER["REQUEST_METHOD"], " ", $_GET["q"] ?? "", " ",'
                ' strlen(file_get_contents("php://input"));',
    'long.php': '<?php echo str_repeat("0123456789", 100000);',
    # A signal would end PHP's sleep().
    'slow.php': '<?php $end = microtime(true) + 0.5; while (microtime(true) < $end) usleep(10000);'
                ' echo "slept";',
    'wrong.php': '<?php error_log("something is wrong"); exit(3);',
}


def php(*sizes, listen='{dir}/php.sock', environment=(), more=(), ready='0s'):
    variables = ', '.join(f'"{word}"' for word in ['PHP_FCGI_MAX_REQUESTS=1000', *environment])
    return pool('php', *(sizes or FIXED), 'listen_mode = "0666"', *more,
                f'environment = {{ {variables} }}',
                f'program {{ command = {{ "{PHP}", "-n" }} ready = "{ready}" }}',
                service='program', listen=listen)


@contextlib.contextmanager
def site(conf, backend=None):
    """A daemon and an nginx before it."""
    daemon = Daemon(conf)
    www = daemon.dir / 'www'
    www.mkdir()
    for name, text in SCRIPTS.items():
        (www / name).write_text(text)
    with daemon, Nginx(daemon.dir, backend or f'unix:{daemon.dir}/php.sock') as nginx:
        yield daemon, nginx


def test_pages_are_right():
    with site(php()) as (daemon, nginx):
        assert nginx.ask('/hello.php') == (200, b'hello')
        assert nginx.ask('/echo.php?q=a%20b') == (200, b'GET a b 0')
        assert nginx.ask('/echo.php', b'x' * 300000) == (200, b'POST  300000')
        assert nginx.ask('/long.php') == (200, b'0123456789' * 100000)
        assert nginx.ask('/no-such.php')[0] == 404


def test_what_a_script_says_to_stderr_is_logged():
    with site(php()) as (daemon, nginx):
        nginx.ask('/wrong.php')
        assert 'something is wrong' in daemon.log() + (daemon.dir / 'nginx.err').read_text()


@pytest.mark.parametrize('children', [0, 2])
@pytest.mark.parametrize('how', ['recycle', 'reload'])
def test_new_programs_at_100_requests_a_second_fail_none(how, children):
    def conf(number):
        return php(environment=[f'NUMBER={number}', f'PHP_FCGI_CHILDREN={children}'])

    with site(conf(0)) as (daemon, nginx):
        with Requests(nginx, '/hello.php') as short, Requests(nginx, '/slow.php', rate=3) as slow:
            for number in range(1, 4):
                old = programs(daemon, 'php')
                if how == 'recycle':
                    daemon.done('recycle')
                else:
                    daemon.reload(conf(number))
                short.wait(30)
                eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
        assert set(short.answers) == {(200, b'hello')}
        assert set(slow.answers) == {(200, b'slept')}
        assert sum(short.answers.values()) >= 90
        assert daemon.pool_status('php')['crashes'] == 0


def test_programs_that_end_after_three_requests_are_replaced_at_once_however_often():
    with site(php('workers = 2', environment=['PHP_FCGI_MAX_REQUESTS=3'])) as (daemon, nginx):
        sent = [nginx.begin('/hello.php') for _ in range(100)]
        assert {nginx.finish(sock) for sock in sent} == {(200, b'hello')}
        assert daemon.log().count('program started') >= 30
        assert daemon.pool_status('php')['crashes'] == 0
        assert 'next attempt' not in daemon.log()


def test_a_burst_on_a_dynamic_pool_is_served_at_once():
    sizes = ['start_workers = 2', 'min_spare_workers = 2', 'max_spare_workers = 4',
             'max_workers = 60', 'spare_timeout = 1s']
    with site(php(*sizes)) as (daemon, nginx):
        begun = time.monotonic()
        sent = [nginx.begin('/slow.php') for _ in range(50)]
        assert {nginx.finish(sock) for sock in sent} == {(200, b'slept')}
        assert time.monotonic() - begun < 12  # two programs alone need 12.5
        eventually(lambda: len(programs(daemon, 'php')) <= 4, 'the pool to shrink')
        assert nginx.ask('/hello.php') == (200, b'hello')


def test_a_graceful_stop_serves_what_nginx_has_sent():
    with site(php('workers = 2')) as (daemon, nginx):
        sent = [nginx.begin('/slow.php') for _ in range(8)]
        eventually(lambda: daemon.pool_status('php')['queue_length'] == 6, 'two busy, six wait')
        daemon.signal(signal.SIGQUIT)
        assert {nginx.finish(sock) for sock in sent} == {(200, b'slept')}
        assert daemon.ended() == 0


def test_an_on_demand_pool_serves_the_first_request_too():
    sizes = ['start_workers = 0', 'min_spare_workers = 0', 'max_workers = 10']
    with site(php(*sizes)) as (daemon, nginx):
        assert programs(daemon, 'php') == []
        assert nginx.ask('/hello.php') == (200, b'hello')
