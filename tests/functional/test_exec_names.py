"""exec: the names of addresses, which may take long, and how many connections a client has."""
import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import (PATIENCE, Daemon, alive, children, descriptors, eventually, needs_preload,
                     preload, read_all)
from load import pool
from test_listen import ipv6
from test_services import environment, gone

SHOW = 'command = { "/usr/bin/env", "-0" }'
NAMES = ('TCPREMOTEHOST', 'REMOTE_HOST', 'TCPLOCALHOST')


def names(*options, workers=2, conf=(), command=SHOW, name='p', **listen):
    section = 'exec {\n' + '\n'.join((command, *options)) + '\n}'
    return pool(name, f'workers = {workers}', *conf, section, service='exec', **listen)


def connect(daemon, source='127.0.0.1', name='p'):
    return socket.create_connection(daemon.address(name)[1], PATIENCE, source_address=(source, 0))


def told(daemon, source='127.0.0.1', name='p'):
    """The variables with names in them."""
    found = environment(connect(daemon, source, name))
    return {key: found[key] for key in NAMES if key in found}


def name_of(address):
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        return None


has_localhost = pytest.mark.skipif(name_of('127.0.0.1') != 'localhost',
                                   reason='needs the name localhost of 127.0.0.1')

# getnameinfo(3) of ours: DIR/names has lines with an address and its name, and who is asked for
# any other address thinks for ever.
FAKE = r'''
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, socklen_t hostlen,
		char *serv, socklen_t servlen, int flags)
{
	int (*next)() = dlsym(RTLD_NEXT, "getnameinfo");
	char line[1000], address[100];
	FILE *in = fopen("%s/names", "r");

	if (!(flags & NI_NAMEREQD))
		return next(sa, len, host, hostlen, serv, servlen, flags);
	next(sa, len, address, (socklen_t)sizeof address, NULL, 0, NI_NUMERICHOST);
	while (in && fgets(line, sizeof line, in)) {
		char *name = strchr(line, ' ');
		*name++ = 0;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(line, address) == 0)
			return *name ? (snprintf(host, hostlen, "%%s", name), 0) : EAI_NONAME;
	}
	for (;;)
		pause();
}
'''


def faked(conf, **known):
    """A daemon for which these are all names there are; _ stands for a dot."""
    daemon = Daemon(conf)
    (daemon.dir / 'names').write_text(
        ''.join(f'127{key.replace("_", ".")} {name}\n' for key, name in known.items()))
    daemon.env.update(preload(daemon.dir, FAKE % daemon.dir))
    return daemon


HOME = {'_0_0_1': 'home.example'}


# ---- which names -------------------------------------------------------------------------

@has_localhost
@pytest.mark.parametrize('lookup', ['on', 'double'])
def test_both_ends_have_their_names(lookup):
    with Daemon(names(f'hostname_lookup = {lookup}')) as daemon:
        assert told(daemon) == dict.fromkeys(NAMES, 'localhost')
        daemon.wait_log(r'info: pool p: 127\.0\.0\.1 is localhost$')


@has_localhost
@ipv6
def test_ipv4_on_an_ipv6_socket_has_its_name():
    with Daemon(names('hostname_lookup = double', listen='[::]:0')) as daemon:
        with socket.create_connection(('127.0.0.1', daemon.port('p'))) as sock:
            found = environment(sock)
        assert {found[key] for key in NAMES} == {'localhost'}


@needs_preload
def test_nobody_is_asked_unless_it_is_wanted():
    with faked(names()) as daemon:
        assert told(daemon) == {}


@needs_preload
def test_an_address_without_a_name_leaves_the_variables_unset():
    known = {**HOME, '_0_0_2': '', '_0_0_3': 'third.example'}
    with faked(names('hostname_lookup = on', workers=1), **known) as daemon:
        for _ in range(2):
            assert told(daemon, '127.0.0.2') == {'TCPLOCALHOST': 'home.example'}
            assert told(daemon, '127.0.0.3') == {
                'TCPLOCALHOST': 'home.example', 'TCPREMOTEHOST': 'third.example',
                'REMOTE_HOST': 'third.example'}


@needs_preload
def test_double_believes_only_a_name_with_that_address():
    known = {'_0_0_1': 'localhost', '_0_0_2': 'localhost', '_0_0_3': 'nothing.invalid'}
    conf = names('hostname_lookup = on', name='on') + names('hostname_lookup = double', name='double')
    with faked(conf, **known) as daemon:
        for source in ('127.0.0.1', '127.0.0.2', '127.0.0.3'):
            assert told(daemon, source, 'on')['TCPREMOTEHOST'] == known['_' + source[4:].replace('.', '_')]
        assert told(daemon, '127.0.0.1', 'double') == dict.fromkeys(NAMES, 'localhost')
        for source in ('127.0.0.2', '127.0.0.3'):
            assert told(daemon, source, 'double') == {'TCPLOCALHOST': 'localhost'}


