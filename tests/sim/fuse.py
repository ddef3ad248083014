"""Dying at any place: a fuse burns down with every thing the process does, and then it is gone."""


class CrashError(BaseException):
    """The process has died: nothing in it may catch this and go on."""


class Fuse:
    """Burns at every `point`; at the last it raises, once. What is not armed does not burn."""

    def __init__(self) -> None:
        self.left = 0

    @property
    def armed(self) -> bool:
        """Whether it burns."""
        return self.left > 0

    def arm(self, points: int) -> None:
        """Have the process die at one of the next places: the last of so many."""
        self.left = points

    def disarm(self) -> None:
        """Put it out."""
        self.left = 0

    def point(self) -> None:
        """Take one more place where a process can die."""
        if self.left:
            self.left -= 1
            if not self.left:
                raise CrashError
