"""Where pools listen: TCP over IPv4 and IPv6, Unix sockets, and what is in the way."""
import contextlib
import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from harness import (PATIENCE, SANITIZED, Daemon, can_trace, children, eventually, needs_preload,
                     preload, read_all)
from load import pool

SOMAXCONN = int(pathlib.Path('/proc/sys/net/core/somaxconn').read_text())


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
            return True
    except OSError:
        return False


ipv6 = pytest.mark.skipif(not have_ipv6(), reason='no IPv6 here')


def echo(listen, *options):
    return pool('p', 'workers = 1', *options, listen=listen)


def port_of(daemon):
    return int(re.search(r'pool p: listening on \S+:(\d+)$', daemon.log(), re.M).group(1))


def answers(family, address):
    """Whether an echo server answers there; False if nobody listens."""
    with socket.socket(family) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.connect(address)
        except ConnectionRefusedError:
            return False
        sock.sendall(b'hello\n')
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b'hello\n'
        return True


def answers_ipv4(daemon):
    return answers(socket.AF_INET, ('127.0.0.1', port_of(daemon)))


def answers_ipv6(daemon):
    return answers(socket.AF_INET6, ('::1', port_of(daemon)))


# ---- TCP -----------------------------------------------------------------------------

@ipv6
def test_a_bare_port_is_one_socket_for_ipv4_and_ipv6():
    with Daemon(echo('0')) as daemon:
        assert f'listening on *:{port_of(daemon)}\n' in daemon.log()
        assert answers_ipv4(daemon) and answers_ipv6(daemon)
        assert len(listening_sockets(port_of(daemon))) == 1


@ipv6
def test_any_ipv6_address_serves_ipv4_too():
    with Daemon(echo('[::]:0', 'ipv6only = false')) as daemon:
        assert answers_ipv4(daemon) and answers_ipv6(daemon)


@ipv6
def test_ipv6only_leaves_ipv4_alone():
    with Daemon(echo('[::]:0', 'ipv6only = true')) as daemon:
        assert answers_ipv6(daemon) and not answers_ipv4(daemon)


def can_be_bound(port):
    with contextlib.suppress(OSError), socket.create_server(('127.0.0.1', port)):
        return True


def test_a_reload_to_an_address_that_overlaps_the_old_one_says_what_to_do():
    with Daemon(echo('0.0.0.0:0')) as daemon:
        port = port_of(daemon)
        narrow = f'127.0.0.1:{port}'
        assert f'{narrow} overlaps another address' in daemon.reload(echo(narrow), expect='refused')
        daemon.reload(echo('127.0.0.1:0'))
        eventually(lambda: can_be_bound(port), 'the end of the old socket')
        daemon.reload(echo(narrow))
        assert answers_ipv4(daemon)


def test_an_ipv4_address_is_that_address_only():
    with Daemon(echo('127.0.0.1:0')) as daemon:
        assert f'listening on 127.0.0.1:{port_of(daemon)}\n' in daemon.log()
        assert answers_ipv4(daemon)
        assert not answers(socket.AF_INET, ('127.0.0.2', port_of(daemon)))


@ipv6
def test_an_ipv6_address_is_that_address_only():
    with Daemon(echo('[::1]:0')) as daemon:
        assert f'listening on [::1]:{port_of(daemon)}\n' in daemon.log()
        assert answers_ipv6(daemon) and not answers_ipv4(daemon)


def test_any_ipv4_address_serves_every_one():
    with Daemon(echo('0.0.0.0:0')) as daemon:
        assert answers_ipv4(daemon)
        assert answers(socket.AF_INET, ('127.0.0.2', port_of(daemon)))


def test_two_pools_with_port_0_get_two_ports():
    with Daemon(echo('127.0.0.1:0') + pool('q', 'workers = 1')) as daemon:
        assert daemon.port('p') != daemon.port('q')
        assert daemon.ask('p', b'one') == b'one' and daemon.ask('q', b'two') == b'two'