@needs_preload
@pytest.mark.parametrize('name', ['-rf', 'a b', 'a;b', '$(id)', '192.0.2.1', 'a..b', 'a/b', 'a.\t',
                                  'x' * 254, '%{pool}'])
def test_what_is_no_hostname_is_dropped(name):
    known = {'_0_0_2': name, '_0_0_1': 'home.example'}
    conf = names('hostname_lookup = on') + names(
        'hostname_lookup = on', command=r"""command = { '/usr/bin/printf', '<%s>', '%{remote_host}' }""",
        name='word')
    with faked(conf, **known) as daemon:
        assert told(daemon, '127.0.0.2') == {'TCPLOCALHOST': 'home.example'}
        with connect(daemon, '127.0.0.2', 'word') as sock:
            assert read_all(sock) == b'<>'
        with connect(daemon, '127.0.0.1', 'word') as sock:
            assert read_all(sock) == b'<home.example>'


@needs_preload
def test_the_name_of_this_end_may_be_given():
    conf = names('hostname_lookup = on', 'hostname_timeout = 1m',
                 conf=['environment = { "TCPLOCALHOST=here.example" }'])
    with faked(conf, _0_0_2='away.example') as daemon:
        assert told(daemon, '127.0.0.2') == {  # 127.0.0.1 would take for ever
            'TCPLOCALHOST': 'here.example', 'TCPREMOTEHOST': 'away.example',
            'REMOTE_HOST': 'away.example'}


@pytest.mark.parametrize('options, where, why', [
    ({'command': 'command = { "/bin/echo", "%{remote_host}" }'}, 'command', 'goes with hostname_lookup'),
    ({'conf': ['environment = { "A=%{remote_host}" }']}, 'environment', 'goes with hostname_lookup'),
    ({'more': ['hostname_lookup = on'], 'conf': ['environment = { "REMOTE_HOST=x" }']},
     'environment', 'REMOTE_HOST is set by hostname_lookup'),
    ({'more': ['hostname_lookup = on'], 'listen': '@preforkd-test-names'}, 'hostname_lookup',
     'only for TCP'),
])
def test_what_does_not_go_together_is_refused(options, where, why):
    refused = Daemon(names(*options.pop('more', ()), **options)).refusal()
    assert f': {where}: ' in refused and why in refused


# ---- how long it may take ------------------------------------------------------------------

THINKS = ['hostname_lookup = on', 'hostname_timeout = 1m']


def who_asks(daemon, worker):
    """The process that looks a name up for that worker."""
    return next(iter(child for child in children(worker) if alive(child)), None)


@contextlib.contextmanager
def asking():
    """A daemon, one of whose two workers waits for a name that never comes: the daemon, the
    worker, the process that asks."""
    with faked(names(*THINKS), **HOME) as daemon:
        workers = daemon.wait_workers(2)
        with connect(daemon, '127.0.0.2') as sock:
            worker = eventually(lambda: next(filter(lambda w: who_asks(daemon, w), workers), None))
            yield daemon, sock, worker, who_asks(daemon, worker)


@needs_preload
def test_after_the_time_the_program_runs_without_a_name():
    conf = names('hostname_lookup = on', 'hostname_timeout = 300ms', workers=1)
    with faked(conf, **HOME) as daemon:
        for _ in range(3):
            began = time.monotonic()
            assert 'TCPREMOTEHOST' not in told(daemon, '127.0.0.2')
            assert time.monotonic() - began >= 0.3
        daemon.wait_log(r'notice: pool p: 127\.0\.0\.2:\d+: no name of 127\.0\.0\.2: it takes longer '
                        r'than hostname_timeout$')
        assert told(daemon)['TCPREMOTEHOST'] == 'home.example'
        worker, = daemon.workers('p')
        eventually(lambda: not children(worker), 'the end of those who asked')


@needs_preload
def test_a_name_of_this_end_that_came_too_late_is_asked_for_again():
    conf = names('hostname_lookup = on', 'hostname_timeout = 300ms', workers=1)
    with faked(conf, _0_0_2='away.example') as daemon:
        assert 'TCPLOCALHOST' not in told(daemon, '127.0.0.2')
        with open(daemon.dir / 'names', 'a') as known:
            known.write('127.0.0.1 home.example\n')
        assert told(daemon, '127.0.0.2')['TCPLOCALHOST'] == 'home.example'


@needs_preload
def test_who_waits_for_a_name_keeps_nobody_else_waiting():
    with asking() as (daemon, sock, worker, asks):
        for _ in range(3):
            assert told(daemon)['TCPREMOTEHOST'] == 'home.example'
        assert alive(asks)
        shown, = [w for w in daemon.pool_status('p')['workers'] if w['pid'] == worker]
        assert shown['request'] == 'looks up names'


