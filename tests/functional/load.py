"""Echo clients that count what came back, and small words for pools in a configuration.

A client connects, sends a line of its own, half-closes and reads to the end.  What came
of it is one word: 'answered', 'no answer', 'wrong answer', or an errno's name.
"""
import collections
import contextlib
import errno
import functools
import itertools
import resource
import socket
import threading
import time

from harness import PATIENCE, eventually, read_all

# Crowds of more than a thousand connections need more than the usual soft limit.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(_hard, max(_soft, 4096)), _hard))

ANSWERED = 'answered'


def pool(name, *lines, service='echo', listen='127.0.0.1:0'):
    """The text of a pool section; each line is an option or a section."""
    options = [f'service = "{service}"', f'listen = "{listen}"', *lines]
    return f'pool "{name}" {{\n' + '\n'.join(options) + '\n}\n'


def script(text):
    """The exec section that runs a shell script."""
    return f'exec {{ command = {{ "/bin/sh", "-c", "{text}" }} }}'


def paced(rate, seconds):
    """Comes by so often a second, for so long."""
    began = time.monotonic()
    for count in range(int(rate * seconds)):
        time.sleep(max(0, began + count / rate - time.monotonic()))
        yield count


def open_client(address, line):
    """A connection that has sent its whole request and has not read its answer."""
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(PATIENCE)
        sock.connect(where)
        sock.sendall(line)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        sock.close()
        raise
    return sock


def read_answer(sock):
    with sock:
        return read_all(sock)


def word_for(line, read):
    """Reads an echo answer and says in one word what came."""
    try:
        answer = read()
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    if answer == line:
        return ANSWERED
    return 'wrong answer' if answer else 'no answer'


def outcome(address, line):
    return word_for(line, lambda: read_answer(open_client(address, line)))


def crowd(address, number):
    """So many requests, all open at one time: {word: how often}."""
    lines = [b'client %d of a crowd\n' % client for client in range(number)]
    clients = [open_client(address, line) for line in lines]
    return dict(collections.Counter(word_for(line, functools.partial(read_answer, sock))
                                    for line, sock in zip(lines, clients)))


class Clients:
    """Clients in threads that run() until told to stop, inside a with block, and count what
    came of each request in a word."""

    def __init__(self, clients):
        self._stop = threading.Event()
        self._counts = [collections.Counter() for _ in range(clients)]
        self._threads = [threading.Thread(target=self.run, args=[number], daemon=True)
                         for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def run(self, number):
        """What one client does."""
        raise NotImplementedError

    @property
    def counts(self):
        """{word: how often} of all clients."""
        total = collections.Counter()
        for counts in self._counts:
            total.update(dict(counts))
        return total


class Load(Clients):
    """Echo clients, so many requests a second in total."""

    def __init__(self, address, rate=1000, clients=8):
        super().__init__(clients)
        self.address, self.interval = address, clients / rate

    def run(self, number):
        due = time.monotonic()
        for count in itertools.count():
            line = b'client %d line %d\n' % (number, count)
            self._counts[number][outcome(self.address, line)] += 1
            due = max(due + self.interval, time.monotonic() - 1)
            if self._stop.wait(max(0, due - time.monotonic())):
                return

    @property
    def answered(self):
        return self.counts[ANSWERED]

    @property
    def failures(self):
        """{word: how often} of all that is not an answer."""
        total = self.counts
        del total[ANSWERED]
        return dict(total)

    def wait_answered(self, more):
        """Waits until so many more requests were answered."""
        wanted = self.answered + more
        eventually(lambda: self.answered >= wanted, f'{more} more answers, {self.failures}')


class Sampler:
    """Asks again and again in a thread, inside a with block; then `answers`."""

    def __init__(self, question, every=0.005):
        self.question, self.every, self.answers, self.error = question, every, [], None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self._stop.set()
        self._thread.join()
        if self.error and not kind:
            raise self.error

    def _ask(self):
        try:
            while not self._stop.wait(self.every):
                self.answers.append(self.question())
        except Exception as error:  # to be raised where it can fail the test
            self.error = error


@contextlib.contextmanager
def held(daemon, pool_name, number):
    """So many echo connections, each proven to have a worker of its own, held open."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect(pool_name)) for _ in range(number)]
        for sock in clients:
            sock.sendall(b'held\n')
        for sock in clients:
            assert sock.recv(5) == b'held\n'
        yield clients