def test_a_reload_keeps_the_port_that_the_kernel_chose():
    with Daemon(echo('127.0.0.1:0')) as daemon:
        port = port_of(daemon)
        daemon.reload()
        assert port_of(daemon) == port and answers_ipv4(daemon)


def test_an_address_in_use_is_said_with_its_owner():
    with socket.create_server(('127.0.0.1', 0)) as other:
        address = f'127.0.0.1:{other.getsockname()[1]}'
        said = Daemon(echo(address)).refusal()
        assert f'{address} is in use' in said and f'pid {os.getpid()}' in said


@pytest.mark.no_root
def test_a_low_port_of_an_ordinary_user_is_said_to_need_root():
    if int(pathlib.Path('/proc/sys/net/ipv4/ip_unprivileged_port_start').read_text()) <= 79:
        pytest.skip('low ports are free for all here')
    assert 'need root' in Daemon(echo('127.0.0.1:79')).refusal()


@pytest.mark.no_root
def test_a_socket_that_cannot_get_its_owner_is_not_left_behind(tmp_path):
    path = tmp_path / 'socket'
    said = Daemon(echo(str(path), 'listen_owner = "root"')).refusal()
    assert f'cannot set the owner of {path}: Operation not permitted' in said
    assert not path.exists()


NO_IPV6 = r'''
int socket(int family, int type, int protocol)
{
    int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    if (family == AF_INET6) { errno = EAFNOSUPPORT; return -1; }
    return real(family, type, protocol);
}
'''


@needs_preload
def test_a_bare_port_is_ipv4_where_the_kernel_has_no_ipv6(tmp_path):
    no_ipv6 = preload(tmp_path, NO_IPV6)
    with Daemon(echo('0'), env=no_ipv6) as daemon:
        assert answers_ipv4(daemon)
        assert not have_ipv6() or not answers_ipv6(daemon)
        daemon.reload()
        assert answers_ipv4(daemon)
    assert 'Address family not supported' in Daemon(echo('[::1]:0'), env=no_ipv6).refusal()


# ---- the accept queue ----------------------------------------------------------------

needs_ss = pytest.mark.skipif(not shutil.which('ss'), reason='needs ss (iproute2)')


def ss(*args):
    return subprocess.run(['ss', '-ntH', *args], capture_output=True, errors='replace',
                          check=True).stdout.splitlines()


def listening_sockets(port):
    return ss('-l', f'sport = :{port}') if shutil.which('ss') else ['one']


def backlog(port):
    return int(listening_sockets(port)[0].split()[2])


@needs_ss
def test_listen_backlog_is_the_length_of_the_queue_and_changes_in_place():
    with Daemon(echo('127.0.0.1:0', 'listen_backlog = 77')) as daemon:
        workers = daemon.wait_workers(1)
        assert backlog(port_of(daemon)) == min(77, SOMAXCONN)
        daemon.reload(echo('127.0.0.1:0', 'listen_backlog = 55'))
        assert backlog(port_of(daemon)) == min(55, SOMAXCONN)
        assert daemon.workers() == workers


@needs_ss
def test_the_default_backlog_is_511():
    with Daemon(echo('127.0.0.1:0')) as daemon:
        assert backlog(port_of(daemon)) == min(511, SOMAXCONN)
        assert SOMAXCONN < 511 or 'somaxconn' not in daemon.log()


@pytest.mark.skipif(SOMAXCONN >= 65535, reason='the kernel cuts nothing')
def test_a_backlog_that_the_kernel_cuts_is_warned_about():
    with Daemon(echo('127.0.0.1:0', 'listen_backlog = 65535')) as daemon:
        daemon.wait_log(rf'warning: .*listen_backlog 65535 is cut to {SOMAXCONN}.*somaxconn')


def server_side(connection):
    """How the server's kernel sees a connection: 'SYN-RECV', 'ESTAB', ..."""
    port, client = connection.getpeername()[1], connection.getsockname()[1]
    lines = ss('-a', f'sport = :{port} and dport = :{client}')
    return lines[0].split()[0] if lines else None


