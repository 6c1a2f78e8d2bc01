#!/bin/sh
# preforkd-messages(7) has every line that the sources log as an error, a warning or a
# notice, at that level, and no other.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
python=${PYTHON3:-python3}
need "$python" python3

exec "$python" -B - man/preforkd-messages.7 <<'EOF_PYTHON'
import glob
import re
import sys

LEVELS = {'error': 'error', 'warn': 'warning', 'notice': 'notice', 'write': 'any level'}
LITERAL = r'"((?:[^"\\]|\\.)*)"'
NUMBER = r'%[-0]*\d*(?:ll|z)?[du]'
CONVERSION = rf'(?:{NUMBER}|%(?:\.\*)?s)'
# What log_limit_more() adds to a line.
MORE = ' (%u more like this)'
# What "%s" adds to the word before it, or nothing.
ENDINGS = ('s', ' is', 's are', ' their connections', ': REQUEST')

# Formats whose last "%s" is a text worth an entry of its own: those that the given calls
# (in the given function) make take the place of {}.  And one line that no call logs.
SPELT_OUT = {
    ('src/master.c', '%s'): ('{}', 'src/pidfile.c', None, 'util_fail'),
    ('src/master_handover.c', '%s'): ('{}', 'src/pidfile.c', None, 'util_fail'),
    ('src/master_reload.c', '%s'): ('{}', 'src/master_outcome.c', None, 'util_format'),
    ('src/pool_slots.c', 'pool %s: worker %d %s %s' + MORE):
        ('pool %s: worker %d {} after %ds' + MORE, 'src/pool_words.c', 'pool_words_end', 'snprintf'),
    ('src/worker_admit.c', 'pool %s: refused %s: %s' + MORE):
        ('pool %s: refused %s: {}' + MORE, 'src/worker_admit.c', None,
         'refuse|snprintf'),
    ('src/services/http/http_cgi.c', 'pool %s: %s: %s' + MORE):
        ('pool %s: %s: {}' + MORE, 'src/services/http/http_spool.c', None, 'util_fail'),
    ('src/services/http/http_cgi.c', 'pool %s: %s pid %d: %s%s' + MORE):
        ('pool %s: %s pid %d: {}' + MORE, 'src/services/http/http_cgi.c', None, 'complain'),
}
BY_ITSELF = ('src/log.c', '%u log line%s could not be written: %s', 'warning')


def joined(text):
    """Adjacent literals as one; PRId64 and its like are the letter that they stand for."""
    text = re.sub(r'"\s*PRI([a-z])\d+\s*"', r'\1', text)
    text = re.sub(r'"\s*PRI([a-z])\d+', r'\1"', text)
    return re.sub(r'(?<!\\)"\s+"', '', text)


def arguments(text, names):
    """[(the called one, its arguments as they stand)] of all calls."""
    found = []
    for call in re.finditer(rf'\b({names})\(', text):
        rest, depth, end = text[call.end():], 1, 0
        for token in re.finditer(rf'{LITERAL}|[()]', rest, re.S):
            depth += {'(': 1, ')': -1}.get(token[0], 0)
            end = token.start()
            if depth == 0:
                break
        found.append((call[1], rest[:end]))
    return found


def texts_of(name, function, calls):
    """The first literals of these calls that have one with words in it."""
    text = source[name]
    if function:
        text = re.search(rf'^{function}\(.*?^\}}', text, re.S | re.M)[0]
    texts = [re.search(LITERAL, rest) for _, rest in arguments(text, calls)]
    return [re.sub(' $', ' %s', t[1]) for t in texts
            if t and re.search(r'[a-z]{2}', re.sub(CONVERSION, '', t[1]))]


def pattern(message):
    """What the manual may write for a format: words in capitals for conversions."""
    endings = '|'.join(map(re.escape, ENDINGS))
    message = re.sub(rf'{NUMBER}\.{NUMBER}', '%d', message.replace('\\"', '"'))
    found = ''
    for part in re.findall(rf'(?:{CONVERSION})+|[^%]+', message):
        if part[0] != '%':
            found += re.escape(part)
        elif re.search(r'[a-z)]$', found) and set(part) == set('%s'):
            found += f'(?:{endings})?'
        else:
            found += '[A-Z]+'
    return found


def of_source():
    """{pattern: (format, file, levels)}"""
    messages = [BY_ITSELF] if f'"{BY_ITSELF[1]}"' in source[BY_ITSELF[0]] else []
    for name, text in source.items():
        for call, rest in arguments(text, '|'.join(f'log_{level}' for level in LEVELS)):
            skip = r'level, ' if call == 'log_write' else ''
            first = re.match(rf'\s*{skip}{LITERAL}\s*(?:,|$)', rest)
            if not first and not rest.startswith('int level, const char *fmt'):
                sys.exit(f'{name}: {call}({rest}): the format is no literal')
            if not first:
                continue
            message = first[1]
            if 'log_limit_more(' in rest:
                message = message[:-2] + MORE
            frame, *where = SPELT_OUT.get((name, message), (message,))
            unused.discard((name, message))
            for text in texts_of(*where) if where else [frame]:
                messages.append((name, frame.replace('{}', text), LEVELS[call[4:]]))
    found = {}
    for name, message, level in messages:
        found.setdefault(pattern(message), (message, name, set()))[2].add(level)
    return found


def of_manual(text):
    """{entry: levels}: .It is a message, and .Pq behind one or more of these its level."""
    found, waiting = {}, []
    for line in text.split('\n'):
        item = re.match(r'\.It (.*)', line)
        level = re.match(r'\.Pq (error|warning|notice|any level)$', line)
        if item:
            waiting.append(item[1].replace(r'\(dq', '"'))
        elif waiting and not level:
            sys.exit(f'the manual: {waiting[-1]}: no line ".Pq LEVEL" behind it')
        elif waiting:
            for entry in waiting:
                if entry in found:
                    sys.exit(f'the manual: {entry}: stands twice')
                found[entry] = {level[1]}
            waiting = []
    return found


source = {name: joined(open(name, encoding='utf-8').read())
          for name in sorted(glob.glob('src/**/*.c', recursive=True))}
unused = set(SPELT_OUT)
messages = of_source()
manual = of_manual(open(sys.argv[1], encoding='utf-8').read())
wrong = [f'{name}: {message}: spelt out here, but not logged there'
         for name, message in sorted(unused)]
known = set()
for regex, (message, name, levels) in messages.items():
    entries = [entry for entry in manual if re.fullmatch(regex, entry)]
    known.update(entries)
    if not entries:
        wrong.append(f'{name}: {message}: missing in the manual')
    wrong += [f'{name}: {message}: {" and ".join(sorted(levels))}, the manual says another level'
              for entry in entries if manual[entry] != levels]
wrong += [f'the manual: {entry}: no source has it' for entry in manual if entry not in known]
if len(messages) < 60:
    wrong.append(f'only {len(messages)} messages found in src: are they still read right?')
print('\n'.join(wrong) or f'{len(messages)} messages')
sys.exit(bool(wrong))
EOF_PYTHON
