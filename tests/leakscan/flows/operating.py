"""What operators and readers see: figures, health, the API's document, kept mail, and the commands."""

import json
from pathlib import Path

from tests.leakscan.flows.billing import invoice
from tests.leakscan.flows.paying import card, is_paid
from tests.leakscan.stage import Stage, flow, told

COMMANDS = (
    ("doctor",), ("verify-ledger",), ("sandbox-books",), ("sandbox-books", "--json"), ("parked", "list"), ("parked", "list", "--each"),
    ("parked", "show", "evt_none"), ("keys", "init"), ("migrate", "tax"),
)  # fmt: skip


@flow
def operators_look(stage: Stage) -> None:
    """Every route for operators and readers, and every static file."""
    visitor = stage.someone()
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        told(visitor.ask("GET", path), 200)
    static = Path("services/gateway/static")
    for file in filter(Path.is_file, static.rglob("*")):
        told(visitor.ask("GET", f"/static/{file.relative_to(static)}"), 200)
    visitor.see("/demo/mail")
    told(stage.cast["ours"].ask("GET", "/api/v1/card-entry"), 200)


@flow
def commands(stage: Stage) -> None:
    """What each command prints, well and with a wrong setting."""
    for command in COMMANDS:
        stage.run(*command)
    make = stage.canaries.make
    wrong = stage.system.command(
        "doctor", amqp_uri=f"amqp://u:{make('broker_password')}@127.0.0.1:1//", smtp_url=f"smtp://u:{make('smtp_password')}@127.0.0.1:1",
        tax_database_url=f"postgresql://u:{make('database_password')}@127.0.0.1:1/x",
    )  # fmt: skip
    stage.printed.append(("doctor", wrong.stdout + wrong.stderr))


@flow
def keys_that_turn(stage: Stage) -> None:
    """Every stored secret is sealed anew while the system serves; neither the old keys nor the new ones are anywhere but in their files."""
    _learn_keys(stage)
    stage.run("rotate-keys", "all", "--pause", "2")
    assert "it opens nothing any more" in stage.printed[-1][1], stage.printed[-1][1]
    _learn_keys(stage)
    is_paid(stage, invoice(stage)["id"], card(stage))


def _learn_keys(stage: Stage) -> None:
    for path in stage.system.folder.rglob("*.json"):
        content = json.loads(path.read_text())
        for key in content.get("vault", {}).get("keys", {}).values() if isinstance(content, dict) else ():
            stage.canaries.learn("vault key", key)
    assert [one for one in stage.canaries.all if one.kind == "vault key"]
