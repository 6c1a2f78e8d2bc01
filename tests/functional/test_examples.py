"""Each file in conf/examples is started as it is, but for addresses and paths, and spoken to
by its real client."""
import filecmp
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

import pytest

from fastcgi import Nginx, needs_nginx, needs_php
from harness import PATIENCE, ROOT, SRCDIR, Daemon, alive, children, eventually, read_all

EXAMPLES = SRCDIR / 'conf/examples'


def example(name, **replaced):
    """A daemon with an example on any free port of the loopback."""
    text = (EXAMPLES / f'{name}.conf').read_text()
    text, number = re.subn(r'(\blisten\s*=) "[^"]*"', r'\1 "127.0.0.1:0"', text)
    assert number >= 1
    daemon = Daemon()
    for directory, variable in ('www', 'PREFORKD_WWW'), ('cgi-bin', 'PREFORKD_CGI_BIN'):
        shutil.copytree(EXAMPLES / directory, daemon.dir / directory)
        daemon.env[variable] = str(daemon.dir / directory)
    for old, new in replaced.values():
        assert old in text
        text = text.replace(old, new.replace('{dir}', str(daemon.dir)))
    daemon.conf_path.write_text(text)
    daemon.conf_path.chmod(0o644)
    return daemon


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f'needs {program}')


def run(*command, **options):
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM='1', GIT_CONFIG_GLOBAL='/dev/null',
                       LC_ALL='C', GIT_TERMINAL_PROMPT='0', no_proxy='*')
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            timeout=PATIENCE, env=environment, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def url(daemon, scheme, pool, path=''):
    return f'{scheme}://127.0.0.1:{daemon.port(pool)}/{path}'


def test_every_example_is_tested():
    tested = {'quickstart', 'echo', 'rot13', 'hello', 'shell', 'git-daemon', 'rsyncd', 'cgi', 'php',
              'fastcgi-perl', 'listen-fds', 'svnserve', 'sshd', 'finger'}
    assert {path.stem for path in EXAMPLES.glob('*.conf')} == tested


@pytest.mark.parametrize('path', sorted(EXAMPLES.glob('*.conf')), ids=lambda path: path.stem)
def test_an_example_says_what_it_is_how_to_start_it_and_what_to_try(path):
    head = path.read_text().split('\n\n')[0]
    assert all(line.startswith('#') for line in head.splitlines())
    assert f'preforkd -n -f {path.name}' in head and '# Try:' in head


def test_the_echo_example():
    with example('echo') as daemon:
        assert daemon.ask('echo', b'hello\n') == b'hello\n'


def test_the_rot13_example():
    with example('rot13') as daemon:
        assert daemon.ask('rot13', b'Hello, world!\n') == b'Uryyb, jbeyq!\n'


@needs('curl')
def test_the_hello_example_and_curl():
    with example('hello') as daemon:
        page = url(daemon, 'http', 'hello')
        assert run('curl', '-sS', page) == (EXAMPLES / 'www/index.html').read_text()
        assert 'Content-Type: text/css' in run('curl', '-sSI', page + 'style.css')


@needs('curl')
def test_the_shell_example_and_curl():
    with example('shell') as daemon:
        page = url(daemon, 'http', 'shell')
        assert run('curl', '-sS', page) == 'Hello, 127.0.0.1!\n'
        head = run('curl', '-sSI', page)
        assert head.startswith('HTTP/1.0 200 OK')
        assert 'Content-Length: 18' in head
        assert run('curl', '-sS', '-d', 'a=b', page, page) == 'Hello, 127.0.0.1!\n' * 2


def test_the_shell_example_waits_for_the_end_of_the_request_head():
    with example('shell') as daemon, daemon.connect('shell') as sock:
        sock.sendall(b'GET / HTTP/1.0\r\nHost: a\r\n')
        sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            sock.recv(1)
        sock.settimeout(PATIENCE)
        sock.sendall(b'\r\n')
        head, body = read_all(sock).split(b'\r\n\r\n', 1)
        assert head.startswith(b'HTTP/1.0 200 OK\r\n')
        assert b'Content-Length: %d\r\n' % len(body) in head


@needs('curl')
def test_the_quickstart_example():
    with example('quickstart') as daemon:
        assert daemon.ask('echo', b'hello\n') == b'hello\n'
        assert daemon.ask('rot13', b'Hello, world!\n') == b'Uryyb, jbeyq!\n'
        assert 'It works' in run('curl', '-sS', url(daemon, 'http', 'www'))
        assert 'all in order' in run('curl', '-sS', url(daemon, 'http', 'status'))
        daemon.wait_log(r'ready: 4 pools')


