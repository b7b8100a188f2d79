"""The exposure chart: as many classes and variants as the course has, numbers on it, honest about nothing."""

import pytest

from lab.charts import describe_exposure, draw_exposure, new_axes
from lab.exposure import Score, length_leak
from lab.exposure.leaks import Leak
from tests.charts.looks import contrast, grey, inspect_text

KINDS = ("identities", "content", "secrets", "presence", "private", "times")
VARIANTS = (
    "plaintext",
    "base64",
    "xor",
    "TLS 1.2",
    "TLS 1.3",
    "TLS 1.3 padded",
    "one in ten leaked",
    "open Wi-Fi",
)


def scores(variants=VARIANTS, *, wrong=0, total=120):
    """Variant number n recovers n of seven parts of everything; of relations there were none."""
    return {
        variant: [Score(kind, total * number // 7, wrong, total) for kind in KINDS[:4]]
        + [Score("private", 0, 0, 0), Score("times", total, 0, total)]
        for number, variant in enumerate(variants)
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 8])
def test_every_size_is_readable(count):
    assert inspect_text(draw_exposure(scores(VARIANTS[:count], wrong=3, total=1120))) == []


def test_the_table_has_a_cell_for_each_number():
    given = scores(wrong=2)
    ax = draw_exposure(given)
    assert [cell.get_label() for cell in ax.patches] == [
        f"{variant}: {kind}" for variant in VARIANTS for kind in KINDS
    ]
    written = [text.get_text() for text in ax.texts]
    assert written.count("n/a") == 8
    assert written.count("34 of 120\n2 false") == 4 and written.count("28 %") == 4
    headings = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    assert headings == list(VARIANTS)
    assert "false: claimed" in ax.get_xlabel()


def test_a_table_of_few_classes_has_a_row_for_each_variant():
    names = [f"TLS 1.3, X25519MLKEM768, records padded to {size}" for size in range(100, 700, 100)]
    ax = draw_exposure({name: [Score("content", 0, 0, 17)] for name in names})
    assert [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()] == names
    assert inspect_text(ax) == [] and ax.figure.get_figwidth() < 9


def test_the_darker_the_more_in_grey_too():
    ax = draw_exposure(scores())
    content = [cell for cell in ax.patches if cell.get_label().endswith("content")]
    shades = [grey(cell.get_facecolor()) for cell in content]
    assert shades == sorted(shades, reverse=True)
    assert min(before - after for before, after in zip(shades, shades[1:], strict=False)) > 0.03
    assert all(contrast("black", cell.get_facecolor()) >= 4.5 for cell in ax.patches)
    nothing = {cell.get_hatch() for cell in ax.patches if cell.get_label().endswith("private")}
    assert nothing == {"///"}  # neither dark nor light: there was nothing to recover


def test_three_variants_are_bars_and_four_a_table():
    assert len({bar.get_hatch() for bar in draw_exposure(scores(VARIANTS[:3])).patches}) == 3
    assert draw_exposure(scores(VARIANTS[:4])).patches[0].get_label() == "plaintext: identities"


@pytest.mark.parametrize(
    ("right", "said"), [(0, "0 %"), (1, "1 %"), (999, "99 %"), (1000, "100 %"), (500, "50 %")]
)
def test_only_all_is_100_and_only_nothing_is_0(right, said):
    given = {"a cipher": [Score("content", right, 0, 1000)]}
    assert f"a cipher: {said}  ({right} of 1000)" in [text.get_text() for text in draw_exposure(given).texts]
    assert f"{right} of 1000 content ({said}, 95 %: " in describe_exposure(given)


def test_the_twin_says_what_there_was_nothing_of():
    first, *_ = describe_exposure(scores(wrong=1)).splitlines()
    assert first.startswith(
        "plaintext: the eavesdropper recovers 0 of 120 identities (0 %, 95 %: 0 to 3 %), "
    )
    assert first.endswith("; there were no relations, private to recover; 4 false claims.")


def test_it_draws_on_the_axes_it_is_given():
    ax = new_axes()
    assert draw_exposure(scores(), ax=ax) is ax


def test_scores_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="different classes"):
        draw_exposure({"a": [Score("content", 1, 0, 1)], "b": [Score("secrets", 1, 0, 1)]})
    with pytest.raises(ValueError, match="no scores"):
        draw_exposure({})


