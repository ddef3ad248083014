"""Commands that were sent to the engine and are not answered yet."""

from typing import Final

PLACE: Final = 1
CANCEL: Final = 2
BULK_CANCEL: Final = 3
AMEND: Final = 4
REPLACE: Final = 5


class PendingCommand:
    """A command the engine has not answered yet."""

    __slots__ = ("kind", "new_order_id", "order_ids", "price_e8", "quantity_e8")

    def __init__(
        self,
        kind: int,
        order_ids: tuple[int, ...],
        new_order_id: int = 0,
        quantity_e8: int = 0,
        price_e8: int = 0,
    ) -> None:
        self.kind = kind
        self.order_ids = order_ids
        """Orders to be cancelled or amended."""
        self.new_order_id = new_order_id
        """The order to be placed."""
        self.quantity_e8 = quantity_e8
        self.price_e8 = price_e8
