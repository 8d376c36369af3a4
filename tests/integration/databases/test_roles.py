"""On a real PostgreSQL: what a service's runtime role can't do, and whose rows it sees. Made for every table there is."""

import importlib
import zlib
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from deploy.databases import migrate_one
from services.processors import sandbox_books
from shared import roles
from shared.database import Database
from shared.keys import SERVICES
from shared.settings import Settings
from shared.tenancy import acting_for_all, acting_in
from tests import engines

MODELS = {
    "gateway": "services.gateway.people.model",
    "invoicing": "services.invoicing.model.base",
    "processors": "services.processors.model",
    "tax": "services.tax.model",
    "notifications": "services.notifications.model",
}
NOBODYS = {  # tables without a practice, each with why; whoever adds one says so here
    "gateway": {"persons", "sign_in_failures"},  # a person belongs to several practices, and signs in before one is known
    "invoicing": {"inbox"},  # ids of events
    "processors": {"inbox", "sealing_keys", "restores"},  # one key for everybody who seals to it; a restore is of all at once
    "tax": set(),
    "notifications": {"inbox"},
}
OURS, THEIRS = "prac_ours", "prac_theirs"


def metadata(service):
    """The mapped tables of a service."""
    for name in (MODELS[service], MODELS[service].removesuffix(".base")):
        importlib.import_module(name)
    return importlib.import_module(MODELS[service]).Base.metadata


def tables_of_practices():
    return [
        pytest.param(service, table, id=f"{service}.{table.name}")
        for service in SERVICES
        for table in metadata(service).sorted_tables
        if "practice_id" in table.columns
    ]


@pytest.fixture(scope="module")
def installed():
    """Every service's database, migrated by its owner: `{service: ServiceDatabase}`."""
    if engines.postgres_url() is None:
        pytest.fail("this test needs PostgreSQL; CLIENTBILLING_TEST_POSTGRES_URL names one")
    with ExitStack() as stack:
        made = {name: stack.enter_context(engines.fresh_service_database(name)) for name in (*SERVICES, "sandbox_books")}
        variables = {f"CLIENTBILLING_{name.upper()}_DATABASE_URL": one.owner for name, one in made.items()}
        variables |= {f"CLIENTBILLING_{name.upper()}_RUNTIME_ROLE": one.role for name, one in made.items()}
        for _ in range(2):  # the second time finds everything there
            for service in SERVICES:
                migrate_one(Settings(variables), service)
        yield made


@contextmanager
def served(url):
    database = Database(url, pool_size=1)
    try:
        yield database
    finally:
        database.dispose()


def refused(url, statement):
    """The SQLSTATE that the server answers to a statement of this role."""
    with served(url) as database, acting_for_all(), pytest.raises(DBAPIError) as told, database.transaction() as session:
        session.execute(text(statement))
    return told.value.orig.pgcode


@pytest.mark.parametrize("service", [*SERVICES, "sandbox_books"])
def test_no_role_reaches_another_services_database(installed, service):
    """The runtime role connects to its own database, and to no other service's, nor does the owner."""
    mine = installed[service]
    psycopg2.connect(mine.runtime, connect_timeout=5).close()
    for other, there in installed.items():
        if other != service:
            for url in (mine.runtime, mine.owner):
                elsewhere = url.rpartition("/")[0] + "/" + there.owner.rpartition("/")[2]
                with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
                    psycopg2.connect(elsewhere, connect_timeout=5)


@pytest.mark.parametrize("service", [*SERVICES, "sandbox_books"])
def test_the_runtime_role_shapes_nothing(installed, service):
    """It can't create, alter, empty or drop a table, nor a schema, a role, a policy or a temporary table."""
    known = sandbox_books.metadata if service == "sandbox_books" else metadata(service)
    table = known.sorted_tables[0].name
    for statement in (
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        f'ALTER TABLE "{table}" ADD COLUMN mine int',
        f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        f'TRUNCATE "{table}"',
        f'DROP TABLE "{table}"',
    ):
        assert refused(installed[service].runtime, statement) in ("42501", "42704", "3F000"), statement


def test_ledger_entries_are_only_added(installed):
    """The role that serves can neither change nor remove a posting; other tables it can."""
    url = installed["invoicing"].runtime
    for statement in ("UPDATE ledger_entries SET amount = 1", "DELETE FROM ledger_entries"):
        assert "42501" == refused(url, statement)
    with served(url) as database, acting_for_all(), database.transaction() as session:
        session.execute(text("UPDATE chain_heads SET seq = 1"))


