"""The strict fields that contracts are written with: text without surprises, whole amounts, decimals as text, days and moments."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.money import MOST


class Record(dict):
    """A dict whose keys read as attributes: what a schema loads."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Words(Schema):
    """The base of every schema: unknown fields are refused when asked, ignored when an answer is read."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "This field is not known here.", "type": "Send an object."}

    def load(self, data: Any, **options: Any) -> Any:
        loaded = super().load(data, **options)
        return as_records(loaded)


def as_records(value: Any) -> Any:
    if isinstance(value, dict):
        return Record({key: as_records(item) for key, item in value.items()})
    if isinstance(value, list):
        return [as_records(item) for item in value]
    return value


_REQUIRED: dict[str, Any] = {
    "required": "This is needed.",
    "null": "This can't be empty.",
    "invalid": "This is not of the right kind.",
}


class _Field(fields.Field):
    default_error_messages = _REQUIRED


class Text(_Field):
    """Text without NUL or lone surrogates, trimmed; `least`..`most` characters."""

    def __init__(
        self,
        *,
        least: int = 1,
        most: int = 500,
        pattern: str | None = None,
        hint: str = "",
        multiline: bool = False,
        trim: bool = True,
        **rest: Any,
    ):
        super().__init__(**rest)
        self.least, self.most, self.hint, self.multiline, self.trim = least, most, hint, multiline, trim
        self.pattern = re.compile(pattern) if pattern else None

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("This must be text.")
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValidationError("This holds a character that can't be stored.")
        text = value.strip() if self.trim else value
        if not self.multiline and any(letter in text for letter in "\r\n"):
            raise ValidationError("This must be on one line.")
        if len(text) < self.least:
            raise ValidationError("This can't be empty." if self.least == 1 else f"This needs at least {self.least} characters.")
        if len(text) > self.most:
            raise ValidationError(f"This is too long: {self.most} characters at most.")
        if self.pattern and not self.pattern.fullmatch(text):
            raise ValidationError(self.hint or "This does not have the right form.")
        return text

    def json_schema(self) -> dict:
        schema: dict[str, Any] = {"type": "string", "minLength": self.least, "maxLength": self.most}
        if self.pattern:
            schema["pattern"] = f"^(?:{self.pattern.pattern})$"
        return schema


class Email(Text):
    """An address that mail can go to, in lower case."""

    def __init__(self, **rest: Any):
        super().__init__(
            most=254,
            pattern=r"[^@\s<>,;:\"()\\]{1,64}@[^@\s<>,;:\"()\\]+\.[^@\s.<>,;:\"()\\]+",
            hint="Write an address such as name@example.com.",
            **rest,
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> str:
        return super()._deserialize(value, attr, data, **rest).lower()

    def json_schema(self) -> dict:
        return {"type": "string", "format": "email", "maxLength": self.most}


class Id(Text):
    """An id of ours: a prefix, an underscore, letters and digits."""

    def __init__(self, **rest: Any):
        super().__init__(most=40, pattern=r"[a-z]{2,5}_[0-9a-z]{1,34}", hint="This is not an id of ours.", **rest)

    def json_schema(self) -> dict:
        return {"type": "string", "maxLength": self.most}


class Choice(Text):
    """One of the named words."""

    def __init__(self, *words: str, **rest: Any):
        super().__init__(most=60, **rest)
        self.words = words

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise ValidationError("Choose one of: " + ", ".join(self.words) + ".")
        return value

    def json_schema(self) -> dict:
        return {"type": "string", "enum": list(self.words)}


class Whole(_Field):
    """A whole number; booleans, floats and digits in quotes are refused."""

    def __init__(self, *, least: int | None = None, most: int | None = None, **rest: Any):
        super().__init__(**rest)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("This must be a whole number.")
        if self.least is not None and value < self.least:
            raise ValidationError(f"This must be at least {self.least}.")
        if self.most is not None and value > self.most:
            raise ValidationError(f"This must be at most {self.most}.")
        return value

    def json_schema(self) -> dict:
        limits = {"minimum": self.least, "maximum": self.most}
        return {"type": "integer", **{name: limit for name, limit in limits.items() if limit is not None}}


class Amount(Whole):
    """Money in the currency's minor unit: 12050 with USD is $120.50."""

    def __init__(self, *, least: int | None = 0, most: int = MOST, **rest: Any):
        super().__init__(least=least, most=most, **rest)

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("An amount is a whole number of cents, such as 12050 for $120.50.")
        return super()._deserialize(value, attr, data, **rest)


