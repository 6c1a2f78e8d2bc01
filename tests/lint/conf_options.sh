#!/bin/sh
# The options of src/conf_options.c are those of preforkd.conf(5) and of the sample file: none
# is missing, none is invented, and what the manual says of an option is what the table
# says: its default, and whether a change of it needs new workers.  The tables of MIGRATION in
# the manual name options and sections that there are, or say why there is none.
. "$(dirname "$0")/common.sh"
python=${PYTHON3:-python3}
need "$python" python3

exec "$python" -B - src/conf_options.c man/preforkd.conf.5 conf/preforkd.conf.sample <<'EOF_PYTHON'
import re
import sys

MACROS = {'PREFORKD_USER': 'preforkd', 'PREFORKD_RUNDIR': '/run/preforkd'}
EFFECTS = {'LIVE': 'in place', 'LISTENER': 'in place', 'GENERATION': 'new workers'}


def fallback(text):
    """The C expression of a default as the text that it stands for; None if there is none."""
    words = [MACROS.get(word, word.strip('"')) for word in text.split()]
    return None if words == ['NULL'] else ''.join(words)


def of_source(text):
    """{(section, option): (default, effect)} of the option tables."""
    found = {}
    shared = re.search(r'#define SITE_OPTIONS(.*?[^\\])\n', text, re.S)[1].replace('\\\n', '\n')
    text = re.sub(r'(?<!#define )\bSITE_OPTIONS\b', lambda _: shared, text)
    limits = ', '.join(f'{{ "rlimit_{name}", CONF_RLIMIT, CONF_GENERATION, NULL }}'
                       for name in re.findall(r'\bRLIMIT\("(\w+)", base,', text))
    for section, table in re.findall(r'struct conf_option (\w+)_options\[\] = \{(.*?)\n\};', text,
                                     re.S):
        table = re.sub(r'\bRLIMITS\(\w+\(\w+\)\)', limits, table)
        for name, effect, rest in re.findall(
                r'\{ "(\w+)",\s+CONF_\w+,\s+CONF_(\w+),(.*?) \}', table, re.S):
            found[section, name] = (fallback(rest.split(',')[-1]), EFFECTS[effect])
    return found


def of_manual(text):
    """The same of the manual: .Ss names the section, .It Ic the option, and .Pq behind one or
    more of these has the facts."""
    found, section, waiting = {}, None, []
    for line in text.split('\n'):
        heading = re.match(r'\.Ss (?:The (\w+) section|(Global|Pool) options)', line)
        item = re.match(r'\.It Ic (\w+) =', line)
        facts = re.match(r'\.Pq (?:default (\S+)|required|unset|inherited); (.*)', line)
        if heading:
            section = (heading[1] or heading[2]).lower()
        elif item:
            waiting.append((section, item[1]))
        elif waiting and not facts:
            sys.exit(f'the manual: {waiting[-1][1]}: no line ".Pq default VALUE; ..." behind it')
        else:
            for key in waiting:
                if key in found:
                    sys.exit(f'the manual: {key[0]}: {key[1]} stands twice')
                found[key] = (facts[1], facts[2])
            waiting = []
    return found


def of_migration(text):
    """[(what another program has, [our names for it], whether it says "none: ..."), ...]"""
    rows = []
    for line in re.search(r'^\.Sh MIGRATION$(.*?)^\.Sh ', text, re.S | re.M)[1].split('\n'):
        if line.startswith('.It '):
            rows.append((line[4:], [], []))
        elif line == '.El':
            rows.append(('', [], []))
        elif rows and line.startswith('.Cm '):
            rows[-1][1].append(line.split()[1])
        elif rows:
            rows[-1][2].append(line)
    return [(what, ours, any(line.startswith('none: ') or line == 'none:' for line in said[:1]))
            for what, ours, said in rows if what]


def of_sample(text):
    """Names only; "#option = value" counts, and what stands behind "# e.g. "."""
    found, sections = set(), ['global']
    for line in text.split('\n'):
        line = re.sub(r'^\s*#(?=\w+ \+?= )|^\s*# e\.g\. ', '', line).strip()
        opened = re.match(r'(\w+)( "[^"]*"| \d+)? \{', line)
        option = re.match(r'(\w+) = ', line)
        if opened:
            sections.append(opened[1])
        elif option:
            found.add((sections[-1], option[1]))
        elif line == '}':
            sections.pop()
    return found


source, manual, sample = (read(open(name, encoding='utf-8').read()) for read, name in
                          zip((of_source, of_manual, of_sample), sys.argv[1:]))
wrong = []
for name, others in (('the manual', set(manual)), ('the sample', sample)):
    wrong += [f'{s}: {o}: missing in {name}' for s, o in sorted(set(source) - others)]
    wrong += [f'{s}: {o}: in {name}, but not in src/conf_options.c' for s, o in sorted(others - set(source))]
for key in sorted(set(source) & set(manual)):
    if source[key][0] != manual[key][0]:
        wrong.append(f'{key[0]}: {key[1]}: default {source[key][0]}, the manual says {manual[key][0]}')
    # What a global option changes is a tale of its own.
    if key[0] != 'global' and source[key][1] != manual[key][1]:
        wrong.append(f'{key[0]}: {key[1]}: {source[key][1]}, the manual says {manual[key][1]}')
names = {name for key in source for name in key} | {'pool'}
rows = of_migration(open(sys.argv[2], encoding='utf-8').read())
for what, ours, none in rows:
    wrong += [f'MIGRATION: {what}: {name} is not in src/conf_options.c' for name in ours if name not in names]
    if not ours and not none:
        wrong.append(f'MIGRATION: {what}: neither an option nor "none: ..."')
if len(rows) < 100:
    wrong.append(f'only {len(rows)} rows found in MIGRATION: is it still read right?')
if len(source) < 40:
    wrong.append(f'only {len(source)} options found in src/conf_options.c: is it still read right?')
print('\n'.join(wrong) or f'{len(source)} options')
sys.exit(bool(wrong))
EOF_PYTHON
