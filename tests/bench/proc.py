"""What /proc tells about the processes under measurement."""
import os
import pathlib

TICK = 1 / os.sysconf('SC_CLK_TCK')     # seconds; what the start times are counted in
LISTEN = '0A'                           # the state's number in /proc/net/tcp


def children(pid):
    """The direct children of a process, as the kernel lists them."""
    try:
        return [int(p) for p in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def fields(path):
    """{name: KiB} of the lines `Name:  123 kB` of a file."""
    found = {}
    for line in pathlib.Path(path).read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == 'kB':
            found[words[0].rstrip(':')] = int(words[1])
    return found


def rss(pid):
    return fields(f'/proc/{pid}/status')['VmRSS']


def pss(pid):
    return fields(f'/proc/{pid}/smaps_rollup')['Pss']


def private(pid):
    """Memory that would come back if this process ended: no other maps it."""
    maps = fields(f'/proc/{pid}/smaps_rollup')
    return maps['Private_Clean'] + maps['Private_Dirty']


def start_time(pid):
    """Seconds since boot, in steps of TICK."""
    text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    return int(text[text.rindex(')') + 2:].split()[19]) * TICK


def fork_span(pid):
    """Seconds between the start of the oldest and of the youngest child."""
    times = [start_time(child) for child in children(pid)]
    return max(times) - min(times)


def listening(port):
    """True when a TCP socket listens there; found without connecting to it."""
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        if not os.path.exists(table):
            continue
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTEN and int(words[1].rsplit(':')[-1], 16) == port:
                return True
    return False


def queue(port):
    """The connections that wait in the accept queue of the IPv4 socket that listens there."""
    for line in pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == LISTEN and int(words[1].rsplit(':')[-1], 16) == port:
            return int(words[4].split(':')[1], 16)
    return 0


def cpu_seconds(pid):
    """Of the process, which has one thread; to the nanosecond, and without its children's."""
    return int(pathlib.Path(f'/proc/{pid}/schedstat').read_text().split()[0]) / 1e9
