"""What README.md and the manuals have in them to be typed or copied.

A block is a literal display or a .Dl of a manual, or one that is fenced or indented in
README.md.  What its first line begins with says what it is:

    "$ " or "# "            command lines, which begin like this, each with its output behind it
    an option or section    a configuration: a whole one, or with one tab what stands in a
                            pool, with two what stands in the http section of one; a .Dl
                            stands in the section that is described there, or in a pool
    all else                neither, such as a log, C, or the configuration of another program

In the text of an output, a line "..." stands for any lines.
"""
import getpass
import pathlib
import re

from harness import ROOT, SRCDIR

SERVICES = 'exec|echo|http|module|program|rot13|status'
COMMANDS, CONFIGURATION, OTHER = 'commands', 'configuration', 'other'
ESCAPES = {r'\e': '\\', r'\(dq': '"', r'\(aq': "'", r'\(ha': '^', r'\(ti': '~', r'\-': '-', r'\&': ''}
MANUALS = sorted(path for path in (SRCDIR / 'man').iterdir() if re.fullmatch(r'\.[1-9]', path.suffix))


class Block:
    def __init__(self, path, line, lines, depth=0, section=None):
        self.path, self.line, self.lines, self.section = path, line, lines, section
        first = next((text for text in lines if text.strip()), '')
        self.depth = depth or len(first) - len(first.lstrip('\t'))
        self.kind = OTHER
        if re.match(r'[$#] ', first):
            self.kind = COMMANDS
        elif re.match(r'\t*[a-z]\w*( "[^"]*"| \d+)? \{|\t*[a-z]\w* +\+?= ', first):
            self.kind = CONFIGURATION

    def __str__(self):
        return f'{self.path.name}:{self.line}'

    @property
    def text(self):
        return '\n'.join(self.lines) + '\n'

    def commands(self):
        """[(command, [line of its output, ...]), ...]; a \\ at the end of a line goes on."""
        found = []
        for line in self.lines:
            if found and found[-1][0].endswith('\\'):
                found[-1] = (found[-1][0] + '\n' + line, [])
            elif re.match(r'[$#] ', line):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def unescaped(line):
    return re.sub(r'\\(?:\(..|.)', lambda match: ESCAPES[match[0]], line)


def of_manual(path):
    blocks, lines, section = [], path.read_text().split('\n'), None
    for number, line in enumerate(lines, 1):
        if line.startswith(('.Sh ', '.Ss ')):
            section = re.match(rf'\.Ss The ({SERVICES}) section|', line)[1]
        elif line.startswith('.Bd -literal'):
            end = lines.index('.Ed', number)
            blocks.append(Block(path, number, [unescaped(text) for text in lines[number:end]
                                               if not text.startswith('.')]))
        elif line.startswith('.Dl '):
            blocks.append(Block(path, number, [unescaped(line[4:])], 1, section))
    return blocks


def of_markdown(path):
    blocks, block, fence, start = [], [], None, 0
    lines = path.read_text().split('\n')
    for number, line in enumerate(lines + [''], 1):
        fenced = re.match(r' {0,3}```', line)
        if fence:
            if fenced:
                blocks.append(Block(path, start, block))
                block, fence = [], None
            else:
                block.append(line)
        elif line.startswith('    ') or (block and not line.strip() and number <= len(lines)):
            start = start if block else number
            block.append(line[4:])
        else:
            if block:
                blocks.append(Block(path, start, block))
            block, fence, start = [], bool(fenced), number
    return blocks


def blocks(path):
    return of_markdown(path) if path.suffix == '.md' else of_manual(path)


DOCUMENTS = [SRCDIR / 'README.md', *MANUALS]


# ---- outputs are alike, though numbers, times and places differ -----------------------------

