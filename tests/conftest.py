"""How properties are tried: longer in the soak, and never failing for a slow machine."""

import os
import signal

from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=5_000)

if os.environ.get("ORDERGATE_SOAK"):
    settings.load_profile("soak")
elif not os.environ.get("CI"):
    # With CI set, Hypothesis loads a profile of its own, which is the same each time.
    settings.load_profile("local")

# A run in the background of a script is told to ignore Ctrl-C, and so would be what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
