"""What reading a request and writing its answer go by."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from gateway.auth.authenticator import Identity
from gateway.decision_id import DecisionIds
from gateway.dialects.binance.parameters import Parameters
from gateway.dialects.binance.surface import DecisionRecord, DialectCore
from gateway.dialects.http import HttpRequest
from gateway.outcome import Outcome
from gateway.views import Views
from rules.endpoints import Endpoint
from rules.events import DefineSymbol, Request
from rules.instruments import SECURITY_NONE
from rules.reasons import Reason
from rules.values import CHANNEL_REST, NS_PER_MS

_NS_PER_MICROSECOND: Final = 1_000
TIME_UNITS: Final = (NS_PER_MS, _NS_PER_MICROSECOND)
"""Units of the times in answers that a client can ask for, in ns."""
_MICROSECOND_NAMES: Final = ("MICROSECOND", "microsecond")
_MILLISECOND_NAMES: Final = ("MILLISECOND", "millisecond")

Head: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""The common beginning of every request event."""


class Failure(NamedTuple):
    """An answer that is an error although the gate let the request pass."""

    status: int
    code: int
    text: str
    data: Any = None


class Desk(NamedTuple):
    """What answers are written from."""

    core: DialectCore
    views: Views
    ids: DecisionIds
    find_record: Callable[[int], DecisionRecord | None]
    ns_per_unit: int = NS_PER_MS
    """Unit of the times in the answer."""

    def time(self, time_ns: int) -> int:
        """Return a time in the unit of the answer."""
        return time_ns // self.ns_per_unit

    def until(self, time_ns: int) -> int:
        """Return the first time in the unit of the answer at which `time_ns` has come."""
        return -(-time_ns // self.ns_per_unit)

    def account(self, outcome: Outcome) -> int:
        """Return the account that asked, 0 when nobody is known to have."""
        if outcome.decision.account:
            return outcome.decision.account
        event = outcome.event
        key = event.key if isinstance(event, Request) else 0
        definition = self.core.directory.keys_by_number.get(key)
        return definition.account if definition is not None else 0

    def symbol_name(self, symbol: int) -> str:
        """Return a symbol's name."""
        return self.core.directory.symbols_by_number[symbol].name


Answer: TypeAlias = Callable[[Desk, Outcome], Any]
"""Returns what goes into the body of a 200, or a Failure."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request as its endpoint's reader understood it."""

    event: Request
    answer: Answer


class Reading:
    """One request being read: its parameters, who sent it, and what the rulebook says of it."""

    __slots__ = (
        "agent",
        "core",
        "endpoint",
        "identity",
        "ip",
        "ns_per_unit",
        "parameters",
        "request",
        "timing",
        "usual_terms",
    )

    def __init__(
        self,
        core: DialectCore,
        request: HttpRequest,
        endpoint: Endpoint,
        parameters: Parameters,
        identity: Identity,
        ip: int,
        agent: int,
        usual_terms: dict[tuple[str | None, ...], Any],
    ) -> None:
        self.core = core
        self.usual_terms = usual_terms
        """What words of new orders were found to mean, kept by whoever has requests read."""
        self.request = request
        self.endpoint = endpoint
        self.parameters = parameters
        self.identity = identity
        self.ip = ip
        self.agent = agent
        unit = request.headers.get("x-mbx-time-unit")
        self.ns_per_unit = NS_PER_MS if unit is None else self._time_unit(unit)
        self.timing = (0, 0)
        if core.rulebook.entry(endpoint).security != SECURITY_NONE:
            self.timing = (parameters.time_ns("timestamp"), parameters.recv_window_ns())

    def head(self, endpoint: Endpoint | None = None, size: int = 0) -> Head:
        """Return the common fields of the event, for a variant of the endpoint if need be."""
        timestamp_ns, recv_window_ns = self.timing
        return (
            int(self.endpoint if endpoint is None else endpoint),
            self.ip,
            self.identity.key,
            self.identity.auth,
            self.request.received_ns,
            timestamp_ns,
            recv_window_ns,
            size,
            CHANNEL_REST,
            self.request.session,
            self.agent,
        )

    def symbol(self, name: str = "symbol", mandatory: bool = True) -> DefineSymbol | None:
        """Return the symbol a parameter names; an unknown one is a fault."""
        text = self.parameters.symbol_name(name, mandatory)
        if not text:
            return None
        found = self.core.directory.symbols.get(text)
        if found is None:
            self.parameters.fail(Reason.UNKNOWN_SYMBOL, text)
        return found

    def symbol_number(self, mandatory: bool = True) -> int:
        """Return the number of the symbol that `symbol` names, 0 when there is none."""
        found = self.symbol(mandatory=mandatory)
        return found.symbol if found is not None else 0

    def symbols(self) -> list[DefineSymbol] | None:
        """Return what `symbol` or `symbols` names, None when neither was sent."""
        parameters = self.parameters
        if parameters.given("symbol"):
            if parameters.given("symbols"):
                text = "Combination of optional parameters invalid."
                parameters.fail(Reason.INVALID_ORDER_COMBINATION, "symbols", "", -1128, text)
            found = self.symbol()
            return [found] if found is not None else []
        if not parameters.given("symbols"):
            return None
        known = self.core.directory.symbols
        names = parameters.symbol_names()
        for name in names:
            if name not in known:
                parameters.fail(Reason.UNKNOWN_SYMBOL, name)
        return [known[name] for name in names if name in known]

    def _time_unit(self, unit: str) -> int:
        if unit in _MILLISECOND_NAMES:
            return NS_PER_MS
        if unit not in _MICROSECOND_NAMES:
            text = "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
            self.parameters.fail(Reason.INVALID_PARAMETER, "X-MBX-TIME-UNIT", "", -1194, text)
        return _NS_PER_MICROSECOND
