"""Whether this run must show everything (`make test-all`, CI) or what a person waits for (`make test`)."""

import os

EVERYTHING = os.environ.get("CLIENTBILLING_TEST_REQUIRE") == "all"