def test_every_table_is_somebodys_or_is_named(installed):
    """A table that holds a practice's rows has a policy; one that doesn't is named above with its reason."""
    for service in SERVICES:
        with served(installed[service].owner) as database, database.reading() as session:
            locked = set(session.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity AND relkind = 'r'")))
            policies = set(session.scalars(text("SELECT tablename FROM pg_policies WHERE policyname = 'one_practice'")))
        everything = {table.name for table in metadata(service).sorted_tables}
        assert everything - NOBODYS[service] == locked == policies, service


@pytest.mark.parametrize(("service", "table"), tables_of_practices())
def test_the_role_sees_one_practices_rows(installed, service, table):
    """Acting in one practice it sees, changes and removes that one's rows only, acting for all every one's, with nothing said none."""
    there = installed[service]
    _put_rows(there.owner, table)
    with served(there.runtime) as database:
        assert [] == _seen(database, table)
        with acting_in(OURS):
            assert [OURS] == _seen(database, table)
        with acting_in("prac_nobody"):
            assert [] == _seen(database, table)
        with acting_for_all():
            assert [OURS, THEIRS] == _seen(database, table)
        if not table.info.get("only_added"):
            with acting_in(OURS), database.transaction() as session:
                changed = session.execute(table.update().values(practice_id=OURS)).rowcount
            assert 1 == changed
        with acting_in(OURS), pytest.raises(DBAPIError) as told, database.transaction() as session:
            session.execute(_insert(table, THEIRS, "x"))
        assert told.value.orig.pgcode == "42501"


def test_without_its_policy_the_other_practice_shows(installed):
    """The tests above can fail: with the policy of one table opened, the role sees the other practice's rows there."""
    table = next(table for table in metadata("tax").sorted_tables if "practice_id" in table.columns)
    there = installed["tax"]
    _put_rows(there.owner, table)
    with served(there.owner) as database, database.transaction() as session:
        session.execute(text(f'DROP POLICY {roles.POLICY} ON "{table.name}"'))
        session.execute(text(f'ALTER TABLE "{table.name}" DISABLE ROW LEVEL SECURITY'))
    try:
        with served(there.runtime) as database, acting_in(OURS):
            assert [OURS, THEIRS] == _seen(database, table)
    finally:
        with served(there.owner) as database, database.transaction() as session:
            roles.keep_apart(session.connection(), metadata("tax"))
    with served(there.runtime) as database, acting_in(OURS):
        assert [OURS] == _seen(database, table)


def test_an_invoices_lines_are_seen_with_it_only(installed):
    """Lines have no practice of their own: they show where their invoice shows."""
    there = installed["invoicing"]
    tables = metadata("invoicing").tables
    for name in ("invoices", "invoice_lines"):
        _put_rows(there.owner, tables[name])
    with served(there.runtime) as database:
        for whose, count in ((OURS, 1), ("prac_nobody", 0)):
            with acting_in(whose), database.reading() as session:
                assert count == session.scalar(text("SELECT count(*) FROM invoice_lines"))


def _seen(database, table):
    with database.reading() as session:
        return sorted(session.scalars(text(f'SELECT practice_id FROM "{table.name}"')))


def _put_rows(owner, table):
    """One row of each practice and no other, whatever else a row refers to."""
    with served(_as_superuser(owner)) as database, database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys for this
        session.execute(table.delete())
        for practice in (OURS, THEIRS):
            session.execute(_insert(table, practice, practice[5]))


def _as_superuser(url):
    return engines.postgres_url().rpartition("/")[0] + "/" + url.rpartition("/")[2]


def _insert(table, practice, mark):
    """A row of this practice with something in every column that wants it; `mark` keeps its keys apart."""
    row = {}
    for column in table.columns:
        if column.name == "practice_id":
            row[column.name] = practice
        elif (column.nullable and not column.primary_key) or column.autoincrement is True:
            continue
        else:
            row[column.name] = _something(column, mark)
    return table.insert().values(row)


def _something(column, mark):
    kind = column.type.python_type if not hasattr(column.type, "impl") else column.type.impl_instance.python_type
    return {
        int: lambda: zlib.crc32(mark.encode()) % 10_000,
        str: lambda: mark,
        bool: lambda: True,
        datetime: lambda: datetime.now(UTC),
        date: lambda: date(2026, 1, 1),
        dict: lambda: {},
        list: lambda: [],
    }.get(kind, lambda: 1)()
