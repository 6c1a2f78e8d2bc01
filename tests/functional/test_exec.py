"""exec: where the program's stderr goes, and how long it may run."""
import re
import signal
import socket
import time

import pytest

from harness import Daemon, alive, needs_preload, preload, read_all
from load import pool
from test_listen import ipv6
from test_services import gone, pids_from

SLEEP = 'echo $$; exec sleep 1000'


def exec_pool(text, *options, name='p', workers=1, conf=(), **listen):
    """A pool that runs a shell script, with more options of the exec section."""
    assert "'" not in text
    section = f"exec {{ command = {{ '/bin/sh', '-c', '{text}' }}\n" + '\n'.join(options) + '\n}'
    return pool(name, f'workers = {workers}', *conf, section, service='exec', **listen)


# ---- stderr ------------------------------------------------------------------------------

def test_stderr_goes_to_the_log_the_connection_or_nowhere():
    script = 'echo $$; echo to stderr >&2; readlink /proc/$$/fd/1 /proc/$$/fd/2'
    conf = ''.join(exec_pool(script, f'stderr = "{where}"', name=where)
                   for where in ('log', 'connection', 'null'))
    with Daemon(conf) as daemon:
        said = {where: daemon.ask(where).decode().splitlines()
                for where in ('log', 'connection', 'null')}
        pid, out, err = said['log']
        assert re.match(r'pipe:', err) and re.match(r'socket:', out)
        daemon.wait_log(rf'notice: pool log: .* pid {pid}: to stderr$')
        pid, text, out, err = said['connection']
        assert text == 'to stderr' and out == err
        pid, out, err = said['null']
        assert err == '/dev/null'
        daemon.wait_log(rf'pool null: .* pid {pid} ended')
        assert len(re.findall('to stderr', daemon.log())) == 1


def test_stderr_is_the_connection_of_a_unix_socket_too():
    with Daemon(exec_pool('echo one >&2; echo two', 'stderr = connection',
                          listen='{dir}/socket')) as daemon:
        assert daemon.ask('p') == b'one\ntwo\n'


# ---- max_time ----------------------------------------------------------------------------

def timed_out(daemon, name='p'):
    return daemon.pool_status(name)['timed_out']


@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/socket'])
def test_max_time_ends_a_program_with_its_children(listen):
    script = 'sleep 1000 & echo $$; echo $!; exec sleep 1001'
    with Daemon(exec_pool(script, 'max_time = 500ms', listen=listen)) as daemon:
        with daemon.connect('p') as sock:
            pids = pids_from(sock, 2)
            assert read_all(sock) == b''
        gone(*pids)
        daemon.wait_log(rf'warning: pool p: \S+ pid {pids[0]}: /bin/sh has run for '
                        r'(0\.[5-9]|[1-9])\d*(\.\d+)?s \(max_time\)$')
        daemon.wait_log(rf'pid {pids[0]} killed by signal 15')
        assert timed_out(daemon) == 1


def test_a_program_that_is_quick_enough_knows_nothing_of_max_time():
    with Daemon(exec_pool('sleep 0.2; echo done', 'max_time = 1m')) as daemon:
        assert daemon.ask('p') == b'done\n'
        assert timed_out(daemon) == 0 and 'max_time)' not in daemon.log()


def test_max_time_ends_a_program_that_is_busy_with_its_connection():
    with Daemon(exec_pool('exec cat', 'max_time = 500ms', 'idle_timeout = 1m')) as daemon:
        with daemon.connect('p') as sock:
            with pytest.raises(OSError):
                while sock.send(b'x') and sock.recv(1):
                    pass
                raise ConnectionError
        daemon.wait_log(r'\(max_time\)$')
        assert '(idle_timeout)' not in daemon.log()


def test_a_program_that_ignores_its_signal_is_killed_and_the_worker_serves_on():
    stubborn = 'trap "" TERM; echo $$; while :; do sleep 1000; done'
    with Daemon(exec_pool(stubborn, 'max_time = 300ms')) as daemon:
        for _ in range(2):
            with daemon.connect('p') as sock:
                pid, = pids_from(sock, 1)
                assert read_all(sock) == b''
            daemon.wait_log(rf'warning: pool p: \S+ pid {pid} does not end on signal 15 \(Terminated\): KILL$')
            daemon.wait_log(rf'pid {pid} killed by signal 9')
            gone(pid)
        assert timed_out(daemon) == 2


# ---- idle_timeout --------------------------------------------------------------------------

def test_idle_timeout_ends_a_program_whose_client_is_silent():
    conf = exec_pool(SLEEP, 'idle_timeout = 500ms')
    with Daemon(conf) as daemon, daemon.connect('p') as sock:
        pid, = pids_from(sock, 1)
        assert read_all(sock) == b''
        gone(pid)
        daemon.wait_log(rf'notice: pool p: 127\.0\.0\.1:{sock.getsockname()[1]} pid {pid}: no byte '
                        r'to or from /bin/sh for (0\.[5-9]|[1-9])\d*(\.\d+)?s \(idle_timeout\)$')
        assert timed_out(daemon) == 1


