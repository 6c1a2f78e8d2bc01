"""A server under measurement: started on loopback, in a directory of its own, and stopped.

Only processes that were started here are ended, each by its own id.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import proc

START_SECONDS = 15      # until a server must listen
STOP_SECONDS = 10       # from SIGTERM until SIGKILL
LOOK_SECONDS = 0.01     # between two looks at a condition

HELPERS = ('load', 'limit', 'count', 'spawn', 'hello', 'nap', 'early', 'bulk', 'slow_start.so', 'lines.so')

# Every server and every program of it runs as this user, where root may choose.
USER, GROUP = 'nobody', 'nogroup'
ROOT = os.geteuid() == 0

# The pool that every server of a burst has: Debian's defaults for Apache, and room for all.
START_WORKERS, MIN_SPARE, MAX_SPARE, MAX_WORKERS = 5, 5, 10, 256


class Failure(Exception):
    """A measurement that did not come to a figure, in words for the table."""


def wait_until(condition, what):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f'{what}: not within {START_SECONDS} s')
        time.sleep(LOOK_SECONDS)


def find_program(*names):
    """The path of the first program found, also where an ordinary user's PATH does not look."""
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/bin'
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Place:
    """The temporary directory of a run; holds the helper programs where USER can reach them."""

    def __init__(self, helpers):
        self.helpers = pathlib.Path(helpers).resolve()

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='preforkd-bench.'))
        self.dir.chmod(0o755)
        self.bin = self.dir / 'bin'
        shutil.copytree(self.helpers, self.bin, ignore=lambda _, names: [
            n for n in names if n not in HELPERS])
        return self

    def __exit__(self, *error):
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, helper, *args):
        """The figures that a helper printed, {name: number}; nothing may have failed."""
        with self.running(helper, *args) as figures_of:
            figures = figures_of()
        if figures['failed']:
            total = figures['done'] + figures['failed']
            raise Failure(f'{figures["failed"]:.0f} of {total:.0f} failed')
        return figures

    @contextlib.contextmanager
    def running(self, helper, *args):
        """A helper that works meanwhile; gives the function that waits for its figures."""
        process = subprocess.Popen([str(a) for a in (self.bin / helper, *args)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)

        def figures_of():
            said, trouble = process.communicate()
            figures = {k: float(v) for k, v in (w.split('=') for w in said.split())}
            if 'failed' not in figures:
                raise Failure(f'{helper}: {trouble.strip() or "no figures"}')
            return figures

        try:
            yield figures_of
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)      # its session is its own
                process.communicate()


class Server:
    """
    One server for one program (`hello` or `nap` of this directory).  A subclass gives its
    title and prepare(), which writes its files and launches it; the first process launched
    is the master.
    """
    title = ''
    load_options = ()       # what the clients need to speak to it
    needs_root = False
    idle_workers = 0        # children that it has when it has settled
    reload_signal = signal.SIGHUP
    answers = {None: 'hello\n', 'hello': 'hello\n', 'nap': 'slept\n'}     # what each ends with

    def __init__(self, place, program='hello'):
        self.place, self.program = place, program
        self.dir, self.port, self.processes = None, None, []

    @staticmethod
    def installed():
        return True

    @classmethod
    def unavailable(cls):
        """Why it cannot be measured here, or None."""
        if not cls.installed():
            return 'not installed, skipped'
        return 'needs root, skipped' if cls.needs_root and not ROOT else None

    def prepare(self):
        raise NotImplementedError

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def launch(self, *command, **options):
        with open(self.dir / 'output', 'ab') as output:
            options = {'stdin': subprocess.DEVNULL, 'stdout': output, 'stderr': output, **options}
            process = subprocess.Popen([str(c) for c in command], cwd=self.dir, start_new_session=True,
                                       **options)
        self.processes.append(process)
        return process

    @property
    def master(self):
        return self.processes[0].pid

    def settled(self):
        if any(p.poll() is not None for p in self.processes):
            raise Failure(f'ended at its start: {self.last_words() or "without a word"}')
        return proc.listening(self.port) and len(proc.children(self.master)) >= self.idle_workers

    def last_words(self):
        lines = [line for file in [*self.dir.glob('*.log'), self.dir / 'output']
                 for line in file.read_text(errors='replace').splitlines()]
        return lines[-1] if lines else ''

    def __enter__(self):
        name = type(self).__name__.lower()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f'{name}.', dir=self.place.dir))
        self.dir.chmod(0o755)
        try:
            self.prepare()
            wait_until(self.settled, 'start')
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)      # its session is its own
                process.wait()
        self.processes = []

    def load(self, *mode):
        """Runs the clients against it: ('burst', CLIENTS) or ('rate', CLIENTS, TOTAL)."""
        return self.place.run('load', *self.clients(self.load_options, *mode))

    def naps(self, nap, *mode):
        """The same while something else is done; the program is to take so many seconds."""
        return self.place.running('load', *self.clients(self.nap_options(nap), *mode))

    def clients(self, options, *mode):
        kind, *numbers = mode
        return (*options, '-e', self.answers[self.program], kind, self.port, *numbers)

    def nap_options(self, nap):
        return ('-r', f'{nap}\n')

    def reload(self):
        """Sends the signal and waits for the first of the new workers."""
        before = set(proc.children(self.master))
        os.kill(self.master, self.reload_signal)
        wait_until(lambda: set(proc.children(self.master)) - before, 'reload')
