"""The house keeps its bounds: no module and no function too long to read, and a short way for one message."""

import pytest

from tests import house


def test_no_module_function_or_number_of_rooms_is_over_its_bound():
    assert house.faults() == []


def test_one_message_goes_through_few_functions():
    steps = list(house.walk().steps.values())
    assert steps[0] == "ChatClient.say" and len(steps) <= house.MOST_WALK_FUNCTIONS


@pytest.mark.parametrize("option", [[], ["--modules"], ["--walk"]])
def test_the_figures_are_printed(option, capsys):
    assert house.main(option) == 0
    assert "lab.chat" in (printed := capsys.readouterr().out) or "ChatClient.say" in printed