def test_the_quickstart_example_has_ports_that_no_client_gets():
    lowest = int(open('/proc/sys/net/ipv4/ip_local_port_range').read().split()[0])
    text = (EXAMPLES / 'quickstart.conf').read_text()
    for port in re.findall(r'\blisten\s*= "127\.0\.0\.1:(\d+)"', text):
        assert 1024 <= int(port) < min(lowest, 32768)


def repository(directory):
    """A bare repository with one commit, ready to be served."""
    work, bare = directory / 'work', directory / 'git/hello.git'
    git = ['git', '-c', 'user.name=A', '-c', 'user.email=a@example.org', '-C', work]
    run('git', 'init', '-q', work)
    (work / 'file').write_text('content\n')
    run(*git, 'add', 'file')
    run(*git, 'commit', '-q', '-m', 'first')
    run('git', 'clone', '-q', '--bare', work, bare)
    (bare / 'git-daemon-export-ok').touch()


@needs('git')
def test_the_git_daemon_example_and_git_clone():
    daemon = example('git-daemon', base=('/srv/git', '{dir}/git'))
    repository(daemon.dir)
    with daemon:
        copy = daemon.dir / 'copy'
        run('git', 'clone', '-q', url(daemon, 'git', 'git', 'hello.git'), copy)
        assert (copy / 'file').read_text() == 'content\n'


@needs('rsync')
def test_the_rsync_example_and_rsync():
    daemon = example('rsyncd', config=('"--config=/etc/', '"--config={dir}/'))
    files = daemon.dir / 'files'
    files.mkdir()
    (files / 'file').write_text('content\n')
    (daemon.dir / 'rsyncd.conf').write_text(
        f'use chroot = no\nreverse lookup = no\n[files]\npath = {files}\nread only = yes\n')
    (files / 'large').write_bytes(os.urandom(100 << 20))
    with daemon:
        assert run('rsync', url(daemon, 'rsync', 'rsync')).split() == ['files']
        copy = daemon.dir / 'copy'
        run('rsync', '-a', url(daemon, 'rsync', 'rsync', 'files/'), copy)
        assert (copy / 'file').read_text() == 'content\n'
        assert filecmp.cmp(copy / 'large', files / 'large', shallow=False)


@needs('svn')
@needs('svnserve')
def test_the_svnserve_example_and_svn():
    daemon = example('svnserve', root=('=/srv/svn', '={dir}/svn'))
    store = daemon.dir / 'svn/hello'
    store.parent.mkdir()
    run('svnadmin', 'create', store)
    says = re.findall(r'^# {9}(\[.*|\S+ = .*)', (EXAMPLES / 'svnserve.conf').read_text(), re.M)
    assert says[0] == '[general]' and says[4] == '[users]'
    (store / 'conf/svnserve.conf').write_text('\n'.join(says[:4]) + '\n')
    (store / 'conf/passwd').write_text('\n'.join(says[4:]) + '\n')
    run('chmod', '-R', 'a+rwX', store)
    copy, other = daemon.dir / 'copy', daemon.dir / 'other'
    svn = ['svn', '--config-dir', daemon.dir / 'client', '--non-interactive', '--no-auth-cache']
    with daemon:
        where = url(daemon, 'svn', 'svn', 'hello')
        run(*svn, 'checkout', where, copy)
        (copy / 'file').write_bytes(os.urandom(3 << 20))
        run(*svn, 'add', copy / 'file')
        commit = [*svn, 'commit', '-m', 'first', copy]
        with pytest.raises(AssertionError, match='username or password'):
            run(*commit)
        run(*commit, '--username', 'alice', '--password', 'secret')
        run(*svn, 'checkout', where, other)
        assert filecmp.cmp(other / 'file', copy / 'file', shallow=False)
        assert 'alice' in run(*svn, 'log', where)


SSHD = '/usr/sbin/sshd'
SSHD_DIRECTORY = pathlib.Path('/run/sshd')


def sshd_wrap():
    """What gives sshd its empty directory, which root's wants: a /run of its own."""
    if not ROOT or SSHD_DIRECTORY.is_dir():
        return []
    wrap = ['unshare', '--mount', 'sh', '-c',
            'mount -t tmpfs -o mode=755 none /run && mkdir /run/sshd && exec "$@"', 'sh']
    if subprocess.run([*wrap, 'true'], capture_output=True).returncode:
        pytest.skip('needs /run/sshd, and cannot mount one')
    return wrap


def login():
    """Who runs the tests, if sshd can let them in: with a shell, and with no locked password."""
    try:
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        pytest.skip('needs a user with a name')
    shell = user.pw_shell or '/bin/sh'
    if subprocess.run([shell, '-c', 'true'], capture_output=True).returncode:
        pytest.skip('needs a user with a shell')
    return user.pw_name


