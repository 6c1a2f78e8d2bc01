"""Behind proxies that say whose connection it is, and behind those that lie."""
import contextlib
import ipaddress
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import PATIENCE, ROOT, Daemon, eventually, read_all
from load import pool, script
from test_access import answer, refused
from test_control import wait_pool
from web import Client, Site, http, request

ON = ('proxy_protocol = "on"', 'proxy_from = { "127.0.0.0/8", "unix" }')
OPTIONAL = ('proxy_protocol = "optional"', 'proxy_from = { "127.0.0.0/8", "unix" }')
SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
LOCAL = SIGNATURE + b'\x20\0\0\0'
ENV = 'exec { command = { "/usr/bin/env" } }'

V1 = b'PROXY TCP4 192.0.2.9 198.51.100.2 12345 443\r\n'
V1_6 = b'PROXY TCP6 2001:db8::9 2001:db8::2 12345 443\r\n'


def tlv(kind, value):
    return struct.pack('!BH', kind, len(value)) + value


def v2(client, server, *tlvs, command=0x21, family=None):
    """The header of version 2 for ('192.0.2.9', 12345) and the like."""
    kind = socket.AF_INET6 if ':' in client[0] else socket.AF_INET
    block = b''.join((socket.inet_pton(kind, client[0]), socket.inet_pton(kind, server[0]),
                      struct.pack('!HH', client[1], server[1]), *tlvs))
    family = family or (0x21 if kind == socket.AF_INET6 else 0x11)
    return SIGNATURE + struct.pack('!BBH', command, family, len(block)) + block


V2 = v2(('192.0.2.9', 12345), ('198.51.100.2', 443))
V2_6 = v2(('2001:db8::9', 12345), ('2001:db8::2', 443))
HEADERS = {'v1-tcp4': V1, 'v1-tcp6': V1_6, 'v2-tcp4': V2, 'v2-tcp6': V2_6}


def ask(daemon, name, data):
    return answer(daemon.connect(name), data)


def variables(text):
    return dict(line.split('=', 1) for line in text.decode().splitlines())


def env_of(daemon, name, header):
    """What a program finds in its environment."""
    return variables(ask(daemon, name, header))


# ---- what is named is what counts ------------------------------------------------------

@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/sock'])
@pytest.mark.parametrize('header', HEADERS.values(), ids=HEADERS)
def test_a_program_is_told_of_the_client_that_is_named(header, listen):
    client, server = ('2001:db8::9', '2001:db8::2') if header in (V1_6, V2_6) else (
        '192.0.2.9', '198.51.100.2')
    with Daemon(pool('run', 'workers = 1', *ON, ENV, service='exec', listen=listen)) as daemon:
        found = env_of(daemon, 'run', header)
        assert {name: found.get(name) for name in (
            'PROTO', 'TCPREMOTEIP', 'TCPREMOTEPORT', 'REMOTE_ADDR', 'REMOTE_PORT', 'TCPLOCALIP',
            'TCPLOCALPORT', 'UNIXREMOTEEUID')} == {
            'PROTO': 'TCP', 'TCPREMOTEIP': client, 'TCPREMOTEPORT': '12345', 'REMOTE_ADDR': client,
            'REMOTE_PORT': '12345', 'TCPLOCALIP': server, 'TCPLOCALPORT': '443',
            'UNIXREMOTEEUID': None}
        shown = rf'\[{client}\]:12345' if ':' in client else rf'{client}:12345'
        daemon.wait_log(rf'pool run: {shown} started /usr/bin/env')


@pytest.mark.parametrize('header', [LOCAL, b'PROXY UNKNOWN\r\n', b'PROXY UNKNOWN ::1 ::2 1 2\r\n',
                                    SIGNATURE + b'\x21\x31\0\xd8' + b'x' * 216,
                                    v2(('192.0.2.9', 1), ('192.0.2.8', 2), command=0x20),
                                    v2(('192.0.2.9', 1), ('192.0.2.8', 2), family=0x12)],
                         ids=['local', 'unknown', 'unknown-with-addresses', 'unix',
                              'local-with-addresses', 'udp'])
def test_who_names_no_client_is_the_client(header):
    conf = pool('tcp', 'workers = 1', *ON, ENV, service='exec') + pool(
        'unix', 'workers = 1', *ON, ENV, service='exec', listen='{dir}/sock')
    with Daemon(conf) as daemon:
        found = env_of(daemon, 'tcp', header)
        assert (found['REMOTE_ADDR'], found['TCPLOCALPORT']) == ('127.0.0.1', str(daemon.port('tcp')))
        found = env_of(daemon, 'unix', header)
        assert (found['PROTO'], found['UNIXREMOTEEUID']) == ('UNIX', str(os.geteuid()))
        assert 'REMOTE_ADDR' not in found


