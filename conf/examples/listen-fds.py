"""See listen-fds.conf."""
import http.server
import os
import signal
import socket

LISTEN_FD = 3  # sd_listen_fds(3)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'Hello, {self.client_address[0]}, from process {os.getpid()}!\n'.encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def finish(*_):
    """The request that is being served is the last one: there is no socket any more."""
    global finishing
    finishing = True
    os.dup2(null, LISTEN_FD)


def tell_ready():
    """sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@', '\0', 1))


finishing = False
null = os.open('/dev/null', os.O_RDWR)
signal.signal(signal.SIGTERM, finish)
server = http.server.HTTPServer(('', 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=LISTEN_FD)
tell_ready()
while not finishing:
    server.handle_request()
