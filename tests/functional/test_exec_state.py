"""exec: all that a program inherits, to the last bit, over each family of addresses.

What it can see of itself is put into one text and compared with the one that is written here.
"""
import grp
import os
import pathlib
import pwd
import re
import shutil
import subprocess

import pytest

from harness import PREFORKD, ROOT, Daemon, read_all
from load import pool
from test_listen import ipv6

OPTIONS = ['directory = "/usr"', 'umask = "037"', 'nice = 7', 'rlimit_nofile = 77', 'rlimit_core = 0',
           'rlimit_cpu = 99', 'environment = { "A=b c" }', 'pass_environment = { "PASSED" }']
PROGRAMS = {'self': ['cat', *(f'/proc/self/{name}' for name in ('status', 'stat', 'limits'))],
            'open': ['ls', '-l', '/proc/self/fd', '/proc/self/cwd', '/proc/self/root'],
            'environment': ['cat', '/proc/self/environ']}

# 3 is ls(1)'s own.
STATE = """\
descriptors: 0 socket 1 socket 2 pipe 3 /proc
cwd: /usr
root: /
session, group: its own, its own
terminal: 0
signals pending, blocked, ignored, caught: 0 0 0 0
umask: 0037
nice: 7
uids: {uid} {uid} {uid} {uid}
gids: {gid} {gid} {gid} {gid}
groups: {groups}
capabilities: {capabilities}
no_new_privs: 0
nofile: 77 77
core: 0 0
cpu: 99 99
other limits: those of the daemon
environment:
"""

USER = """\
A=b c
HOME={home}
LOGNAME={name}
PASSED=passed
PATH=/usr/local/bin:/usr/bin:/bin
"""

ENVIRONMENT = {
    'TCP': USER + """\
PROTO=TCP
REMOTE_ADDR=127.0.0.1
REMOTE_PORT={port}
SHELL={shell}
TCPCONNNUM=1
TCPLOCALIP=127.0.0.1
TCPLOCALPORT={listen_port}
TCPREMOTEIP=127.0.0.1
TCPREMOTEPORT={port}
USER={name}
""",
    'TCP6': USER + """\
PROTO=TCP
REMOTE_ADDR=::1
REMOTE_PORT={port}
SHELL={shell}
TCPCONNNUM=1
TCPLOCALIP=::1
TCPLOCALPORT={listen_port}
TCPREMOTEIP=::1
TCPREMOTEPORT={port}
USER={name}
""",
    'Unix': USER + """\
PROTO=UNIX
SHELL={shell}
UNIXLOCALPATH={path}
UNIXREMOTEEGID={client_gid}
UNIXREMOTEEUID={client_uid}
UNIXREMOTEPID={client_pid}
USER={name}
""",
}
LISTEN = {'TCP': '127.0.0.1:0', 'TCP6': '[::1]:0', 'Unix': '{dir}/NAME.sock'}


def configuration(family, *options):
    def command(words):
        return 'exec { command = { ' + ', '.join(f'"{word}"' for word in words) + ' } }'
    return ''.join(pool(name, 'workers = 1', *OPTIONS, *options, command(words), service='exec',
                        listen=LISTEN[family].replace('NAME', name))
                   for name, words in PROGRAMS.items())


# ---- what it is ------------------------------------------------------------------------------

def fields(status):
    return dict(re.findall(r'^(\w+):[ \t]*(.*?)[ \t]*$', status, re.M))


def show(daemon):
    """What the programs tell, and both ends of the connection to the last one."""
    with daemon.connect('self') as sock:
        status, stat, limits = re.fullmatch(r'(Name:.*?\n)(\d+ \(.*?\n)(Limit .*)',
                                            read_all(sock).decode(), re.S).groups()
    with daemon.connect('open') as sock:
        links = dict(re.findall(r'(\S+) -> (\S+)$', read_all(sock).decode(), re.M))
    with daemon.connect('environment') as sock:
        ends = sock.getsockname(), sock.getpeername()
        environment = sorted(read_all(sock).decode().split('\0')[:-1])
    own_limits = limits_of(pathlib.Path(f'/proc/{daemon.pid}/limits').read_text())
    state = state_of(fields(status), stat.split(), limits_of(limits), own_limits, links)
    return state + ''.join(item + '\n' for item in environment), *ends


def limits_of(text):
    """{name: [soft, hard]}"""
    return {name: [soft, hard] for name, soft, hard in
            re.findall(r'^Max (.*?)\s{2,}(\w+)\s+(\w+)', text, re.M)}


