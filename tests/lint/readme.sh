#!/bin/sh
# What README.md and CONTRIBUTING.md name is there: files, links, targets of make; and their
# picture is XML, says in words what it shows, and fetches nothing.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
python=${PYTHON3:-python3}
need "$python" python3

exec "$python" -B - README.md CONTRIBUTING.md <<'EOF_PYTHON'
import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

SVG = '{http://www.w3.org/2000/svg}'
TOP = r'(?:src|tests|conf|man|doc|include|debian|build)/'
makefile = open('Makefile.am', encoding='utf-8').read()
# Made by a build, or to be made by who follows the text.
MADE = ('build/', 'src/services/NAME.c')


def paths(text):
    """Whole words that look like a path of the project, without those of URLs and systems."""
    for word in re.findall(r'(?<![\w/.])' + TOP + r'[\w./{},*-]*|(?<![\w/.-])[A-Z]+\.md\b', text):
        word = word.rstrip('.,')
        inner = re.search(r'\{(.*)\}', word)
        yield from (word.replace(inner[0], one) for one in inner[1].split(',')) if inner else [word]


wrong = []
for name in sys.argv[1:]:
    text = open(name, encoding='utf-8').read()
    wrong += [f'{name}: there is no {path}' for path in sorted(set(paths(text)))
              if not (path.startswith(MADE) or glob.glob(path) or glob.glob(path + '.c'))]
    wrong += [f'{name}: there is no {link}' for link in re.findall(r'\]\(([^):]+)\)', text)
              if not os.path.exists(link)]
    for target in set(re.findall(r'make (?:-\S+ )*-C build\S* (?:-\S+ )*([a-z]+)\b', text)):
        if not re.search(rf'^{target}:', makefile, re.M) and target not in ('all', 'check', 'tests'):
            wrong.append(f'{name}: make has no target {target}')
    for picture in filter(os.path.exists, re.findall(r'\]\((\S+\.svg)\)', text)):
        root = ElementTree.parse(picture).getroot()
        if any(root.find(SVG + tag) is None for tag in ('title', 'desc')):
            wrong.append(f'{picture}: no title, or no desc')
        if re.search(r'href|url\((?!#)|@import|<script', open(picture, encoding='utf-8').read()):
            wrong.append(f'{picture}: needs something else')
if len(open('README.md', encoding='utf-8').readlines()) > 300:
    wrong.append('README.md: longer than 300 lines')
print('\n'.join(wrong))
sys.exit(bool(wrong))
EOF_PYTHON