def test_a_program_is_told_of_tls():
    client, server = ('192.0.2.9', 12345), ('198.51.100.2', 443)
    facts = tlv(0x21, b'TLSv1.3') + tlv(0x23, b'TLS_AES_256_GCM_SHA384') + tlv(0x22, b'J\xc3\xb6rg')
    names = ('SSL_PROTOCOL', 'SSL_CIPHER', 'SSL_TLS_SNI_SERVERNAME', 'SSL_CLIENT_S_DN_CN')
    full = ('TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'www.example.org', 'Jörg')
    with Daemon(pool('run', 'workers = 1', *ON, ENV, service='exec')) as daemon:
        for head, expected in ((b'\x03\0\0\0\0', full), (b'\x01\0\0\0\0', full[:3] + (None,)),
                               (b'\x03\0\0\0\x13', full[:3] + (None,)), (b'\0' * 5, (None,) * 4)):
            found = env_of(daemon, 'run', v2(client, server, tlv(0x02, b'www.example.org'),
                                             tlv(0x20, head + facts)))
            assert tuple(found.get(name) for name in names) == expected
        found = env_of(daemon, 'run', V2)
        assert not set(names) & set(found)


def test_rules_and_counts_are_for_the_client_that_is_named():
    conf = pool('echo', 'workers = 9', *ON, 'allow = { "192.0.2.0/24", "2001:db8::/32" }',
                'deny = { "192.0.2.13" }', 'max_connections_per_source = 2')

    def header(address):
        return f'PROXY TCP{6 if ":" in address else 4} {address} {address} 1 2\r\n'.encode()

    def held(address):
        sock = daemon.connect('echo')
        sock.sendall(header(address) + b'x')
        with contextlib.suppress(ConnectionResetError):
            if sock.recv(1) == b'x':
                return sock
        sock.close()
        return None
    with Daemon(conf) as daemon:
        assert ask(daemon, 'echo', header('192.0.2.1') + b'hello') == b'hello'
        for address in '192.0.2.13', '198.51.100.1', '127.0.0.1', '::ffff:192.0.2.13':
            assert ask(daemon, 'echo', header(address) + b'hello') == b''
        assert ask(daemon, 'echo', header('::ffff:192.0.2.12') + b'hello') == b'hello'
        assert ask(daemon, 'echo', LOCAL + b'hello') == b''
        assert refused(daemon) == {'access': 5}
        daemon.wait_log(r'refused 192\.0\.2\.13:1: ')
        wait_pool(daemon, 'echo', idle=9)
        # Two of one /64, and two of the next one.
        addresses = [str(ipaddress.ip_address(f'2001:db8:0:{i % 2}::{i}')) for i in range(4)]
        socks = [held(address) for address in addresses]
        assert all(socks)
        assert not held('2001:db8:0:0:ffff::1') and not held('2001:db8:0:1:ffff::1')
        clients = {worker['client'] for worker in daemon.pool_status('echo')['workers']}
        assert clients - {''} == {f'[{address}]:1' for address in addresses}
        for sock in socks:
            sock.close()


def test_twenty_of_one_slash_64_and_deaths_in_the_middle():
    conf = pool('run', 'workers = 20', *ON, 'max_connections_per_source = 4',
                script('echo $$; exec sleep 600'), service='exec')

    def begin(i):
        sock = daemon.connect('run')
        sock.sendall(b'PROXY TCP6 2001:db8:1:2:%x::%x ::1 %d 2\r\n' % (i, i * 77, i + 1))
        return sock

    def pid_of(sock):
        with contextlib.suppress(ConnectionResetError):
            return int(sock.recv(20) or 0)
        return 0
    with Daemon(conf) as daemon:
        for victim in ('program', 'pid'):
            daemon.wait_workers(20)
            socks = [begin(i) for i in range(20)]  # all are there before any is looked at
            assert len([pid for pid in map(pid_of, socks) if pid]) == 4
            wait_pool(daemon, 'run', busy=4)
            for worker in daemon.pool_status('run')['workers']:
                if worker['program']:
                    os.kill(worker[victim], signal.SIGKILL)
            for sock in socks:
                sock.close()
            wait_pool(daemon, 'run', busy=0, total=20)
        socks = [begin(i) for i in range(5)]
        assert len([pid for pid in map(pid_of, socks) if pid]) == 4
        for sock in socks:
            sock.close()


def test_http_logs_and_judges_the_client_that_is_named():
    conf = http('location "/in/" { allow = "192.0.2.0/24" }',
                options=('workers = 1', *ON, 'access_log = "{dir}/access.log"',
                         "access_format = '%a %A %p %U %s'"))
    with Site(conf, files={'in/a': b'inside'}) as site:
        for header in V1, V2, V1.replace(b'192.0.2.9', b'192.0.3.9'):
            with site.client() as client:
                client.send(header + request('/in/a', 'Connection: close'))
                assert client.response().status == (403 if b'192.0.3.9' in header else 200)
        assert site.wait_lines(3) == [b'192.0.2.9 198.51.100.2 443 /in/a 200'] * 2 + [
            b'192.0.3.9 198.51.100.2 443 /in/a 403']


def test_http_keeps_a_connection_behind_a_header():
    with Site(http(options=('workers = 1', *ON)), files={'a': b'content'}) as site:
        with site.client() as client:
            client.send(V2)
            assert client.ask('/a').body == client.ask('/a').body == b'content'


# ---- byte by byte ----------------------------------------------------------------------

@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/sock'])
def test_just_the_header_is_taken_however_it_comes(listen):
    payload = b'PROXY ' + V2 + bytes(range(256))
    with Daemon(pool('echo', 'workers = 1', *ON, listen=listen)) as daemon:
        for header in V1, V2, LOCAL, b'PROXY UNKNOWN\r\n':
            assert ask(daemon, 'echo', header + payload) == payload
            for piece in 1, 7, 13:
                with daemon.connect('echo') as sock:
                    if sock.family != socket.AF_UNIX:
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for at in range(0, len(header), piece):
                        sock.sendall(header[at:at + piece])
                    sock.sendall(payload)
                    sock.shutdown(socket.SHUT_WR)
                    assert read_all(sock) == payload


@pytest.mark.parametrize('mode', ['on', 'optional'])
def test_a_header_that_drips_has_five_seconds(mode):
    options = ON if mode == 'on' else OPTIONAL
    with Daemon(pool('echo', 'workers = 2', *options)) as daemon, daemon.connect('echo') as slow:
        began = time.monotonic()
        header = itertools.chain(V1[:20], itertools.repeat(0x31))
        slow.settimeout(0.2)

        def over():
            try:
                slow.sendall(bytes([next(header)]))
                return slow.recv(1) == b''
            except socket.timeout:
                return False
            except OSError:
                return True
        eventually(lambda: any(worker['state'] == 'waiting' and worker['client']
                               for worker in daemon.pool_status('echo')['workers']), 'one that waits')
        eventually(over, 'the end of patience', every=0)
        assert 4.5 < time.monotonic() - began
        assert refused(daemon) == {'proxy': 1}
        daemon.wait_log('refused 127.0.0.1:.*PROXY header: ')
        assert ask(daemon, 'echo', V1 + b'hello') == b'hello'


def test_who_says_nothing_has_five_seconds_and_holds_one_worker():
    with Daemon(pool('echo', 'workers = 2', *ON)) as daemon, daemon.connect('echo') as silent:
        wait_pool(daemon, 'echo', busy=1)
        assert ask(daemon, 'echo', V1 + b'hello') == b'hello'
        assert silent.recv(1) == b''
        assert refused(daemon) == {'proxy': 1}


def test_who_connects_and_goes_is_no_fault():
    """As the health checks of proxies do that know nothing better."""
    with Daemon(pool('echo', 'workers = 1', *ON)) as daemon:
        for _ in range(20):
            daemon.connect('echo').close()
        assert ask(daemon, 'echo', V1 + b'hello') == b'hello'
        assert refused(daemon) == {} and 'refused' not in daemon.log()


def test_a_worker_that_waits_for_a_header_can_be_told_to_leave():
    conf = pool('echo', 'workers = 1', *ON)
    with Daemon(conf) as daemon, daemon.connect('echo') as sock:
        old = daemon.wait_workers(1)
        wait_pool(daemon, 'echo', busy=1)
        daemon.reload(conf.replace('workers', 'nice = 3\nworkers'))
        sock.sendall(V1 + b'hello')
        assert sock.recv(5) == b'hello'
        sock.close()
        daemon.wait_replaced(old, 1)


# ---- whom to believe -------------------------------------------------------------------

def test_a_header_of_a_stranger_is_not_believed():
    """With "on" it is refused, with "optional" it is what any client sends."""
    stranger = 'proxy_from = { "127.0.0.9", "unix" }'
    conf = ''.join(pool(mode, 'workers = 1', f'proxy_protocol = "{mode}"', stranger,
                        'allow = { "127.0.0.1" }') for mode in ('on', 'optional'))
    with Daemon(conf) as daemon:
        for header in V1, V2, LOCAL, b'PROXY UNKNOWN\r\n', b'PROXY nonsense\r\n', b'PROXY', b'\r\n\r\n':
            assert ask(daemon, 'on', header + b'hello') == b''
            assert ask(daemon, 'optional', header + b'hello') == header + b'hello'
        # Nor does it open what is closed, nor close what is open.
        denied = b'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'
        assert ask(daemon, 'optional', denied + b'hello') == denied + b'hello'
        assert refused(daemon, 'on') == {'proxy': 7} and refused(daemon, 'optional') == {}
        assert 'refused 127.0.0.1:' in daemon.log()
        assert '192.0.2' not in daemon.log()


def test_a_stranger_cannot_name_a_client_that_is_let_in():
    conf = pool('echo', 'workers = 1', 'proxy_protocol = "optional"', 'proxy_from = "127.0.0.9"',
                'allow = "192.0.2.0/24"')
    with Daemon(conf) as daemon:
        for header in V1, V2:
            assert ask(daemon, 'echo', header + b'hello') == b''
        assert refused(daemon) == {'access': 2}


def test_a_proxy_may_leave_an_optional_header_out():
    conf = pool('run', 'workers = 1', *OPTIONAL, ENV, service='exec') + pool(
        'echo', 'workers = 1', *OPTIONAL) + pool('unix', 'workers = 1', *OPTIONAL, listen='{dir}/sock')
    with Daemon(conf) as daemon:
        assert env_of(daemon, 'run', b'hello')['REMOTE_ADDR'] == '127.0.0.1'
        assert env_of(daemon, 'run', V2)['REMOTE_ADDR'] == '192.0.2.9'
        for name in 'echo', 'unix':
            for data in (b'hello', b'P', b'PROX', b'\r\n', SIGNATURE[:11], b'PROXYS ', b'POST / x\r\n', b''):
                assert ask(daemon, name, data) == data
            assert ask(daemon, name, V1 + b'hello') == b'hello'
            # What begins as a header is one, or bad.
            assert ask(daemon, name, b'PROXY me\r\n') == b''
            assert refused(daemon, name) == {'proxy': 1}
            with daemon.connect(name) as sock:  # in pieces, too
                for byte in V2 + b'!':
                    sock.sendall(bytes([byte]))
                assert sock.recv(5) == b'!'


def malformed(count):
    """Headers of both versions, each made wrong in one way."""
    pick = random.Random(20261121)
    for _ in range(count):
        words = [b'PROXY', b'TCP4', *(b'.'.join(b'%d' % pick.randrange(256) for _ in range(4))
                                      for _ in range(2)),
                 *(b'%d' % pick.randrange(65536) for _ in range(2))]
        which = pick.randrange(2, 6)
        block = bytes(pick.randrange(256) for _ in range(12))
        yield pick.choice([
            lambda: b' '.join(words[:which] + words[which + 1:]) + b'\r\n',
            lambda: b' '.join([*words[:which], b'0' + words[which], *words[which + 1:]]) + b'\r\n',
            lambda: b' '.join([*words[:which], words[which] + b'x', *words[which + 1:]]) + b'\r\n',
            lambda: b' '.join([*words, b'1']) + b'\r\n',
            lambda: b'  '.join(words) + b'\r\n',
            lambda: b' '.join(words) + b'\n',
            lambda: b' '.join([words[0], b'TCP6', *words[2:]]) + b'\r\n',
            lambda: b'PROXY ' + bytes(pick.randrange(33, 127) for _ in range(200)),
            lambda: SIGNATURE + bytes([pick.choice([0x10, 0x22, 0x2f, 0x31, 0xff]), 0x11, 0, 12]) + block,
            lambda: SIGNATURE + bytes([0x21, pick.choice([0x41, 0xf1, 0x13, 0x1f]), 0, 12]) + block,
            lambda: SIGNATURE + bytes([0x21, 0x11, 0, pick.randrange(12)]) + block,
            lambda: SIGNATURE + bytes([0x21, 0x21, 0, 12]) + block,
            lambda: SIGNATURE + bytes([0x21, 0x11, 0, 15]) + block + b'\2\0\1',
            lambda: SIGNATURE + bytes([0x21, 0x11, 0, 19]) + block + tlv(3, block[:4]),
            lambda: SIGNATURE + bytes([0x21, 0x11, pick.randrange(17, 256), 0]) + block,
            lambda: SIGNATURE[:pick.randrange(1, 12)] + b'x' * 12,
            lambda: bytes(pick.randrange(1, 256) for _ in range(40)),
        ])()


def test_two_thousand_malformed_ones_are_refused_and_do_no_harm():
    with Daemon(pool('echo', 'workers = 4', *ON)) as daemon:
        workers = daemon.wait_workers(4)
        for header in malformed(2000):
            assert ask(daemon, 'echo', header + b'hello') == b'', header
        assert refused(daemon) == {'proxy': 2000}
        assert ask(daemon, 'echo', V1 + b'hello') == b'hello'
        assert daemon.workers() == workers
        assert len(re.findall('refused', daemon.log())) < 10


# ---- real proxies ----------------------------------------------------------------------

def free_port(family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.bind(('::1' if family == socket.AF_INET6 else '127.0.0.1', 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def running(*command, ready):
    """A program in the foreground, until the block ends; ready() says when it serves."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            eventually(lambda: ready() or process.poll() is not None, f'{command[0]} to serve')
            assert process.poll() is None, process.stdout.read().decode()
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def listens(port, host='127.0.0.1'):
    """Whether a listen socket has the port; without a connection, for that would be served."""
    name = 'tcp6' if ':' in host else 'tcp'
    text = pathlib.Path(f'/proc/net/{name}').read_text()
    return re.search(rf'^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F:]+ 0A ', text, re.M) is not None


def server_address(daemon, name):
    """The pool's address as HAProxy writes it."""
    family, address = daemon.address(name)
    return f'unix@{address}' if family == socket.AF_UNIX else '%s:%d' % address


@pytest.fixture(scope='module')
def certificate(tmp_path_factory):
    """A file with a key and a certificate, and one for a client, signed by itself."""
    if not shutil.which('openssl'):
        pytest.skip('needs openssl')
    directory = tmp_path_factory.mktemp('tls')
    for name in 'server', 'client':
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1',
                        '-subj', f'/CN={name}.test', '-keyout', 'key', '-out', 'cert'],
                       cwd=directory, check=True, capture_output=True)
        (directory / name).write_text((directory / 'key').read_text() + (directory / 'cert').read_text())
        (directory / f'{name}.crt').write_text((directory / 'cert').read_text())
    return directory


def tls_connect(port, certificate=None, name='www.test'):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    raw = socket.create_connection(('127.0.0.1', port), timeout=PATIENCE)
    return context.wrap_socket(raw, server_hostname=name)


needs_haproxy = pytest.mark.skipif(not shutil.which('haproxy'), reason='needs haproxy')
needs_hitch = pytest.mark.skipif(not shutil.which('hitch'), reason='needs hitch')


@contextlib.contextmanager
def haproxy(directory, *frontends):
    """HAProxy with these: (port, what follows bind, what follows the server's address)."""
    conf = ['defaults', 'mode tcp', 'timeout connect 5s', 'timeout client 30s', 'timeout server 30s']
    for i, (bind, server) in enumerate(frontends):
        conf += [f'listen l{i}', f'bind {bind}', f'server s {server}']
    (directory / 'haproxy.conf').write_text('\n'.join(conf) + '\n')
    ports = [(int(port), host) for host, _, port in (bind.split()[0].rpartition(':')
                                                     for bind, _ in frontends) if port.isdigit()]
    with running('haproxy', '-db', '-f', directory / 'haproxy.conf',
                 ready=lambda: all(listens(port, host) for port, host in ports)) as process:
        yield process


def program_behind(sock):
    """What the program that a connection leads to has in its environment, and its client's
    own address."""
    with sock:
        mine = sock.getsockname()
        return variables(read_all(sock)), mine


@needs_haproxy
@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/sock'])
@pytest.mark.parametrize('send', ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c'])
def test_haproxy(tmp_path, send, listen):
    options = ('workers = 4', 'listen_mode = "0666"')
    conf = pool('run', *options, *ON, ENV, service='exec', listen=listen)
    with Daemon(conf) as daemon:
        port, port6 = free_port(), free_port(socket.AF_INET6)
        server = f'{server_address(daemon, "run")} {send}'
        with haproxy(tmp_path, (f'127.0.0.1:{port}', server), (f'::1:{port6}', server),
                     (f'unix@{tmp_path}/front', server)):
            env, mine = program_behind(socket.create_connection(('127.0.0.1', port), PATIENCE))
            assert (env['PROTO'], env['REMOTE_ADDR'], env['REMOTE_PORT'], env['TCPLOCALPORT']) == (
                'TCP', '127.0.0.1', str(mine[1]), str(port))
            env, mine = program_behind(socket.create_connection(('::1', port6), PATIENCE))
            assert (env['REMOTE_ADDR'], env['REMOTE_PORT'], env['TCPLOCALPORT']) == (
                '::1', str(mine[1]), str(port6))
            # A client without an address: HAProxy says so, and so its own one counts.
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE)
                eventually(lambda: sock.connect_ex(f'{tmp_path}/front') == 0)
                env, _ = program_behind(sock)
            assert env['PROTO'] == ('UNIX' if listen[0] == '{' else 'TCP')
            assert env.get('REMOTE_ADDR', '127.0.0.1') == '127.0.0.1'


@needs_haproxy
def test_haproxy_in_front_of_http_checks_and_asks(tmp_path):
    conf = http(options=('workers = 4', *ON, 'access_log = "{dir}/access.log"', "access_format = '%a %A %s'"))
    with Site(conf, files={'a': b'content'}) as site:
        port = free_port()
        server = f'{server_address(site, "web")} check inter 100 send-proxy-v2 check-send-proxy'
        with haproxy(tmp_path, (f'127.0.0.1:{port}', server)):
            for source in '127.0.0.5', '127.0.0.6':
                with socket.socket() as sock:
                    sock.settimeout(PATIENCE)
                    sock.bind((source, 0))
                    sock.connect(('127.0.0.1', port))
                    client = Client(sock)
                    assert client.ask('/a').body == client.ask('/a', 'Connection: close').body == b'content'
        assert site.wait_lines(4) == [b'127.0.0.5 127.0.0.1 200'] * 2 + [b'127.0.0.6 127.0.0.1 200'] * 2
        assert refused(site, 'web') == {}


@needs_haproxy
def test_haproxy_tells_of_tls(tmp_path, certificate):
    with Daemon(pool('run', 'workers = 4', *ON, ENV, service='exec')) as daemon:
        port = free_port()
        with haproxy(tmp_path, (f'127.0.0.1:{port} ssl crt {certificate}/server '
                                f'ca-file {certificate}/client.crt verify optional',
                                f'{server_address(daemon, "run")} send-proxy-v2-ssl-cn '
                                'proxy-v2-options authority,cert-cn')):
            env, mine = program_behind(tls_connect(port))
            assert (env['REMOTE_PORT'], env['SSL_PROTOCOL'], env['SSL_TLS_SNI_SERVERNAME']) == (
                str(mine[1]), 'TLSv1.3', 'www.test')
            assert 'SSL_CLIENT_S_DN_CN' not in env
            env, _ = program_behind(tls_connect(port, certificate / 'client'))
            assert env['SSL_CLIENT_S_DN_CN'] == 'client.test'


@needs_hitch
@pytest.mark.parametrize('listen', ['127.0.0.1:0', '{dir}/sock'])
@pytest.mark.parametrize('version', ['v1', 'v2'])
def test_hitch(tmp_path, certificate, version, listen):
    conf = pool('run', 'workers = 4', 'listen_mode = "0666"', *ON, ENV, service='exec', listen=listen)
    with Daemon(conf) as daemon:
        port = free_port()
        family, address = daemon.address('run')
        backend = address if family == socket.AF_UNIX else '[%s]:%d' % address
        user = ['--user=nobody', '--group=nogroup'] if ROOT else []
        with running('hitch', f'--frontend=[127.0.0.1]:{port}', f'--backend={backend}',
                     f'--write-proxy-{version}', *user, f'{certificate}/server',
                     ready=lambda: listens(port)):
            env, mine = program_behind(tls_connect(port))
            assert (env['PROTO'], env['REMOTE_ADDR'], env['REMOTE_PORT'], env['TCPLOCALPORT']) == (
                'TCP', '127.0.0.1', str(mine[1]), str(port))
            assert (env.get('SSL_PROTOCOL') == 'TLSv1.3') == (version == 'v2')
