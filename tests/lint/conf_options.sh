#!/bin/sh
# The options of src/conf_options.c are those of preforkd.conf(5) and of the sample file: none
# is missing, none is invented, and what the manual says of an option is what the table
# says: its default, and whether a change of it needs new workers.  The tables of MIGRATION in
# the manual name options and sections that there are, or say why there is none.
. "$(dirname "$0")/common.sh"
python=${PYTHON3:-python3}
need "$python" python3

# Their types are the same too, and the defaults that the sample shows.  What has no default
# has an example in the manual, and preforkd takes each example.
exec "$python" -B - src/conf_options.c man/preforkd.conf.5 conf/preforkd.conf.sample \
	"${PREFORKD:-$BUILDDIR/preforkd}" <<'EOF_PYTHON'
import os
import re
import subprocess
import sys
import tempfile

MACROS = {'PREFORKD_USER': 'preforkd', 'PREFORKD_RUNDIR': '/run/preforkd'}
EFFECTS = {'LIVE': 'in place', 'LISTENER': 'in place', 'GENERATION': 'new workers'}
TYPES = {'STRING': 'Ar text', 'PATH': 'Ar path', 'LIST': 'Ar list', 'ENVIRONMENT': 'Ar list',
         'NAMES': 'Ar list', 'COUNT': 'Ar number', 'INTEGER': 'Ar number', 'DECIMAL': 'Ar number',
         'TIME': 'Ar time', 'SIZE': 'Ar size', 'BOOL': 'Ar boolean', 'MODE': 'Ar mode',
         'READY': 'Ar time | Cm notify'}
RLIMIT = re.compile(r'Ar (size|number|seconds) \| Cm unlimited')
TEMPLATE = 'Ar template'  # a text of which some words have a meaning of their own
ROFF = {r'\(dq': '"', r'\(aq': "'", r'\&': '', r'\-': '-', r'\e': '\\'}


def fallback(text):
    """The C expression of a default as the text that it stands for; None if there is none."""
    words = [MACROS.get(word, word.strip('"')) for word in text.split()]
    return None if words == ['NULL'] else ''.join(words)


def of_source(text):
    """{(section, option): (default, effect, type, choices)} of the option tables."""
    found = {}
    choices = {name: re.findall(r'"(\w+)"', words) for name, words in
               re.findall(r'const char \*const (\w+)\[.*?\] = \{(.*?)\};', text, re.S)}
    shared = re.search(r'#define SITE_OPTIONS(.*?[^\\])\n', text, re.S)[1].replace('\\\n', '\n')
    text = re.sub(r'(?<!#define )\bSITE_OPTIONS\b', lambda _: shared, text)
    limits = ', '.join(f'{{ "rlimit_{name}", CONF_RLIMIT, CONF_GENERATION, NULL }}'
                       for name in re.findall(r'\bRLIMIT\("(\w+)", base,', text))
    for section, table in re.findall(r'struct conf_option (\w+)_options\[\] = \{(.*?)\n\};', text,
                                     re.S):
        table = re.sub(r'\bRLIMITS\(\w+\(\w+\)\)', limits, table)
        for name, kind, effect, rest in re.findall(
                r'\{ "(\w+)",\s+CONF_(\w+),\s+CONF_(\w+),(.*?) \}', table, re.S):
            words = [''] + rest.split(',')
            found[section, name] = (fallback(words[-1]), EFFECTS[effect], kind,
                                    choices.get(words[-2].strip()))
    return found


def plain(text):
    return re.sub(r'\\(\(dq|\(aq|&|-|e)', lambda sign: ROFF[sign[0]], text)


def of_manual(text):
    """{(section, option): (default, effect, type)}, and {(section, option): example}.

    .Ss names the section, .It Ic the option and its type, and .Pq behind one or more of these
    has the facts; of several options the example is of one, which it names."""
    found, examples, section, waiting = {}, {}, None, []
    for line in text.split('\n'):
        heading = re.match(r'\.Ss (?:The (\w+) section|(Global|Pool) options)', line)
        item = re.match(r'\.It Ic (\w+) = (.*)', line)
        facts = re.match(r'\.Pq (?:default (\S+)|required|unset|inherited); '
                         r'([^;]*)(?:; e\.g\. Li (.*))?$', line)
        if heading:
            section = (heading[1] or heading[2]).lower()
        elif item:
            waiting.append((section, item[1], item[2]))
        elif waiting and not facts:
            sys.exit(f'the manual: {waiting[-1][1]}: no line ".Pq default VALUE; ..." behind it')
        else:
            named = facts and facts[3] and re.match(r'(\w+) = (.*)', plain(facts[3]))
            for where, name, kind in waiting:
                if (where, name) in found:
                    sys.exit(f'the manual: {where}: {name} stands twice')
                found[where, name] = (facts[1], facts[2], kind)
                if facts[3]:
                    examples[where, name] = None if named else plain(facts[3])
            if named and waiting:
                examples[waiting[0][0], named[1]] = named[2]
            waiting = []
    return found, examples


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
    """{(section, option): default}: "#option = value" shows it, "# e.g. " does not."""
    found, sections = {}, ['global']
    for line in text.split('\n'):
        shown = re.match(r'\s*#\w+ \+?= ', line)
        line = re.sub(r'^\s*#(?=\w+ \+?= )|^\s*# e\.g\. ', '', line).strip()
        opened = re.match(r'(\w+)( "[^"]*"| \d+)? \{', line)
        option = re.match(r'(\w+) \+?= (.*)', line)
        if opened:
            sections.append(opened[1])
        elif option:
            # A section may stand there more than once.
            found[sections[-1], option[1]] = (option[2].strip('"') if shown else
                                              found.get((sections[-1], option[1])))
        elif line == '}':
            sections.pop()
    return found


