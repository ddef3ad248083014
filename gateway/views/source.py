"""What views read of the core."""

from typing import Protocol

from gateway.directory import Directory
from rules.book import Book


class ViewedCore(Protocol):
    """The part of the core that views see; they read it and change nothing."""

    @property
    def book(self) -> Book:
        """The facts of the pipeline."""

    @property
    def directory(self) -> Directory:
        """Names of assets, symbols and accounts."""

    def now_ns(self) -> int:
        """Return the core's time."""
