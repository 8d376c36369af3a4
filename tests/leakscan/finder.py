"""Finds canaries in bytes, plain or written otherwise: base64, hexadecimal, for URLs, in JSON, HTML, quoted-printable, compressed.

What is folded is unfolded, at most DEEP times, and each layer is searched. Not seen: what is encrypted or hashed, a part of a value
without its mark, and a security code that is not plain text or touches other letters or digits.
"""

import binascii
import html
import re
import zlib
from collections.abc import Callable, Iterable, Iterator

from tests.leaks import SHORT, standing_alone
from tests.leakscan.canaries import MARK, SERIAL, Canary

DEEP = 3
LARGEST = 8 * 1024 * 1024  # bytes that one compressed piece may become

_MARKED = re.compile(rb"%s([0-9a-z]{%d})" % (MARK.encode(), SERIAL))
_DIGITS = re.compile(rb"\d(?:[ ./-]{0,2}\d){11,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_WRAPPED = re.compile(rb"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{56,80}\r?\n)+[A-Za-z0-9+/]+")
_HEX = re.compile(rb"[0-9a-fA-F]{20,}")
_SPACED_HEX = re.compile(rb"(?:(?:\\x|0x|%)?[0-9a-fA-F]{2}[ :,]){9,}[0-9a-fA-F]{2}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_UNPRINTABLE = bytes(set(range(256)) - set(range(32, 127)) - set(b"\t\r\n"))
_CONTROL = re.compile(rb"[\x00-\x08\n\x0b\x0c\x0e-\x1f]+")
_QUOTED = re.compile(rb"=([0-9A-F]{2})")
_ZIPPED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")

Seen = set[tuple[Canary, str]]


class Finder:
    """Made once for a set of canaries; `search` may be asked as often as one likes."""

    def __init__(self, canaries: Iterable[Canary]):
        given = list(canaries)
        self._marked = {one.serial.encode(): one for one in given if one.serial}
        others = [one for one in given if not one.serial]
        self._cards = {one.value.encode(): one for one in others if one.value.isdigit() and len(one.value) > 10}
        self._short = {one.value.encode(): one for one in others if len(one.value) <= SHORT or _is_short_number(one.value)}
        self._plain = [(one.value.encode(), one) for one in others if one.value.encode() not in self._cards | self._short]
        self._alone = standing_alone(key.decode() for key in self._short) if self._short else None

    def search(self, data: bytes) -> Seen:
        """Which canaries are in `data`, each with how it is written (`raw`, `hex`, `base64 in json`)."""
        return {(one, how or "raw") for view, how, text in unfolded(data) for one in self._in(view, text)}

    def _in(self, view: bytes, is_text: bool) -> Iterator[Canary]:
        for found in _MARKED.finditer(view.lower()):
            if found[1] in self._marked:
                yield self._marked[found[1]]
        for value, one in self._plain:
            if value in view:
                yield one
        if self._cards:
            digits = b" ".join(re.sub(rb"\D", b"", found) for found in _DIGITS.findall(view))
            yield from (one for value, one in self._cards.items() if digits and (value in digits or value[::-1] in digits))
        if is_text and self._alone:
            yield from (self._short[found[1]] for found in self._alone.finditer(view))


def _is_short_number(value: str) -> bool:
    return value.isdigit() and len(value) <= 10


def unfolded(data: bytes) -> Iterator[tuple[bytes, str, bool]]:
    """(the bytes, how they were written, whether they are text) of every layer, the outermost first."""
    layers, known = [(data, "", True)], {data}
    for _ in range(DEEP + 1):
        inner = []
        for view, how, text in layers:
            yield view, how, text
            for name, unfold in _FOLDS.items():
                for part, is_text in unfold(view):
                    if part and part not in known:
                        known.add(part)
                        inner.append((part, f"{name} in {how}" if how else name, is_text))
        layers = inner


def _pieces(decoded: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """What came out, joined: what reads as text, and the rest, of which most is noise."""
    texts, rest = [], []
    for piece in decoded:
        is_text = len(piece.translate(None, _UNPRINTABLE)) == len(piece)
        (texts if is_text or _ZIPPED.match(piece) else rest).append(piece)
    yield b"\n".join(texts), True
    yield b"\n".join(piece for piece in rest if _may_hold(piece)), False


def _may_hold(piece: bytes) -> bool:
    """Whether there is any stretch of text in it that is as long as the shortest canary, or something that is compressed."""
    return b"\x1f\x8b\x08" in piece or re.search(rb"[\x20-\x7e]{10,}", piece) is not None


def _base64(view: bytes) -> Iterator[tuple[bytes, bool]]:
    runs = [*_BASE64.findall(view), *(re.sub(rb"\r?\n", b"", run) for run in _WRAPPED.findall(view))]
    yield from _pieces(_from_base64(run[start:]) for run in set(runs) for start in range(4))


def _from_base64(run: bytes) -> bytes:
    whole = run.translate(_URL_SAFE)
    whole = whole[:-1] if len(whole) % 4 == 1 else whole
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def _hex(view: bytes) -> Iterator[tuple[bytes, bool]]:
    runs = [*_HEX.findall(view), *(re.sub(rb"\\x|0x|[ :,%]", b"", run) for run in _SPACED_HEX.findall(view))]
    pieces = (run[start:] for run in set(runs) for start in range(2))
    yield from _pieces(binascii.a2b_hex(piece[: len(piece) // 2 * 2]) for piece in pieces)


def _where(pattern: bytes, unescape: Callable[[bytes], bytes]) -> Callable[[bytes], Iterator[tuple[bytes, bool]]]:
    """Unescapes those lines that hold something escaped; in binary data any control character ends a line."""
    escaped = re.compile(pattern)

    def unfold(view: bytes) -> Iterator[tuple[bytes, bool]]:
        if escaped.search(view):
            yield b"\n".join(unescape(line) for line in _CONTROL.split(view) if escaped.search(line)), True

    return unfold


def _from_url(line: bytes) -> bytes:
    return re.sub(rb"%([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), line.replace(b"+", b" "))


def _from_json(line: bytes) -> bytes:
    def plain(found: re.Match[bytes]) -> bytes:
        letter = found[1]
        if letter[:1] in b"uUx" and len(letter) > 1:
            return chr(min(int(letter[1:], 16), 0x10FFFF)).encode(errors="replace")
        return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(letter, letter)

    return re.sub(rb"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", plain, line)


def _from_html(line: bytes) -> bytes:
    return html.unescape(line.decode("latin-1")).encode(errors="replace")


def _quoted_printable(view: bytes) -> Iterator[tuple[bytes, bool]]:
    joined = re.sub(rb"=\r?\n", b"", view)
    lines = _CONTROL.split(joined) if len(joined) < len(view) or _QUOTED.search(view) else []
    yield b"\n".join(_QUOTED.sub(_unquoted, line) for line in lines if len(joined) < len(view) or _QUOTED.search(line)), True


def _unquoted(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


def _compressed(view: bytes) -> Iterator[tuple[bytes, bool]]:
    opened = []
    for found in _ZIPPED.finditer(view):
        try:
            opened.append(zlib.decompressobj(47).decompress(view[found.start() :], LARGEST))  # 47: gzip or zlib, by its head
        except zlib.error:
            continue
    yield b"\n".join(opened), True


_FOLDS: dict[str, Callable[[bytes], Iterator[tuple[bytes, bool]]]] = {
    "base64": _base64,
    "hex": _hex,
    "url": _where(rb"%[0-9a-fA-F]{2}|\w\+\w", _from_url),
    "json": _where(rb"\\[uUx\"\\/]", _from_json),
    "html": _where(rb"&(?:#|[a-zA-Z])", _from_html),
    "quoted-printable": _quoted_printable,
    "compressed": _compressed,
}
