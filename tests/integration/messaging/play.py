"""Runs one play in a process of its own, patched by eventlet before anything else, and prints its facts as JSON."""

import os
import sys

if os.environ.get("PLAY_NATIVE") != "1":
    import eventlet

    eventlet.monkey_patch()

import importlib
import json
import logging


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    room, name = sys.argv[1].split(".")
    facts = getattr(importlib.import_module(f"tests.integration.messaging.{room}"), name)()
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