@needs('ssh')
@needs('sftp')
@pytest.mark.skipif(not os.access(SSHD, os.X_OK), reason='needs sshd')
def test_the_sshd_example_and_ssh():
    user = login()
    daemon = example('sshd', config=('"-i"', '"-i", "-f", "{dir}/sshd_config"'))
    daemon.wrap = sshd_wrap()
    here = daemon.dir
    for key in 'host', 'user':
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', here / key)
    (here / 'sshd_config').write_text(
        f'HostKey {here}/host\nAuthorizedKeysFile {here}/user.pub\nStrictModes no\nUsePAM no\n'
        f'PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n'
        f'Subsystem sftp internal-sftp\n')
    (here / 'sent').write_bytes(os.urandom(10 << 20))
    (here / 'commands').write_text(f'put {here}/sent {here}/received\n')
    with daemon:
        (here / 'known').write_text(
            f'[127.0.0.1]:{daemon.port("ssh")} {(here / "host.pub").read_text()}')
        options = ['-F', 'none', '-i', here / 'user', '-o', 'BatchMode=yes', '-o', 'IdentityAgent=none',
                   '-o', f'User={user}', '-o', f'Port={daemon.port("ssh")}',
                   '-o', 'StrictHostKeyChecking=yes', '-o', f'UserKnownHostsFile={here}/known']
        ssh = ['ssh', *options, '127.0.0.1']
        says = run(*ssh, 'cat; id -un; echo "$SSH_CLIENT"', input='content\n')
        assert re.fullmatch(rf'content\n{re.escape(user)}\n127\.0\.0\.1 \d+ {daemon.port("ssh")}\n', says)
        with pytest.raises(AssertionError, match='assert 3 == 0'):
            run(*ssh, 'exit 3')
        run('sftp', '-b', here / 'commands', *options, '127.0.0.1')
        assert filecmp.cmp(here / 'received', here / 'sent', shallow=False)


@pytest.fixture
def finger():
    """The example, and a name with a file."""
    daemon = example('finger', script=('/usr/share/doc/preforkd/examples', '{dir}'),
                     files=('/srv/finger', '{dir}/finger'))
    shutil.copy(EXAMPLES / 'finger.sh', daemon.dir)
    (daemon.dir / 'finger').mkdir()
    (daemon.dir / 'finger/alice').write_text('In the garden until Monday.\n')
    (daemon.dir / 'finger/.hidden').write_text('secret\n')
    (daemon.dir / 'secret').write_text('secret\n')
    return daemon


def test_the_finger_example(finger):
    with finger as daemon:
        for asked in b'alice', b'/W alice', b'/w alice':
            assert daemon.ask('finger', asked + b'\r\n') == b'In the garden until Monday.\r\n'
        assert daemon.ask('finger', b'\r\n') == b'alice\r\n'
        for wrong in b'../secret', b'.hidden', b'bob', b'-n', b'alice bob', b'$(ls)', b'..', b'*':
            assert daemon.ask('finger', wrong + b'\r\n') == b'No such name\r\n', wrong
        for other in b'alice@example.org', b'@example.org':
            assert daemon.ask('finger', other + b'\r\n') == b'Finger forwarding service denied\r\n'
        assert daemon.ask('finger', b'') == b''


@needs('finger')
@pytest.mark.root
def test_the_finger_example_and_finger(finger):
    """Its client knows no other port; so each test has an address of its own."""
    address = f'127.{os.getpid() >> 16 & 127}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 | 2}'
    conf = finger.conf_path.read_text()
    assert conf.count('127.0.0.1:0') == 1
    finger.conf_path.write_text(conf.replace('127.0.0.1:0', f'{address}:79'))
    with finger:
        assert 'In the garden until Monday.' in run('finger', f'alice@{address}')


CGIT = '/usr/lib/cgit/cgit.cgi'
# "secret", as htpasswd -B makes it.
USERS = 'alice:$2y$04$Dx9nTu2mGiu890/HSNv86OXc3PsxU30SrfZrQgZfOtlyYsNfYga7S\n'
CGIT_CONFIG = """css=/cgit-css/cgit.css
logo=/cgit-css/cgit.png
virtual-root=/cgit/
scan-path={dir}/git
"""


@pytest.fixture
def cgi():
    """The example on a copy of what it needs; a repository is there that anybody may write."""
    daemon = example('cgi', base=('/srv/git', '{dir}/git'), config=('/etc/cgitrc', '{dir}/cgitrc'),
                     users=('/etc/preforkd/git-users', '{dir}/users'))
    assert CGIT_CONFIG.splitlines()[:3] == \
        re.findall(r'^# +(\w\S+=/cgit\S+)', (EXAMPLES / 'cgi.conf').read_text(), re.M)
    (daemon.dir / 'cgitrc').write_text(CGIT_CONFIG.replace('{dir}', str(daemon.dir)))
    (daemon.dir / 'users').write_text(USERS)
    repository(daemon.dir)
    run('chmod', '-R', 'a+rwX', daemon.dir / 'git')
    with daemon:
        yield daemon


