"""Loading a configuration file: strict, with every fault at once."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from gateway.addresses import address_text
from gateway.bulk import Source, read_bulk
from gateway.config import (
    Config,
    EngineConfig,
    KeyConfig,
    ListenConfig,
    OverloadConfig,
    RecordConfig,
    TelemetryConfig,
)
from gateway.config_checks import (
    check_engine,
    check_listen,
    check_overload,
    check_record,
    check_stages,
    check_telemetry,
)
from gateway.rulebooks import load_rulebook
from rules.faults import Fault, FieldPath, nearest
from rules.rulebook import Rulebook, RulebookError
from rules.strict import UNUSABLE

_CHECKS: Final[dict[type, Any]] = {
    ListenConfig: check_listen,
    OverloadConfig: check_overload,
    EngineConfig: check_engine,
    RecordConfig: check_record,
    TelemetryConfig: check_telemetry,
}
_NAMES_COMPARED_MAX: Final = 500
_Named: TypeAlias = list[tuple[FieldPath, Any]]


class ConfigError(ValueError):
    """A configuration that can't be used.

    `faults` has every fault with its place; `errors` has the same as one line each.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        self.errors = [str(fault) for fault in faults]
        super().__init__("\n".join(self.errors))


def load_config(path: Path) -> Config:
    """Return the configuration of a TOML file, with its bulk files' accounts and keys.

    Paths of rulebook and bulk files are taken relative to the file. Raises ConfigError with every
    fault of the file, of its bulk files and of its rulebook.
    """
    source = Source(path)
    config = source.read_toml(Config, _CHECKS, {Path: _file_path})
    if config is UNUSABLE:
        raise ConfigError(source.located())
    bulk = tuple(path.parent / file for file in config.bulk)
    sources = [source, *map(read_bulk, bulk)]
    name = _rulebook_name(config.rulebook, path.parent)
    rulebook_faults: list[Fault] = []
    try:
        rulebook = load_rulebook(name)
    except RulebookError as error:
        for fault in error.faults:
            if fault.file:
                rulebook_faults.append(fault)
            else:
                source.faults.append(Fault(fault.message, ("rulebook",)))
    else:
        _check_tiers(sources, rulebook)
    _check_names(sources)
    source.faults += check_stages(config.listen, config.telemetry)
    faults = [fault for one in sources for fault in one.located()] + rulebook_faults
    if faults:
        raise ConfigError(faults)
    loaded: Config = msgspec.structs.replace(
        config,
        rulebook=name,
        bulk=bulk,
        accounts=tuple(account for one in sources for _, account in one.accounts),
        keys=tuple(_counted(key) for one in sources for _, key in one.keys),
    )
    return loaded


def config_digest(config: Config) -> str:
    """Return the SHA-256 in hex of everything a gate is configured with, secrets left out.

    Defaults count as if they were written, and accounts and keys of bulk files as if they stood in
    the configuration itself. The rulebook counts by its name; what it says has a revision of its
    own. So the directory of the files makes no difference, and two runs with one digest differ in
    no setting.
    """
    effective = msgspec.structs.replace(
        config,
        rulebook=Path(config.rulebook).name,
        bulk=(),
        keys=tuple(msgspec.structs.replace(key, secret="") for key in config.keys),
    )
    encoded = msgspec.json.encode(effective, enc_hook=str, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


def _file_path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError(f"`{text}` is not a path")
    return Path(text)


def _rulebook_name(rulebook: str, folder: Path) -> str:
    return str(folder / rulebook) if rulebook.endswith(".toml") else rulebook


def _check_names(sources: list[Source]) -> None:
    """Note names that are given twice, and keys of accounts that are not given."""
    _check_unique([(one, one.instruments) for one in sources], "instrument")
    _check_unique([(one, one.accounts) for one in sources], "account")
    _check_unique([(one, one.keys) for one in sources], "key")
    accounts = {account.name for one in sources for _, account in one.accounts}
    for one in sources:
        for path, key in one.keys:
            if key.account not in accounts:
                message = f"no account `{key.account}`; {_some(key.account, accounts)}"
                one.faults.append(Fault(message, (*path, "account")))


def _check_unique(groups: Iterable[tuple[Source, _Named]], what: str) -> None:
    first: dict[str, str] = {}
    for source, named in groups:
        for path, one in named:
            if one.name in first:
                message = f"{what} `{one.name}` is given twice, first in {first[one.name]}"
                source.faults.append(Fault(message, (*path, "name")))
            else:
                first[one.name] = source.file


def _check_tiers(sources: list[Source], rulebook: Rulebook) -> None:
    tiers = rulebook.clauses.order_count.tiers
    for source in sources:
        for path, account in source.accounts:
            if account.tier and account.tier not in tiers:
                message = (
                    f"rulebook {rulebook.name} has no tier `{account.tier}`; "
                    f"{_some(account.tier, tiers)}"
                )
                source.faults.append(Fault(message, (*path, "tier")))


def _some(name: str, names: Collection[str]) -> str:
    """Return what to say about a name that is not among `names`, which may be very many."""
    if len(names) > _NAMES_COMPARED_MAX:
        return f"it is none of the {len(names):,} there are"
    return nearest(name, names)


def _counted(key: KeyConfig) -> KeyConfig:
    """Return a key with its addresses as the gate counts them."""
    addresses = tuple(address_text(address) or address for address in key.addresses)
    return msgspec.structs.replace(key, addresses=addresses)
