"""The memory that long bodies, or unread answers, of all connections of an edge may take."""


class Room:
    """So many bytes; whoever takes some gives them back."""

    def __init__(self, most: int) -> None:
        self.left = most

    def take(self, size: int) -> bool:
        """Take bytes; False, and none are taken, when there are not so many."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give(self, size: int) -> None:
        """Give bytes back."""
        self.left += size