@needs_ss
@pytest.mark.parametrize('defer, state', [('true', 'SYN-RECV'), ('false', 'ESTAB')])
def test_defer_accept_leaves_a_silent_client_to_the_kernel(defer, state):
    with Daemon(echo('127.0.0.1:0', f'defer_accept = {defer}')) as daemon:
        with daemon.connect('p') as silent:
            eventually(lambda: server_side(silent) == state, f'a connection in state {state}')
            silent.sendall(b'hello\n')
            assert silent.recv(6) == b'hello\n'


# ---- Unix sockets ---------------------------------------------------------------------

def socket_path(daemon):
    return daemon.dir / 'socket'


def unix(*options):
    return echo('{dir}/socket', *options)


def test_a_unix_socket_is_there_while_the_daemon_is():
    with Daemon(unix()) as daemon:
        assert f'listening on {socket_path(daemon)}\n' in daemon.log()
        assert daemon.ask('p', b'hello') == b'hello'
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        assert not socket_path(daemon).exists()


def test_a_unix_socket_is_gone_after_a_graceful_stop():
    with Daemon(unix()) as daemon:
        assert socket_path(daemon).exists()
        daemon.signal(signal.SIGQUIT)
        assert daemon.ended() == 0
        assert not socket_path(daemon).exists()


def test_a_unix_socket_is_gone_with_its_pool():
    with Daemon(unix() + pool('q')) as daemon:
        assert socket_path(daemon).exists()
        daemon.reload(pool('q'))
        eventually(lambda: not socket_path(daemon).exists(), 'the end of the socket file')


def test_a_unix_socket_is_kept_over_a_reload():
    with Daemon(unix()) as daemon:
        inode = socket_path(daemon).stat().st_ino
        daemon.reload()
        daemon.reload(unix('umask = "027"'))  # a new generation of workers
        assert socket_path(daemon).stat().st_ino == inode
        assert daemon.ask('p', b'hello') == b'hello'


@needs_preload
def test_an_on_demand_pool_of_a_unix_socket_grows_where_the_kernel_tells_no_queue():
    sizes = ['start_workers = 0', 'min_spare_workers = 0', 'spare_timeout = 0s',
             'max_spare_workers = 0']
    daemon = Daemon(pool('p', *sizes, listen='{dir}/socket'))
    daemon.env.update(preload(daemon.dir, '''
        int socket(int domain, int type, int protocol)
        {
            int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");

            errno = EAFNOSUPPORT;
            return domain == AF_NETLINK ? -1 : real(domain, type, protocol);
        }'''))
    with daemon:
        for _ in range(3):
            assert daemon.ask('p', b'hello\n') == b'hello\n'
        daemon.signal(signal.SIGQUIT)
        assert daemon.ended() == 0


def owner_and_mode(path):
    info = path.stat()
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


def test_a_unix_socket_has_mode_0660_by_default():
    with Daemon(unix()) as daemon:
        assert owner_and_mode(socket_path(daemon))[2] == 0o660


@pytest.mark.parametrize('mode', ['0600', '0666', '0777'])
def test_a_unix_socket_has_its_listen_mode(mode):
    with Daemon(unix(f'listen_mode = "{mode}"')) as daemon:
        assert owner_and_mode(socket_path(daemon))[2] == int(mode, 8)


@pytest.mark.root
def test_a_unix_socket_has_its_owner_and_group_also_after_a_reload():
    nobody, daemon_group = pwd.getpwnam('nobody').pw_uid, grp.getgrnam('daemon').gr_gid
    with Daemon(unix()) as daemon:
        inode = socket_path(daemon).stat().st_ino
        assert owner_and_mode(socket_path(daemon)) == (0, 0, 0o660)
        daemon.reload(unix('listen_owner = "nobody"', 'listen_group = "daemon"',
                           'listen_mode = "0640"'))
        assert owner_and_mode(socket_path(daemon)) == (nobody, daemon_group, 0o640)
        assert socket_path(daemon).stat().st_ino == inode