needs_cgi = pytest.mark.skipif(not shutil.which('git') or not os.path.exists(CGIT),
                               reason='needs git and cgit')


@needs('curl')
@needs_cgi
def test_the_cgi_example_and_curl(cgi):
    page = run('curl', '-sS', '-g', url(cgi, 'http', 'cgi', 'cgi-bin/hello/x?a=<b>&c'))
    assert 'Hello, 127.0.0.1!' in page and '/cgi-bin/hello/x?a=&lt;b&gt;&amp;c<' in page
    page = run('curl', '-sS', url(cgi, 'http', 'cgi', 'cgit/hello.git/log/'))
    assert '>first</a>' in page
    for linked in re.findall(r"(?:src|href)='/(cgit-css/[^']*)'", page):
        run('curl', '-sSf', '-o', '/dev/null', url(cgi, 'http', 'cgi', linked))
    assert "href='/cgit-css/cgit.css'" in page


@needs_cgi
def test_the_cgi_example_and_git(cgi):
    copy, other = cgi.dir / 'copy', cgi.dir / 'other'
    run('git', 'clone', '-q', url(cgi, 'http', 'cgi', 'git/hello.git'), copy)
    git = ['git', '-c', 'user.name=B', '-c', 'user.email=b@example.org', '-C', copy]
    (copy / 'large').write_bytes(os.urandom(3 << 20))  # more than git sends in one piece
    run(*git, 'add', 'large')
    run(*git, 'commit', '-q', '-m', 'second')
    for refused in 'git/hello.git', 'push/hello.git':
        with pytest.raises(AssertionError, match='403|could not read Username'):
            run(*git, 'push', '-q', url(cgi, 'http', 'cgi', refused), 'HEAD')
    known = url(cgi, 'http', 'cgi', 'push/hello.git').replace('//', '//alice:secret@')
    run(*git, 'push', '-q', known, 'HEAD')
    run('git', 'clone', '-q', url(cgi, 'http', 'cgi', 'git/hello.git'), other)
    assert (other / 'large').read_bytes() == (copy / 'large').read_bytes()


def programs(daemon):
    return [pid for worker in daemon.workers() for pid in children(worker)]


def assert_recycles(daemon, ask, answer):
    """Its programs leave by the signal, and others answer."""
    old, mark = programs(daemon), daemon.mark()
    assert old
    daemon.done('recycle')
    assert ask() == answer
    eventually(lambda: not any(map(alive, old)), 'the end of the old programs')
    assert ask() == answer
    assert not re.search(r'(warning|error): ', daemon.log()[mark:])


@needs_nginx
@needs_php
def test_the_php_example_behind_nginx():
    owner = '\tlisten_owner      = "www-data"\n\tlisten_group      = "www-data"\n'
    with example('php', owner=(owner, '')) as daemon:
        (daemon.dir / 'www/hello.php').write_text('<?php echo "Hello, $_SERVER[REMOTE_ADDR]!";')
        with Nginx(daemon.dir, f'127.0.0.1:{daemon.port("php")}') as nginx:
            assert_recycles(daemon, lambda: nginx.ask('/hello.php'), (200, b'Hello, 127.0.0.1!'))


@needs_nginx
@pytest.mark.skipif(subprocess.run(['perl', '-MFCGI', '-e', '1'], capture_output=True).returncode != 0,
                    reason="needs perl's FCGI")
def test_the_perl_example_behind_nginx():
    daemon = example('fastcgi-perl', script=('/usr/share/doc/preforkd/examples', '{dir}'))
    shutil.copy(EXAMPLES / 'hello.fcgi', daemon.dir)
    with daemon, Nginx(daemon.dir, f'127.0.0.1:{daemon.port("perl")}') as nginx:
        assert_recycles(daemon, lambda: nginx.ask('/'), (200, b'Hello, 127.0.0.1!\n'))


@needs('curl')
@pytest.mark.skipif(not os.access('/usr/bin/python3', os.X_OK), reason='needs /usr/bin/python3')
def test_the_listen_fds_example_and_curl():
    daemon = example('listen-fds', script=('/usr/share/doc/preforkd/examples', '{dir}'))
    shutil.copy(EXAMPLES / 'listen-fds.py', daemon.dir)
    with daemon:
        page = url(daemon, 'http', 'python')
        assert re.fullmatch(r'Hello, 127.0.0.1, from process \d+!\n', run('curl', '-sS', page))
        assert_recycles(daemon, lambda: run('curl', '-sS', page)[:16], 'Hello, 127.0.0.1')
