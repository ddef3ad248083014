"""Instruments, accounts and keys of a configuration, made known once and kept by their numbers."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.auth.keystore import KeyStore, KeyStoreError, NewKey
from gateway.config import AccountConfig, Config, InstrumentConfig, KeyConfig
from gateway.population import populate
from rules.events import BalanceAdjusted, DefineAccount, DefineKey, DefineSymbol, SetSymbolState
from rules.values import (
    ACCOUNT_HIGH_FREQUENCY,
    ACCOUNT_MARKET_MAKER,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_HALT,
)
from tests.gateway.core_world import CoreWorld
from tests.gateway.gate_world import name_of

ETH = InstrumentConfig(
    name="ETHUSDT", base="ETH", quote="USDT", previous_close="3000.5", taker_commission="0.00075"
)
CAROL = AccountConfig(
    name="carol",
    owner="carol ltd",
    tier="vip",
    market_maker=True,
    high_frequency=True,
    funds={"ETH": "1.5"},
)
KEY = KeyConfig(
    name=name_of("carol"),
    account="carol",
    secret="a secret",
    permissions=("read", "trade"),
    addresses=("10.0.0.1",),
    expires="2027-01-01T00:00:00Z",
)


class Populated:
    """A core that a configuration is put into."""

    def __init__(self, directory: Path) -> None:
        self.world = CoreWorld()
        self.keystore = KeyStore(directory / "keys.sqlite", bytes(32))

    def put(self, **sections: Any) -> list[Any]:
        """Populate, and return the definitions that led to."""
        before = self.world.core.seq
        populate(self.world.core, self.world.engine, self.keystore, Config(**sections))
        kinds = (DefineSymbol, DefineAccount, DefineKey, BalanceAdjusted)
        return [
            record.event
            for record in self.world.recorder.records[before:]
            if isinstance(record.event, kinds)
        ]


@pytest.fixture
def populated(tmp_path: Path) -> Any:
    """A core with alice, bob and BTCUSDT, whose definition of an earlier version is made whole."""
    made = Populated(tmp_path)
    (whole,) = made.put()
    assert (whole.name, whole.lot_step_e8) == ("BTCUSDT", 1_000)
    yield made
    made.keystore.close()


def test_what_is_new_is_defined(populated: Populated) -> None:
    """Everything gets the next number of its kind; funds are deposited."""
    made = populated.put(instruments=(ETH,), accounts=(CAROL,), keys=(KEY,))
    directory = populated.world.directory
    eth, usdt = (directory.known(DEFINE_ASSET, name) for name in ("ETH", "USDT"))
    symbol, account, funds, key = made
    assert (symbol.symbol, symbol.base_asset, symbol.quote_asset) == (2, eth, usdt)
    assert symbol.previous_close_e8 == 3_000_50000000
    assert (symbol.maker_commission_ppm, symbol.taker_commission_ppm) == (1_000, 750)
    assert (account.account, account.tier) == (3, "vip")
    assert account.owner == directory.known(DEFINE_OWNER, "carol ltd")
    assert account.flags == ACCOUNT_MARKET_MAKER | ACCOUNT_HIGH_FREQUENCY
    assert (funds.account, funds.asset, funds.delta_e8) == (3, eth, E8 * 3 // 2)
    assert (key.key, key.account, key.permissions) == (3, 3, PERMIT_READ | PERMIT_TRADE)
    assert key.addresses == (directory.known(DEFINE_ADDRESS, "10.0.0.1"),)
    assert key.expires_ns == 1_798_761_600 * NS_PER_SECOND
    assert populated.keystore.find(KEY.name) is not None


def test_a_second_time_nothing_happens(populated: Populated) -> None:
    """What is known as it stands is not defined again, and no account is funded twice."""
    sections = {"instruments": (ETH,), "accounts": (CAROL,), "keys": (KEY,)}
    populated.put(**sections)
    assert populated.put(**sections) == []


def test_what_has_changed_keeps_its_number(populated: Populated) -> None:
    """A new tier, permission or price is a new definition of the same number."""
    populated.put(instruments=(ETH,), accounts=(CAROL,), keys=(KEY,))
    populated.world.core.submit(SetSymbolState(2, SYMBOL_HALT, "news", "an operator"))
    made = populated.put(
        instruments=(
            InstrumentConfig(name="ETHUSDT", base="ETH", quote="USDT", previous_close="3001"),
        ),
        accounts=(AccountConfig(name="carol", owner="carol ltd", funds={"ETH": "9"}),),
        keys=(KeyConfig(name=KEY.name, account="carol", secret="another"),),
    )
    symbol, account, key = made
    assert (symbol.symbol, symbol.state) == (2, SYMBOL_HALT)
    assert (account.account, account.tier, account.flags) == (3, "", 0)
    assert (key.key, key.permissions, key.addresses) == (3, PERMIT_READ, ())


@pytest.mark.parametrize(
    ("field", "known", "wanted"), [("base", "ETH", "BTC"), ("quote", "USDT", "BUSD")]
)
def test_the_assets_of_an_instrument_do_not_change(
    populated: Populated, field: str, known: str, wanted: str
) -> None:
    """A known instrument with another base or quote is refused before anything is defined."""
    populated.put(instruments=(ETH,))
    new = InstrumentConfig(name="SOLUSDT", base="SOL", quote="USDT")
    seq = populated.world.core.seq
    said = f"{field} of instrument `ETHUSDT` is `{wanted}` .* `{known}` in the record"
    with pytest.raises(ValueError, match=said):
        populated.put(instruments=(new, msgspec.structs.replace(ETH, **{field: wanted})))
    assert populated.world.core.seq == seq


def test_what_an_operator_ended_stays_ended(populated: Populated) -> None:
    """A key that was revoked is not enabled again by the configuration that names it."""
    populated.put(accounts=(CAROL,), keys=(KEY,))
    core = populated.world.core
    known = core.directory.keys[KEY.name]
    core.submit(DefineKey(*(getattr(known, name) for name in known.__struct_fields__[:-1]), False))
    assert populated.put(accounts=(CAROL,), keys=(KEY,)) == []
    assert not core.book.keys[known.key].enabled


def test_keys_taken_out_of_the_configuration_are_warned_of(
    populated: Populated, caplog: pytest.LogCaptureFixture
) -> None:
    """They stay in force, and each start names them until they are revoked."""
    populated.put(accounts=(CAROL,), keys=(KEY,))
    # Made by an operator: no configuration ever named it.
    populated.keystore.create(NewKey(name_of("made"), "hmac", b"a secret"))
    assert caplog.text == ""
    for _ in range(2):
        caplog.clear()
        assert populated.put() == []
        assert "keys no longer in the configuration are still in force (1)" in caplog.text
        assert caplog.text.rstrip().endswith(f"ends one: {KEY.name}")
    core = populated.world.core
    known = core.directory.keys[KEY.name]
    assert core.book.keys[known.key].enabled
    caplog.clear()
    core.submit(DefineKey(*(getattr(known, name) for name in known.__struct_fields__[:-1]), False))
    populated.put()
    assert caplog.text == ""


def test_a_warning_names_a_few_of_many_keys(
    populated: Populated, caplog: pytest.LogCaptureFixture
) -> None:
    """Five keys are named and the others counted."""
    keys = tuple(
        KeyConfig(name=name_of(f"k{number}"), account="alice", secret="s") for number in range(6)
    )
    populated.put(keys=keys)
    populated.put(keys=keys[5:])
    assert caplog.text.rstrip().endswith(name_of("k4"))
    caplog.clear()
    populated.put()
    assert "in force (6)" in caplog.text
    assert caplog.text.rstrip().endswith(f"{name_of('k4')} and 1 more")


def test_unusable_keys(populated: Populated) -> None:
    """A key without an account, and one without usable material, are named; none is stored."""
    with pytest.raises(ValueError, match="`carol`, which is not defined"):
        populated.put(keys=(KEY,))
    broken = KeyConfig(name=name_of("dave"), account="alice", kind="rsa", secret="no PEM")
    other = KeyConfig(name=name_of("erin"), account="alice", secret="a secret")
    with pytest.raises(KeyStoreError, match=name_of("dave")):
        populated.put(keys=(other, broken))
    assert populated.keystore.find(other.name) is None


def test_many_accounts_take_time_in_proportion(populated: Populated) -> None:
    """Twenty thousand accounts and keys are a matter of seconds."""
    accounts = tuple(AccountConfig(name=f"a{number}") for number in range(20_000))
    keys = tuple(
        KeyConfig(name=name_of(f"k{number}"), account=f"a{number}", secret="s")
        for number in range(20_000)
    )
    begun = time.process_time()
    made = populated.put(accounts=accounts, keys=keys)
    assert len(made) == 40_000
    assert time.process_time() - begun < 20
