"""The fault table: of every kind how much was tried, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD = f"{'kind':<44} {'tried':>6} {'lost':>6} {'silently wrong':>15} {'tracebacks':>11}"


@dataclass
class Row:
    """One kind of trouble. `notes` has a line for everything that went wrong."""

    kind: str
    tried: int = 0
    lost: int = 0
    wrong: int = 0
    tracebacks: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, what: str, text: str) -> None:
        """Count a fault, "lost", "wrong" or "tracebacks", and keep what it was."""
        setattr(self, what, getattr(self, what) + 1)
        self.notes.append(f"{self.kind}: {what}: {text}")

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.wrong or self.tracebacks)

    def __str__(self) -> str:
        return f"{self.kind:<44} {self.tried:>6} {self.lost:>6} {self.wrong:>15} {self.tracebacks:>11}"


def total(rows: list[Row]) -> Row:
    """All rows together."""
    numbers = [sum(getattr(row, name) for row in rows) for name in ("tried", "lost", "wrong", "tracebacks")]
    return Row("all", *numbers)
