"""The configuration: what is valid, what is refused and how, what is in force.

tests/conf/bad has one fault a file; its first line says where and what:
"# LINE: a part of the message" (LINE 0: the message names the file only).
Files are tested as copies, so that it does not matter who may write the originals.
"""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

from daemonized import Daemonized
from harness import (PATIENCE, PREFORKD, ROOT, SANITIZED, SRCDIR, Daemon, check_config, eventually,
                     read_all)
from load import pool
from test_control import wait_pool

BAD = sorted((SRCDIR / 'tests/conf/bad').glob('*.conf'))
GOOD = sorted((SRCDIR / 'tests/conf/good').glob('*.conf'))
SAMPLE = SRCDIR / 'conf/preforkd.conf.sample'

# What an ordinary user cannot change is ignored with a warning, or refused as such.
ROOT_ONLY = {'user-unknown', 'group-unknown', 'pool-user-unknown', 'pool-group-unknown',
             'supplementary-group-unknown', 'supplementary-groups-empty-name', 'chroot-missing',
             'chroot-is-a-file', 'http-cgi-user-unknown', 'http-cgi-user-without-root'}
NEEDS_ROOT = {'full-vocabulary'}  # chroot

IDENTITY = 'user = "nobody"\ngroup = "nogroup"\n'
ECHO = pool('a', 'workers = 1')


@pytest.fixture(autouse=True)
def corpus_environment(tmp_path, monkeypatch):
    """What the good files find in their environment."""
    shutil.copytree(SRCDIR / 'tests/conf/good', tmp_path / 'good')
    for path in [tmp_path / 'good', *(tmp_path / 'good').rglob('*')]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    monkeypatch.setenv('PREFORKD_TEST_GOOD', str(tmp_path / 'good'))
    monkeypatch.setenv('PREFORKD_TEST_DIR', str(tmp_path))


def skip_without_root(source, names):
    if not ROOT and source.stem in names:
        pytest.skip('needs root')


def put(path, content, mode=0o644):
    """Writes a file as a whole, at once."""
    new = path.with_name(path.name + '.new')
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    new.chmod(mode)
    new.rename(path)
    return path


def copy(source, directory):
    return put(directory / source.name, source.read_bytes())


def run(*args):
    return subprocess.run([PREFORKD, *map(str, args)], capture_output=True, text=True,
                          errors='replace', timeout=PATIENCE)


def dump(path):
    result = run('-T', '-f', path)
    assert result.returncode == 0, result.stderr
    return result.stdout


def check(path):
    """-t for a daemon in the foreground: whether there is a syslog does not matter."""
    return check_config(path, '-n')


def refusal(path, text='', check=check):
    """That -t refuses the file and says so; what it says."""
    result = check(path)
    assert result.returncode == 1, result.stderr
    assert text in result.stderr
    return result.stderr


def accepted(path):
    result = check(path)
    assert result.returncode == 0, result.stderr
    return True


def names_the_fault(said, path, source):
    first = source.read_bytes().split(b'\n')[0].decode()
    line, text = re.fullmatch(r'# (\d+): (.+)', first).groups()
    where = f'{path}:{line}: ' if line != '0' else f'{path}: '
    return where in said and text in said.split(where, 1)[1]


def bad(name):
    return next(source for source in BAD if source.stem == name)


def ids(paths):
    return {'argvalues': paths, 'ids': [path.stem for path in paths]}


# ---- the corpus --------------------------------------------------------------------

@pytest.mark.parametrize('source', **ids(BAD))
def test_a_bad_file_is_refused_with_file_line_and_reason(source, tmp_path):
    skip_without_root(source, ROOT_ONLY)
    path = copy(source, tmp_path)
    said = refusal(path, check=check_config if source.stem.startswith('log-') else check)
    assert names_the_fault(said, path, source), said


@pytest.mark.parametrize('source', **ids(GOOD))
def test_a_good_file_is_valid(source, tmp_path):
    skip_without_root(source, NEEDS_ROOT)
    path = copy(source, tmp_path)
    assert accepted(path)


