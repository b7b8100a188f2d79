"""``python3 lab test``, mistyped."""

from lab.commands import test as command


def test_a_test_file_that_is_not_there_is_refused_in_one_line(capsys):
    assert command.main(["tests/chat/test_wires.py", "-q"]) == 2
    assert capsys.readouterr().err == "lab test: no such test file: tests/chat/test_wires.py\n"
    assert not any(
        map(command.is_absent_test, ["tests/commands/test_test.py::test_x", "--ignore=x.py", "-q"])
    )
