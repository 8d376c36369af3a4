"""How often each misfortune happens at the places where it can. No scheduler, no service."""

from dataclasses import dataclass, fields


@dataclass
class Chances:
    """Chances between 0 and 1; `none()` is a world without faults."""

    crash: float = 0.0025  # at each place where another may have its turn
    stall: float = 0.002
    drop_call: float = 0.02
    drop_answer: float = 0.02
    duplicate_call: float = 0.03
    delay_call: float = 0.05
    duplicate_news: float = 0.08
    delay_news: float = 0.15
    lose_confirm: float = 0.03
    cut: float = 0.004  # at each message
    lose_http: float = 0.02
    database_away: float = 0.002  # at each transaction: it does not begin
    commit_unsure: float = 0.001  # it was committed, and the answer to that is lost
    bank_drops: float = 0.03
    bank_loses_answer: float = 0.03
    bank_late: float = 0.03
    bank_hangs: float = 0.02

    @classmethod
    def none(cls) -> "Chances":
        return cls(**{field.name: 0.0 for field in fields(cls)})
