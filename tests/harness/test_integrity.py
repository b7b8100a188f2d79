"""Each bit of a line is flipped on its way to the server: only TLS notices every time."""

import pytest

from lab.harness.integrity import LINE, changed_unnoticed
from lab.harness.variant import Variant

TEXT_BITS = 8 * len(LINE.text)


def test_in_plaintext_and_under_xor_every_bit_on_the_report_wire_can_be_changed():
    for disguise in (None, "xor"):
        assert changed_unnoticed(Variant(disguise=disguise)) == (TEXT_BITS, TEXT_BITS)


@pytest.mark.parametrize(("wire", "disguise"), [("report", "base64"), ("json", None), ("json", "xor")])
def test_syntax_makes_some_changes_known(wire, disguise):
    changed, bits = changed_unnoticed(Variant(wire=wire, disguise=disguise))
    assert TEXT_BITS / 2 < changed < TEXT_BITS < bits, "most of the text, nothing around it"


@pytest.mark.parametrize("tls", ["1.2", pytest.param("1.3", marks=pytest.mark.maintainers)])
def test_over_tls_no_bit_can_be_changed(tls):
    changed, bits = changed_unnoticed(Variant(tls))
    assert changed == 0 and bits > TEXT_BITS
