"""Storing and restoring the whole state again and again while a run is followed."""

from gateway.engine.redrive import Redrive
from gateway.journal import Run, read_run
from gateway.recovery import follow
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import decoded, encoded

EVERY = 7
"""Records between two times."""


def assert_state_survives(run: Run) -> None:
    """Follow a run, and go on from a stored state every few records: nothing comes out otherwise.

    At the end the state is, to the byte, the one of a follower that was never stored.
    """
    rulebook = manifest_rulebook(run.manifest)
    whole, _ = follow(run)
    replica, _ = follow(run, until_seq=run.manifest.first_seq - 1)
    for number, record in enumerate(read_run(run.path, run.manifest.first_seq), 1):
        replica.take(record)
        assert replica.differences == 0, record
        if number % EVERY == 0:
            snapshot = decoded(encoded(replica.snapshot("")), "here")
            engine = None
            if snapshot.exchange is not None:
                engine = Redrive.restored(rulebook, snapshot.exchange)
                assert engine.divergence == "", record
            replica = Replica.restored(snapshot, rulebook, engine)
            assert encoded(replica.snapshot("")) == encoded(snapshot), record
    assert encoded(replica.snapshot("")) == encoded(whole.snapshot(""))