def seconds_alive(daemon, talk):
    """Talks for two seconds, four times as long as the pool lets a connection be idle; whether
    it was alive all the time."""
    with daemon.connect('p') as sock:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            talk(sock)
    return '(idle_timeout)' not in daemon.log()


def say(sock):
    sock.sendall(b'x')
    time.sleep(0.05)


def hear(sock):
    assert sock.recv(1)


def test_a_byte_from_the_client_now_and_then_is_not_idle():
    with Daemon(exec_pool('exec cat >/dev/null', 'idle_timeout = 500ms')) as daemon:
        assert seconds_alive(daemon, say)


def test_a_byte_to_the_client_now_and_then_is_not_idle():
    with Daemon(exec_pool('while echo x; do sleep 0.05; done', 'idle_timeout = 500ms')) as daemon:
        assert seconds_alive(daemon, hear)


def test_after_the_last_byte_it_is_idle():
    with Daemon(exec_pool('exec cat', 'idle_timeout = 500ms')) as daemon:
        with daemon.connect('p') as sock:
            for _ in range(20):
                say(sock)
            assert read_all(sock).strip(b'x') == b''
        daemon.wait_log(r'\(idle_timeout\)$')


def test_a_client_that_takes_nothing_is_idle():
    with Daemon(exec_pool('exec yes', 'idle_timeout = 500ms')) as daemon:
        with daemon.connect('p') as sock:
            daemon.wait_log(r'\(idle_timeout\)$')
            assert sock.recv(1) == b'y'


def test_a_worker_does_not_wake_up_for_idle_timeout_before_it_is_due():
    """A client that talks all the time costs one look for each idle_timeout."""
    with Daemon(exec_pool('exec cat', 'idle_timeout = 1s')) as daemon:
        with daemon.connect('p') as sock:
            sock.sendall(b'x')
            assert sock.recv(1)
            worker, = daemon.workers('p')
            before = switches(worker)
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                sock.sendall(b'x')
                assert sock.recv(1)
            assert switches(worker) - before <= 6


def switches(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return int(re.search(r'^voluntary_ctxt_switches:\s+(\d+)', status.read(), re.M)[1])


def test_idle_timeout_is_refused_for_a_unix_socket():
    refused = Daemon(exec_pool(SLEEP, 'idle_timeout = 1m', listen='{dir}/socket')).refusal()
    assert re.search(r'preforkd\.conf:\d+: idle_timeout: only for TCP: ', refused)


# ---- stop_signal ---------------------------------------------------------------------------

TELLS = 'for s in INT QUIT HUP USR1 TERM; do trap "echo $s; exit" $s; done; echo $$; ' \
        'while :; do sleep 0.05; done'


@pytest.mark.parametrize('name', ['INT', 'QUIT', 'HUP', 'USR1', 'TERM'])
def test_stop_signal_is_what_the_program_gets_first(name):
    with Daemon(exec_pool(TELLS, f'stop_signal = {name}', 'max_time = 500ms')) as daemon:
        with daemon.connect('p') as sock:
            pids_from(sock, 1)
            assert read_all(sock) == name.encode() + b'\n'


def test_stop_signal_comes_from_request_timeout_and_at_a_fast_stop_too():
    conf = exec_pool(TELLS, 'stop_signal = INT', conf=['request_timeout = 1s']) + exec_pool(
        TELLS, 'stop_signal = HUP', name='q')
    with Daemon(conf) as daemon, daemon.connect('p') as one, daemon.connect('q') as other:
        pids = pids_from(one, 1) + pids_from(other, 1)
        assert read_all(one) == b'INT\n'
        assert all(map(alive, pids[1:]))
        daemon.signal(signal.SIGTERM)
        assert read_all(other) == b'HUP\n'
        assert daemon.ended() == 0
        gone(*pids)


# ---- nobody waits for a program that cannot be started -----------------------------------------

NO_PROCESS = '''
#include <unistd.h>
pid_t vfork(void)
{
    if (access("%s/enough", F_OK) == 0)
        return fork();
    errno = EAGAIN;
    return -1;
}
'''


def short_of_processes(conf):
    """A daemon that cannot start programs until DIR/enough is there."""
    daemon = Daemon(conf)
    daemon.env.update(preload(daemon.dir, NO_PROCESS % daemon.dir))
    return daemon


@needs_preload
def test_a_program_is_started_as_soon_as_there_is_a_process_for_it():
    with short_of_processes(exec_pool('echo done')) as daemon, daemon.connect('p') as sock:
        daemon.wait_log('cannot run /bin/sh: Resource temporarily unavailable')
        (daemon.dir / 'enough').touch()
        assert read_all(sock) == b'done\n'


@needs_preload
def test_a_worker_without_a_process_for_its_program_ends_when_it_must():
    with short_of_processes(exec_pool('echo done')) as daemon, daemon.connect('p') as sock:
        daemon.wait_log('cannot run /bin/sh: Resource temporarily unavailable')
        daemon.signal(signal.SIGTERM)
        assert read_all(sock) == b''
        assert daemon.ended() == 0
        assert re.search(r'worker \d+ killed by signal 15 ', daemon.log())  # and not by KILL


# ---- words -----------------------------------------------------------------------------------

def show(*arguments, conf=(), more='', **listen):
    """A pool whose program shows its arguments, each with a NUL behind it."""
    words = ', '.join(f"'{argument}'" for argument in ('/usr/bin/printf', r'%s\0', *arguments))
    return pool('p', 'workers = 1', *conf, f'exec {{ command = {{ {words} }} {more} }}',
                service='exec', **listen)


def shown(answer):
    return answer.decode().split('\0')[:-1]


def test_words_in_arguments_are_what_is_known_of_the_connection():
    arguments = ('%{remote_ip}', '[%{remote_ip}]:%{remote_port}', '%{local_ip} %{local_port}',
                 '%{pool}-%{worker}', '%%{pool}', '100%%', '+%s')
    with Daemon(show(*arguments)) as daemon:
        for _ in range(2):  # nothing is left of the connection before
            with daemon.connect('p') as sock:
                ip, port = sock.getsockname()
                local_ip, local_port = sock.getpeername()
                assert shown(read_all(sock)) == [
                    ip, f'[{ip}]:{port}', f'{local_ip} {local_port}',
                    f'p-{daemon.workers("p")[0]}', '%{pool}', '100%', '+%s']


@ipv6
def test_words_of_ipv6_and_of_ipv4_on_its_socket():
    with Daemon(show('%{remote_ip}', '%{local_ip}', listen='[::]:0')) as daemon:
        for family, address in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):
            with socket.create_connection((address, daemon.port('p'))) as sock:
                assert sock.family == family
                assert shown(read_all(sock)) == [address, address]


