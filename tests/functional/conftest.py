import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import ROOT  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line('markers', 'root: needs root')
    config.addinivalue_line('markers', 'no_root: makes sense only for an ordinary user')


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker('root') and not ROOT:
            item.add_marker(pytest.mark.skip(reason='needs root'))
        if item.get_closest_marker('no_root') and ROOT:
            item.add_marker(pytest.mark.skip(reason='needs an ordinary user'))
