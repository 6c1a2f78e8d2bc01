"""preforkctl against a daemon that is played by the test: whatever comes over the control
socket, or does not, it says who is to blame, with the right exit status, and in time.
"""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from fake import DAEMON, Fake, pool, read_to_end, run, worker
from harness import PATIENCE, PREFORKCTL, ROOT, SRCDIR, eventually

DONE, FAILED, USAGE, NO_DAEMON, TIMEOUT = 0, 1, 2, 3, 4
STRANGER = 54321  # a uid that nobody has


def outcome(result):
    return result.returncode, result.stdout, result.stderr


def blamed(result, status, *texts):
    """That it ends with this status, and with one line on stderr that has all the texts."""
    assert (result.returncode, result.stdout) == (status, ''), result
    assert re.fullmatch('preforkctl: .*\n', result.stderr), result.stderr
    for text in texts:
        assert text in result.stderr
    return result.stderr


# --- requests ----------------------------------------------------------------------------

@pytest.mark.parametrize('words, line', [
    (['reload'], 'reload'),
    (['reload', '--no-wait'], 'reload --no-wait'),
    (['--no-wait', 'reload'], 'reload --no-wait'),
    (['test'], 'test'),
    (['reopen'], 'reopen'),
    (['scale', 'www', '5'], 'scale www 5'),
    (['scale', 'www', '-5'], 'scale www -5'),
    (['scale', '--no-wait', 'www', '+5'], 'scale www +5 --no-wait'),
    (['--timeout', '5m', 'scale', 'www', '--no-wait', '-5'], 'scale www -5 --no-wait'),
    (['recycle'], 'recycle'),
    (['recycle', 'www', '--timeout=20'], 'recycle www'),
    (['drain', 'www'], 'drain www'),
    (['drain', '--', '--no-wait'], r'drain \x2d-no-wait'),
    (['drain', '--', '-s'], 'drain -s'),
    (['drain', 'my pool'], r'drain my\x20pool'),
    (['drain', r'a\x20b'], r'drain a\x5cx20b'),
    (['resume', 'www', '--no-wait'], 'resume www --no-wait'),
    (['kill', '812'], 'kill 812'),
    (['kill', '812', '--now', '--no-wait'], 'kill 812 --now --no-wait'),
    (['upgrade'], 'upgrade'),
    (['--now', 'stop'], 'stop --now'),
    (['-s/nowhere', 'stop'], 'stop'),  # the last -s counts
])
def test_a_command_is_one_line(words, line):
    with Fake(b'ok done\n') as fake:
        result = run(*words, '-s', fake.path) if '--' not in words else fake.run(*words)
        assert outcome(result) == (DONE, 'done\n', '')
        assert fake.requests == [line.encode() + b'\n']


@pytest.mark.parametrize('words, line', [
    (['status'], 'status'), (['status', 'www'], 'status www'),
    (['status', '--json', 'www'], 'status www'), (['workers'], 'status'),
    (['status', '--prometheus'], 'status'), (['status', 'www', '--html'], 'status www'),
    (['workers', 'www'], 'status www'),
])
def test_workers_ask_for_the_status(words, line):
    with Fake(DAEMON + b'ok\n') as fake:
        assert fake.run(*words).returncode == DONE
        assert fake.requests == [line.encode() + b'\n']


@pytest.mark.parametrize('words', [
    [], ['dance'], ['STATUS'], ['-x', 'status'], ['--what', 'status'], ['status', '-'],
    ['status', 'a', 'b'], ['workers', 'a', 'b'], ['reload', 'now'], ['test', 'x'], ['reopen', 'x'],
    ['scale'], ['scale', 'www'], ['scale', 'www', '1', '2'], ['recycle', 'a', 'b'], ['drain'],
    ['resume'], ['resume', 'a', 'b'], ['kill'], ['kill', '1', '2'], ['upgrade', 'x'],
    ['stop', 'now'], ['version', '1'], ['status'] * 300,
    ['status', '--no-wait'], ['status', '--now'], ['workers', '--json'], ['reload', '--json'],
    ['workers', '--html'], ['stop', '--prometheus'], ['status', '--json', '--html'],
    ['status', '--html', '--prometheus'],
    ['reload', '--now'], ['drain', 'www', '--now'], ['test', '--no-wait'], ['--no-wait', 'version'],
    ['status', '--timeout'], ['status', '--timeout', 'soon'], ['status', '--timeout', '0'],
    ['status', '--timeout=-1s'], ['status', '--timeout', '31d'], ['status', '--timeouts=5'],
    ['status', '-s'], ['status', '-s', ''], ['status', '--json=1'],
    ['drain', ''], ['drain', 'a\nb'], ['drain', 'a\tb'], ['drain', 'x' * 1024],
], ids=lambda words: ' '.join(words)[:40])
def test_wrong_usage_asks_nobody(words):
    with Fake(b'ok\n') as fake:
        result = run('-s', fake.path, *words)
        assert (result.returncode, result.stdout) == (USAGE, ''), result
        assert result.stderr.startswith('preforkctl: ')
        assert fake.requests == []
        assert fake.run('reload').returncode == DONE and len(fake.requests) == 1


