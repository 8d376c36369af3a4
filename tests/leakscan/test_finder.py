"""The finder itself: whatever is planted is found, wherever it lies and however it is written; in noise nothing is found."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.leakscan.canaries import Canaries
from tests.leakscan.encodings import ENCODINGS, GROUPED
from tests.leakscan.finder import Finder

LET_OUT = Canaries()
MARKED = LET_OUT.make("name", "Ünal & {} <Öz>")
CARD = LET_OUT.card()
TOKEN = LET_OUT.learn("token", "cbs_mX3-9_hQpZ0tR7vLwK2eB8nYcUaJ5fGd")
CODE = LET_OUT.code()
OTHERS = [LET_OUT.card() for _ in range(60)] + [LET_OUT.make("more", "{}") for _ in range(200)]
FINDER = Finder(LET_OUT.all)
BY_VALUE = {one.value: one for one in LET_OUT.all}
NOISE = some.binary(max_size=400)


def found(data):
    return {one for one, _ in FINDER.search(data)}


@settings(max_examples=400, deadline=None)
@given(some.sampled_from(sorted(ENCODINGS)), some.sampled_from([MARKED, CARD, TOKEN]), NOISE, NOISE)
def test_what_is_planted_is_found_in_every_encoding_at_every_offset(encoding, value, before, after):
    """Bytes of any kind may lie around it; what touches it has its own alphabet, as a line or a quote around it would."""
    if value is TOKEN and encoding == "upper case":
        return
    planted = before + b"\n" + ENCODINGS[encoding](value) + b"\n" + after
    assert BY_VALUE[value] in found(planted), encoding


@settings(max_examples=200, deadline=None)
@given(some.sampled_from(["raw", "URL", "JSON", "HTML", "quoted-printable"]), some.sampled_from([MARKED, TOKEN]), NOISE, NOISE)
def test_nothing_need_lie_between(encoding, value, before, after):
    """Directly between other bytes it is found just the same."""
    assert BY_VALUE[value] in found(before + ENCODINGS[encoding](value) + after)


@settings(max_examples=100, deadline=None)
@given(some.sampled_from(sorted(GROUPED)), some.text(alphabet="abc ,;\"'", max_size=30), some.text(alphabet="xyz:\n", max_size=30))
def test_card_numbers_are_found_however_they_are_grouped(grouping, before, after):
    """In fours, with hyphens, and from the end to the beginning."""
    assert BY_VALUE[CARD] in found((before + "\n").encode() + GROUPED[grouping](CARD) + after.encode())


@settings(max_examples=60, deadline=None)
@given(
    some.sampled_from(sorted(ENCODINGS.keys() - {"gzip", "zlib"})),
    some.sampled_from(["base64 at 1", "hex", "JSON in JSON", "URL", "gzip"]),
    NOISE,
)
def test_one_encoding_in_another_is_undone(inner, outer, before):
    """As a webhook's base64 in a message's JSON is."""
    text = ENCODINGS[inner](MARKED).decode("latin-1")
    assert BY_VALUE[MARKED] in found(before + b"\n" + ENCODINGS[outer](text))


@pytest.mark.parametrize("text", ['{{"cvc": "{}"}}', "code {}, refused", "cvc={}&month=12", "{}", "<td>{}</td>", "it was {}."])
def test_a_security_code_is_found_where_it_stands_alone(text):
    """Also URL-encoded, in JSON within JSON, or in base64 of text."""
    plain = text.format(CODE)
    for encoding in ("raw", "URL", "JSON in JSON", "base64 at 0", "HTML"):
        if len(plain) > 8 or not encoding.startswith("base64"):  # in base64 alone it is too short to tell from anything else
            assert BY_VALUE[CODE] in found(ENCODINGS[encoding](plain)), encoding


@pytest.mark.parametrize("text", ["inv_{}", "0{}", "{}7", "a{}b", "0.{}", "12:00:01,{}5", "-{}-", "{}.25"])
def test_digits_of_something_else_are_no_security_code(text):
    """Ids, longer numbers, decimals and times hold any four digits now and then."""
    assert BY_VALUE[CODE] not in found(text.format(CODE).encode())


@pytest.mark.parametrize(
    "alphabet", [bytes(range(256)), b"0123456789", b"0123456789abcdef\n", b"ab %&\\=u0041;#\n", b"QUJD+/-_=\r\n"]
)
def test_nothing_is_found_in_noise_and_quickly(alphabet):
    """Random bytes, digits, hex, base64 and what looks escaped: no canary, and some seconds a megabyte at most."""
    noise = bytes(random.Random(7).choices(alphabet, k=300_000))
    began = time.monotonic()
    assert set() == FINDER.search(noise)
    assert time.monotonic() - began < 15


def test_a_wrong_finder_would_be_seen():
    """A finder that knows one canary doesn't find another's."""
    assert set() == Finder([BY_VALUE[OTHERS[-1]]]).search(MARKED.encode())