SHAPES = [
    (r' \((and )?\d+ more( like this)?\)', ''),
    (r'\bconnections? waits?\b', 'connections wait'),
    (r'\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b', 'DAY'),
    (r'\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b', 'MONTH'),
    (r'"[0-9a-f]+(-[0-9a-f]+)+"', 'TAG'),
    (r'(?<![\w.:])(\*|\d+(\.\d+){3}|\[[0-9a-f:]*\]):\d+', 'ADDRESS'),
    (r'\b\d+(\.\d+)?(ms|s|m|h|d)(\d\d?[smh](\d\ds)?)?\b', 'TIME'),
    (r'(?<![\w:/.])(?:/[\w.@+-]+)*/([\w.@+-]+)', r'\1'),
    (r'\b(idle|busy|reading|writing|keepalive|closing|starting)\b', 'STATE'),
    (rf'\b(root|nobody|{re.escape(getpass.getuser())})\b', 'USER'),
    (r'\d+', '0'),
    (r'\s+', ' '),
]


def shape(line):
    for pattern, word in SHAPES:
        line = re.sub(pattern, word, line)
    return line.strip()


def shapes(lines):
    """A text may break a long line behind a colon, and indent the rest; a list begins so, too."""
    whole = re.sub(r'(?<!last events):\n {4,}', ': ', '\n'.join(line.rstrip() for line in lines)).split('\n')
    return [shape(line) for line in whole if line.strip()]


def unlike(wanted, got):
    """What is wrong with the output, as a text; '' if it is like what is wanted, whose lines
    may come more than once."""
    wanted, got = shapes(wanted), shapes(got)
    wrong = [f'missing: {line}' for line in wanted if line not in got + ['...']]
    if '...' not in wanted:
        wrong += [f'not in the text: {line}' for line in got if line not in wanted]
    return '\n'.join(wrong)


# ---- a place for the files that a text names ---------------------------------------------------

PATH = re.compile(r'''(?<![\w.}/*~-])/(?:etc|home|opt|run|srv|tmp|usr|var)(?:/[\w.@+-]+)+''')
DIRECTORIES = {'document_root', 'path', 'directory', 'chroot', 'spool_dir', 'include_dir'}
USER = 'alice:$2y$04$Dx9nTu2mGiu890/HSNv86OXc3PsxU30SrfZrQgZfOtlyYsNfYga7S\n'


def moved(directory, text):
    """The text with paths below the directory, but for those of programs that are installed."""
    return PATH.sub(lambda match: match[0] if pathlib.Path(match[0]).exists() and
                    match[0].startswith(('/usr/', '/etc/ssh')) else f'{directory}{match[0]}', text)


def furnish(directory, text):
    """Makes the files that a configuration names below the directory."""
    for option, value in re.findall(r'(\w+)\s*\+?=\s*(\{[^}]*\}|"[^"]*")', text):
        for name in re.findall(rf'{re.escape(str(directory))}[^"\s]*', value):
            path = pathlib.Path(name)
            (path if option in DIRECTORIES else path.parent).mkdir(parents=True, exist_ok=True)
            if option in ('file', 'script', 'command', 'auth_user_file') and not path.exists():
                path.write_text(USER if option == 'auth_user_file' else '#!/bin/sh\n')
                path.chmod(0o755)


def settled(text):
    """The configuration with what depends on where the test runs: no syslogd, perhaps root, and
    ports that may be in use."""
    text = re.sub(r'(\blisten\s*= "([^"/@]*:)?)\d+"', r'\g<1>0"', text)
    for option, value in ('log', 'stderr'), ('user', 'nobody' if ROOT else ''):
        if value and not re.search(rf'^{option}\s', text, re.M):
            text = f'{option} = "{value}"\n{text}'
    return text


def whole(block):
    """The configuration with what has to stand around it."""
    text = f'\t{block.section} {{\n{block.text}}}\n' if block.section else block.text
    if not block.depth:
        return text
    if block.depth >= 2:
        return f'pool "www" {{ service = "http" listen = "8080"\nhttp {{ {root_of(text)}\n{text}}}\n}}\n'
    service = re.search(rf'^\t({SERVICES}) \{{', text, re.M)
    given = '' if re.search(r'^\t?service\s', text, re.M) else \
        f'service = "{service[1] if service else "http"}"'
    inner = '' if service else 'http { document_root = "/srv/www" }'
    return f'pool "www" {{ {given} listen = "8080"\n{text}{inner}\n}}\n'


def root_of(text):
    return '' if re.search(r'^\t\tdocument_root\b', text, re.M) else 'document_root = "/srv/www"'
