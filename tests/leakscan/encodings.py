"""The ways in which a value may be written down, for planting: what the finder must see."""

import base64
import gzip
import html
import json
import quopri
import urllib.parse
import zlib
from collections.abc import Callable


def _base64(pad: int, encode: Callable[[bytes], bytes] = base64.b64encode, keep: bool = True) -> Callable[[str], bytes]:
    """In the midst of something longer: `pad` bytes before it decide its alignment."""

    def written(value: str) -> bytes:
        text = encode(b"\xff\xfe\xfd"[:pad] + value.encode() + b"?>~"[:pad])
        return text if keep else text.rstrip(b"=")

    return written


def _grouped(between: str) -> Callable[[str], bytes]:
    return lambda value: between.join(value[at : at + 4] for at in range(0, len(value), 4)).encode()


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    **{f"base64 at {pad}": _base64(pad) for pad in range(3)},
    **{f"base64 without padding at {pad}": _base64(pad, keep=False) for pad in range(3)},
    **{f"URL-safe base64 at {pad}": _base64(pad, base64.urlsafe_b64encode) for pad in range(3)},
    **{f"URL-safe base64 without padding at {pad}": _base64(pad, base64.urlsafe_b64encode, False) for pad in range(3)},
    "base64 in lines": lambda value: base64.encodebytes(b"x" * 50 + value.encode() + b"y" * 50),
    "hex": lambda value: value.encode().hex().encode(),
    "HEX": lambda value: value.encode().hex().upper().encode(),
    "hex with spaces": lambda value: value.encode().hex(" ").encode(),
    "URL": lambda value: "".join(f"%{letter:02X}" for letter in value.encode()).encode(),
    "URL where needed": lambda value: urllib.parse.quote_plus(value).encode(),
    "JSON": lambda value: "".join(f"\\u{ord(letter):04x}" for letter in value).encode(),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"it": value})).encode(),
    "HTML": lambda value: "".join(f"&#{ord(letter)};" for letter in value).encode(),
    "HTML, hexadecimal": lambda value: "".join(f"&#x{ord(letter):x};" for letter in value).encode(),
    "HTML where needed": lambda value: html.escape(value).encode(),
    "quoted-printable": lambda value: "".join(f"={letter:02X}" for letter in value.encode()).encode(),
    "quoted-printable in lines": lambda value: quopri.encodestring(b"x" * 70 + value.encode() + b"=" * 9),
    "gzip": lambda value: gzip.compress(b"x" * 30 + value.encode()),
    "zlib": lambda value: zlib.compress(b"x" * 30 + value.encode()),
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(value.encode())),
    "upper case": lambda value: value.upper().encode(),
}
GROUPED: dict[str, Callable[[str], bytes]] = {  # of card numbers
    "in fours": _grouped(" "),
    "in fours with hyphens": _grouped("-"),
    "backwards": lambda value: value[::-1].encode(),
    "backwards in fours": lambda value: _grouped(" ")(value[::-1]),
}