def test_wrong_usage_says_what_would_be_right():
    assert 'usage: preforkctl scale POOL N|+N|-N\n' in run('scale', 'www').stderr
    assert 'dance' in run('dance').stderr
    assert '--now does not go with status' in run('status', '--now').stderr
    assert '500ms, 20s' in run('status', '--timeout', 'soon').stderr


@pytest.mark.parametrize('option', ['-h', '--help'])
def test_the_help_needs_no_daemon(option):
    result = run(option)
    assert (result.returncode, result.stderr) == (DONE, '')
    assert result.stdout.startswith('usage: preforkctl ')


@pytest.mark.parametrize('option', ['-V', '--version'])
def test_its_own_version_needs_no_daemon(option):
    status, said, err = outcome(run(option))
    assert (status, err) == (DONE, '') and re.fullmatch(r'preforkctl \d+\.\d+\.\d+\n', said)


# --- answers -----------------------------------------------------------------------------

def test_success_is_a_sentence_on_stdout():
    with Fake(b'ok reload done: kept a\n') as fake:
        assert outcome(fake.run('reload')) == (DONE, 'reload done: kept a\n', '')


def test_a_refusal_is_the_daemons_own_words_on_stderr():
    with Fake(b'failed /etc/p.conf:12: unknown option "x"\n') as fake:
        assert outcome(fake.run('reload')) == (FAILED, '', '/etc/p.conf:12: unknown option "x"\n')


@pytest.mark.parametrize('answer, status', [(b'ok\n', DONE), (b'ok \n', DONE), (b'failed\n', FAILED)])
def test_the_last_line_may_have_no_text(answer, status):
    with Fake(answer) as fake:
        assert fake.run('reload').returncode == status


@pytest.mark.parametrize('words', [['status'], ['status', '--json'], ['status', '--prometheus'],
                                   ['status', '--html'], ['workers']])
def test_a_status_that_is_refused_prints_nothing_on_stdout(words):
    with Fake(DAEMON + b'failed no pool x: there are a, b\n') as fake:
        assert outcome(fake.run(*words)) == (FAILED, '', 'no pool x: there are a, b\n')


def test_both_versions():
    own = run('-V').stdout
    with Fake(b'ok preforkd 9.8\n') as fake:
        assert outcome(fake.run('version')) == (DONE, own + 'preforkd 9.8\n', '')


def test_its_own_version_alone_if_there_is_no_daemon():
    result = run('-s', '/nowhere/control.sock', 'version')
    assert (result.returncode, result.stdout) == (NO_DAEMON, run('-V').stdout)
    assert '/nowhere/control.sock' in result.stderr


def test_the_status_for_people():
    answer = DAEMON + pool('www', busy=2, saturated_ms=12000) + worker(
        'www', 4711, state='busy', client='192.0.2.1:99', request='/bin/date') + worker(
        'www', 4712, state='idle') + b'ok\n'
    with Fake(answer) as fake:
        status, said, err = outcome(fake.run('status'))
        assert (status, err) == (DONE, '')
        assert said.startswith('preforkd 9.8, pid 812, up 1m05s, generation 2, 12 of 1000 workers, ')
        assert re.search(r'^www +exec +\*:80 +running +0 +2 ', said, re.M)
        assert '\npool www: saturated for 12s' in said and '4712' not in said
        assert re.search(r'^pool www: longest request: worker 4711, client 192\.0\.2\.1:99, for .*: '
                         r'/bin/date$', said, re.M)
        status, said, err = outcome(fake.run('workers'))
        assert (status, err) == (DONE, '')
        assert re.search(r'^www +4711 +busy .* 192\.0\.2\.1:99 +/bin/date$', said, re.M)


