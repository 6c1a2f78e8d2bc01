"""A program that accepts by itself, for tests: python3 -I -S resident.py FD [WORD...]

It serves one connection after the other on the socket FD: a line with a command, an answer,
the end.  WORD: notify=SECONDS (tells so by sd_notify, then), stop=SIGNAL (finishes its
request, then ends; else TERM), slow=SECONDS (to begin), many (any number of connections at a
time, each as a child's), nonblocking (polls before it accepts).
"""
import os
import select
import signal
import socket
import sys
import time

FD = int(sys.argv[1])
WORDS = dict(word.split('=') if '=' in word else (word, '') for word in sys.argv[2:])


def number_of(name):
    return getattr(signal, 'SIG' + name)


def finish(*_):
    """accept(2) is restarted, and finds that there is no socket any more."""
    os.dup2(os.open('/dev/null', os.O_RDWR), FD)


def tell(text):
    name = os.environ['NOTIFY_SOCKET']
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text.encode(), '\0' + name[1:] if name[0] == '@' else name)


def descriptors():
    found = {}
    for fd in os.listdir('/proc/self/fd'):
        try:
            found[int(fd)] = os.readlink(f'/proc/self/fd/{fd}')
        except FileNotFoundError:
            pass  # of the listing itself
    return found


def answer(command, *words):
    text = ' '.join(words)
    if command == 'pid':
        return str(os.getpid())
    if command == 'env':
        return '\n'.join(f'{name}={value}' for name, value in os.environ.items())
    if command == 'fds':
        return repr(descriptors())
    if command == 'sid':
        return str(os.getsid(0))
    if command == 'sleep':
        time.sleep(float(text))
    elif command == 'await':
        while not os.path.exists(text):
            time.sleep(0.01)
    elif command == 'work':
        end = time.process_time() + float(text)
        while time.process_time() < end:
            pass
    elif command == 'say':
        print(text, flush=True)
    elif command == 'complain':
        print(text, file=sys.stderr, flush=True)
    elif command == 'flood':
        for _ in range(int(text)):
            os.write(1, b'x' * 99 + b'\n')
    elif command == 'late':
        time.sleep(float(words[0]))
        for _ in range(int(words[1])):
            os.write(1, b'x' * 99 + b'\n')
    elif command == 'tell':
        tell(text)
    elif command == 'shut':
        socket.socket(fileno=os.dup(FD)).shutdown(socket.SHUT_RDWR)
    elif command == 'unblock':
        listener = os.dup(FD)
        print('unblocks', flush=True)
        while not os.path.exists(text):
            time.sleep(0.01)
        os.set_blocking(listener, False)
    elif command == 'ignore':
        for name in words:
            signal.signal(number_of(name), signal.SIG_IGN)
    elif command == 'exit':
        os._exit(int(text))
    elif command == 'die':
        os.kill(os.getpid(), number_of(text))
    elif command == 'breed':
        if os.fork() == 0:
            os.closerange(3, 100)
            signal.signal(signal.SIGTERM, signal.SIG_IGN if text == 'deaf' else signal.SIG_DFL)
            time.sleep(600)
    return 'done'


def serve(conn):
    with conn, conn.makefile('rw') as stream:
        words = stream.readline().split()
        if words == ['last']:
            os.write(conn.fileno(), b'done\n')  # send(2) would not be seen: see proc(5), io
            os.closerange(1, 3)
            time.sleep(0.05)
            os._exit(0)
        if words:
            stream.write(answer(*words) + '\n')


def main():
    signal.signal(number_of(WORDS.get('stop', 'TERM')), finish)
    time.sleep(float(WORDS.get('slow', 0)))
    if 'notify' in WORDS:
        time.sleep(float(WORDS['notify']))
        tell('READY=1')
    listener = socket.socket(fileno=FD)
    if 'nonblocking' in WORDS:
        listener.setblocking(False)
    while True:
        if 'nonblocking' in WORDS:
            select.select([FD], [], [])
        try:
            conn, _ = listener.accept()
            conn.setblocking(True)
        except BlockingIOError:
            if 'nonblocking' in WORDS:
                continue
            return
        except OSError:  # told to finish, or the queue is empty for ever
            return
        if 'many' in WORDS and os.fork() != 0:
            conn.close()
            continue
        serve(conn)
        if 'many' in WORDS:
            os._exit(0)


main()
