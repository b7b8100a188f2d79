"""What the chat's bytes look like is spelled in its codecs alone: the eavesdropper asks them."""

import ast

import pytest

from lab.chat.json_wire import REPLIES, REQUESTS
from lab.chat.report_wire import COMMANDS
from tests.support import ROOT

SPELLED = {*COMMANDS, *(f'"{word}"'.encode() for word in REQUESTS | REPLIES), b'"event"'}


@pytest.mark.parametrize("path", sorted((ROOT / "lab" / "exposure").glob("*.py")), ids=lambda path: path.stem)
def test_no_command_or_format_is_spelled(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value if isinstance(node.value, bytes) else node.value.encode()
            assert not [word for word in SPELLED if word in value], f"{path.name}:{node.lineno}"