def test_the_status_for_programs():
    answer = DAEMON + pool('a') + worker('a', 1) + worker('a', 2) + pool('b') + b'ok\n'
    with Fake(answer) as fake:
        status, said, err = outcome(fake.run('status', '--json'))
        assert (status, err) == (DONE, '')
        document = json.loads(said)
        assert said == json.dumps(document, indent=2) + '\n'
        assert document['uptime_s'] == 65.321
        assert [each['name'] for each in document['pools']] == ['a', 'b']
        assert [each['pid'] for each in document['pools'][0]['workers']] == [1, 2]


def test_the_status_for_prometheus():
    answer = DAEMON + pool('a', accepted=7) + worker('a', 1, state='idle') + b'ok\n'
    with Fake(answer) as fake:
        before = time.time()
        status, said, err = outcome(fake.run('status', '--prometheus'))
        assert (status, err) == (DONE, '')
        assert '\npreforkd_connections_total{pool="a"} 7\n' in said
        started = int(re.search(r'^preforkd_start_time_seconds (\d+)$', said, re.M)[1])
        assert before - 66 <= started <= time.time() - 64


def test_the_status_for_a_browser():
    with Fake(DAEMON + pool('a<b') + worker('a<b', 4711, state='idle') + b'ok\n') as fake:
        status, said, err = outcome(fake.run('status', '--html'))
        assert (status, err) == (DONE, '')
        assert said.startswith('<!DOCTYPE html>\n') and said.endswith('</html>\n')
        assert 'a&#60;b' in said and '>4711<' in said and '<script' not in said


def test_what_a_newer_daemon_says_beyond_is_ignored():
    answer = (b'weather\train=1\n' + DAEMON.replace(b'\n', b'\tmoon=full\n') + pool('a', colour=5)
              + b'moon\nok\n')
    with Fake(answer) as fake:
        document = json.loads(fake.run('status', '--json').stdout)
        assert document['version'] == '9.8' and 'colour' not in document['pools'][0]


ODD = [b'\xff', b'\xc3', b'\xed\xa0\x80', b'\xf5\x80\x80\x80', b'\\x01\\x1f\\x7f', b'\\x0a\\x09\\x5c',
       b'"', b'\xc2\x9b', b'\\x00', b'\\x', b'\xf0\x9f\x98\x80', b'\xef\xbf\xbf']


@pytest.mark.parametrize('odd', ODD, ids=ascii)
def test_odd_bytes_neither_break_the_document_nor_command_the_terminal(odd):
    request = b'worker\tpool=a\tpid=1\trequest=<' + odd + b'>\n'
    with Fake(DAEMON + pool('a') + request + b'ok\n') as fake:
        document = json.loads(fake.run('status', '--json', text=False).stdout.decode('utf-8'))
        text = document['pools'][0]['workers'][0]['request']
        raw = odd
        for escape in set(re.findall(rb'\\x(?!00)[0-9a-f]{2}', odd)):
            raw = raw.replace(escape, bytes([int(escape[2:], 16)]))
        assert text == '<' + raw.decode('utf-8', 'replace') + '>'
        said = fake.run('workers', text=False).stdout.decode('utf-8')
        assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]', said)
        assert len(said.splitlines()) == 2 and '<' in said and '>\n' in said


def test_a_sentence_does_not_command_the_terminal():
    with Fake(b'failed \x1b[2J\xff gone\n') as fake:
        assert outcome(fake.run('reload')) == (FAILED, '', '\\x1b[2J\\xff gone\n')
    with Fake(b'ok \x1b[2J\n') as fake:
        assert outcome(fake.run('reload')) == (DONE, '\\x1b[2J\n', '')


def test_a_huge_answer():
    number = 30000

    def answer(sock):
        sock.sendall(DAEMON + pool('www'))
        for first in range(0, number, 1000):
            sock.sendall(b''.join(worker('www', pid, state='busy', request='x' * 100)
                                  for pid in range(first, first + 1000)))
        sock.sendall(b'ok\n')
    with Fake(answer) as fake:
        document = json.loads(fake.run('status', '--json').stdout)
        assert [each['pid'] for each in document['pools'][0]['workers']] == list(range(number))
        assert len(fake.run('workers').stdout.splitlines()) == number + 1


