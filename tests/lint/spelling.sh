#!/bin/sh
# No misspelled words in texts and sources.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
need "${CODESPELL:=codespell}" codespell

# The fuzzers' corpus and files that are wrong on purpose are no prose.
set -- README.md CONTRIBUTING.md NEWS.md doc bootstrap configure.ac Makefile.am conf man src tests
[ ! -d debian ] || set -- "$@" debian
"$CODESPELL" -q 3 -S '*/corpus,*/conf/bad,*/bin,*/__pycache__,*.log,*.trs' -L nd,inh,te "$@"
