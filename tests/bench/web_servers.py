"""The servers of files: preforkd's http and its peers, with the same files, limits and log.

All keep connections for 5 s and for any number of requests, and write one line for each
request in the combined format, unless they are to have no log.
"""
import os
import shutil

from daemon import Bare, Preforkd
from peers import Apache, Nginx, apache_fixed, nginx_directories, nginx_globals
from server import GROUP, ROOT, USER, Failure, Server, find_program, free_port

KEEPALIVE_SECONDS = 5
ENOUGH = 100000000      # requests on a connection
SMALL, LARGE = '1k.txt', '10m.txt'
SIZES = {SMALL: 1 << 10, LARGE: 10 << 20}
END = 'the end of the file\n'
MIME_TYPES = '/etc/mime.types'


def make_files(directory):
    """The files that all of them serve; each ends with END."""
    directory.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        (directory / name).write_text(os.urandom(size // 2).hex()[:size - len(END)] + END)
    return directory


def request(name, *fields, method='GET'):
    return ''.join(f'{line}\r\n' for line in (f'{method} /{name} HTTP/1.1', 'Host: localhost', *fields, ''))


class Web(Server):
    """What they have in common; comes before the class that knows how to start the server."""

    answers = {None: END}
    logs_at_once = True

    def __init__(self, www, log, *args, **options):
        super().__init__(*args, **options)
        self.www, self.log, self.program = www, log, None
        self.ask_for(SMALL)

    def ask_for(self, name):
        """The file that load() asks for, on a connection of its own each time."""
        self.load_options = ('-o', '-r', request(name, 'Connection: close'))

    def site_settings(self):
        """More of its configuration."""
        return ''

    @property
    def log_file(self):
        return self.dir / 'access.log'

    def empty_log(self):
        """It must have been written, when there is to be one."""
        if self.log:
            if self.logs_at_once and self.log_file.stat().st_size == 0:
                raise Failure('nothing in the access log')
            os.truncate(self.log_file, 0)


class WebPreforkd(Web, Preforkd):
    def service(self):
        log = f'access_log = "{self.log_file}"\n' if self.log else ''
        mime = f'mime_types = "{MIME_TYPES}"\n' if os.path.exists(MIME_TYPES) else ''
        return 'http', f'''{log}http {{
document_root = "{self.www}"
keepalive_timeout = {KEEPALIVE_SECONDS}s
keepalive_requests = {ENOUGH}
{mime}{self.site_settings()}}}
'''


class WebApache(Web, Apache):
    """With a fixed number of workers, or the usual ones."""
    modules = ('mpm_prefork', 'authz_core', 'mime', 'dir')

    def __init__(self, www, log, place, workers=None):
        super().__init__(www, log, place)
        if workers:
            self.idle_workers, self.sizes = workers, apache_fixed(workers)

    def content(self):
        log = f'CustomLog {self.log_file} combined\n' if self.log else ''
        return f'''DocumentRoot {self.www}
TypesConfig {MIME_TYPES if os.path.exists(MIME_TYPES) else '/dev/null'}
<Directory {self.www}>
Require all granted
AllowOverride None
Options FollowSymLinks
</Directory>
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
{log}KeepAlive On
KeepAliveTimeout {KEEPALIVE_SECONDS}
MaxKeepAliveRequests 0
EnableSendfile On
{self.site_settings()}'''


class WebNginx(Web, Nginx):
    def prepare(self):
        self.port = free_port()
        log = f'{self.log_file} combined' if self.log else 'off'
        conf = self.write('nginx.conf', f'''
{nginx_globals(self.dir, self.idle_workers)}
http {{
access_log {log};
include /etc/nginx/mime.types;
sendfile on;
keepalive_timeout {KEEPALIVE_SECONDS};
keepalive_requests {ENOUGH};
{nginx_directories(self.dir)}
server {{
listen 127.0.0.1:{self.port};
root {self.www};
}}
}}
''')
        self.launch(find_program('nginx'), '-c', conf)


class WebLighttpd(Web):
    title = 'lighttpd'
    idle_workers = 2
    modules = ('mod_indexfile', 'mod_staticfile')
    logs_at_once = False    # but when a buffer is full

    @staticmethod
    def installed():
        return find_program('lighttpd')

    def prepare(self):
        self.port = free_port()
        if ROOT:
            shutil.chown(self.dir, USER, GROUP)     # it opens its logs as that user
        identity = f'server.username = "{USER}"\nserver.groupname = "{GROUP}"\n' if ROOT else ''
        modules, log = self.modules, ''
        if self.log:
            modules = (*modules, 'mod_accesslog')
            log = f'accesslog.filename = "{self.log_file}"\n'
        conf = self.write('lighttpd.conf', f'''
{identity}server.port = {self.port}
server.bind = "127.0.0.1"
server.document-root = "{self.www}"
server.modules = ({', '.join(f'"{m}"' for m in modules)})
server.max-worker = {self.idle_workers}
server.pid-file = "{self.dir}/lighttpd.pid"
server.errorlog = "{self.dir}/error.log"
server.max-keep-alive-requests = {ENOUGH}
server.max-keep-alive-idle = {KEEPALIVE_SECONDS}
mimetype.assign = (".txt" => "text/plain", ".html" => "text/html")
{log}{self.site_settings()}''')
        self.launch(find_program('lighttpd'), '-D', '-f', conf)


class WebBare(Bare):
    """The bare loop that answers the same bytes whatever is asked; once: for one request."""

    def __init__(self, www, place, workers, once):
        super().__init__(place, workers, None)
        self.www, self.once = www, once

    def options(self):
        head = ['HTTP/1.1 200 OK', 'Content-Type: text/plain', f'Content-Length: {SIZES[SMALL]}',
                *(['Connection: close'] if self.once else []), '', '']
        answer = self.write('answer', '\r\n'.join(head) + (self.www / SMALL).read_text())
        return ['-a', answer, *(['-c'] if self.once else [])]

    def empty_log(self):
        pass