def test_an_answer_in_pieces():
    def answer(sock):
        for byte in DAEMON + pool('www') + b'ok\n':
            sock.sendall(bytes([byte]))
    with Fake(answer) as fake:
        assert json.loads(fake.run('status', '--json').stdout)['pools'][0]['name'] == 'www'


def test_the_last_line_is_the_end_even_if_the_daemon_does_not_close():
    with Fake(lambda sock: (sock.sendall(b'ok done\n'), read_to_end(sock))) as fake:
        assert outcome(fake.run('reload')) == (DONE, 'done\n', '')


def test_who_is_sent_away_unheard_is_told_why():
    with Fake(b'failed too many requests at once\n') as fake:
        fake.read_first = False
        for _ in range(20):
            assert outcome(fake.run('reload')) == (FAILED, '', 'too many requests at once\n')


@pytest.mark.parametrize('words', [['--help'], ['--version'], ['status', '--json'], ['workers'],
                                   ['reload']])
def test_an_answer_that_cannot_be_written_is_no_success(words):
    answer = DAEMON + pool('www') + b'ok done\n'
    with Fake(answer) as fake, open('/dev/full', 'w') as full:
        result = fake.run(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert result.returncode == FAILED and 'standard output' in result.stderr


# --- nobody there, or somebody else ------------------------------------------------------

def test_there_is_no_socket(tmp_path):
    blamed(run('-s', str(tmp_path / 'x'), 'status'), NO_DAEMON, str(tmp_path / 'x'), 'no such socket')
    blamed(run('-s', str(tmp_path / 'x/y'), 'stop'), NO_DAEMON, 'no such socket')


def test_nobody_listens():
    with Fake(b'ok\n') as fake:
        left = f'{fake.dir}/left'
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(left)
        blamed(run('-s', left, 'status'), NO_DAEMON, left, 'nobody listens')


def test_it_is_no_socket_of_a_daemon(tmp_path):
    with Fake(b'ok\n') as fake, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f'{fake.dir}/datagrams')
        blamed(run('-s', f'{fake.dir}/datagrams', 'status'), NO_DAEMON, 'not a socket that')
    blamed(run('-s', str(tmp_path), 'status'), NO_DAEMON, 'not a socket that')
    blamed(run('-s', '/' + 'x' * 107, 'status'), NO_DAEMON, 'too long')
    blamed(run('-s', '/' + 'x' * 106, 'status'), NO_DAEMON, 'no such socket')


def test_an_ordinary_user_may_not_use_a_closed_socket():
    if ROOT:
        pytest.skip('root may')
    with Fake(b'ok\n') as fake:
        os.chmod(fake.path, 0)
        blamed(fake.run('status'), NO_DAEMON, fake.path, 'permission denied', 'control_group')
        os.chmod(fake.path, 0o600)
        assert fake.run('reload').returncode == DONE


@pytest.fixture
def stranger():
    """Runs preforkctl as a user who is nobody, with these groups."""
    def run_as(path, *groups):
        return run('-s', path, 'reload', user=STRANGER, group=STRANGER, extra_groups=groups)
    try:
        subprocess.run([PREFORKCTL, '-V'], user=STRANGER, group=STRANGER, stdout=subprocess.DEVNULL)
    except PermissionError:
        pytest.skip(f'uid {STRANGER} cannot reach {PREFORKCTL}')
    return run_as


@pytest.mark.root
def test_who_may_use_the_socket_is_said(stranger):
    with Fake(b'ok\n') as fake:
        os.chmod(fake.path, 0o600)
        blamed(stranger(fake.path), NO_DAEMON, fake.path, 'permission denied', 'only for root and',
               'control_group')
        os.chown(fake.path, 1, 1)
        blamed(stranger(fake.path, 1), NO_DAEMON, 'only for root, daemon and', 'control_group')
        os.chown(fake.path, 0, 1)
        os.chmod(fake.path, 0o660)
        blamed(stranger(fake.path), NO_DAEMON, 'only for root and the group daemon')
        assert stranger(fake.path, 1).returncode == DONE
        os.chmod(fake.dir, 0o700)
        blamed(stranger(fake.path, 1), NO_DAEMON, 'permission denied', 'only root')


@pytest.mark.parametrize('answer', [b'', b'\n', b'po', DAEMON, DAEMON + pool('a'), b'ok', b'ok done',
                                    b'failed half a sen'],
                         ids=lambda answer: answer[:20].decode() or 'nothing')
