"""The daemon under measurement, and the bare loop that shows the physical limit."""
import os
import subprocess
import threading
import time

from server import (GROUP, MAX_SPARE, MAX_WORKERS, MIN_SPARE, ROOT, START_SECONDS, START_WORKERS, USER,
                    Failure, Server, wait_until)

DEFAULT_POOL = (f'start_workers = {START_WORKERS}\nmin_spare_workers = {MIN_SPARE}\n'
                f'max_spare_workers = {MAX_SPARE}\nmax_workers = {MAX_WORKERS}\n')
ON_DEMAND_POOL = f'start_workers = 0\nmin_spare_workers = 0\nmax_workers = {MAX_WORKERS}\n'


RULES = f'''
allow = {{ "127.0.0.0/8", "::1" }}
deny = "127.0.0.13"
access_times = "00:00-24:00"
max_load = 1000000
max_connections_per_source = {MAX_WORKERS}
rate_limit = 1000000
rate_limit_per_source = 1000000
'''


def fixed_pool(workers):
    return f'workers = {workers}\n'


class Preforkd(Server):
    """One pool that runs a program per connection, or echoes when program is None."""
    title = 'preforkd'

    def __init__(self, place, pool, program=None, slow_start=False, settings=''):
        super().__init__(place, program)
        self.pool, self.slow_start, self.settings = pool, slow_start, settings
        self.ready_seconds, self.reloads, self.reloaded = None, 0, 0
        self.ports = {}         # of each pool

    def change(self):
        """An option that is another one after each reload, and needs new workers."""
        if self.slow_start and self.reloads:
            return f'nice = {1 + self.reloads % 2}\n'
        return f'environment = {{ "RELOADS={self.reloads}" }}\n'

    def service(self):
        """Its name, and what the pool says of it."""
        if not self.program:
            return 'echo', ''
        return 'exec', f'exec {{ command = {{ "{self.place.bin / self.program}" }} }}\n'

    def configuration(self):
        identity = f'user = "{USER}"\ngroup = "{GROUP}"\n' if ROOT else ''
        service, section = self.service()
        return (f'{identity}log_level = "notice"\n{self.settings}pool "bench" {{\nservice = "{service}"\n'
                f'listen = "127.0.0.1:0"\n{self.change()}{self.pool}{section}}}\n')

    def prepare(self):
        file = self.write('preforkd.conf', self.configuration())
        environment = {**os.environ, **self.preloaded()}
        begin = time.perf_counter()
        process = self.launch(os.environ['PREFORKD'], '-n', '-f', file, stderr=subprocess.PIPE, text=True,
                              env=environment)
        patience = threading.Timer(START_SECONDS, process.kill)
        patience.start()
        line = ''
        for line in process.stderr:
            if ' listening on ' in line and not line.split()[-1].startswith('/'):
                self.port = int(line.rsplit(':', 1)[1])
                self.ports[line.split()[-4].rstrip(':')] = self.port
            if ' ready: ' in line:
                self.ready_seconds = time.perf_counter() - begin
                break
        patience.cancel()
        if self.ready_seconds is None:
            raise Failure(f'did not start: {line.strip() or "no ready message"}')
        threading.Thread(target=self.listen_to, args=(process.stderr,), daemon=True).start()

    def preloaded(self):
        return {'LD_PRELOAD': str(self.place.bin / 'slow_start.so')} if self.slow_start else {}

    def listen_to(self, log):
        """Reads on, so that the pipe never fills."""
        for line in log:
            if ' reload done: replaced the workers of bench' in line:
                self.reloaded += 1

    def reload(self):
        """The same with a changed file, and waits until the old workers are told to leave."""
        self.reloads += 1
        self.write('preforkd.conf', self.configuration())
        os.kill(self.master, self.reload_signal)
        wait_until(lambda: self.reloaded == self.reloads, 'reload')

    def settled(self):
        return True


class Module(Preforkd):
    """The same with a module, `lines`, that sends back each line."""
    title = 'module'

    def service(self):
        return 'module', f'module {{ file = "{self.place.bin / "lines.so"}" }}\n'


class Bare(Server):
    """A pre-forked accept loop that does nothing else: it echoes, or starts a program."""
    title = 'physical limit'

    def __init__(self, place, workers, program=None):
        super().__init__(place, program)
        self.idle_workers = workers

    def options(self):
        return []

    def prepare(self):
        program = [self.place.bin / self.program] if self.program else []
        process = self.launch(self.place.bin / 'limit', *self.options(), self.idle_workers, *program,
                              stdout=subprocess.PIPE, text=True)
        self.port = int(process.stdout.readline() or 0)