def test_words_on_a_unix_socket():
    with Daemon(show('%{pool} %{worker}', listen='{dir}/socket')) as daemon:
        assert shown(daemon.ask('p')) == [f'p {daemon.workers("p")[0]}']


def test_words_of_a_client_that_a_proxy_names():
    conf = ['proxy_protocol = on', 'proxy_from = { "unix" }']
    with Daemon(show('%{remote_ip}', '%{remote_port}', '%{local_ip}', '%{local_port}', conf=conf,
                     listen='{dir}/socket')) as daemon:
        told = daemon.ask('p', b'PROXY TCP4 192.0.2.9 198.51.100.2 12345 443\r\n')
        assert shown(told) == ['192.0.2.9', '12345', '198.51.100.2', '443']


def test_words_in_the_environment_and_not_in_what_is_passed_on():
    env = pool('p', 'workers = 1', 'environment = { "A=<%{remote_ip}>", "B=%%{pool}", "C=%{pool}",'
               ' "C=%s", "D=x", "D=%{remote_port}%{remote_port}" }', 'pass_environment = { "E" }',
               'exec { command = { "/usr/bin/env", "-0" } }', service='exec')
    with Daemon(env, env={'E': '%{remote_ip}%%'}) as daemon:
        for _ in range(2):
            with daemon.connect('p') as sock:
                ip, port = sock.getsockname()
                items = shown(read_all(sock))
            found = dict(item.split('=', 1) for item in items)
            assert len(found) == len(items)
            assert {name: found[name] for name in 'ABCDE'} == {
                'A': f'<{ip}>', 'B': '%{pool}', 'C': '%s', 'D': f'{port}{port}',
                'E': '%{remote_ip}%%'}


@pytest.mark.parametrize('argument, why', [
    ('%{remote_addr}', r'command: there is no word %{remote_addr}: there are pool, '),
    ('a %{pool', r'command: "%{pool": the } is missing'),
])
def test_a_word_that_is_not_known_is_refused_where_it_stands(argument, why):
    refused = Daemon('\n' + show(argument)).refusal()
    assert re.search(r'preforkd\.conf:\d+: ' + re.escape(why), refused), refused


def test_the_program_itself_has_no_words():
    conf = pool('p', 'exec { command = { "/usr/%{pool}" } }', service='exec')
    assert 'command: words are for arguments' in Daemon(conf).refusal()


def test_addresses_are_no_words_on_a_unix_socket():
    refused = Daemon(show('%{remote_port}', listen='{dir}/socket')).refusal()
    assert 'command: there are no IP addresses and ports on a Unix socket' in refused