@pytest.mark.root
@pytest.mark.skipif(SANITIZED or not can_trace(), reason='needs strace')
def test_owner_and_mode_are_set_before_anybody_can_connect():
    daemon = Daemon(unix('listen_owner = "nobody"', 'listen_mode = "0600"'))
    trace = daemon.dir / 'trace'
    daemon.wrap = ['strace', '-o', str(trace), '-e',
                   'trace=umask,bind,listen,chown,lchown,fchownat']
    with daemon:
        calls = trace.read_text()
    path = re.escape(str(daemon.dir / 'socket'))
    assert re.search(rf'umask\(0177\).*bind\(\d+, [^\n]*{path}.*chown[^\n]*{path}.*listen\(', calls,
                     re.S), calls


@contextlib.contextmanager
def something_at_the_path():
    """A daemon that is not started yet, and the path of its socket."""
    daemon = Daemon(unix())
    yield daemon, socket_path(daemon)
    shutil.rmtree(daemon.dir, ignore_errors=True)


def test_a_stale_socket_file_is_replaced():
    with something_at_the_path() as (daemon, path):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
            stale.listen()
        old = path.stat().st_ino, path.stat().st_ctime_ns
        with daemon:
            assert daemon.ask('p', b'hello') == b'hello'
            assert (path.stat().st_ino, path.stat().st_ctime_ns) != old


def test_a_socket_on_which_somebody_accepts_is_left_alone():
    with something_at_the_path() as (daemon, path), socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        inode = path.stat().st_ino
        with daemon.spawned():
            assert daemon.ended() == 1
            assert f'{path} is in use' in daemon.log()
            assert path.stat().st_ino == inode
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))


@pytest.mark.no_root
def test_a_socket_of_somebody_else_is_not_stale_because_connecting_is_forbidden():
    with something_at_the_path() as (daemon, path), socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        path.chmod(0)
        with daemon.spawned():
            assert daemon.ended() == 1
            assert path.exists()


def test_a_datagram_socket_at_the_path_is_left_alone():
    with something_at_the_path() as (daemon, path), socket.socket(type=socket.SOCK_DGRAM,
                                                                  family=socket.AF_UNIX) as live:
        live.bind(str(path))
        with daemon.spawned():
            assert daemon.ended() == 1
            assert path.exists()


def test_a_file_at_the_path_is_left_alone():
    with something_at_the_path() as (daemon, path):
        path.write_text('precious')
        with daemon.spawned():
            assert daemon.ended() == 1
            assert f'{path} exists and is not a socket' in daemon.log()
            assert path.read_text() == 'precious'


def test_a_symbolic_link_at_the_path_is_left_alone():
    with something_at_the_path() as (daemon, path):
        path.symlink_to('/nonexistent/target')
        with daemon.spawned():
            assert daemon.ended() == 1
            assert 'is not a socket' in daemon.log()
            assert path.is_symlink()


def test_the_socket_file_of_another_server_is_not_removed_at_the_end():
    with Daemon(unix()) as daemon, socket.socket(socket.AF_UNIX) as other:
        socket_path(daemon).unlink()
        other.bind(str(socket_path(daemon)))
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        assert socket_path(daemon).exists()


def test_an_abstract_socket():
    name = f'@preforkd-test-{os.getpid()}'
    with Daemon(echo(name)) as daemon:
        assert f'listening on {name}\n' in daemon.log()
        assert daemon.ask('p', b'hello') == b'hello'
        assert f'{name} is in use' in Daemon(echo(name)).refusal()
    with Daemon(echo(name)) as daemon:
        assert daemon.ask('p', b'again') == b'again'


def test_a_killed_daemon_leaves_a_socket_file_that_the_next_one_replaces():
    with Daemon(unix()) as daemon:
        workers = daemon.wait_workers(1)
        daemon.signal(signal.SIGKILL)
        daemon.ended()
        eventually(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in workers),
                   'the end of the workers')
        assert socket_path(daemon).exists()
        mark = daemon.mark()
        daemon.spawn().wait_log(r'ready: ', since=mark)
        assert daemon.ask('p', b'hello') == b'hello'
        assert len(children(daemon.pid)) == 1
