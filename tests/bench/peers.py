"""The peers, as Debian packages them, with the settings that make them comparable.

Each listens on loopback, runs as the same user, has room for 256 at once, and starts the
same program: xinetd and tcpserver per connection, Postfix's master(8) through spawn(8), Apache
prefork as a CGI script.  PHP-FPM, behind nginx, runs a script that does the same.
"""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from server import (GROUP, MAX_SPARE, MAX_WORKERS, MIN_SPARE, ROOT, START_WORKERS, USER, Failure, Server,
                    find_program, free_port)

APACHE_MODULES = pathlib.Path('/usr/lib/apache2/modules')


def http(path):
    """Load options for HTTP, where a client that ends its side early is taken for gone."""
    return ('-o', '-r', f'GET {path} HTTP/1.0\r\n\r\n')


def nginx_globals(directory, workers):
    return f'''{f'user {USER} {GROUP};' if ROOT else ''}
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 4096; }}'''


def nginx_directories(directory):
    return ''.join(f'{kind}_temp_path {directory}/{kind};\n'
                   for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))


class Tcpserver(Server):
    title = 'tcpserver'

    def rules(self):
        return []

    @staticmethod
    def installed():
        return find_program('tcpserver')

    def prepare(self):
        user = pwd.getpwnam(USER)
        identity = ['-u', user.pw_uid, '-g', user.pw_gid] if ROOT else []
        process = self.launch(find_program('tcpserver'), '-1', '-HRl0', '-c', MAX_WORKERS, *self.rules(),
                              *identity, '127.0.0.1', 0, self.place.bin / self.program, stdout=subprocess.PIPE, text=True)
        self.port = int(process.stdout.readline() or 0)


class TcpserverRules(Tcpserver):
    """By address only: it has no other rules."""
    title = 'tcpserver -x'

    @staticmethod
    def installed():
        return find_program('tcpserver') and find_program('tcprules')

    def rules(self):
        subprocess.run([find_program('tcprules'), self.dir / 'rules.cdb', self.dir / 'rules.tmp'],
                       input='127.0.0.13:deny\n127.:allow\n:deny\n', text=True, check=True)
        os.chmod(self.dir / 'rules.cdb', 0o644)
        return ['-x', self.dir / 'rules.cdb']


class Xinetd(Server):
    title = 'xinetd'
    needs_root = True
    rules = 'per_source = UNLIMITED'

    @staticmethod
    def installed():
        return find_program('xinetd')

    def prepare(self):
        self.port = free_port()
        conf = self.write('xinetd.conf', f'''
service bench
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    wait = no
    user = {USER}
    bind = 127.0.0.1
    port = {self.port}
    server = {self.place.bin / self.program}
    instances = {MAX_WORKERS}
    cps = 1000000 1
    {self.rules}
    log_type = FILE /dev/null
}}
''')
        self.launch(find_program('xinetd'), '-dontfork', '-stayalive', '-f', conf,
                    '-pidfile', self.dir / 'xinetd.pid')


class XinetdRules(Xinetd):
    title = 'xinetd with rules'
    rules = f'''per_source = {MAX_WORKERS}
    only_from = 127.0.0.0/8
    no_access = 192.0.2.13
    access_times = 00:00-23:59'''


class Apache(Server):
    title = 'Apache prefork'
    idle_workers = START_WORKERS
    reload_signal = signal.SIGUSR1
    modules = ('mpm_prefork', 'authz_core', 'alias', 'cgi')
    sizes = f'''StartServers {START_WORKERS}
MinSpareServers {MIN_SPARE}
MaxSpareServers {MAX_SPARE}
MaxRequestWorkers {MAX_WORKERS}
ServerLimit {MAX_WORKERS}
'''

    @staticmethod
    def installed():
        return find_program('apache2') and (APACHE_MODULES / 'mod_mpm_prefork.so').exists()

    def prepare(self):
        self.port = free_port()
        modules = ''.join(f'LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n'
                          for name in self.modules)
        identity = f'User {USER}\nGroup {GROUP}\n' if ROOT else ''
        conf = self.write('apache.conf', f'''
{modules}{identity}
ServerRoot {self.dir}
DefaultRuntimeDir {self.dir}
PidFile {self.dir}/apache.pid
ErrorLog {self.dir}/error.log
ServerName localhost
Listen 127.0.0.1:{self.port}
{self.content()}{self.sizes}''')
        self.launch(find_program('apache2'), '-D', 'FOREGROUND', '-f', conf)

    def content(self):
        self.load_options = http(f'/bin/{self.program}')
        return self.script_alias()

    def script_alias(self):
        return f'''ScriptAlias /bin/ {self.place.bin}/
<Directory {self.place.bin}>
Require all granted
</Directory>
'''

    def nap_options(self, nap):
        return http(f'/bin/{self.program}?{nap}')


