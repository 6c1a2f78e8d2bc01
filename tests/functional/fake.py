"""preforkctl, and a daemon that is played by the test: what it says over the control socket."""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading

from harness import PATIENCE, PREFORKCTL

DAEMON = ('daemon\tversion=9.8\tpid=812\tuptime_ms=65321\tgeneration=2\tconfig_file=/etc/p.conf\t'
          'state=running\tworkers=12\tmax_workers=1000\treload_state=none\treload_text=\t'
          'reload_ago_ms=0\n').encode()


def pool(name, **fields):
    words = {'service': 'exec', 'listen': '*:80', 'state': 'running', **fields}
    return f'pool\tname={name}'.encode() + b''.join(
        f'\t{key}={value}'.encode() for key, value in words.items()) + b'\n'


def worker(of, pid, **fields):
    return f'worker\tpool={of}\tpid={pid}'.encode() + b''.join(
        f'\t{key}={value}'.encode() for key, value in fields.items()) + b'\n'


def a_request(sock):
    """The line that a client sends."""
    line = b''
    while not line.endswith(b'\n'):
        piece = sock.recv(4096)
        assert piece, f'the client left after {line!r}'
        line += piece
    return line


def read_to_end(sock):
    with contextlib.suppress(ConnectionResetError):
        while sock.recv(65536):
            pass


class Fake:
    """A daemon that reads a request and does as `answer` says: bytes that it sends before it
    closes, or a function of the connection."""

    def __init__(self, answer):
        self.answer = (lambda sock: sock.sendall(answer)) if isinstance(answer, bytes) else answer
        self.dir = tempfile.mkdtemp(prefix='preforkctl-test-')
        self.path = f'{self.dir}/control.sock'
        self.requests, self.errors = [], []
        self.read_first = True
        os.chmod(self.dir, 0o755)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            try:
                with sock:
                    if self.read_first:
                        self.requests.append(a_request(sock))
                    self.answer(sock)
            except (BrokenPipeError, ConnectionResetError):
                pass
            except Exception as error:  # shown by __exit__: a thread's own fate is silent
                self.errors.append(error)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.socket.close()
        shutil.rmtree(self.dir)
        assert kind or not self.errors, self.errors

    def run(self, *words, **options):
        return run('-s', self.path, *words, **options)


def run(*words, **options):
    return subprocess.run([PREFORKCTL, *words], stdin=subprocess.DEVNULL, timeout=PATIENCE,
                          **{'capture_output': True, 'text': True, **options})