@pytest.mark.parametrize('source', **ids([*GOOD, SAMPLE]))
def test_the_dump_of_a_dump_is_identical(source, tmp_path):
    skip_without_root(source, NEEDS_ROOT)
    once = dump(as_runnable(copy(source, tmp_path)))
    again = dump(put(tmp_path / 'dump.conf', once))
    assert once == again
    assert once.count('\npool ') >= 1


def runnable(text):
    """The sample names a user, directories and ports that a test machine may lack."""
    text = re.sub(r'^#?user = "preforkd"', 'user = "nobody"', text, flags=re.M)
    text = text.replace('path = "/usr/lib/cgi-bin"', 'path = "/usr/lib"')
    text = text.replace(' = "/run/preforkd/', ' = "/tmp/')
    return re.sub(r'^(\tlisten = "127\.0\.0\.1:)\d+', r'\g<1>0', text, flags=re.M)


def as_runnable(path):
    return put(path, runnable(path.read_text()))


def test_the_corpus_is_large_enough():
    assert len(BAD) >= 60 and len(GOOD) >= 8


def refused_by_reload(daemon, source):
    """Whether a reload of the file is refused for its fault."""
    put(daemon.conf_path, source.read_bytes())
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    try:
        line = daemon.wait_log(r'^.*reload (done|refused).*$', since=mark).group(0)
    except AssertionError:
        pytest.fail(f'no outcome of a reload of {source.name}')
    refused = 'refused, nothing was changed: ' in line
    return refused and names_the_fault(line, daemon.conf_path, source)


def test_a_running_daemon_refuses_each_bad_file_and_goes_on():
    base = pool('kept', 'workers = 2')
    with Daemonized(base) as daemon:
        workers, taken = daemon.wait_workers(2, 'kept'), []
        for source in BAD:
            if not ROOT and source.stem in ROOT_ONLY:
                continue
            if not refused_by_reload(daemon, source):
                taken.append(source.stem)
            daemon.reload(base, expect='done')  # nothing of the bad one is left in the parser
        assert taken == []
        assert daemon.ask('kept', b'still here\n') == b'still here\n'
        assert daemon.workers('kept') == workers


def test_a_running_daemon_takes_each_good_file():
    base = pool('kept', 'workers = 1')
    with Daemon(base) as daemon:
        workers = daemon.wait_workers(1, 'kept')
        for source in GOOD:
            if not ROOT and source.stem in NEEDS_ROOT:
                continue
            daemon.write(base)
            put(daemon.conf_path, daemon.conf_path.read_text() + without_globals(source))
            daemon.reload()
            assert daemon.ask('kept', b'still here\n') == b'still here\n'
        daemon.reload(base)
        assert daemon.wait_workers(1) == workers


def without_globals(source):
    text = source.read_bytes().decode()
    pools = re.search(r'^pool', text, re.M)
    return text[pools.start():] if pools else ''


@pytest.mark.parametrize('name', ['unknown-option', 'duplicate-pool', 'truncated-pool', 'no-pool',
                                  'directory-missing', 'command-program-missing',
                                  'two-pools-one-address', 'start-more-than-max'])
def test_t_and_a_reload_agree_word_for_word(name):
    with Daemon(ECHO) as daemon:
        put(daemon.conf_path, bad(name).read_bytes())
        reason = daemon.reload(expect='refused').split('nothing was changed: ')[1]
        assert check(daemon.conf_path).stderr.splitlines()[-1] == reason


def test_a_bad_escape_does_not_spoil_the_next_file():
    """libconfuse's scanner keeps its state over an error in a string."""
    with Daemon(ECHO) as daemon:
        for _ in range(3):
            put(daemon.conf_path, bad('escape-octal-too-big').read_bytes())
            daemon.reload(expect='refused')
            daemon.reload(ECHO, expect='done')


# ---- the sample --------------------------------------------------------------------

def uncommented():
    return re.sub(r'^(\s*)#(\w+ = )', r'\1\2', SAMPLE.read_text(), flags=re.M)


def table_options():
    """{table: names} of src/conf_options.c."""
    source = (SRCDIR / 'src/conf_options.c').read_text()
    shared = re.search(r'#define SITE_OPTIONS(.*?[^\\])\n', source, re.S)[1]
    tables = dict(re.findall(r'(\w+)_options\[\] = \{(.*?)^\};', source, re.M | re.S))
    names = {table: set(re.findall(r'\{ "(\w+)",\s+CONF_', text.replace('SITE_OPTIONS', shared)))
             for table, text in tables.items()}
    for table in ('pool', 'cgi'):
        assert 'RLIMITS(' in tables[table]
        names[table] |= {f'rlimit_{name}' for name in re.findall(r'RLIMIT\("(\w+)"', source)}
    return names


