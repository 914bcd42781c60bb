"""A clock that stands still until somebody waits by it."""

from reconix.base.clock import Clock


class TurnedClock:
    """What has been waited for by ``clock`` so far, in seconds."""

    def __init__(self, moment: float = 0.0) -> None:
        self.moment = moment
        self.clock = Clock(now=lambda: self.moment, pause=self.turn)

    def turn(self, seconds: float) -> None:
        """Let so much time pass."""
        self.moment += seconds
