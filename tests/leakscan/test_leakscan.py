"""The scan: everything is played with canaries on a whole system, and every place is searched; then leaks are planted and must be found.

On RabbitMQ and PostgreSQL it takes minutes, so it is part of `make test-all` only.
"""

import pytest

from tests import engines
from tests.leakscan import stage as stages
from tests.leakscan.allowed import is_allowed
from tests.leakscan.canaries import Canary
from tests.leakscan.encodings import ENCODINGS
from tests.leakscan.finder import Finder
from tests.leakscan.flows import FLOWS
from tests.leakscan.places import Place, everywhere
from tests.leakscan.planting import FEW, PLANTS
from tests.leakscan.stage import reachable
from tests.required import EVERYTHING

pytestmark = pytest.mark.timeout(1800)
Leak = tuple[str, str, str, str]  # place, kind of canary, how it was written, the flow that let it out: never the value
NOT_REACHED = {"split": {"GET /demo/mail"}}  # there is none where mail goes out by SMTP


def leaks(places: list[Place], canaries: list[Canary]) -> set[Leak]:
    """What lies where the table has no line for it."""
    finder = Finder(canaries)
    return {
        (place.name_for(one), one.kind, how, one.flow)
        for place in places
        for one, how in finder.search(place.data)
        if not is_allowed(one.kind, place.name_for(one))
    }


def kinds() -> list[str]:
    if not EVERYTHING:
        return ["embedded"]
    split = engines.rabbitmq_uri() and engines.postgres_url() and engines.rabbitmq_takes_definitions()
    return ["embedded", "split"] if split else ["embedded"]


def pytest_generate_tests(metafunc):
    if "stage" in metafunc.fixturenames:
        metafunc.parametrize("stage", kinds(), indirect=True, scope="module")


@pytest.fixture(scope="module")
def stage(request, tmp_path_factory):
    """A system on which every flow was played."""
    folder = tmp_path_factory.mktemp(request.param)
    with getattr(stages, request.param)(folder) as made:
        for name, play in FLOWS.items():
            made.canaries.flow = name
            play(made)
        yield made


def test_every_route_was_played(stage, request):
    """Each method of each address of the gateway was answered well at least once: a new route needs a flow."""
    left_out = NOT_REACHED.get(request.node.callspec.params["stage"], set())
    assert set() == reachable(stage) - stage.answers.reached() - left_out


def test_no_canary_is_where_it_may_not_be(stage):
    """Every canary of every flow, in every place, in every encoding: only where the table allows it."""
    found = leaks(everywhere(stage), stage.canaries.all)
    assert not found, "\n".join(map(str, sorted(found)))


def test_every_place_was_looked_into(stage):
    """Nothing is clean for not having been read: each kind of place held what it should."""
    names = [place.name for place in everywhere(stage) if place.data]
    for beginning in (
        "database ",
        "file ",
        "log ",
        "bus ",
        "mail ",
        "answer ",
        "headers ",
        "cookie ",
        "command ",
        "processor ",
        "process ",
    ):
        assert any(name.startswith(beginning) for name in names), beginning


def test_a_planted_leak_is_found_in_every_place_and_encoding(stage):
    """What the product might leak is seen wherever and however it lies, and its place and kind are named."""
    planted: dict[tuple[str, str], str] = {}
    for beginning, (plant, impossible) in {**PLANTS, **FEW}.items():
        for encoding in sorted(ENCODINGS.keys() - impossible):
            kind = f"{encoding} in {beginning}"
            value = stage.canaries.make(kind, "planted {} & 'more'", practice="", client="")
            plant(stage, ENCODINGS[encoding](value))
            planted[beginning, kind] = value
    canaries = [one for one in stage.canaries.all if one.value in planted.values()]
    beginnings = (*PLANTS, *FEW)
    found = leaks([place for place in everywhere(stage) if place.name.startswith(beginnings)], canaries)
    seen = {(place, kind) for place, kind, _, _ in found}
    missed = [(beginning, kind) for beginning, kind in planted if not any(p.startswith(beginning) and k == kind for p, k in seen)]
    assert [] == missed
    assert not any(value in repr(found) for value in planted.values())


def test_cards_and_strangers_are_found_too(stage):
    """A card number in a log, and one practice's client in the answer to another."""
    number, reader = stage.canaries.card(), stage.cast["theirs"].reader
    name = stage.canaries.make("client_name", practice=stage.cast["ours"].reader.practice)
    grouped = "-".join(number[at : at + 4] for at in range(0, 16, 4))
    places = [Place("log gateway", f"paid with {grouped}".encode()), Place("answer admin GET /clients", name.encode(), reader)]
    found = {(place, kind) for place, kind, _, _ in leaks(places, stage.canaries.all)}
    assert {("log gateway", "card"), ("answer stranger GET /clients", "client_name")} == found