def test_a_label_is_no_formula():
    for more in ([], ["b", "c"]):  # bars, a table
        ax = draw_exposure(scores(["$\\frac$ $x", "a", *more]), title="$\\frac$")
        assert inspect_text(ax) == []


def test_one_false_claim_is_one_claim():
    assert describe_exposure({"a": [Score("content", 1, 1, 3)]}).endswith("; 1 false claim.")


def known(content, votes):
    """The scores of a variant of which ``content`` of 18 lines were read, and ``votes`` of 3 votes are known."""
    inferred = Score("inferred", votes + 4, 0, 7, baseline=1, votes=(votes, 3))
    return [Score("content", content, 0, 18), Score("public", 18, 0, 18, baseline=18), inferred]


@pytest.mark.parametrize("more", [{}, {"XOR": known(18, 3)}], ids=["bars", "table"])
def test_what_is_known_without_being_read_is_on_the_chart_and_in_the_twin(more):
    given = {"plaintext": known(18, 3), "TLS 1.3": known(0, 3), "padded": known(0, 0), **more}
    ax = draw_exposure(given)
    sentences = ["TLS 1.3: 0 % read; 3 of 3 votes guessed", "padded: 0 % read; 0 of 3 votes guessed"]
    assert ax.get_xlabel().splitlines()[:2] == sentences  # not of plaintext, which is read
    assert describe_exposure(given).splitlines()[len(given) :] == [f"{sentence}." for sentence in sentences]
    assert inspect_text(ax) == []


def test_the_skill_stands_beside_the_share_where_a_guess_gets_something():
    given = {"TLS 1.3": known(0, 3)}
    written = [text.get_text() for text in draw_exposure(given).texts]
    assert "TLS 1.3: 100 %  (18 of 18; skill n/a)" in written
    assert "TLS 1.3: 100 %  (7 of 7; skill 100 %)" in written
    assert "TLS 1.3: 0 %  (0 of 18)" in written
    text = describe_exposure(given)
    assert "18 of 18 relations, public (100 %, 95 %: 81 to 100 %; skill n/a)" in text
    assert "skill" not in describe_exposure(scores()) + draw_exposure(scores()).get_xlabel()


@pytest.mark.parametrize("more", [0, 2], ids=["bars", "table"])
def test_bits_stand_beside_what_was_recovered(more):
    leak = Leak(2.1, 1.4, 2.8, 60, unit="conversation")
    seen = [Score("content", 0, 0, 17, leak=length_leak(range(16))), Score("topic", 0, 0, 60, leak=leak)]
    padded = [Score("content", 0, 0, 17), Score("topic", 0, 0, 60)]
    given = {"TLS 1.3": seen, "padded": padded, **dict.fromkeys(VARIANTS[:more], padded)}
    ax = draw_exposure(given)
    written = [text.get_text().replace("\n", "; ") for text in ax.texts]
    assert sum("0 of 60; 2.1 bits" in text for text in written) == 1
    assert sum("0 of 17; ≥ 4.0 bits" in text for text in written) == 1
    assert "guessed better than chance" in ax.get_xlabel()
    assert "0 of 60 topic (0 %, 95 %: 0 to 6 %; 2.1 bits a conversation (95 %: 1.4 to 2.8; n = 60))" in (
        describe_exposure(given)
    )
    assert inspect_text(ax) == []
    assert "bits" not in draw_exposure(scores()).get_xlabel() + describe_exposure(scores())


def test_integrity_is_what_somebody_who_acts_can_change():
    given = {
        name: [Score("content", 0, 0, 9), Score("integrity", changed, 0, 72)]
        for name, changed in {"base64": 34, "TLS 1.3": 0}.items()
    }
    weak, strong = describe_exposure(given).splitlines()
    assert "; 34 of 72 bits of a line can be changed unnoticed; " in weak and "integrity" not in weak
    assert "; 0 of 72 bits of a line can be changed unnoticed; " in strong
    ax = draw_exposure(given)
    assert "base64: 47 %  (34 of 72)" in [text.get_text() for text in ax.texts]
    assert any("changed unnoticed" in label.get_text() for label in ax.get_yticklabels())
