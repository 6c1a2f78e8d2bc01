"""`./bootstrap run` in a tree that is built already, and what it leaves behind."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness import PREFORKCTL, PREFORKD, SRCDIR, Daemon
from load import pool

pytestmark = pytest.mark.skipif(
    not shutil.which('dpkg-query') or subprocess.run(
        ['dpkg-query', '-W', *'autoconf automake gcc libc6-dev libconfuse-dev libcrypt-dev libevent-dev '
         'libncurses-dev make pkg-config curl netcat-openbsd'.split()],
        capture_output=True).returncode != 0, reason='would install packages')

MAKEFILE = 'preforkd preforkctl:\n'


class Tour(Daemon):
    """A bootstrap as the foreground job of a terminal, with the conf of the test."""

    def __init__(self, conf):
        super().__init__()
        shutil.copy(SRCDIR / 'bootstrap', self.dir)
        for name in 'conf/examples', 'build', 'tmp':
            (self.dir / name).mkdir(parents=True)
        shutil.copytree(SRCDIR / 'conf/examples/www', self.dir / 'conf/examples/www')
        shutil.copy(SRCDIR / 'conf/examples/quickstart.conf', self.dir / 'conf/examples')
        for name in 'configure.ac', 'Makefile.am', 'Makefile.in', 'configure', 'build/Makefile':
            (self.dir / name).write_text(MAKEFILE)
        (self.dir / 'configure').chmod(0o755)
        os.utime(self.dir / 'build/Makefile', (time.time() + 1, time.time() + 1))
        for program in PREFORKD, PREFORKCTL:
            shutil.copy(program, self.dir / 'build')
        self.conf_path = self.dir / 'build/quickstart.conf'
        self.control_path = self.dir / 'build/control.sock'
        self.env['TMPDIR'] = str(self.dir / 'tmp')
        self.write(conf)
        self.wrap = True

    def spawn(self):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(['./bootstrap', 'run'], cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env, process_group=0)
        return self

    def left_behind(self):
        return os.listdir(self.dir / 'tmp')


CONF = pool('www', 'workers = 2', 'http { document_root = "${PREFORKD_WWW}" }', service='http')


def ctrl_c(tour):
    os.killpg(tour.process.pid, signal.SIGINT)


def terminate(tour):
    os.kill(tour.process.pid, signal.SIGTERM)


def stop(tour):
    tour.done('stop')


@pytest.mark.parametrize('end', [ctrl_c, terminate, stop])
def test_it_serves_and_leaves_nothing_behind(end):
    with Tour(CONF) as tour:
        [site] = tour.left_behind()
        assert b'<h1>' in tour.ask('www', b'GET / HTTP/1.0\r\n\r\n')
        end(tour)
        assert tour.ended() == 0 or (end is terminate and tour.ended() == 128 + signal.SIGTERM)
        assert 'preforkd' in tour.log().splitlines()[-1] and tour.log().endswith('stopped\n')
        assert tour.left_behind() == []


def test_a_faulty_file_leaves_nothing_behind():
    tour = Tour('nonsense\n')
    with tour.spawned():
        assert tour.ended() == 1
        assert tour.left_behind() == []


def test_who_was_upgraded_keeps_its_site():
    with Tour(CONF) as tour:
        tour.done('upgrade')
        try:
            assert tour.ended() == 0
            assert 'runs in the background' in tour.log()
            assert b'<h1>' in tour.ask('www', b'GET / HTTP/1.0\r\n\r\n')
        finally:
            tour.ctl('stop', '--now')
