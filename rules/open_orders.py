"""Open orders, as the book keeps them."""

from rules.values import FOK, IOC, LIMIT, LIMIT_MAKER, PENDING_NEW


class Balance:
    """One account's holding of one asset; free is `total_e8 - reserved_e8`."""

    __slots__ = ("reserved_e8", "total_e8")

    def __init__(self, total_e8: int = 0, reserved_e8: int = 0) -> None:
        self.total_e8 = total_e8
        self.reserved_e8 = reserved_e8

    @property
    def free_e8(self) -> int:
        """What a new order may reserve."""
        return self.total_e8 - self.reserved_e8


class OpenOrder:
    """An order that is in flight, live or of unknown fate."""

    __slots__ = (
        "accepted_ns",
        "account",
        "algo",
        "cancel_cause",
        "client_order_id",
        "command_id",
        "filled_e8",
        "flags",
        "halted_at_live_ns",
        "held",
        "key",
        "live_ns",
        "order_id",
        "order_type",
        "others",
        "owner",
        "price_e8",
        "price_limit_e8",
        "quantity_e8",
        "quote_filled_e8",
        "quote_quantity_e8",
        "reserved_asset",
        "reserved_e8",
        "rests",
        "session",
        "side",
        "status",
        "symbol",
        "time_in_force",
        "unknown",
    )

    def __init__(
        self,
        order_id: int,
        command_id: int,
        account: int,
        owner: int,
        key: int,
        session: int,
        symbol: int,
        side: int,
        order_type: int,
        time_in_force: int,
        price_e8: int,
        quantity_e8: int,
        quote_quantity_e8: int,
        price_limit_e8: int,
        client_order_id: str,
        flags: int,
        algo: int,
        accepted_ns: int,
    ) -> None:
        self.order_id = order_id
        self.command_id = command_id
        """The place or replace command that made it."""
        self.account = account
        self.owner = owner
        self.key = key
        self.session = session
        self.symbol = symbol
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_e8 = price_e8
        self.quantity_e8 = quantity_e8
        self.quote_quantity_e8 = quote_quantity_e8
        self.price_limit_e8 = price_limit_e8
        self.client_order_id = client_order_id
        self.flags = flags
        self.algo = algo
        self.accepted_ns = accepted_ns
        """When the gate accepted it: names the windows its order count came from."""
        self.rests = order_type in (LIMIT, LIMIT_MAKER) and time_in_force not in (IOC, FOK)
        """Whether it is of a kind that stands in the book."""
        self.live_ns = 0
        """When the engine confirmed it, or its last amend that restarts the age; 0 before."""
        self.halted_at_live_ns = 0
        """The symbol's `unmatchable_ns` at `live_ns`."""
        self.status = PENDING_NEW
        self.filled_e8 = 0
        self.quote_filled_e8 = 0
        self.reserved_asset = 0
        self.reserved_e8 = 0
        self.cancel_cause = 0
        """Cause of a cancel in flight, 0 when none is."""
        self.unknown = False
        """The engine did not answer in time; reconciled later."""
        self.held: Balance | None = None
        """The balance `reserved_e8` is taken from, once anything was."""
        self.others: AccountOrders | None = None
        """The account's open orders, itself among them, while it is in the book."""

    @property
    def remaining_e8(self) -> int:
        """Quantity still to be executed (0 for an order given by its quote amount)."""
        return self.quantity_e8 - self.filled_e8 if self.quantity_e8 else 0

    @property
    def live(self) -> bool:
        """Whether the engine has confirmed it."""
        return self.status != PENDING_NEW and not self.unknown


class AccountOrders:
    """The open orders of one account, oldest first.

    They are kept together, and each leads to the others: of a hundred thousand accounts nearly all
    are in no cache of the processor, so what counts is in how many places one has to look.
    """

    __slots__ = ("by_id", "by_symbol")

    def __init__(self) -> None:
        self.by_id: dict[int, OpenOrder] = {}
        self.by_symbol: dict[int, dict[int, OpenOrder]] = {}
        """By symbol, then by id; none is empty."""
