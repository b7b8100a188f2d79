"""Hostile hand-ins, each alone in each sandbox: none reaches a target, each says why, and nothing is left of it."""

import sys
from pathlib import Path

import pytest

from lab.exercises.checks import process_tree
from lab.instructor import landlock, sandbox
from tests.instructor import attacks

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux only"),
    pytest.mark.as_root,
]
ZOO = attacks.attacks()


@pytest.fixture(scope="module")
def world():
    with attacks.a_world() as world:
        yield world


@pytest.fixture(scope="module", params=sandbox.WAYS)
def way(request, tmp_path_factory):
    if refused := sandbox.probe(request.param, tmp_path_factory.mktemp("probe")):
        pytest.skip(f"no sandbox of {request.param} here: {refused}")
    return request.param


def test_the_zoo_is_large_enough():
    assert len(ZOO) >= 60


@pytest.mark.parametrize(
    "attack",
    [pytest.param(one, id=one.name, marks=pytest.mark.maintainers if one.slow else ()) for one in ZOO],
)
def test_an_attack_is_contained_and_the_reason_is_reported(attack, way, world, tmp_path):
    reason = attacks.run(attack, way, tmp_path, world.targets())
    assert reason is not None, "it succeeded"
    assert any(word in reason for word in attack.reasons(way)), reason
    assert world.state() == world.before
    assert not [pid for pid in process_tree.tree(world.victim.pid) if pid != world.victim.pid]


def test_a_way_that_does_not_exist_runs_nothing(tmp_path):
    assert "no way called 'open'" in sandbox.probe("open", tmp_path)


def test_landlock_is_refused_where_it_cannot_hide_the_kit(tmp_path, monkeypatch):
    if refused := sandbox.probe(sandbox.LANDLOCK, tmp_path):
        pytest.skip(f"no sandbox of Landlock here: {refused}")
    monkeypatch.setattr(sandbox, "ROOT", Path("/usr/lib/kit"))
    assert "/usr/lib/kit lies below /usr/lib" in sandbox.probe(sandbox.LANDLOCK, tmp_path)


def test_an_older_landlock_names_what_it_lacks():
    assert [len(landlock.missing(version)) for version in (1, 2, 3, 4, 5, 6, 7)] == [3, 3, 2, 1, 1, 0, 0]
