"""`make demo`: the product with a practice on each processor's simulator, so that all three are tried without a network.

Everything is made anew at each start and gone at its end; simulators and system listen on loopback only.
"""

import argparse
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.api import Practice
from tests.faults.processors import KINDS, Peer
from tests.simulators.authorize_net import card_for
from tests.simulators.elavon_wire import REFUSALS
from tests.system import Embedded

CARDS = {
    "stripe": (("approved", "4242424242424242"), ("declined", "4000000000000002"), ("the bank asks", "4000002500003155")),
    "authorize_net": (
        ("approved", "4111111111111111"),
        ("declined", card_for(2)),
        ("expired", card_for(8)),
        ("held for review", card_for(253)),
        ("approved in part", card_for(295)),
    ),
    "elavon": (
        ("approved", "4124939999999990"),
        *((ending.message.lower(), number) for number, ending in list(REFUSALS.items())[:4]),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as ending:
        folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="clientbilling-demo-"))
        system = Embedded(Path(folder))
        system.port, system.url = port, f"http://localhost:{port}"
        print("  Starting the system and three simulators ...", flush=True)
        ending.enter_context(system)
        for kind in KINDS.values():
            peer = Peer(kind)
            ending.callback(peer.close)
            _say(kind.type, peer, Practice(system, peer.account))
        print(f"\n  Client Billing is ready:  {system.url}      Mail: {system.url}/demo/mail\n  Ctrl-C stops it.\n", flush=True)
        ended.wait()
        print("\n  Stopping ...", file=sys.stderr)


def _say(kind: str, peer: Peer, practice: Practice) -> None:
    """One open invoice, and what a person needs to try it: sign-ins, cards, the simulator's own books."""
    practice.invoice()
    print(f"\n  {kind}   (its books: {peer.url}/_simulator/books)")
    people = (("admin", practice.admin_email), ("provider", practice.provider_email), ("client", practice.client_email))
    for role, email in people:
        print(f"    {role:<9} {email:<34} {practice.PASSWORD}")
    for outcome, number in CARDS[kind]:
        print(f"    card {number}  {outcome}")


if __name__ == "__main__":
    main()
