"""Definitions and operators' acts into the book: who there is, and what is stopped."""

from rules.book import AccountFacts, Book, KeyFacts, SymbolFacts
from rules.events import (
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    LinkOwners,
    OwnerClassChanged,
    RunBegan,
    SetState,
    SetSymbolState,
)
from rules.rulebook import Rulebook
from rules.values import DEFINE_ADDRESS, OWNER_ORDINARY, STATE_ACTIVE, SYMBOL_TRADING


class Register:
    """Writes accounts, keys, symbols and stop states."""

    def __init__(self, book: Book, rulebook: Rulebook) -> None:
        self._book = book
        self._rulebook = rulebook

    def take(self, event: Event, now_ns: int) -> None:
        """Take up one event; one that is of no concern here is passed over."""
        if isinstance(event, Define):
            if event.kind == DEFINE_ADDRESS:
                self._book.addresses[event.number] = event.name
        elif isinstance(event, DefineSymbol):
            self._symbol(event, now_ns)
        elif isinstance(event, DefineAccount):
            before = self._book.accounts.get(event.account)
            joined = self._book.conduct.joined
            self._book.conduct.add_account(
                event.account, event.owner, before.owner if before is not None else 0
            )
            self._book.stirred = self._book.stirred or joined != self._book.conduct.joined
            self._book.accounts[event.account] = AccountFacts(
                event.account, event.name, event.owner, event.tier, event.flags, event.enabled
            )
        elif isinstance(event, DefineKey):
            self._book.keys[event.key] = KeyFacts(
                event.key,
                event.name,
                event.account,
                event.permissions,
                frozenset(event.addresses),
                event.expires_ns,
                event.enabled,
            )
        elif isinstance(event, SetState):
            self._state(event, now_ns)
        elif isinstance(event, SetSymbolState):
            facts = self._book.symbols.get(event.symbol)
            if facts is not None:
                self._set_symbol_state(facts, event.state, now_ns)
        elif isinstance(event, LinkOwners):
            self._book.conduct.link(event.owner, event.group)
            self._book.stirred = True
        elif isinstance(event, OwnerClassChanged):
            if event.owner_class == OWNER_ORDINARY:
                self._book.owner_classes.pop(event.owner, None)
            else:
                self._book.owner_classes[event.owner] = event.owner_class
        elif isinstance(event, RunBegan):
            self._book.next_order_id = max(self._book.next_order_id, event.next_order_id)

    def _symbol(self, event: DefineSymbol, now_ns: int) -> None:
        """Define a symbol, or change one: its market and its halts go on."""
        facts = self._book.symbols.get(event.symbol)
        filters = self._rulebook.filters(event.name)
        if facts is None:
            facts = SymbolFacts(
                event.symbol, event.name, event.base_asset, event.quote_asset, filters
            )
            self._book.symbols[event.symbol] = facts
        facts.filters = filters
        facts.maker_commission_ppm = event.maker_commission_ppm
        facts.taker_commission_ppm = event.taker_commission_ppm
        facts.previous_close_e8 = event.previous_close_e8
        self._set_symbol_state(facts, event.state, now_ns)

    def _set_symbol_state(self, facts: SymbolFacts, state: int, now_ns: int) -> None:
        """Change a symbol's state; orders can match, and age, only while it is trading."""
        facts.state = state
        if state == SYMBOL_TRADING:
            if facts.halted_since_ns:
                facts.halted_total_ns += now_ns - facts.halted_since_ns
                facts.halted_since_ns = 0
        elif not facts.halted_since_ns:
            facts.halted_since_ns = now_ns
        self._book.deferred.look_again(facts.symbol)

    def _state(self, event: SetState, now_ns: int) -> None:
        scope = (event.scope, event.subject)
        self._book.stirred = True
        if event.state == STATE_ACTIVE:
            self._book.states.pop(scope, None)
            self._book.state_notes.pop(scope, None)
        else:
            self._book.states[scope] = event.state
            self._book.state_notes[scope] = (event.note, event.actor, now_ns)