class Number(_Field):
    """A decimal, written as a string so that nothing rounds it on the way; loads as Decimal."""

    def __init__(self, *, least: str = "0", most: str = "1000000", places: int = 6, **rest: Any):
        super().__init__(**rest)
        self.least, self.most, self.places = Decimal(least), Decimal(most), places

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> Decimal:
        if not isinstance(value, str) or len(value) > 40 or not re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
            raise ValidationError('A decimal is sent as text, such as "0.0725".')
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValidationError('A decimal is sent as text, such as "0.0725".') from None
        if not self.least <= number <= self.most:
            raise ValidationError(f"This must be from {self.least} to {self.most}.")
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > self.places:
            raise ValidationError(f"At most {self.places} decimal places.")
        return number

    def _serialize(self, value: Any, attr: Any, obj: Any, **rest: Any) -> str | None:
        return None if value is None else plain(value)

    def json_schema(self) -> dict:
        return {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}


def plain(value: Decimal | str) -> str:
    """A decimal without exponent or needless zeros: 0.0725, 1.5, 2."""
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Flag(_Field):
    """true or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
        return value

    def json_schema(self) -> dict:
        return {"type": "boolean"}


class Day(_Field):
    """A calendar day, `YYYY-MM-DD`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValidationError("Write the day as YYYY-MM-DD.")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValidationError("There is no such day; write it as YYYY-MM-DD.") from None
        if not 1900 <= day.year <= 2200:
            raise ValidationError("That day is too far away.")
        return day

    def _serialize(self, value: Any, attr: Any, obj: Any, **rest: Any) -> str | None:
        return None if value is None else value if isinstance(value, str) else value.isoformat()

    def json_schema(self) -> dict:
        return {"type": "string", "format": "date"}


class Moment(_Field):
    """A moment in UTC, RFC 3339; loads as an aware datetime."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **rest: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError("Write the time as 2026-01-31T12:00:00Z.") from None
        if moment.tzinfo is None:
            raise ValidationError("Write the time with its zone, as 2026-01-31T12:00:00Z.")
        return moment.astimezone(UTC)

    def _serialize(self, value: Any, attr: Any, obj: Any, **rest: Any) -> str | None:
        return None if value is None else value if isinstance(value, str) else rfc3339(value)

    def json_schema(self) -> dict:
        return {"type": "string", "format": "date-time"}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Anything(_Field):
    """Whatever JSON holds; only where another place checks it."""

    def json_schema(self) -> dict:
        return {}


class Part(fields.Nested):
    """One object of another schema."""

    default_error_messages = {**_REQUIRED, "type": "Send an object."}


class Many(fields.List):
    """A list of one kind, at most `most` long."""

    default_error_messages = {**_REQUIRED, "invalid": "Send a list."}

    def __init__(self, inner: Any, *, least: int = 0, most: int = 1000, **rest: Any):
        if isinstance(inner, type) and issubclass(inner, Schema):
            inner = Part(inner)
        super().__init__(inner, validate=validate.Length(least, most, error=f"From {least} to {most} of these."), **rest)


def Page(schema: type[Schema]) -> type[Words]:
    """The schema of one page of a list: `{data, next_cursor}`."""
    return type(f"{schema.__name__}Page", (Words,), {"data": Many(schema), "next_cursor": Text(allow_none=True, least=0)})


class Nothing(Words):
    """No fields at all."""
