"""Commands and definitions of the engine port as messages of the link, and back."""

from typing import Any

from gateway.engine.names import EngineNames, Names
from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    PlaceCommand,
    ReplaceCommand,
)
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.events import DefineAccount, DefineSymbol

# --- The gate's side --------------------------------------------------------------------------


def command_message(names: Names, command: Command) -> wire.GateItem:
    """Return the message of a command."""
    if isinstance(command, PlaceCommand):
        return wire.GateItem(place=_place_message(names, command))
    if isinstance(command, CancelCommand):
        cancel = wire.CancelOrders(
            command_id=command.command_id,
            order_ids=command.order_ids,
            cause=_code(command.cause),
            restriction=_code(command.restriction),
        )
        return wire.GateItem(cancel=cancel)
    if isinstance(command, AmendCommand):
        amend = wire.AmendOrder(
            command_id=command.command_id,
            order_id=command.order_id,
            quantity_e8=command.quantity_e8,
            price_e8=command.price_e8,
        )
        return wire.GateItem(amend=amend)
    replace = wire.ReplaceOrder(
        command_id=command.command_id,
        cancel_order_id=command.cancel_order_id,
        place=_place_message(names, command.place),
        allow_failure=command.allow_failure,
        restriction=_code(command.restriction),
    )
    return wire.GateItem(replace=replace)


def symbol_message(names: Names, symbol: DefineSymbol, lot_step_e8: int) -> wire.GateItem:
    """Return the message that makes an instrument known."""
    definition = wire.SymbolDefinition(
        name=symbol.name,
        base_asset=names.asset_name(symbol.base_asset),
        quote_asset=names.asset_name(symbol.quote_asset),
        state=_code(symbol.state),
        previous_close_e8=symbol.previous_close_e8,
        maker_commission_ppm=symbol.maker_commission_ppm,
        taker_commission_ppm=symbol.taker_commission_ppm,
        lot_step_e8=lot_step_e8,
    )
    return wire.GateItem(define_symbol=definition)


def account_message(names: Names, account: DefineAccount) -> wire.GateItem:
    """Return the message that makes an account known."""
    definition = wire.AccountDefinition(
        name=account.name,
        owner=names.owner_name(account.owner),
        tier=account.tier,
        flags=account.flags,
        enabled=account.enabled,
    )
    return wire.GateItem(define_account=definition)


def _place_message(names: Names, command: PlaceCommand) -> wire.PlaceOrder:
    return wire.PlaceOrder(
        command_id=command.command_id,
        order_id=command.order_id,
        account=names.account_name(command.account),
        symbol=names.symbol_name(command.symbol),
        side=_code(command.side),
        order_type=_code(command.order_type),
        time_in_force=_code(command.time_in_force),
        price_e8=command.price_e8,
        quantity_e8=command.quantity_e8,
        quote_quantity_e8=command.quote_quantity_e8,
        price_limit_e8=command.price_limit_e8,
        stp_mode=_code(command.stp_mode),
        client_order_id=command.client_order_id,
        stp_group=command.stp_group,
        valid_until_ns=command.valid_until_ns,
    )


def _code(number: int) -> Any:
    """Return a code for an enum field: the numbers are the same, its type is only the stub's."""
    return number


# --- The engine's side ------------------------------------------------------------------------


def read_command(names: Names, message: wire.GateItem) -> Command | None:
    """Return the command of a message, None when it carries none."""
    kind = message.WhichOneof("item")
    if kind == "place":
        return _read_place(names, message.place)
    if kind == "cancel":
        cancel = message.cancel
        return CancelCommand(
            cancel.command_id, tuple(cancel.order_ids), cancel.cause, cancel.restriction
        )
    if kind == "amend":
        amend = message.amend
        return AmendCommand(amend.command_id, amend.order_id, amend.quantity_e8, amend.price_e8)
    if kind == "replace":
        replace = message.replace
        return ReplaceCommand(
            replace.command_id,
            replace.cancel_order_id,
            _read_place(names, replace.place),
            replace.allow_failure,
            replace.restriction,
        )
    return None


def read_symbol(names: EngineNames, message: wire.SymbolDefinition) -> DefineSymbol:
    """Return the instrument a message defines, numbered by the engine."""
    return DefineSymbol(
        names.define_symbol(message.name),
        message.name,
        names.asset(message.base_asset),
        names.asset(message.quote_asset),
        message.state,
        message.previous_close_e8,
        message.maker_commission_ppm,
        message.taker_commission_ppm,
        message.lot_step_e8,
    )


def read_account(names: EngineNames, message: wire.AccountDefinition) -> DefineAccount:
    """Return the account a message defines, numbered by the engine."""
    return DefineAccount(
        names.define_account(message.name),
        message.name,
        names.owner(message.owner),
        message.tier,
        message.flags,
        message.enabled,
    )


def _read_place(names: Names, message: wire.PlaceOrder) -> PlaceCommand:
    return PlaceCommand(
        command_id=message.command_id,
        order_id=message.order_id,
        account=names.account(message.account),
        symbol=names.symbol(message.symbol),
        side=message.side,
        order_type=message.order_type,
        time_in_force=message.time_in_force,
        price_e8=message.price_e8,
        quantity_e8=message.quantity_e8,
        quote_quantity_e8=message.quote_quantity_e8,
        price_limit_e8=message.price_limit_e8,
        stp_mode=message.stp_mode,
        client_order_id=message.client_order_id,
        stp_group=message.stp_group,
        valid_until_ns=message.valid_until_ns,
    )
