"""The daemon under measurement, and the bare loop that shows the physical limit."""
import os
import subprocess
import threading
import time

from server import (GROUP, MAX_SPARE, MAX_WORKERS, MIN_SPARE, ROOT, START_SECONDS, START_WORKERS, USER,
                    Failure, Server)

DEFAULT_POOL = (f'start_workers = {START_WORKERS}\nmin_spare_workers = {MIN_SPARE}\n'
                f'max_spare_workers = {MAX_SPARE}\nmax_workers = {MAX_WORKERS}\n')
ON_DEMAND_POOL = f'start_workers = 0\nmin_spare_workers = 0\nmax_workers = {MAX_WORKERS}\n'


def fixed_pool(workers):
    return f'workers = {workers}\n'


class Preforkd(Server):
    """One pool that runs a program per connection, or echoes when program is None."""
    title = 'preforkd'

    def __init__(self, place, pool, program=None):
        super().__init__(place, program)
        self.pool, self.ready_seconds = pool, None

    def configuration(self):
        identity = f'user = "{USER}"\ngroup = "{GROUP}"\n' if ROOT else ''
        service = 'echo'
        section = ''
        if self.program:
            service = 'exec'
            section = f'exec {{ command = {{ "{self.place.bin / self.program}" }} }}\n'
        return (f'{identity}log_level = "notice"\npool "bench" {{\nservice = "{service}"\n'
                f'listen = "127.0.0.1:0"\n{self.pool}{section}}}\n')

    def prepare(self):
        file = self.write('preforkd.conf', self.configuration())
        begin = time.perf_counter()
        process = self.launch(os.environ['PREFORKD'], '-n', '-f', file, stderr=subprocess.PIPE, text=True)
        patience = threading.Timer(START_SECONDS, process.kill)
        patience.start()
        line = ''
        for line in process.stderr:
            if ' listening on ' in line:
                self.port = int(line.rsplit(':', 1)[1])
            if ' ready: ' in line:
                self.ready_seconds = time.perf_counter() - begin
                break
        patience.cancel()
        if self.ready_seconds is None:
            raise Failure(f'did not start: {line.strip() or "no ready message"}')
        threading.Thread(target=process.stderr.read, daemon=True).start()   # so that the pipe never fills

    def settled(self):
        return True


class Bare(Server):
    """A pre-forked accept loop that does nothing else: it echoes, or starts a program."""
    title = 'physical limit'

    def __init__(self, place, workers, program=None):
        super().__init__(place, program)
        self.idle_workers = workers

    def prepare(self):
        program = [self.place.bin / self.program] if self.program else []
        process = self.launch(self.place.bin / 'limit', self.idle_workers, *program,
                              stdout=subprocess.PIPE, text=True)
        self.port = int(process.stdout.readline() or 0)
