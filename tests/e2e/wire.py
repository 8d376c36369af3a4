"""A packet log of loopback: every TCP connection's bytes, told apart into the browser's own and ours. Linux, with the right to listen."""

import re
import socket
import struct
import threading
from collections import defaultdict

from tests import engines

ETH_P_ALL = 3
_ETHERNET, _TCP = 14, 6


def may_listen() -> bool:
    """Whether packets can be read here; a line at the end of the run where they can't."""
    try:
        _socket().close()
    except (OSError, AttributeError):
        engines.NOT_RUN.append("the packet log of card numbers: packets of loopback can't be read here (Linux, as root)")
        return False
    return True


def _socket() -> socket.socket:
    listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(ETH_P_ALL))
    listening.bind(("lo", 0))
    return listening


class Wire:
    """What goes over loopback while it is open. A connection in which a browser names itself is the browser's, all others are ours."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, int], list[tuple[int, bytes]]] = defaultdict(list)
        self._socket, self._ended = _socket(), threading.Event()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                self._take(self._socket.recv(1 << 17))
            except TimeoutError:
                continue

    def _take(self, frame: bytes) -> None:
        if frame[12:14] != b"\x08\x00" or frame[_ETHERNET + 9] != _TCP:
            return
        head = (frame[_ETHERNET] & 15) * 4
        length = struct.unpack("!H", frame[_ETHERNET + 2 : _ETHERNET + 4])[0]
        segment = frame[_ETHERNET + head : _ETHERNET + length]
        source, target, number = struct.unpack("!HHI", segment[:8])
        if payload := segment[(segment[12] >> 4) * 4 :]:
            self._streams[source, target].append((number, payload))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def ours(self, port: int, theirs: int) -> bytes:
        """All that went to and from our own `port`, and what was said at `theirs` by anybody but the browser."""
        pairs = [*self._of(port, browser=None), *self._of(theirs, browser=False)]
        return b"".join(self._stream(pair) for pair in pairs)

    def browsers(self, port: int) -> bytes:
        """Everything in the browser's own connections to this port."""
        return b"".join(self._stream(pair) for pair in self._of(port, browser=True))

    def _of(self, port: int, browser: bool | None) -> list[tuple[int, int]]:
        pairs = [pair for pair in list(self._streams) if port in pair]
        return [pair for pair in pairs if browser is None or browser == self._is_a_browsers(pair)]

    def _is_a_browsers(self, pair: tuple[int, int]) -> bool:
        both = self._stream(pair) + self._stream(pair[::-1])
        return re.search(rb"(?i)user-agent: mozilla", both) is not None

    def _stream(self, pair: tuple[int, int]) -> bytes:
        """One direction's bytes in their order; loopback shows every packet twice."""
        return b"".join(payload for _, payload in sorted(dict(self._streams.get(pair, [])).items()))