@needs_preload
@pytest.mark.parametrize('stop', ['fast', 'killed'])
def test_who_asks_ends_with_the_worker(stop):
    with asking() as (daemon, sock, worker, asks):
        if stop == 'fast':
            daemon.signal(15)
            assert daemon.ended() == 0
        else:
            os.kill(worker, 9)
        gone(worker, asks)


@needs_preload
def test_who_asks_has_nothing_of_the_connection():
    with asking() as (daemon, sock, worker, asks):
        def ours():  # the fourth is of the test's
            found = descriptors(asks)
            return len(found) == 5 and [re.sub(r'\d+', 'N', found[fd]) for fd in (0, 1, 3)]
        assert eventually(ours) == ['/dev/null', '/dev/null', 'pipe:[N]']


# ---- a name server ---------------------------------------------------------------------------

class NameServer:
    """A name server on an address of its own: {address: name}, and {name: address}; it is mute
    about what is not there."""

    def __init__(self, address, known):
        self.known, self.asked = known, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack('!H', query[at + 1:at + 3])[0]
            data = self.answer(labels, kind)
            if data is not None:
                record = b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, 60, len(data)) + data
                head = query[:2] + struct.pack('!HHHHH', 0x8580, 1, bool(data), 0, 0)
                self.socket.sendto(head + query[12:at + 5] + (record if data else b''), client)

    def answer(self, labels, kind):
        """The data of the record; empty: there is none of that kind; None: no answer at all."""
        name = '.'.join(labels)
        self.asked.append(name)
        if kind == 12:
            known = self.known.get('.'.join(labels[3::-1]))
            return known and b''.join(bytes([len(part)]) + part.encode()
                                      for part in known.split('.')) + b'\0'
        known = self.known.get(name)
        return known and (socket.inet_aton(known) if kind == 1 else b'')


OWN_RESOLVER = ['unshare', '-m', '--propagation', 'private', '/bin/sh', '-ec',
                'mount --bind $0 /etc/resolv.conf; exec "$@"']


@pytest.mark.root
@pytest.mark.skipif(not shutil.which('unshare'), reason='needs unshare')
def test_names_of_a_real_name_server_and_of_one_that_is_mute(tmp_path):
    resolver = tmp_path / 'resolv.conf'
    resolver.write_text('nameserver 127.53.0.1\n')
    if subprocess.run([*OWN_RESOLVER, resolver, 'true'], capture_output=True).returncode != 0:
        pytest.skip('needs a mount namespace')
    try:
        server = NameServer('127.53.0.1', {
            '127.53.0.2': 'good.example', 'good.example': '127.53.0.2',
            '127.53.0.3': 'bad.example', 'bad.example': '127.53.0.4', '127.53.0.5': '-bad.example'})
    except OSError:
        pytest.skip('needs port 53 of 127.53.0.1')
    local = ['environment = { "TCPLOCALHOST=here" }']
    conf = names('hostname_lookup = on', 'hostname_timeout = 2s', conf=local, name='on') + names(
        'hostname_lookup = double', conf=local, name='double')
    with Daemon(conf, wrap=[*OWN_RESOLVER, str(resolver)]) as daemon:
        for source, name, twice in (('127.53.0.2', 'good.example', 'good.example'),
                                    ('127.53.0.3', 'bad.example', None),
                                    ('127.53.0.5', None, None)):
            assert told(daemon, source, 'on').get('TCPREMOTEHOST') == name
            assert told(daemon, source, 'double').get('TCPREMOTEHOST') == twice
        began = time.monotonic()
        assert told(daemon, '127.53.0.9', 'on') == {'TCPLOCALHOST': 'here'}
        assert time.monotonic() - began >= 1.9  # the resolver would try for 10 s
        daemon.wait_log('no name of 127.53.0.9: it takes longer than hostname_timeout')
    assert 'good.example' in server.asked


# ---- how many -------------------------------------------------------------------------------

@pytest.mark.parametrize('conf', [[], ['max_connections_per_source = 4']])
def test_tcpconnnum_is_the_number_of_connections_of_that_client(conf):
    count = """command = { '/bin/sh', '-c', 'echo $TCPCONNNUM; read x' }"""

    def begin(source='127.0.0.1'):
        sock = connect(daemon, source)
        return sock, sock.recv(10)

    with Daemon(names(workers=6, conf=conf, command=count)) as daemon:
        held = [begin() for _ in range(3)]
        assert [number for _, number in held] == [b'1\n', b'2\n', b'3\n']
        other = begin('127.0.0.2')
        assert other[1] == b'1\n'
        for sock, _ in held[:2]:
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b''
            sock.close()

        def counts_two():
            sock, number = begin()
            sock.close()
            return number == b'2\n'
        eventually(counts_two, 'a count of two')
        for sock, _ in held[2:] + [other]:
            sock.close()
