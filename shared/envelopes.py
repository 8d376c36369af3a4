"""Which columns of a service hold the vault's envelopes: declared once beside its model, so that keys can rotate under them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Table, and_, func, not_, or_, select, tuple_, update
from sqlalchemy.orm import Session

from shared.vault import OF_KMS, OURS, begins, key_id_of


def mapped(family: Any) -> Table:
    """The table of a mapped class."""
    return family.__table__


@dataclass(frozen=True)
class Envelopes:
    """One column: what its rows are called to the operator, and the place that each row's envelope is bound to.

    The column may hold other text as well (an answer that is no secret): only what begins as an envelope counts.
    """

    called: str
    table: Table
    column: str
    place: Callable[[Any], tuple[str, ...]]

    def count(self, session: Session, but: str | None = None) -> int:
        """How many there are, in every practice; `but` those that this very key wraps. One look, in which nothing changes."""
        wanted = self._sealed() if but is None else self._sealed_but(but)
        return int(session.scalar(select(func.count()).select_from(self.table).where(wanted)) or 0)

    def others(self, session: Session, key_id: str, limit: int, after: Row | None = None) -> list[Row]:
        """Rows that another key than this wraps, by primary key, beginning behind `after`."""
        key = list(self.table.primary_key.columns)
        wanted = self._sealed_but(key_id)
        query = select(*self._read_with_it(), self._text.label("envelope")).where(wanted).order_by(*key).limit(limit)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*(getattr(after, column.name) for column in key)))
        return list(session.execute(query))

    def replace(self, session: Session, row: Row, envelope: str) -> bool:
        """Put the new envelope in the old one's place; False where the row was changed meanwhile, and then it stays as it is."""
        mine = [column == getattr(row, column.name) for column in self.table.primary_key.columns]
        changed = session.execute(update(self.table).where(*mine, self._text == row.envelope).values({self.column: envelope}))
        return changed.rowcount == 1  # type: ignore[attr-defined]

    def key_ids(self, session: Session, known: set[str]) -> Iterator[str]:
        """The ids of the keys that are needed besides the `known` ones."""
        while True:
            conditions = [not_(self._text.startswith(begins(key_id), autoescape=True)) for key_id in known]
            envelope = session.scalar(select(self._text).where(self._sealed(), *conditions).limit(1))
            if envelope is None or (key_id := key_id_of(envelope)) in known:
                return
            known = {*known, key_id}
            yield key_id

    def _read_with_it(self) -> list[Column]:
        """What names a row and the place that its envelope is bound to: its key, and its practice where that is no part of the key."""
        key = list(self.table.primary_key.columns)
        return [*key, *(column for column in self.table.columns if column.name == "practice_id" and column not in key)]

    @property
    def _text(self) -> ColumnElement[str]:
        return self.table.c[self.column]

    def _sealed_but(self, key_id: str) -> ColumnElement[bool]:
        return and_(self._sealed(), not_(self._text.startswith(begins(key_id), autoescape=True)))

    def _sealed(self) -> ColumnElement[bool]:
        return or_(self._text.startswith(OURS), self._text.startswith(OF_KMS))
