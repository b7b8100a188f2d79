"""Tests that ask tshark are skipped where it is missing; the others need nothing but the kit's own
packages.
"""

import shutil

import pytest


def pytest_collection_modifyitems(items):
    if shutil.which("tshark"):
        return
    for item in items:
        if item.get_closest_marker("tshark"):
            item.add_marker(pytest.mark.skip(reason="tshark is not installed on this machine"))


def pytest_configure(config):
    config.addinivalue_line("markers", "tshark: asks tshark, and is skipped where it is not installed")
