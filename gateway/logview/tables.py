"""The record as flat, typed tables: what exports write and SQL asks.

Four tables. Numbers that stand for somebody or something are resolved to names, amounts are exact
(units of 1e-8 until they are written), times are nanoseconds since 1970 UTC. A value that the
record does not have, or has as 0 because it does not apply, is null.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["text", "integer", "amount", "time", "flag"]
"""An amount is exact with 8 places, a time has nanoseconds and is UTC."""
Row: TypeAlias = tuple[str | int | bool | None, ...]


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: Kind
    note: str


class Table(NamedTuple):
    """One table."""

    name: str
    note: str
    columns: tuple[Column, ...]


_PLACE: Final = (
    Column("run", "text", "Run id"),
    Column("seq", "integer", "Number of the record in the data directory"),
    Column("time", "time", "Core time of the decision"),
)
_TERMS: Final = (
    Column("side", "text", "`BUY` or `SELL`"),
    Column("order_type", "text", "`LIMIT`, `MARKET` …"),
    Column("time_in_force", "text", "`GTC`, `IOC`, `FOK`"),
    Column("price", "amount", "Price asked for"),
    Column("quantity", "amount", "Quantity asked for, in base asset"),
    Column("quote_quantity", "amount", "Amount of quote asset to spend or receive"),
)

DECISIONS: Final = Table(
    "decisions",
    "One row for every record that matches: requests, engine reports, definitions, operators' acts",
    (
        *_PLACE,
        Column("decision_id", "text", "What the client was given, null without the key file"),
        Column("event", "text", "`place`, `cancel`, `command_result` …"),
        Column("verdict", "text", "`ACCEPTED`, `REFUSED`, `DEFERRED`, or `NOTED` for no request"),
        Column("account", "text", "Whose it is; the first where there are several"),
        Column("owner", "text", "Whose it is; the first where there are several"),
        Column("key", "text", "Public id of the API key"),
        Column("address", "text", "Peer address: IPv4, or IPv6 /64"),
        Column("agent", "text", "Client program or device identification"),
        Column("algo", "text", "Algorithm identification"),
        Column("channel", "text", "`REST`, `WEBSOCKET`, `GRPC` …"),
        Column("session", "integer", "Connection number"),
        Column("endpoint", "text", "What was asked"),
        Column("authentication", "text", "Result of authentication"),
        Column("received", "time", "Receive clock"),
        Column("sent", "time", "The client's own time of sending"),
        Column("recv_window_ns", "integer", "How long after `sent` it was still wanted"),
        Column("symbol", "text", "Symbol; the first where there are several"),
        Column("order_id", "integer", "Order it placed, named or reports; the first of several"),
        Column("client_order_id", "text", "The client's name of the order or of the request"),
        Column("orig_client_order_id", "text", "The client's name of the order it means"),
        *_TERMS,
        Column("stop_price", "amount", "Price that sets a stop order off"),
        Column("flags", "text", "`test`, `algo`, `market_making`, by commas"),
        Column("rule", "text", "First rule that refused"),
        Column("reason", "text", "Its reason, or the engine's"),
        Column("limit", "text", "What it allows, in the rule's own unit"),
        Column("observed", "text", "What it saw, in the rule's own unit"),
        Column("retry", "time", "When the same request could pass"),
        Column("breaches", "integer", "Rules that refused; all are in `breaches`"),
        Column("shadows", "integer", "Rules in shadow that would have refused"),
        Column("bid", "amount", "Best bid at the decision"),
        Column("ask", "amount", "Best offer at the decision"),
        Column("price_limit", "amount", "Worst price the engine might execute at"),
        Column("deferred_until", "time", "How long a cancel is held back"),
        Column("cancels", "integer", "Orders the decision cancels"),
        Column("charged", "amount", "Sum of fees charged"),
        Column("command_id", "integer", "Record whose command an engine result answers"),
        Column("engine_seq", "integer", "Number of an engine report"),
        Column("engine_time", "time", "The engine's time of a report"),
        Column("status", "text", "Status of the order after a report"),
        Column("cause", "text", "Why an order was cancelled"),
        Column("filled", "amount", "Quantity executed, as a report says"),
        Column("fills", "integer", "Immediate fills of an engine result; they are in `trades`"),
        Column("asset", "text", "Asset of a balance adjustment"),
        Column("amount", "amount", "By how much the balance changed"),
        Column("scope", "text", "Scope of a stop, release or bulk cancel"),
        Column("subject", "text", "Subject of it"),
        Column("state", "text", "State that was set"),
        Column("actor", "text", "Who did it"),
        Column("count", "integer", "Requests an aggregate stands for"),
        Column("detail", "text", "The rest, as text"),
    ),
)
BREACHES: Final = Table(
    "breaches",
    "One row for every rule that refused or, in shadow, would have",
    (
        *_PLACE,
        Column("position", "integer", "0 for the one the client was told"),
        Column("mode", "text", "`enforce` or `shadow`"),
        Column("rule", "text", "Rule"),
        Column("reason", "text", "Reason"),
        Column("reason_code", "integer", "Its number"),
        Column("limit", "text", "What was allowed, in the rule's own unit, exact"),
        Column("observed", "text", "What was asked for, in the rule's own unit, exact"),
        Column("retry", "time", "When the same request could pass"),
        Column("window_ns", "integer", "Length of a rate limit's window"),
        Column("scope", "text", "What the limit counts by"),
        Column("subject", "text", "Whom it counted"),
        Column("account", "text", "Account of the request"),
        Column("owner", "text", "Owner of the account"),
        Column("symbol", "text", "Symbol of the request"),
        Column("detail", "text", "More, as text"),
    ),
)
ORDERS: Final = Table(
    "orders",
    "One row for every order that a matching record was about while it was open, as it stood at "
    "the end of what was read",
    (
        Column("run", "text", "Run it was placed in"),
        Column("order_id", "integer", "Order id"),
        Column("seq", "integer", "Record that placed it"),
        Column("decision_id", "text", "Decision that placed it"),
        Column("placed", "time", "Time of that decision"),
        Column("account", "text", "Account"),
        Column("owner", "text", "Owner"),
        Column("key", "text", "Public id of the API key"),
        Column("address", "text", "Peer address"),
        Column("symbol", "text", "Symbol"),
        Column("client_order_id", "text", "Client order id"),
        *_TERMS,
        Column("flags", "text", "`algo`, `market_making`, by commas"),
        Column("algo", "text", "Algorithm identification"),
        Column("bid", "amount", "Best bid at the decision"),
        Column("ask", "amount", "Best offer at the decision"),
        Column("accepted", "time", "When the engine's acceptance was taken up"),
        Column("first_fill", "time", "When its first fill was taken up"),
        Column("ended", "time", "When its end was taken up; null: open"),
        Column("status", "text", "Last status"),
        Column("unknown", "flag", "No answer of the engine came in time, nor since"),
        Column("cause", "text", "Why it was cancelled"),
        Column("reason", "text", "Why the engine refused or ended it at once"),
        Column("filled", "amount", "Quantity executed"),
        Column("filled_quote", "amount", "Amount of quote asset executed"),
        Column("fills", "integer", "Number of fills"),
        Column("amends", "integer", "Changes that were accepted"),
        Column("last_price", "amount", "Price after the last change"),
        Column("last_quantity", "amount", "Quantity after the last change"),
    ),
)
TRADES: Final = Table(
    "trades",
    "One row for every fill as one side sees it, every bust, and every trade of other channels",
    (
        *_PLACE,
        Column("kind", "text", "`fill`, `bust` (a trade annulled) or `market` (other channels)"),
        Column("engine_time", "time", "The engine's time"),
        Column("trade_id", "integer", "Trade id"),
        Column("symbol", "text", "Symbol"),
        Column("price", "amount", "Price"),
        Column("quantity", "amount", "Quantity"),
        Column("quote", "amount", "Amount of quote asset; fills only"),
        Column("order_id", "integer", "Order that was executed; fills only"),
        Column("client_order_id", "text", "Its client order id"),
        Column("account", "text", "Its account"),
        Column("owner", "text", "Its owner"),
        Column("side", "text", "Its side"),
        Column("maker", "flag", "Whether it rested"),
        Column("commission", "amount", "Commission"),
        Column("commission_asset", "text", "Asset of the commission"),
        Column("counter_order_id", "integer", "Order of the other side"),
        Column("counter_account", "text", "Account of the other side"),
        Column("buy_order_id", "integer", "Buyer's order; busts and other channels"),
        Column("sell_order_id", "integer", "Seller's order"),
        Column("buyer", "text", "Buyer: account of a bust, owner in other channels"),
        Column("seller", "text", "Seller"),
    ),
)
TABLES: Final = {table.name: table for table in (DECISIONS, BREACHES, ORDERS, TRADES)}