def test_the_sample_is_valid(tmp_path):
    assert accepted(as_runnable(copy(SAMPLE, tmp_path)))


def test_what_the_sample_shows_commented_out_are_the_defaults(tmp_path):
    text = uncommented()
    assert text.count('\n') == SAMPLE.read_text().count('\n') and text != SAMPLE.read_text()
    shown = put(tmp_path / 'shown', text)
    default = dump(copy(SAMPLE, tmp_path))
    # The sample is for a package; ./configure --runstatedir moves the run directory.
    run_directory = re.search(r'^pid_file = "(.*)/preforkd\.pid"$', default, re.M).group(1)
    assert dump(shown).replace('"/run/preforkd/', f'"{run_directory}/') == default


# What an example of the sample, taken alone, lacks or does not go with there.
COMPANY = 'goes with|go together|contradict each other|is not for HTTP|No such file'


def test_what_the_sample_shows_as_examples_is_understood(tmp_path):
    text = SAMPLE.read_text()
    examples = list(re.finditer(r'^\s*(# e\.g\. )(?=\w+ = )', text, re.M))
    assert len(examples) > 50
    for example in examples:
        alone = text[:example.start(1)] + text[example.end(1):]
        result = run('-T', '-f', put(tmp_path / 'example', alone))
        assert result.returncode == 0 or re.search(COMPANY, result.stderr), result.stderr
    module = re.sub(r'^# e\.g\. pool "kv".*?^# e\.g\. \}$',
                    lambda found: found[0].replace('# e.g. ', ''), text, flags=re.M | re.S)
    assert 'pool "kv"' in dump(put(tmp_path / 'module', module))


def test_the_dump_knows_the_options_of_the_tables_and_no_others(tmp_path):
    text = dump(as_runnable(copy(SAMPLE, tmp_path)))
    for indent, tables in (('', ['global']), ('\t', ['pool']),
                           ('\t\t', ['exec', 'program', 'echo', 'rot13', 'http', 'status']),
                           ('\t\t\t', ['site', 'alias', 'cgi', 'redirect', 'location',
                                     'error_document', 'status'])):
        known = set().union(*(table_options()[table] for table in tables))
        shown = set(re.findall(rf'^{indent}(\w+) = ', text, re.M))
        assert shown and shown <= known


def open_sections(text):
    """How many braces are open at the end of a text without comments and without '{' in strings."""
    return text.count('{') - text.count('}')


def test_every_prefix_of_the_sample_that_cuts_a_section_is_refused(tmp_path):
    bare = re.sub(r'\s*#.*', '', runnable(uncommented()))
    assert accepted(put(tmp_path / 'whole', bare))
    refused = 0
    for end in range(1, len(bare), 7 if SANITIZED else 1):
        if open_sections(bare[:end]) > 0:
            refusal(put(tmp_path / 'cut', bare[:end]), str(tmp_path / 'cut'))
            refused += 1
    assert refused > (50 if SANITIZED else 500)


def test_the_sample_cut_behind_each_line_is_refused_inside_a_section(tmp_path):
    lines = as_runnable(copy(SAMPLE, tmp_path)).read_text().splitlines(keepends=True)
    for end in range(1, len(lines)):
        code = re.sub(r'#.*', '', ''.join(lines[:end]))
        cut = put(tmp_path / 'cut', ''.join(lines[:end]))
        assert (check(cut).returncode == 0) == (open_sections(code) == 0 and 'pool' in code)


# ---- include_dir ---------------------------------------------------------------------

@pytest.fixture
def include(tmp_path):
    """A main file that includes DIR/conf.d, and a way to put files there."""
    directory = tmp_path / 'conf.d'
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    main = put(tmp_path / 'main.conf', f'{IDENTITY}include_dir = "{directory}"\n{ECHO}')

    def add(name, text):
        return put(directory / name, text)
    add.main, add.directory = main, directory
    return add


