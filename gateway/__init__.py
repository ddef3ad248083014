"""Everything that touches the world: edges, dialects, the core, the record and the engine."""

from gateway.builds import choose, chosen

choose(chosen())
