"""A real nginx in front of a FastCGI pool, and a client that asks it."""
import collections
import os
import shutil
import socket
import subprocess
import threading

import pytest

from harness import PATIENCE, ROOT, eventually, read_all
from load import paced

NGINX = shutil.which('nginx', path=os.environ.get('PATH', '') + ':/usr/sbin')
PHP = '/usr/bin/php-cgi'
needs_nginx = pytest.mark.skipif(not (NGINX and os.path.exists('/etc/nginx/fastcgi_params')),
                                 reason='needs nginx')
needs_php = pytest.mark.skipif(not os.access(PHP, os.X_OK), reason='needs php-cgi')


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Nginx:
    """Passes every request for a file of DIR/www to a FastCGI socket, inside a with block."""

    def __init__(self, directory, backend):
        self.dir, self.port = directory, free_port()
        self.conf = directory / 'nginx.conf'
        paths = '\n'.join(f'{name}_temp_path {directory}/nginx-{name};' for name in
                          ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        self.conf.write_text(f'''
{"user nobody nogroup;" if ROOT else ""}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.err;
events {{ worker_connections 1024; }}
http {{
access_log off;
{paths}
server {{
listen 127.0.0.1:{self.port} backlog=1024;
location / {{
include /etc/nginx/fastcgi_params;
fastcgi_param SCRIPT_FILENAME {directory}/www$fastcgi_script_name;
fastcgi_pass {backend};
}}
}}
}}
''')

    def __enter__(self):
        self.process = subprocess.Popen([NGINX, '-c', str(self.conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self.listens, 'nginx to listen')
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def listens(self):
        assert self.process.poll() is None, (self.dir / 'nginx.err').read_text()
        with socket.socket() as sock:
            return sock.connect_ex(('127.0.0.1', self.port)) == 0

    def begin(self, path, body=None):
        """A connection that has asked."""
        sock = socket.create_connection(('127.0.0.1', self.port), PATIENCE)
        head = f'GET {path}' if body is None else f'POST {path}'
        length = '' if body is None else f'Content-Length: {len(body)}\r\n'
        sock.sendall(f'{head} HTTP/1.0\r\nHost: a\r\n{length}\r\n'.encode() + (body or b''))
        return sock

    @staticmethod
    def finish(sock):
        """(status, body) of the answer."""
        with sock:
            head, body = read_all(sock).split(b'\r\n\r\n', 1)
        return int(head.split()[1]), body

    def ask(self, path, body=None):
        return self.finish(self.begin(path, body))


class Requests:
    """So many requests a second for a path, until the with block ends; then `answers`,
    {(status, body) or an error's name: how often}."""

    def __init__(self, nginx, path, rate=100):
        self.nginx, self.path, self.rate = nginx, path, rate
        self.answers = collections.Counter()
        self._stop = threading.Event()
        self._threads = []

    def __enter__(self):
        self._pacer = threading.Thread(target=self._pace, daemon=True)
        self._pacer.start()
        return self

    def __exit__(self, *failure):
        self._stop.set()
        self._pacer.join()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _pace(self):
        for _ in paced(self.rate, 3600):
            if self._stop.is_set():
                return
            thread = threading.Thread(target=self._one, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _one(self):
        try:
            answer = self.nginx.ask(self.path)
        except OSError as error:
            answer = type(error).__name__
        self.answers[answer] += 1

    def wait(self, more):
        wanted = sum(self.answers.values()) + more
        eventually(lambda: sum(self.answers.values()) >= wanted, f'{more} more answers')