def pools_of(path):
    return re.findall(r'^pool "(.*)" \{', dump(path), re.M)


def test_included_files_are_read_in_the_order_of_their_bytes(include):
    for number, name in enumerate(['10-b.conf', '9-a.conf', 'Z.conf', 'a.conf', 'é.conf']):
        include(name, pool(f'number {number}'))
    assert pools_of(include.main) == ['a'] + [f'number {number}' for number in range(5)]


def test_what_is_no_configuration_is_not_included(include):
    include('yes.conf', pool('yes'))
    for name in ('.hidden.conf', 'backup.conf~', 'x.conf.dpkg-old', 'x.conf.dpkg-dist', 'README',
                 'x.conf.bak', 'conf', '.conf'):
        include(name, 'this is no configuration {')
    assert pools_of(include.main) == ['a', 'yes']


def test_an_empty_include_dir_is_fine(include):
    assert pools_of(include.main) == ['a']


def test_a_fault_in_an_included_file_names_that_file(include):
    bad = include('b.conf', '\n\ncolour = "red"\n')
    assert f'{bad}:3: unknown option "colour"' in refusal(include.main)


def test_an_included_file_that_is_cut_short_is_refused(include):
    bad = include('b.conf', 'pool "b" {\n')
    assert f'{bad}:1: ' in refusal(include.main, 'never closed')


def test_global_options_may_stand_in_an_included_file(include):
    include('b.conf', 'max_workers = 77\n')
    assert 'max_workers = 77\n' in dump(include.main)


def test_a_pool_of_two_files_is_refused_naming_both(include):
    other = include('b.conf', '\n' + ECHO)
    assert f'{other}:2: pool "a" is defined twice: first at {include.main}:4' in \
        refusal(include.main)


def test_a_global_option_of_two_files_is_refused_naming_both(include):
    other = include('b.conf', 'group = "nogroup"\n')
    assert f'{other}:1: group is set twice: first at {include.main}:2' in refusal(include.main)


def test_an_included_file_includes_no_directory(include):
    other = include('b.conf', f'include_dir = "{include.directory}"\n')
    assert f'{other}:1: ' in refusal(include.main, 'include_dir')


def test_an_include_dir_that_has_the_file_itself_is_refused(include):
    main = put(include.directory / 'main.conf', include.main.read_text())
    include('0.conf', pool('b'))
    assert f'{main}:3: include_dir: it has this file itself' in refusal(main)


# ---- who may write the file -----------------------------------------------------------

@pytest.mark.parametrize('mode', [0o666, 0o646, 0o602])
def test_a_file_that_others_can_write_is_refused(mode, tmp_path):
    path = put(tmp_path / 'preforkd.conf', IDENTITY + ECHO)
    assert accepted(path)
    path.chmod(mode)
    assert f'{path}: ' in refusal(path, 'chmod go-w')


@pytest.mark.root
def test_a_file_that_a_group_can_write_is_refused(tmp_path):
    path = put(tmp_path / 'preforkd.conf', IDENTITY + ECHO)
    os.chown(path, 0, pwd.getpwnam('nobody').pw_gid)
    assert accepted(path)
    path.chmod(0o664)
    assert f'{path}: ' in refusal(path, 'chmod go-w')


@pytest.mark.root
def test_a_file_of_somebody_else_is_refused(tmp_path):
    path = put(tmp_path / 'preforkd.conf', IDENTITY + ECHO)
    assert accepted(path)
    os.chown(path, pwd.getpwnam('nobody').pw_uid, 0)
    assert f'{path}: ' in refusal(path, 'chown root')


def test_an_included_file_that_others_can_write_is_refused(include):
    other = include('b.conf', pool('b'))
    assert accepted(include.main)
    other.chmod(0o666)
    assert f'{other}: ' in refusal(include.main, 'chmod go-w')


def test_an_include_dir_that_others_can_write_is_refused(include):
    include.directory.chmod(0o777)
    assert str(include.directory) in refusal(include.main, 'chmod go-w')


def test_a_file_that_is_not_there_or_not_a_file_is_refused(tmp_path):
    refusal(tmp_path / 'none.conf', f'{tmp_path}/none.conf: No such file or directory')
    refusal(tmp_path, f'{tmp_path}: not a regular file')
    os.mkfifo(tmp_path / 'fifo')
    refusal(tmp_path / 'fifo', f'{tmp_path}/fifo: not a regular file')


