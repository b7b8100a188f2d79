"""The attacks on the two disguises, by themselves."""

import pytest

from lab.exposure import disguises


@pytest.mark.parametrize("period", range(1, disguises.LONGEST_KEY + 1))
@pytest.mark.parametrize("start", [0, 5])
def test_a_repeated_key_is_found_whatever_its_length(period, start):
    key = bytes(range(65, 65 + period))
    plain = b"Alice"[:start] + b"!ShowUserHasConnected" + "!GetAllActiveUsers and more, naïve".encode()
    found = disguises.find_xor_key(disguises.xor(plain, key))
    assert disguises.xor(disguises.xor(plain, key), found) == plain


@pytest.mark.parametrize(
    "data", [b"", b"Brandon!ShowUserHasConnected", b"\x16\x03\x01" + bytes(range(256)) * 4]
)
def test_no_key_is_found_where_there_is_none(data):
    assert disguises.find_xor_key(data) is None


@pytest.mark.parametrize("data", [b"", b"hello", b"!!!\n", b"QQ=Q\n", b"QQ==", b"Q\n"])
def test_what_is_not_base64_is_left_alone(data):
    assert disguises.undo_base64(data) is None
