"""How much room the disk of the record has, told to the core as an event whenever that changes.

The disk is looked at by a timer outside the core. What is found is an event through the core's
door, so that requests are shed here and in a replay alike. To go back takes a quarter more room
than to get there, so that a disk about a bound does not go to and fro.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from gateway.config import RecordConfig
from gateway.core import Core
from gateway.journal.disk import Disk
from rules.access.overload import Overload
from rules.events import Event, RecordSpace
from rules.pipeline import Pipeline
from rules.values import SPACE_AMPLE, SPACE_LOW, SPACE_NAMES, SPACE_SCARCE

LOW_SEGMENTS: Final = 4
"""Room for so many segments is little, unless a number of bytes is given."""
LOOK_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)


class SpaceWatch:
    """Looks at one file system and submits a `RecordSpace` when the room there has changed.

    Below `low_bytes` free, queries are shed; below half of that, new orders too. `free_bytes`
    returns what is free; a test gives its own.
    """

    def __init__(
        self,
        submit: Callable[[Event], None],
        pipeline: Pipeline,
        low_bytes: int,
        free_bytes: Callable[[], int],
    ) -> None:
        self.free_bytes = 0
        """What was free at the last look."""
        self._submit = submit
        self._low_bytes = low_bytes
        self._free_bytes = free_bytes
        rule: Any = pipeline.rule(Overload.name)
        # A gate that goes on where another ended knows what that one found.
        self.space: int = rule.space if rule is not None else SPACE_AMPLE

    def look(self) -> None:
        """Look at the disk, and say so when there is less room, or more again."""
        try:
            self.free_bytes = self._free_bytes()
        except OSError as error:
            # Nobody knows whether there is room; what was found last stays.
            _logger.error("the disk of the record can't be looked at: %s", error)
            return
        space = self._space_of(self.free_bytes)
        if space != self.space:
            _logger.warning(
                "room on the record's disk: %s, %d bytes free", SPACE_NAMES[space], self.free_bytes
            )
            self.space = space
            self._submit(RecordSpace(space, self.free_bytes))

    def _space_of(self, free_bytes: int) -> int:
        for space, bound in ((SPACE_SCARCE, self._low_bytes // 2), (SPACE_LOW, self._low_bytes)):
            leaves_at = bound + bound // 4 if self.space >= space else bound
            if free_bytes < leaves_at:
                return space
        return SPACE_AMPLE


def space_watch(core: Core, config: RecordConfig, disk: Disk) -> SpaceWatch:
    """Return the watch of a gate's record, which is kept on `disk`."""
    low_bytes = config.low_disk_bytes or LOW_SEGMENTS * config.segment_bytes
    return SpaceWatch(core.submit, core.pipeline, low_bytes, lambda: disk.free_bytes(config.data))
