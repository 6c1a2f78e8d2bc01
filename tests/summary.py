"""Adds up the tests of builds: python3 summary.py BUILD_DIR...

Reads the .trs and .log files that `make check` leaves: each pytest test and each cmocka
test counts, every other script as one.  The last line is "N passed, N failed, N skipped".
"""
import pathlib
import re
import sys


def count(log, result):
    """(passed, failed, skipped) of one test program."""
    pytest = re.findall(r'^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s', log, re.M)
    if pytest:
        found = dict((word, int(n)) for n, word in re.findall(r'(\d+) (\w+)', pytest[-1]))
        failed = found.get('failed', 0) + found.get('error', 0) + found.get('errors', 0)
        return found.get('passed', 0), failed, found.get('skipped', 0)
    cmocka = re.search(r'\[  PASSED  \] (\d+) test', log)
    if cmocka and result != 'SKIP':
        failed = re.search(r'\[  FAILED  \] \S+: (\d+) test', log)
        return int(cmocka.group(1)), int(failed.group(1)) if failed else result != 'PASS', 0
    return int(result == 'PASS'), int(result not in ('PASS', 'SKIP')), int(result == 'SKIP')


def main(builds):
    total = [0, 0, 0]
    for build in builds:
        here = [0, 0, 0]
        for trs in sorted(pathlib.Path(build, 'tests').rglob('*.trs')):
            result = re.search(r':test-result: (\w+)', trs.read_text()).group(1)
            log = trs.with_suffix('.log').read_text(errors='replace')
            numbers = count(log, result)
            if numbers[1] == 0 and result not in ('PASS', 'SKIP'):
                numbers = (numbers[0], 1, numbers[2])
            here = [a + b for a, b in zip(here, numbers)]
            if numbers[1]:
                print(f'FAILED: {build}: {trs.stem}')
        print(f'{build}: %d passed, %d failed, %d skipped' % tuple(here))
        total = [a + b for a, b in zip(total, here)]
    print('%d passed, %d failed, %d skipped' % tuple(total))
    return 1 if total[1] or not total[0] else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