def state_of(status, stat, limits, own_limits, links):
    """proc(5): stat has the pid in 0, the group in 4, the session in 5, the terminal in 6, and
    the nice value in 18."""
    def own(number):
        return 'its own' if number == stat[0] else number
    ours = {'open files': 'nofile', 'core file size': 'core', 'cpu time': 'cpu'}
    others = {name: value for name, value in limits.items() if name not in ours}
    same = others == {name: value for name, value in own_limits.items() if name not in ours}
    fds = ' '.join(f'{fd} ' + re.sub(r'(?<=/proc).*|:\[\d+\]$', '', links[fd])
                   for fd in sorted(links) if fd.isdigit())
    signals = ' '.join(f'{int(status[name], 16):x}'
                       for name in ('SigPnd', 'SigBlk', 'SigIgn', 'SigCgt'))
    capabilities = ' '.join(f'{int(status[name], 16):x}' for name in ('CapPrm', 'CapEff', 'CapAmb'))
    found = {
        'descriptors': fds, 'cwd': links['/proc/self/cwd'], 'root': links['/proc/self/root'],
        'session, group': f'{own(stat[5])}, {own(stat[4])}', 'terminal': stat[6],
        'signals pending, blocked, ignored, caught': signals, 'umask': status['Umask'],
        'nice': stat[18], 'uids': ' '.join(status['Uid'].split()),
        'gids': ' '.join(status['Gid'].split()), 'groups': ' '.join(sorted(status['Groups'].split())),
        'capabilities': capabilities, 'no_new_privs': status['NoNewPrivs'],
        **{name: ' '.join(limits[limit]) for limit, name in ours.items()},
        'other limits': 'those of the daemon' if same else repr(others)}
    return ''.join(f'{key}: {value}\n' for key, value in found.items()) + 'environment:\n'


# ---- what it is to be ------------------------------------------------------------------------

def facts(account, groups, name, peer):
    tcp = isinstance(name, tuple)
    return {
        'uid': account.pw_uid, 'gid': account.pw_gid, 'groups': ' '.join(sorted(map(str, groups))),
        'capabilities': '0 0 0', 'name': account.pw_name, 'home': account.pw_dir,
        'shell': account.pw_shell, 'port': tcp and name[1], 'listen_port': tcp and peer[1], 'path': peer,
        'client_uid': os.geteuid(), 'client_gid': os.getegid(), 'client_pid': os.getpid()}


def assert_golden(daemon, family, account, groups):
    told, name, peer = show(daemon)
    assert told == (STATE + ENVIRONMENT[family]).format(**facts(account, groups, name, peer))


families = pytest.mark.parametrize(
    'family', ['TCP', pytest.param('TCP6', marks=ipv6), 'Unix'])


def passing(conf, **options):
    return Daemon(conf, env={'PASSED': 'passed', 'SECRET': 'stays outside'}, **options)


@pytest.mark.root
@families
def test_the_state_of_a_program_of_another_user(family):
    groups = [grp.getgrnam(name).gr_gid for name in ('daemon', 'sys')]
    conf = configuration(family, 'user = "nobody"', 'group = "nogroup"',
                         'supplementary_groups = { "daemon", "sys" }')
    with passing(conf, user=False) as daemon:
        assert_golden(daemon, family, pwd.getpwnam('nobody'), groups)


@pytest.mark.no_root
@families
def test_the_state_of_a_program_of_an_ordinary_user(family):
    with passing(configuration(family)) as daemon:
        assert_golden(daemon, family, pwd.getpwuid(os.geteuid()), os.getgroups())


AS_NOBODY = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--groups=nogroup', '--inh-caps=-all']


def nobody_can_run_it():
    return ROOT and shutil.which('setpriv') and subprocess.run(
        [*AS_NOBODY, PREFORKD, '-V'], capture_output=True).returncode == 0


@pytest.mark.root
@pytest.mark.skipif(not nobody_can_run_it(), reason='needs setpriv, and a preforkd for everybody')
@families
def test_the_state_of_a_program_of_a_daemon_that_nobody_has_started(family):
    account = pwd.getpwnam('nobody')
    daemon = passing(configuration(family), wrap=AS_NOBODY, user=False)
    os.chown(daemon.dir, account.pw_uid, account.pw_gid)
    with daemon:
        assert_golden(daemon, family, account, [account.pw_gid])
