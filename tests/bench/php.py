"""PHP behind nginx: preforkd with php-cgi in the place of PHP-FPM."""
import os
import socket

import proc
from daemon import DEFAULT_POOL, Preforkd, fixed_pool
from peers import PHP_SCRIPTS, PhpFpm, http, nginx_fastcgi
from server import ROOT, START_WORKERS, USER, find_program, free_port
from table import Row, at_least_times, at_most, available, interleave, per_second, rate, seconds

BURST_CLIENTS = 200
NAP_SECONDS = 1
CHILDREN = 7            # of each php-cgi, where it has some
GROUPS = f'start_workers = 1\nmin_spare_workers = 1\nmax_spare_workers = 2\nmax_workers = {256 // (CHILDREN + 1)}\n'
RATE_CLIENTS, RATE_WORKERS, REQUESTS = 8, 16, 6000
QUICK = 3               # turns a round, of what takes a second or two


class PreforkdPhp(Preforkd):
    """A pool of php-cgi, and an nginx before it."""

    def __init__(self, place, pool, program, children=0):
        super().__init__(place, pool, program)
        self.children = children

    @staticmethod
    def installed():
        return find_program('php-cgi') and find_program('nginx')

    def configuration(self):
        return super().configuration().replace('"127.0.0.1:0"', f'"{self.dir}/php.sock"')

    def change(self):
        return ('listen_mode = "0666"\nenvironment = { "PHP_FCGI_MAX_REQUESTS=0", '
                f'"PHP_FCGI_CHILDREN={self.children}" }}\n')

    def service(self):
        return 'program', f'program {{ command = {{ "{find_program("php-cgi")}", "-n" }} }}\n'

    def prepare(self):
        super().prepare()
        self.launch_nginx()

    def launch_nginx(self):
        self.port = free_port()
        self.load_options = http('/')
        script = self.write('script.php', PHP_SCRIPTS[self.program])
        self.launch(find_program('nginx'), '-c',
                    self.write('nginx.conf', nginx_fastcgi(self.dir, self.port, script)))

    def settled(self):
        return proc.listening(self.port)


class BarePhp(PreforkdPhp):
    """The same number of php-cgi that nobody looks after."""
    title = 'php-cgi alone'

    def __init__(self, place, program):
        super().__init__(place, '', program)

    def prepare(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f'{self.dir}/php.sock')
            os.chmod(f'{self.dir}/php.sock', 0o666)
            listener.listen(511)
            for _ in range(RATE_WORKERS):
                self.launch(find_program('php-cgi'), '-n', stdin=listener, user=USER if ROOT else None,
                            env={'PHP_FCGI_MAX_REQUESTS': '0'})
        self.launch_nginx()


class PhpFpmStatic(PhpFpm):
    title = 'PHP-FPM static'
    idle_workers = RATE_WORKERS
    sizes = f'pm = static\npm.max_children = {RATE_WORKERS}\n'


def burst(place, rounds):
    def fresh(server, *args, times=1):
        def sample():
            with server(place, *args) as s:
                return {name: s.load('burst', BURST_CLIENTS)['seconds'] for name in ('first', 'again')[:times]}
        return sample

    def starts():
        """php-cgi is started as often as it must be, and then each takes its nap."""
        more = BURST_CLIENTS - START_WORKERS
        figures = place.run('spawn', more, more, find_program('php-cgi'), '-n', '-v')
        return {'first': figures['seconds'] + NAP_SECONDS}

    limit = 'that many starts, and 1 s'
    got = interleave('php', rounds, {
        'preforkd': available(PreforkdPhp, fresh(PreforkdPhp, DEFAULT_POOL, 'nap', times=2)),
        'children': available(PreforkdPhp, fresh(PreforkdPhp, GROUPS, 'nap', CHILDREN)),
        PhpFpm.title: available(PhpFpm, fresh(PhpFpm, 'nap', times=2)),
        limit: available(PreforkdPhp, starts),
    })
    fpm = {PhpFpm.title: got[PhpFpm.title]}
    return [
        Row(f'PHP: burst of {BURST_CLIENTS}, default pool', seconds, 'first', got['preforkd'],
            {**fpm, limit: got[limit]}, at_most(1.3, seconds)),
        Row(f'  php-cgi with {CHILDREN} children each', seconds, 'first', got['children'], fpm,
            at_most(1.3, seconds)),
        Row('  the same again at once, default pool', seconds, 'again', got['preforkd'], fpm),
    ]


def requests(place, rounds):
    def sample(server, *args):
        def look():
            with server(place, *args, 'hello') as s:
                return rate(s.load('rate', RATE_CLIENTS, REQUESTS))
        return look

    got = interleave('php requests', rounds * QUICK, {
        'preforkd': available(PreforkdPhp, sample(PreforkdPhp, fixed_pool(RATE_WORKERS))),
        BarePhp.title: available(BarePhp, sample(BarePhp)),
        PhpFpmStatic.title: available(PhpFpmStatic, sample(PhpFpmStatic)),
    })
    return [Row('PHP: requests', per_second, 'rate', got['preforkd'],
                {BarePhp.title: (got[BarePhp.title], at_least_times(0.95)),
                 PhpFpmStatic.title: got[PhpFpmStatic.title]})]


BENCHMARKS = {'php': lambda place, rounds: burst(place, rounds) + requests(place, rounds)}