def is_type(kind, choices, text):
    if kind == 'CHOICE':
        return set(text.removeprefix('Cm ').split(' | ')) == set(choices)
    if kind == 'RLIMIT':
        return RLIMIT.fullmatch(text)
    return text == TYPES[kind] or (kind == 'STRING' and text.endswith(TEMPLATE))


# What an example cannot be without, and the sections that others stand in.
BESIDE = {('pool', 'rate_burst'): 'rate_limit = 1', ('pool', 'proxy_from'): 'proxy_protocol = on',
          ('pool', 'rate_burst_per_source'): 'rate_limit_per_source = 1',
          ('pool', 'proxy_protocol'): 'proxy_from = "unix"',
          ('location', 'auth_realm'): 'auth_user_file = "/x"',
          ('location', 'auth_user_file'): 'auth_realm = "x"'}
NEEDS = {'pool': {'listen': '"@x"', 'service': '"echo"'}, 'exec': {'command': '"/x"'},
         'program': {'command': '"/x"'}, 'module': {'file': '"/x"'},
         'http': {'document_root': '"/x"'}, 'site': {'server_name': '"x"'}, 'alias': {'path': '"/x"'},
         'cgi': {'path': '"/x"'}, 'redirect': {'to': '"/x"'}, 'error_document': {'file': '"/x"'}}
OF_HTTP = {'site': 'site "x"', 'alias': 'alias "/x"', 'cgi': 'cgi "/x"', 'redirect': 'redirect "/y"',
           'location': 'location "/x"', 'error_document': 'error_document 404'}


def configuration(section, name, value):
    """A file with that option, and what else it must have."""
    def body(of):
        needs = dict(NEEDS.get(of, {}))
        if of == section:
            needs[name] = value
        if (section, name, of) == ('cgi', 'script', 'cgi'):
            del needs['path']
        if of == 'pool':
            needs['service'] = f'"{service}"'
        return ' '.join(f'{key} = {needs[key]}' for key in needs) + ' ' + \
            (BESIDE.get((section, name), '') if of == section else '')

    service = 'echo' if section in ('global', 'pool') else section
    if section in OF_HTTP or name.startswith('access_') and 'times' not in name or value == 'http':
        service = 'http'
    inner = f'{OF_HTTP[section]} {{ {body(section)} }}' if section in OF_HTTP else ''
    others = re.findall(r'\w+', value) if name == 'pools' else []
    return (body('global') if section == 'global' else '') + \
        ''.join(f'\npool "{other}" {{ service = "echo" listen = "@{other}" }}' for other in others) + \
        f'\npool "x" {{ {body("pool")} {service} {{ {body(service)} {inner} }} }}\n'


def refused(preforkd, examples):
    """What preforkd says of examples that it does not take."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, 'x.conf')
        for (section, name), value in sorted(examples.items()):
            value = f'"{scratch}/none"' if name == 'include_dir' else value
            os.makedirs(f'{scratch}/none', exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(configuration(section, name, value))
            os.chmod(path, 0o600)
            result = subprocess.run([preforkd, '-T', '-f', path], capture_output=True, text=True,
                                    check=False)
            if result.returncode != 0:
                yield f'the manual: {section}: {name} = {value}: {result.stderr.strip()}'


source, (manual, examples), sample = (read(open(name, encoding='utf-8').read()) for read, name in
                                      zip((of_source, of_manual, of_sample), sys.argv[1:]))
wrong = []
for name, others in (('the manual', set(manual)), ('the sample', set(sample))):
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
for key in sorted(set(source) & set(manual) & set(sample)):
    default, _, kind, choices = source[key]
    place = f'{key[0]}: {key[1]}:'
    if not is_type(kind, choices, manual[key][2]):
        wrong.append(f'{place} {kind} {choices or ""}, the manual says {manual[key][2]}')
    if default is None and key not in examples:
        wrong.append(f'{place} the manual has no example: "; e.g. Li VALUE" behind the effect')
    if default is not None and sample[key] != default:
        wrong.append(f'{place} default {default}, the sample shows {sample[key]}')
if os.access(sys.argv[4], os.X_OK):
    wrong += refused(sys.argv[4], {key: value for key, value in examples.items() if value})
print('\n'.join(wrong) or f'{len(source)} options')
sys.exit(bool(wrong))
EOF_PYTHON