# ---- values ----------------------------------------------------------------------------

def test_double_quotes_expand_the_environment_and_single_quotes_do_not(tmp_path, monkeypatch):
    monkeypatch.setenv('PREFORKD_TEST_X', 'a "b" } # c')
    lists = 'environment = { "A=${PREFORKD_TEST_X}", \'B=${PREFORKD_TEST_X}\' }'
    path = put(tmp_path / 'preforkd.conf', IDENTITY + pool('a', lists))
    assert r'environment = { "A=a \"b\" } # c", "B=\x24{PREFORKD_TEST_X}" }' in dump(path)


def test_plus_equals_adds_to_a_list(tmp_path):
    lists = ['environment = { "A=1" }', 'environment += { "B=2", "C=3" }', 'environment += "D=4"']
    path = put(tmp_path / 'preforkd.conf', IDENTITY + pool('a', *lists))
    assert 'environment = { "A=1", "B=2", "C=3", "D=4" }' in dump(path)


def test_line_numbers_are_right_behind_all_kinds_of_lines(tmp_path):
    text = ('# one\n// two\n/* three\nfour */ /* five\n*/\r\n# six\r\n'
            'user = "nobody"\npool "a" {\nenvironment = { "A=9\n10",\n# eleven\n"B=12\\\n13" }\n'
            'service = "echo"\ncolour = 15\n}\n')
    path = put(tmp_path / 'preforkd.conf', text)
    refusal(path, f'{path}:15: unknown option "colour"')


def test_a_word_with_two_slashes_needs_no_quotes(tmp_path):
    conf = ('http { document_root = /usr//share // a comment\n'
            'redirect /a { to = https://example.org/ } }// another')
    text = dump(put(tmp_path / 'preforkd.conf', IDENTITY + pool('a', conf, service='http')))
    assert 'document_root = "/usr//share"\n' in text
    assert 'to = "https://example.org/"' in text


@pytest.mark.root
def test_a_missing_default_user_is_an_error_that_says_what_to_do(tmp_path):
    default = re.search(r'^#user = "(.*)"', SAMPLE.read_text(), re.M).group(1)
    try:
        pwd.getpwnam(default)
        pytest.skip(f'user {default} exists')
    except KeyError:
        pass
    path = put(tmp_path / 'preforkd.conf', ECHO)
    said = refusal(path, f'there is no user "{default}"')
    assert 'adduser' in said and 'user = ' in said
    assert accepted(put(tmp_path / 'preforkd.conf', IDENTITY + ECHO))


@pytest.mark.root
def test_what_an_access_control_list_may_allow_is_no_fault():
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        locked = pathlib.Path(name, 'locked')
        locked.mkdir(mode=0o700)
        path = put(pathlib.Path(name, 'preforkd.conf'), IDENTITY + pool('a', f'directory = "{locked}"'))
        refusal(path, f'{locked}: user nobody has no permission to enter it')
        allow(locked, pwd.getpwnam('nobody').pw_uid)
        assert accepted(path)


def allow(path, uid):
    """setfacl -m u:UID:x, for a file system that knows how to."""
    user_obj, user, group_obj, mask, other, nobody = 1, 2, 4, 16, 32, 0xffffffff
    entries = [(user_obj, 7, nobody), (user, 1, uid), (group_obj, 0, nobody), (mask, 1, nobody),
               (other, 0, nobody)]
    packed = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)
    try:
        os.setxattr(path, 'system.posix_acl_access', packed)
    except OSError as error:
        pytest.skip(f'no access control lists here: {error}')


@pytest.mark.root
def test_workers_of_root_are_allowed_and_warned_about():
    with Daemon('user = "root"\n' + ECHO, user=False) as daemon:
        assert daemon.ask('a', b'hello\n') == b'hello\n'
        daemon.wait_log(r'warning: .*root')


@pytest.mark.no_root
def test_an_ordinary_user_is_told_that_user_is_ignored():
    with Daemon('user = "root"\n' + ECHO) as daemon:
        assert daemon.ask('a', b'hello\n') == b'hello\n'
        daemon.wait_log(r'warning: .*user "root" is ignored')


