"""Hostile and broken XML from Converge's side: never an exception, never an approval that was not said, nothing fetched."""

import random
import time

import pytest

from services.processors.adapters import elavon_xml
from services.processors.adapters.elavon_xml import NotAnAnswer
from tests.contract.processors.elavon import CREDENTIALS, EMPTY, Scripted, charge_order, document, refund_order, rows, sample

ORDER = charge_order()
GOOD = document(ssl_result="0", ssl_amount="120.50", ssl_txn_id="1-2", ssl_result_message="APPROVAL")
MUTATIONS = 2000


def _bomb() -> str:
    entities = "".join(f'<!ENTITY e{n} "{("&e" + str(n - 1) + ";") * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE txn [<!ENTITY e0 "ha">{entities}]><txn><ssl_result>&e11;</ssl_result></txn>'


PLAIN = "<txn><ssl_result>0</ssl_result><ssl_amount>120.50</ssl_amount><ssl_txn_id>1</ssl_txn_id></txn>"
HOSTILE = {
    "a bomb": _bomb().encode(),
    "a bomb in UTF-16": _bomb().encode("utf-16"),
    "a DTD": b"<!DOCTYPE txn>" + PLAIN.encode(),
    "a DTD elsewhere": b'<!DOCTYPE txn SYSTEM "http://127.0.0.1:9/x.dtd">' + PLAIN.encode(),
    "a DTD in UTF-16": ("<!DOCTYPE txn>" + PLAIN).encode("utf-16"),
    "a file": b'<!DOCTYPE txn [<!ENTITY x SYSTEM "file:///etc/hostname">]><txn><ssl_result>&x;</ssl_result></txn>',
    "a parameter entity": b'<!DOCTYPE txn [<!ENTITY % x SYSTEM "file:///etc/hostname">%x;]>' + PLAIN.encode(),
    "an entity nobody declared": b"<txn><ssl_result>&zero;</ssl_result></txn>",
    "2 MB": document(ssl_result="0", ssl_amount="120.50", ssl_txn_id="1", ssl_description="x" * 2_000_000),
    "2 MB of depth": b"<txn>" * 400_000,
    "2 MB of names": b"<txn>" + b"".join(b"<a%d/>" % n for n in range(250_000)) + b"</txn>",
    "depth": b"<txn><ssl_result><b>0</b></ssl_result></txn>",
    "an answer inside an answer": b"<txn><txn>" + PLAIN.encode() + b"</txn></txn>",
    "twice": PLAIN.replace("</txn>", "<ssl_result>1</ssl_result></txn>").encode(),
    "another encoding than it says": '<?xml version="1.0" encoding="UTF-8"?><txn><a>é</a></txn>'.encode("latin-1"),
    "an encoding nobody knows": b'<?xml version="1.0" encoding="x-none"?>' + PLAIN.encode(),
    "an encoding that is none": b'<?xml version="1.0" encoding="base64"?>' + PLAIN.encode(),
    "a NUL": PLAIN.replace("0</ssl_result", "0\0</ssl_result").encode(),
    "two documents": (PLAIN + PLAIN).encode(),
    "a tail": (PLAIN + "<html/>").encode(),
    "nothing": b"",
    "spaces": b"   ",
    "another root": b"<answer><ssl_result>0</ssl_result></answer>",
    "a list that lost rows": b"<txnlist><ssl_txn_count>2</ssl_txn_count><txn><ssl_txn_id>1</ssl_txn_id></txn></txnlist>",
    "a list that counts badly": b"<txnlist><ssl_txn_count>many</ssl_txn_count></txnlist>",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "JSON": b'{"ssl_result": "0"}',
    "a bare ampersand": PLAIN.replace("</txn>", "<ssl_company>A & B</ssl_company></txn>").encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_refused_quickly(name):
    """Refused by the reader in under a second; the words of the fault hold nothing of the answer."""
    began = time.monotonic()
    with pytest.raises(NotAnAnswer) as refused:
        elavon_xml.read(HOSTILE[name])
    assert time.monotonic() - began < 1
    assert len(str(refused.value)) < 40


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("verb", ["charge", "refund", "void", "cancel", "find"])
def test_hostile_answers_are_unknown(verb, name):
    """Each verb that gets one says unknown, and never that nothing is there; a refund that could not read its charge was not sent."""
    charged = Scripted(GOOD).charge(CREDENTIALS, ORDER)
    order = refund_order(ORDER, charged, 100) if verb == "refund" else ORDER
    outcome = getattr(Scripted(HOSTILE[name]), verb)(CREDENTIALS, order)
    assert outcome.status == ("not_sent" if verb == "refund" else "unknown")
    assert not outcome.absent


def test_a_return_that_is_answered_badly_is_unknown():
    """The charge was read, the return went out, and its answer is garbage: unknown."""
    charged = Scripted(GOOD).charge(CREDENTIALS, ORDER)
    sale = document(ssl_txn_id="1-2", ssl_trans_status="STL", ssl_transaction_type="SALE", ssl_amount="120.50")
    for hostile in HOSTILE.values():
        assert "unknown" == Scripted(sale, hostile).refund(CREDENTIALS, refund_order(ORDER, charged, 100)).status


def test_the_same_answers_without_the_harm_are_read():
    """The reader is not simply deaf: the plain document, in either encoding, is an approval."""
    for body in (PLAIN.encode(), PLAIN.encode("utf-16"), b"\xef\xbb\xbf" + PLAIN.encode()):
        assert "approved" == Scripted(body).charge(CREDENTIALS, ORDER).status
    assert {"a": "é"} == elavon_xml.read('<?xml version="1.0" encoding="ISO-8859-1"?><txn><a>é</a></txn>'.encode("latin-1")).fields


def _mutated(chance: random.Random, body: bytes) -> bytes:
    """A few bytes of the answer changed, lost, doubled or cut off."""
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(body) + 1), chance.randrange(len(body) + 1)
        first, last = min(at, other), max(at, other)
        body = chance.choice([
            body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
            body[:first] + body[min(last, first + 20) :],
            body[:last] + body[first : first + 20] + body[last:],
            body[:at],
            body[:at] + chance.choice([b"<", b"&", b"]]>", b"<!--", b"<![CDATA[", b"<?x ?>", b"\xff"]) + body[at:],
        ]) or b" "  # fmt: skip
    return body


@pytest.mark.parametrize(
    "name", ["sale_approved", "sale_declined", "sale_partial", "bad_credentials", "query_list", "query_one_open"]
)
def test_mutated_answers_never_raise(name):
    """Thousands of damaged answers: every verb ends in a status, and an approval is only of what the text says."""
    chance, body = random.Random(name), sample(name)
    for _ in range(MUTATIONS // 6 + 1):
        mutated = _mutated(chance, body)
        for verb in ("charge", "find"):
            outcome = getattr(Scripted(mutated, EMPTY), verb)(CREDENTIALS, ORDER)
            assert outcome.status in ("approved", "declined", "unknown", "not_sent", "pending", "canceled")
            if outcome.status == "approved":
                assert b">%d.%02d<" % divmod(outcome.amount, 100) in mutated or b">%d<" % (outcome.amount // 100) in mutated


def test_lists_are_read_whole():
    """Every row comes out, in order, and nothing of the list's frame."""
    answer = elavon_xml.read(rows(*(document(ssl_txn_id=str(number)) for number in range(500))))
    assert [str(number) for number in range(500)] == [row["ssl_txn_id"] for row in answer.rows]


def test_what_is_written_can_not_break_out():
    """A value with every letter that XML gives a meaning comes back as it was, in one element."""
    written = elavon_xml.write({"ssl_pin": "a&b<c>d\"e'f]]>&amp;"})
    assert {"ssl_pin": "a&b<c>d\"e'f]]>&amp;"} == elavon_xml.read(written.encode()).fields
