"""A real HAProxy that asks two daemons, by its agent-check, how much they can bear."""
import collections
import contextlib
import csv
import shutil
import socket
import subprocess

import pytest

from harness import PATIENCE, Daemon, eventually, read_all
from load import pool, script

HAPROXY = shutil.which('haproxy') or shutil.which('haproxy', path='/usr/sbin')
pytestmark = pytest.mark.skipif(not HAPROXY, reason='needs haproxy')

AGENT = pool('agent', 'workers = 1', 'status { pools = { "work" } agent = true }', service='status')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def instance(name):
    """Its port is the same when it is resumed."""
    return Daemon(pool('work', 'workers = 4', script(f'echo {name}; read line'), service='exec',
                       listen=f'127.0.0.1:{free_port()}') + AGENT)


class Balancer:
    def __init__(self, directory, daemons):
        self.port = free_port()
        self.stats = str(directory / 'stats')
        self.conf = directory / 'haproxy.cfg'
        servers = '\n'.join(
            f'server {name} 127.0.0.1:{daemon.port("work")} weight 100 '
            f'agent-check agent-port {daemon.port("agent")} agent-inter 100ms' for name, daemon in daemons.items())
        self.conf.write_text(f'''
global
    stats socket {self.stats} level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen all
    bind 127.0.0.1:{self.port}
    balance roundrobin
    {servers}
''')

    def __enter__(self):
        self.process = subprocess.Popen([HAPROXY, '-db', '-q', '-f', str(self.conf)])
        eventually(self.table, 'haproxy')
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def table(self):
        """{server: (status, weight)}"""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            try:
                sock.connect(self.stats)
            except OSError:
                return None
            sock.sendall(b'show stat\n')
            rows = csv.DictReader(read_all(sock).decode().lstrip('# ').splitlines())
            return {row['svname']: (row['status'], int(row['weight'])) for row in rows
                    if row['svname'] not in ('FRONTEND', 'BACKEND')}

    def who_answers(self, times):
        found = collections.Counter()
        for _ in range(times):
            with socket.create_connection(('127.0.0.1', self.port), PATIENCE) as sock:
                found[sock.makefile().readline().strip()] += 1
        return found


def test_load_goes_where_there_is_room_and_away_from_who_drains(tmp_path):
    with instance('a') as a, instance('b') as b, Balancer(tmp_path, {'a': a, 'b': b}) as balancer:
        eventually(lambda: {weight for _, weight in balancer.table().values()} == {100}, 'both with all their room')
        with contextlib.ExitStack() as busy:
            for _ in range(3):
                busy.enter_context(a.connect('work'))
            eventually(lambda: balancer.table()['a'][1] == 25, 'a quarter of a')
            answers = balancer.who_answers(20)
            assert answers['b'] > 2 * answers['a'], answers
        eventually(lambda: balancer.table()['a'][1] == 100, 'all of a again')
        a.done('drain', 'work')
        eventually(lambda: 'DRAIN' in balancer.table()['a'][0], 'a that drains')
        assert balancer.who_answers(10) == {'b': 10}
        a.done('resume', 'work')
        eventually(lambda: balancer.who_answers(4)['a'] > 0, 'an answer of a')