# ---- -t beside a running daemon ----------------------------------------------------------

def free_port():
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


def test_the_file_of_a_running_daemon_is_valid_though_its_port_is_in_use():
    conf = 'pid_file = "{dir}/pid"\n' + pool('a', 'workers = 1', listen=f'127.0.0.1:{free_port()}')
    with Daemon(conf) as daemon:
        assert accepted(daemon.conf_path)


def test_a_link_to_the_file_is_followed_anew_at_each_reload():
    def conf(workers):
        return pool('a', f'workers = {workers}', listen=where)

    where = f'127.0.0.1:{free_port()}'
    daemon = Daemon(conf(1))
    for version in 1, 2:
        daemon.write(conf(version))
        daemon.conf_path.rename(daemon.dir / f'v{version}.conf')
    daemon.conf_path.symlink_to('v1.conf')
    with daemon:
        assert accepted(daemon.conf_path) and accepted(daemon.dir / 'v1.conf')
        daemon.conf_path.unlink()
        daemon.conf_path.symlink_to('v2.conf')
        daemon.reload()
        daemon.wait_workers(2)


def test_a_port_that_another_process_holds_is_an_error_that_names_it(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as other:
        address = f'127.0.0.1:{other.getsockname()[1]}'
        path = put(tmp_path / 'preforkd.conf', IDENTITY + pool('a', listen=address))
        said = refusal(path, f'{address} is in use')
        assert f'{path}:5: ' in said and f'(pid {os.getpid()})' in said
    assert accepted(path)


def test_a_reload_onto_a_port_that_another_process_holds_is_refused():
    with socket.create_server(('127.0.0.1', 0)) as other, Daemon(ECHO) as daemon:
        address = f'127.0.0.1:{other.getsockname()[1]}'
        line = daemon.reload(ECHO + pool('b', listen=address), expect='refused')
        assert f'{address} is in use' in line
        assert f'{address} is in use' in refusal(daemon.conf_path)
        assert daemon.ask('a', b'hello\n') == b'hello\n'


def test_a_log_that_cannot_be_opened_matters_only_in_the_background(tmp_path):
    path = put(tmp_path / 'preforkd.conf', IDENTITY + 'log = "/no/such/log"\n' + ECHO)
    assert accepted(path)
    assert f'{path}:3: log: ' in refusal(path, '/no/such/log', check=check_config)
    path = put(tmp_path / 'preforkd.conf', IDENTITY + f'log = "{tmp_path}/log"\n' + ECHO)
    assert check_config(path).returncode == 0
    assert not (tmp_path / 'log').exists()


@pytest.mark.parametrize('globals, args, fault', [
    ('control_socket = "{dir}/none/c"', (), '{file}:3: control_socket: cannot make a socket in '),
    ('control_socket = "{dir}/{long}"', (), '{file}:3: control_socket: "'),
    ('control_socket = "{dir}/file"', (), '{file}:3: control_socket: {dir}/file exists'),
    ('control_socket = "{dir}/socket"', (), '{file}:3: control_socket: pool "a" ({file}:4) has'),
    ('control_socket = "{dir}/c"', ('-s', '{dir}/socket'), '-s: pool "a" ({file}:4) has'),
    ('', ('-s', '{dir}/{long}'), '-s: "'),
    ('pid_file = "{dir}/none/none/p"', (), '{file}:3: pid_file: cannot open the pid file '),
    ('pid_file = "{dir}/{long}{long}{long}"', (), '{file}:3: pid_file: cannot open the pid file '),
    ('pid_file = "{dir}/link"', (), '{file}:3: pid_file: cannot open the pid file '),
    ('pid_file = "{dir}/p"', ('-p', '{dir}'), '-p: cannot open the pid file {dir}: Is a dir'),
    ('pid_file = "{dir}/p"\ncontrol_socket = "{dir}/c"', (), None),
    ('pid_file = "{dir}/none/p"\ncontrol_socket = "{dir}/none/c"', (), None),
    ('control_socket = "{dir}/c"', ('-p', '{dir}/none/p', '-s', '{dir}/none/c'), None),
])
def test_t_looks_where_the_pid_file_and_the_control_socket_are_to_be(globals, args, fault, tmp_path):
    def here(text):
        return text.replace('{dir}', str(tmp_path)).replace('{long}', 'x' * 100).replace(
            '{file}', str(path))

    path = tmp_path / 'preforkd.conf'
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to('file')
    put(path, here(f'{IDENTITY}{globals}\n{pool("a", listen="{dir}/socket")}'))
    result = run('-t', '-n', '-f', path, *map(here, args))
    assert result.returncode == (1 if fault else 0), result.stderr
    assert result.stderr.startswith(here(fault) if fault else f'{path} is valid'), result.stderr
    assert not (tmp_path / 'none').exists()


def test_a_reload_of_a_daemon_does_not_log_to_the_stderr_that_it_has_let_go():
    with Daemonized(ECHO) as daemon:
        text = daemon.conf_path.read_text()
        put(daemon.conf_path, text.replace(f'log = "{daemon.dir}/log"', 'log = "stderr"'))
        line = daemon.reload(expect='refused')
        assert ': log: standard error is /dev/null' in line


# ---- the command line ------------------------------------------------------------------

def test_the_version():
    result = run('-V')
    assert result.returncode == 0
    assert re.match(r'preforkd \d+\.\d+', result.stdout)


def test_the_help_shows_every_flag():
    result = run('-h')
    assert result.returncode == 0
    for flag in 'fntTlpVh':
        assert f'-{flag}' in result.stdout


@pytest.mark.parametrize('args', [['-x'], ['--nonsense'], ['-f'], ['operand'], ['-l', 'loud']])
def test_a_wrong_command_line_shows_the_usage(args):
    result = run(*args)
    assert result.returncode == 2
    assert result.stdout == '' and 'preforkd' in result.stderr


@pytest.mark.parametrize('args', ['-f x.conf', f'-f {SAMPLE} -p pid', f'-f {SAMPLE} -s socket'])
def test_a_relative_path_needs_a_working_directory(args, tmp_path):
    gone = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -t -n ' + args
    result = subprocess.run(['sh', '-c', gone, PREFORKD], cwd=tmp_path, capture_output=True,
                            text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert result.stderr.endswith('the working directory is gone\n')


def test_t_says_that_the_file_is_valid(tmp_path):
    path = put(tmp_path / 'preforkd.conf', IDENTITY + ECHO)
    result = check(path)
    assert (result.returncode, result.stdout) == (0, '')
    assert f'{path} is valid' in result.stderr


HELLO = pool('a', 'workers = 1', 'exec { command = { "/bin/echo", "hello" } }', service='exec',
             listen='{dir}/socket')


def levels_in_the_log(daemon):
    """The levels of the lines of a daemon that started, served and ended."""
    with daemon.spawned():
        served(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        return set(re.findall(r'preforkd\[\d+\] (\w+): ', daemon.log()))


def test_log_level_decides_what_is_logged():
    assert levels_in_the_log(Daemon(HELLO, level='error')) == set()
    assert levels_in_the_log(Daemon(HELLO, level='notice')) == {'notice'}
    assert levels_in_the_log(Daemon(HELLO, level='info')) == {'notice', 'info'}


def test_a_reload_changes_the_level_of_the_workers_that_run():
    with Daemon(HELLO, level='notice') as daemon:
        workers = daemon.wait_workers(1)
        served(daemon)
        wait_pool(daemon, 'a', idle=1)  # and has logged, or not, what it had to
        daemon.level = 'info'
        daemon.reload(HELLO)
        served(daemon)
        daemon.wait_log(r'info: pool a: .*ended with status 0')
        assert daemon.workers() == workers
        assert daemon.log().count('ended with status 0') == 1


def test_the_level_of_the_command_line_counts_more_than_that_of_the_file():
    louder = Daemon(HELLO, level='error', args=['-l', 'info'])
    assert levels_in_the_log(louder) == {'notice', 'info'}
    quieter = Daemon(HELLO, level='info', args=['-l', 'error'])
    assert levels_in_the_log(quieter) == set()


def served(daemon):
    """Asks at DIR/socket until somebody answers."""
    def answer():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            try:
                sock.connect(str(daemon.dir / 'socket'))
                return read_all(sock) == b'hello\n'
            except OSError:
                return False
    return eventually(answer, 'an answer at the socket')
