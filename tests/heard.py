"""What a test hears of work under way."""

from reconix.base.progress import Silent, Stage


class Heard(Silent):
    """A listener that remembers.

    Attributes:
        notes: in their order.
        stages: how far each came, and how far it was to go.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: dict[str, tuple[int, int | None]] = {}

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage begins at nothing."""
        self.stages[what] = (0, total)
        return _Advancing(self, what)

    def note(self, message: str) -> None:
        """Remember it."""
        self.notes.append(message)


class _Advancing:
    def __init__(self, heard: Heard, what: str) -> None:
        self._heard, self._what = heard, what

    def advance(self, amount: int) -> None:
        """Go on."""
        done, total = self._heard.stages[self._what]
        self._heard.stages[self._what] = (done + amount, total)