def apache_fixed(workers):
    return ''.join(f'{name} {workers}\n' for name in (
        'StartServers', 'MinSpareServers', 'MaxSpareServers', 'MaxRequestWorkers', 'ServerLimit'))


class ApacheStatus(Apache):
    """A fixed number of workers, and mod_status."""

    def __init__(self, place, workers):
        super().__init__(place)
        self.idle_workers = workers
        self.modules = (*Apache.modules, 'status')
        self.sizes = apache_fixed(workers) + '''
ListenBacklog 511
<Location /status>
SetHandler server-status
Require all granted
</Location>
'''


class Nginx(Server):
    """Answers by itself: a nap is a file that is sent slowly."""
    title = 'nginx'
    idle_workers = 2
    bytes_per_second = 1000

    @staticmethod
    def installed():
        return find_program('nginx')

    def prepare(self):
        self.port = free_port()
        (self.dir / 'www').mkdir()
        for nap in range(4):
            # It sends what is due in the second to come: the first part at once.
            self.write(f'www/{nap}', self.answers['nap'].rjust((nap + 1) * self.bytes_per_second))
        conf = self.write('nginx.conf', f'''
{nginx_globals(self.dir, self.idle_workers)}
http {{
access_log off;
{nginx_directories(self.dir)}
server {{
listen 127.0.0.1:{self.port};
root {self.dir}/www;
limit_rate {self.bytes_per_second};
}}
}}
''')
        self.launch(find_program('nginx'), '-c', conf)

    def nap_options(self, nap):
        return http(f'/{nap}')


PHP_SCRIPTS = {'hello': '<?php echo "hello\n";', 'nap': '<?php sleep(1); echo "slept\n";'}


def nginx_fastcgi(directory, port, script):
    """The configuration of an nginx that runs one script by DIR/php.sock."""
    return f'''
{nginx_globals(directory, 1)}
http {{
access_log off;
{nginx_directories(directory)}
server {{
listen 127.0.0.1:{port} backlog=1024;
location / {{
include /etc/nginx/fastcgi_params;
fastcgi_param SCRIPT_FILENAME {script};
fastcgi_pass unix:{directory}/php.sock;
}}
}}
}}
'''


class PhpFpm(Server):
    title = 'PHP-FPM dynamic'
    idle_workers = START_WORKERS
    sizes = f'''pm = dynamic
pm.start_servers = {START_WORKERS}
pm.min_spare_servers = {MIN_SPARE}
pm.max_spare_servers = {MAX_SPARE}
pm.max_children = {MAX_WORKERS}
'''

    @staticmethod
    def binary():
        return find_program('php-fpm', *map(os.path.basename, sorted(glob.glob('/usr/sbin/php-fpm*'))))

    @classmethod
    def installed(cls):
        return cls.binary() and find_program('nginx')

    def prepare(self):
        self.port = free_port()
        self.load_options = http('/')
        script = self.write('script.php', PHP_SCRIPTS[self.program])
        self.launch(self.binary(), '-n', '-F', '-y', self.fpm_conf())
        self.launch(find_program('nginx'), '-c',
                    self.write('nginx.conf', nginx_fastcgi(self.dir, self.port, script)))

    def fpm_conf(self):
        identity = ''
        if ROOT:
            identity = f'user = {USER}\ngroup = {GROUP}\nlisten.owner = {USER}\nlisten.group = {GROUP}\n'
        return self.write('fpm.conf', f'''
[global]
error_log = {self.dir}/fpm.log
[bench]
{identity}
listen = {self.dir}/php.sock
{self.sizes}
''')


class Postfix(Server):
    title = 'Postfix spawn'
    needs_root = True

    @staticmethod
    def installed():
        return find_program('postfix')

    def prepare(self):
        self.port = free_port()
        conf = self.dir / 'etc'
        for name in ('etc', 'queue', 'data'):
            (self.dir / name).mkdir()
        self.write('etc/main.cf', f'''compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {self.dir}/postfix.log
maillog_file_prefixes = {self.dir}
''')
        self.write('etc/master.cf', f'''
127.0.0.1:{self.port} inet n n n - {MAX_WORKERS} spawn user={USER} argv={self.place.bin / self.program}
postlog unix-dgram n - n - 1 postlogd
''')
        shutil.chown(self.dir / 'data', self.ask('postconf', '-c', conf, '-h', 'mail_owner'))
        self.ask('postfix', '-c', conf, 'check')    # makes the queue's directories
        daemons = self.ask('postconf', '-c', conf, '-h', 'daemon_directory')
        self.launch(f'{daemons}/master', '-c', conf, '-s')

    @staticmethod
    def ask(name, *args):
        done = subprocess.run([find_program(name), *map(str, args)], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise Failure(f'{name}: {done.stderr.strip()}')
        return done.stdout.strip()