def test_a_daemon_that_goes_away(answer):
    with Fake(answer) as fake:
        text = 'not preforkd' if answer == b'\n' else \
            'went away within its answer' if answer else 'went away without an answer'
        for command in ('status', 'reload'):
            blamed(fake.run(command), NO_DAEMON, fake.path, text)


GARBAGE = {
    'a web server': b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
    'a greeting': b'220 mail.example.org ESMTP\r\n',
    'odd bytes': bytes(range(128, 256)) + b'\n',
    'a zero byte': b'ok \0\n',
    'zero bytes': b'\0' * 5000 + b'\n',
    'a record with a hole': b'pool\tname\nok\n',
    'an empty line': b'\nok\n',
    'a sentence behind a sentence': b'well done\nok\n',
    'a line that is too long': b'pool\tname=' + b'x' * 65536 + b'\nok\n',
}


@pytest.mark.parametrize('answer', GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_not_preforkd(answer):
    with Fake(answer) as fake:
        for words in (['status'], ['status', '--json'], ['reload']):
            blamed(fake.run(*words), NO_DAEMON, fake.path, 'not preforkd')


@pytest.mark.parametrize('piece', [b'x' * 60000, b'pool\tname=' + b'x' * 60000 + b'\n'],
                         ids=['a line', 'records'])
def test_an_answer_without_an_end_is_cut_off(piece):
    def answer(sock):
        for _ in itertools.repeat(None):
            sock.sendall(piece)
    with Fake(answer) as fake:
        for command in ('status', 'reload'):
            blamed(fake.run(command), NO_DAEMON, 'not preforkd')


@pytest.mark.parametrize('records, text', [
    (b'', 'nothing of the daemon'),
    (pool('a'), 'nothing of the daemon'),
    (DAEMON + worker('a', 1), 'behind its pool'),
    (DAEMON + pool('a') + pool('b') + worker('a', 1), 'behind its pool')],
    ids=['nothing', 'no daemon', 'no pool', 'another pool'])
def test_a_status_that_makes_no_sense(records, text):
    with Fake(records + b'ok\n') as fake:
        for words in (['status'], ['status', '--json'], ['workers']):
            blamed(fake.run(*words), NO_DAEMON, text)


# --- time --------------------------------------------------------------------------------

@pytest.mark.parametrize('words, text', [
    (['status'], 'did not answer within 300 ms'), (['version'], 'did not answer within 300 ms'),
    (['reload', '--no-wait'], 'did not answer within 300 ms'),
    (['drain', 'www'], 'drain is still under way after 300ms; it goes on'),
    (['stop'], 'stop is still under way after 300ms'), (['test'], 'test is still under way')])
@pytest.mark.parametrize('begin', [b'', b'o', DAEMON], ids=['nothing', 'a byte', 'a record'])
def test_time_is_up(words, text, begin):
    with Fake(lambda sock: (sock.sendall(begin), read_to_end(sock))) as fake:
        began = time.monotonic()
        result = fake.run('--timeout', '300ms', *words)
        assert time.monotonic() - began >= 0.3
        assert result.returncode == TIMEOUT and text in result.stderr, result
        assert result.stdout == ('' if words != ['version'] else run('-V').stdout)


def test_time_is_up_even_if_something_comes_now_and_then():
    over = threading.Event()

    def answer(sock):
        while not over.wait(0.02):
            sock.sendall(b'moon\tphase=1\n')
    with Fake(answer) as fake:
        try:
            blamed(fake.run('status', '--timeout=500ms'), TIMEOUT, 'within 500 ms')
        finally:
            over.set()


def test_a_daemon_that_takes_no_connection():
    with contextlib.ExitStack() as stack:
        fake = Fake(b'ok\n')  # not entered: nobody accepts
        stack.callback(shutil.rmtree, fake.dir)
        stack.enter_context(fake.socket)
        fake.socket.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.setblocking(False)
                sock.connect(fake.path)
        for command in ('status', 'stop'):
            blamed(fake.run('--timeout', '300ms', command), TIMEOUT, fake.path, 'took no connection',
                   '300 ms')


def test_a_command_that_waits_has_no_limit_of_its_own_but_others_have():
    def limit(pid):
        """The milliseconds that it waits in poll(2) for an answer: the third argument."""
        words = open(f'/proc/{pid}/syscall').read().split()
        return int(words[3], 16) & 0xffffffff if len(words) > 3 and words[0] == '7' else None
    with Fake(read_to_end) as fake:
        if os.uname().machine != 'x86_64' or not os.access('/proc/self/syscall', os.R_OK):
            pytest.skip('needs /proc/PID/syscall')
        for words, least, most in [(['status'], 10000, 20000), (['reload', '--no-wait'], 10000, 20000),
                                   (['drain', 'www'], 0xffffffff, 0xffffffff)]:
            with subprocess.Popen([PREFORKCTL, '-s', fake.path, *words]) as process:
                try:
                    assert least <= eventually(lambda: limit(process.pid)) <= most
                finally:
                    process.kill()


def test_an_interrupted_client_just_goes():
    with Fake(read_to_end) as fake:
        # Who runs these tests in the background has SIGINT ignored, and so would it.
        command = ['env', '--default-signal=INT', PREFORKCTL, '-s', fake.path, 'stop']
        with subprocess.Popen(command) as process:
            eventually(lambda: fake.requests)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == -signal.SIGINT


def test_a_client_that_was_stopped_and_goes_on_still_gets_its_answer():
    go_on = threading.Event()
    with Fake(lambda sock: (go_on.wait(PATIENCE), sock.sendall(b'ok done\n'))) as fake:
        with subprocess.Popen([PREFORKCTL, '-s', fake.path, '--timeout', '1m', 'stop'],
                              stdout=subprocess.PIPE, text=True) as process:
            eventually(lambda: fake.requests)
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            process.send_signal(signal.SIGCONT)
            go_on.set()
            assert process.communicate(timeout=PATIENCE)[0] == 'done\n'
            assert process.returncode == DONE


# --- completion --------------------------------------------------------------------------

def complete(*words):
    """What bash offers for the last word."""
    script = '''. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _preforkctl
                [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"'''
    result = subprocess.run(['bash', '-c', script, 'bash', SRCDIR / 'conf/preforkctl.bash-completion',
                             PREFORKCTL, *words], capture_output=True, text=True, timeout=PATIENCE)
    assert (result.returncode, result.stderr) == (0, '')
    return result.stdout.splitlines()


needs_bash = pytest.mark.skipif(not shutil.which('bash'), reason='needs bash')


@needs_bash
def test_commands_and_options_are_completed():
    usage = run('-h').stdout
    commands = re.findall(r'^  ([a-z]+) ', usage, re.M) + re.findall(r'; ([a-z]+) POOL:', usage)
    assert len(commands) == 14 and sorted(complete('')) == sorted(commands)
    assert complete('re') == ['reload', 'reopen', 'recycle', 'resume']
    assert complete('--timeout', '5s', 'work') == ['workers']
    assert complete('--timeout', '=', '5s', 'work') == ['workers']  # --timeout=5s, as bash splits it
    assert complete('--timeout', '=', 'w') == complete('--timeout', '=') == []
    assert complete('--timeout', '') == [] and complete('scale', 'www', '') == []
    assert complete('-') == ['-s', '--timeout', '--help', '--version']
    for command in commands:
        offered = complete(command, '--')
        for option in '--json', '--prometheus', '--html', '--no-wait', '--now':
            result = run('-s', '/nowhere', command, *['1'] * usage_words(command), option)
            assert (result.returncode != USAGE) == (option in offered), (command, option)


def usage_words(command):
    return {'scale': 2, 'drain': 1, 'resume': 1, 'kill': 1}.get(command, 0)


@needs_bash
def test_pools_and_workers_are_asked_of_the_daemon():
    answer = (DAEMON + pool('www') + worker('www', 4711) + worker('www', 4822)
              + pool('web site') + worker('web site', 5000) + pool('mail') + b'ok\n')
    with Fake(answer) as fake:
        for command in 'status', 'workers', 'scale', 'recycle', 'drain', 'resume':
            assert complete('-s', fake.path, command, '') == ['www', r'web\ site', 'mail']
        assert complete('drain', '-s', fake.path, '--no-wait', 'w') == ['www', r'web\ site']
        assert complete('-s', fake.path, 'kill', '--now', '') == ['4711', '4822', '5000']
        assert complete('-s', fake.path, 'kill', '48') == ['4822']
        assert complete(f'-s{fake.path}', '--timeout', '=', '1s', 'drain', 'w') == ['www', r'web\ site']
        assert complete('-s', fake.path[:-2]) == [fake.path]
        assert complete('-s', fake.path, 'reload', '') == []
    assert complete('-s', '/nowhere', 'drain', '') == []
