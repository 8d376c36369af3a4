"""What the role that a service runs with may do in its own database (PostgreSQL): rows, one practice's at a time; no shapes.

Made anew with every migration from the mapped classes, so that a new table is never left open. Whose rows: `shared.tenancy`.
A table has its practice in `practice_id` (or in the column that its `info["practice_column"]` names), or belongs to a row of
a table that has. `info["only_added"]`: its rows are never changed or removed.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, MetaData, Table, inspect, text

from shared.tenancy import EVERY_PRACTICE, SETTING

POLICY = "one_practice"
_NOW = f"current_setting('{SETTING}', true)"


def keep_apart(connection: Connection, metadata: MetaData, role: str = "") -> None:
    """Policies on every table that knows its practice; and `role`, where named, may use rows of the tables and nothing else."""
    if connection.dialect.name != "postgresql":
        return
    there = set(inspect(connection).get_table_names())
    tables = [table for table in metadata.sorted_tables if table.name in there]
    for statement in _policies(connection, tables):
        connection.execute(text(statement))
    for statement in _grants(connection, tables, role) if role else ():
        connection.execute(text(statement))


def condition(table: Table) -> str | None:
    """The rows that may be seen, as SQL; None where the table holds nothing of a practice."""
    column = table.info.get("practice_column") or ("practice_id" if "practice_id" in table.columns else None)
    if column:
        return f"{column} = NULLIF({_NOW}, '') OR {_NOW} = '{EVERY_PRACTICE}'"
    for key in table.foreign_keys:
        if condition(key.column.table):  # the row it belongs to is seen only where its own policy shows it
            parent = key.column.table.name
            mine = f'"{table.name}"."{key.parent.name}" = "{parent}"."{key.column.name}"'
            return f'EXISTS (SELECT 1 FROM "{parent}" WHERE {mine})'  # noqa: S608  # names of our own tables
    return None


def _policies(connection: Connection, tables: list[Table]) -> Iterator[str]:
    """Only where something is missing or other than it was: a policy is changed under a lock that stops everybody."""
    known = {
        row.relname: row.note
        for row in connection.execute(text(
            "SELECT c.relname, obj_description(p.oid, 'pg_policy') AS note FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid "
            "WHERE c.relrowsecurity AND c.relnamespace = 'public'::regnamespace AND p.polname = :policy"
        ), {"policy": POLICY})
    }  # fmt: skip
    for table in tables:
        wanted = condition(table)
        if wanted is None or known.get(table.name) == wanted:
            continue
        note = wanted.replace("'", "''")
        yield f'ALTER TABLE "{table.name}" ENABLE ROW LEVEL SECURITY'
        yield f'DROP POLICY IF EXISTS {POLICY} ON "{table.name}"'
        yield f'CREATE POLICY {POLICY} ON "{table.name}" USING ({wanted})'
        yield f"COMMENT ON POLICY {POLICY} ON \"{table.name}\" IS '{note}'"


def _grants(connection: Connection, tables: list[Table], role: str) -> Iterator[str]:
    whom = connection.dialect.identifier_preparer.quote_identifier(role)
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {whom}"
    yield f"GRANT USAGE ON SCHEMA public TO {whom}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {whom}"
    for table in tables:
        rights = "SELECT, INSERT" if table.info.get("only_added") else "SELECT, INSERT, UPDATE, DELETE"
        yield f'GRANT {rights} ON "{table.name}" TO {whom}'
    if inspect(connection).has_table("alembic_version"):
        yield f"GRANT SELECT ON alembic_version TO {whom}"
