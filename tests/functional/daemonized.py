"""A preforkd in the background, as an init script starts it: log file, pid file, no -n."""
import glob
import os
import subprocess
import time

from harness import PATIENCE, PREFORKD, Daemon, alive, eventually


class Background:
    """What Daemon wants from subprocess.Popen, for a process that is not our child."""
    returncode = 0

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if alive(self.pid) else self.returncode

    def wait(self, timeout=None):
        deadline = time.monotonic() + (timeout or PATIENCE)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired('preforkd', timeout)
            time.sleep(0.01)
        return self.returncode

    def kill(self):
        os.kill(self.pid, 9)


class Daemonized(Daemon):
    """Logs to DIR/log by itself, which its DIR/pid file names as the master's."""

    def __init__(self, conf=None, **options):
        super().__init__(conf, **options)
        self.pid_path = self.dir / 'pid'
        # Its stderr is /dev/null: a sanitizer must write elsewhere.
        for name in 'ASAN_OPTIONS', 'UBSAN_OPTIONS':
            self.env[name] = f'{self.env.get(name, "")}:log_path={self.dir}/sanitizer'

    def write(self, conf):
        super().write('log = "{dir}/log"\npid_file = "{dir}/pid"\n' + conf)

    def command(self):
        return self.wrap + [PREFORKD, '-f', str(self.conf_path)] + self.control + self.args

    def spawn(self):
        """Returns when the program that was started has ended, and checks its promise."""
        with open(self.dir / 'stderr', 'w+') as stderr:
            started = subprocess.run(self.command(), stdin=subprocess.DEVNULL, env=self.env,
                                     stdout=stderr, stderr=stderr, timeout=PATIENCE)
            stderr.seek(0)
            assert started.returncode == 0, stderr.read()
        self.pid = int(eventually(self.pid_path.read_text, 'a pid in the pid file'))
        self.process = Background(self.pid)
        return self

    def __exit__(self, kind, value, trace):
        reports = ''.join(open(path).read() for path in glob.glob(f'{self.dir}/sanitizer.*'))
        super().__exit__(kind, value, trace)
        assert kind is not None or not reports, reports
