"""Instruments, accounts and keys of the configuration, made known through the core's door."""

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import count

import msgspec

from gateway.auth.keystore import KeyStore, NewKey
from gateway.config import (
    AccountConfig,
    Config,
    InstrumentConfig,
    KeyConfig,
    OwnerGroupConfig,
)
from gateway.core import Core
from gateway.directory import Directory
from gateway.engine.port import EnginePort
from rules.events import DefineAccount, DefineKey, DefineSymbol, LinkOwners
from rules.units import decimal_e8
from rules.values import (
    ACCOUNT_HIGH_FREQUENCY,
    ACCOUNT_MARKET_MAKER,
    DEFINE_ASSET,
    DEFINE_GROUP,
    DEFINE_OWNER,
    E8,
    NS_PER_SECOND,
    PERMISSION_NAMES,
    SYMBOL_TRADING,
)

ACTOR = "configuration"
"""Who links owners that the configuration names."""
_logger = logging.getLogger(__name__)
_PPM = 1_000_000
_KEYS_NAMED = 5
"""Keys that a warning names; of more it says how many."""
_PERMISSIONS = {name: bit for bit, name in PERMISSION_NAMES.items()}


def populate(core: Core, engine: EnginePort, keystore: KeyStore, config: Config) -> None:
    """Define what the configuration names and fund accounts that are opened for the first time.

    What is known already keeps its number; a changed definition is defined anew. What is no longer
    named stays as it is, and a warning names such keys. Raises ValueError
    when a known instrument is given other assets, before anything is defined, and when a key names
    an account that is nowhere defined; KeyStoreError on unusable key material.
    """
    directory = core.directory
    for instrument in config.instruments:
        _check_assets(directory, instrument)
    numbers = count(max(directory.symbols_by_number, default=0) + 1)
    for instrument in config.instruments:
        _instrument(core, instrument, numbers)
    _lot_steps(core)
    numbers = count(max(directory.accounts_by_number, default=0) + 1)
    for account in config.accounts:
        _account(core, engine, account, numbers)
    _owner_groups(core, config.owner_groups)
    numbers = count(max(directory.keys_by_number, default=0) + 1)
    keystore.put_many(NewKey(key.name, key.kind, key.secret.encode()) for key in config.keys)
    for key in config.keys:
        _key(core, key, numbers)
    _warn_of_left_keys(directory, keystore, config)


def _check_assets(directory: Directory, instrument: InstrumentConfig) -> None:
    """Raise ValueError when a known instrument is to have other assets than it has.

    Orders, reservations and balances of the record are in the assets it has.
    """
    known = directory.symbols.get(instrument.name)
    if known is None:
        return
    for field, number, wanted in (
        ("base", known.base_asset, instrument.base),
        ("quote", known.quote_asset, instrument.quote),
    ):
        name = directory.asset_name(number)
        if name != wanted:
            raise ValueError(
                f"{field} of instrument `{instrument.name}` is `{wanted}` in the configuration and "
                f"`{name}` in the record; it can't change: give `{name}`, or the instrument "
                "another name, or another data directory"
            )


def _instrument(core: Core, instrument: InstrumentConfig, numbers: Iterator[int]) -> None:
    directory = core.directory
    known = directory.symbols.get(instrument.name)
    # Its state is the operators', whatever else the configuration changes.
    definition = DefineSymbol(
        known.symbol if known else next(numbers),
        instrument.name,
        directory.number(DEFINE_ASSET, instrument.base),
        directory.number(DEFINE_ASSET, instrument.quote),
        core.book.symbols[known.symbol].state if known else SYMBOL_TRADING,
        decimal_e8(instrument.previous_close),
        decimal_e8(instrument.maker_commission) * _PPM // E8,
        decimal_e8(instrument.taker_commission) * _PPM // E8,
        core.rulebook.filters(instrument.name).step_e8 or 1,
    )
    if known is None or definition != msgspec.structs.replace(known, state=definition.state):
        core.submit(definition)


def _lot_steps(core: Core) -> None:
    """Define those instruments anew whose lot step the rulebook has changed.

    The configuration need not name them: they are those of the record, which rules go on with.
    """
    for known in tuple(core.directory.symbols.values()):
        lot_step_e8 = core.rulebook.filters(known.name).step_e8 or 1
        if known.lot_step_e8 != lot_step_e8:
            state = core.book.symbols[known.symbol].state
            core.submit(msgspec.structs.replace(known, state=state, lot_step_e8=lot_step_e8))


def _account(
    core: Core, engine: EnginePort, account: AccountConfig, numbers: Iterator[int]
) -> None:
    directory = core.directory
    known = directory.accounts.get(account.name)
    flags = (ACCOUNT_MARKET_MAKER if account.market_maker else 0) | (
        ACCOUNT_HIGH_FREQUENCY if account.high_frequency else 0
    )
    definition = DefineAccount(
        known.account if known else next(numbers),
        account.name,
        directory.number(DEFINE_OWNER, account.owner or account.name),
        account.tier,
        flags,
        known.enabled if known else True,
    )
    if definition != known:
        core.submit(definition)
    if known is None:
        for asset, amount in account.funds.items():
            engine.deposit(
                definition.account,
                directory.number(DEFINE_ASSET, asset),
                decimal_e8(amount),
                "opening balance",
            )


def _owner_groups(core: Core, groups: tuple[OwnerGroupConfig, ...]) -> None:
    """Link the owners of each group, and let those go that are no longer listed in it."""
    directory = core.directory
    facts = core.book.conduct
    listed: dict[str, str] = {}
    for group in groups:
        number = directory.number(DEFINE_GROUP, group.name)
        owners = [directory.number(DEFINE_OWNER, owner) for owner in group.owners]
        for owner in group.owners:
            if listed.setdefault(owner, group.name) != group.name:
                raise ValueError(
                    f"owner `{owner}` is in groups `{listed[owner]}` and `{group.name}`; "
                    "an owner is in one group at most"
                )
        for member in facts.owners_by_group.get(number, ()):
            if member not in owners:
                core.submit(LinkOwners(member, 0, "no longer listed", ACTOR))
        for member in owners:
            if facts.groups.get(member) != number:
                core.submit(LinkOwners(member, number, group.note, ACTOR))


def _key(core: Core, key: KeyConfig, numbers: Iterator[int]) -> None:
    directory = core.directory
    account = directory.accounts.get(key.account)
    if account is None:
        raise ValueError(f"key `{key.name}` names account `{key.account}`, which is not defined")
    known = directory.keys.get(key.name)
    permissions = 0
    for permission in key.permissions:
        permissions |= _PERMISSIONS[permission]
    definition = DefineKey(
        known.key if known else next(numbers),
        key.name,
        account.account,
        permissions,
        tuple(directory.address(address) for address in key.addresses),
        _utc_ns(key.expires) if key.expires else 0,
        known.enabled if known else True,
    )
    if definition != known:
        core.submit(definition)


def _warn_of_left_keys(directory: Directory, keystore: KeyStore, config: Config) -> None:
    """Warn of keys that are in force and that the configuration once named and no longer does."""
    names = keystore.configured().difference(key.name for key in config.keys)
    left = sorted(name for name in names if name in directory.keys and directory.keys[name].enabled)
    if left:
        more = f" and {len(left) - _KEYS_NAMED} more" if len(left) > _KEYS_NAMED else ""
        _logger.warning(
            "keys no longer in the configuration are still in force (%d), since taking one out "
            "revokes nothing; `ordergate keys revoke KEY` ends one: %s%s",
            len(left),
            ", ".join(left[:_KEYS_NAMED]),
            more,
        )


def _utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_SECOND
