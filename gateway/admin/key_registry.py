"""Making, listing and revoking keys.

Material goes into the key store; whose key it is and what it permits are events in the record.
"""

from typing import Final

from gateway.addresses import address_text
from gateway.admin import messages
from gateway.admin.surface import (
    AdministeredCore,
    OperatorError,
    UnknownSubjectError,
    check_name,
)
from gateway.answer import Answer
from gateway.auth.authenticator import Authenticator
from gateway.auth.keystore import KeyStore, KeyStoreError, NewKey, make_key_name, make_secret
from rules.events import DefineAccount, DefineKey, Event
from rules.values import DEFINE_ADDRESS, DEFINE_OWNER, INT63_MAX, PERMISSION_NAMES

_PERMISSION_BITS: Final = {name: bit for bit, name in PERMISSION_NAMES.items()}


class KeyRegistry:
    """The keys of one gate."""

    def __init__(
        self, core: AdministeredCore, keystore: KeyStore, authenticator: Authenticator | None = None
    ) -> None:
        self._core = core
        self._keystore = keystore
        self._authenticator = authenticator

    async def create(self, request: messages.CreateKeyRequest) -> messages.CreatedKeyAnswer:
        """Make a key, and its account and owner when they do not exist.

        A shared secret is made here and returned once. Raises OperatorError.
        """
        check_name("account", request.account)
        check_name("owner", request.owner or request.account)
        check_name("tier", request.tier or "default")
        if not 0 <= request.expires_ns <= INT63_MAX:
            raise OperatorError(
                f"expires_ns {request.expires_ns} is out of range; 0 (never) to {INT63_MAX} is "
                "taken, which ends on 2262-04-11"
            )
        if request.expires_ns and request.expires_ns <= self._core.now_ns():
            raise OperatorError(f"expires_ns {request.expires_ns} has passed already")
        addresses = tuple(self._address(text) for text in request.addresses)
        name = make_key_name()
        secret = ""
        if request.kind == "hmac":
            if request.public_key:
                raise OperatorError("a public_key goes with kind rsa or ed25519, not with hmac")
            secret = make_secret()
        try:
            material = (secret or request.public_key).encode()
            self._keystore.create(NewKey(name, request.kind, material))
        except KeyStoreError as error:
            raise OperatorError(str(error)) from None
        account, opened = await self._account(request)
        number = max(self._core.directory.keys_by_number, default=0) + 1
        permissions = 0
        for permission in request.permissions:
            permissions |= _PERMISSION_BITS[permission]
        definition = DefineKey(
            number, name, account, permissions, addresses, request.expires_ns, True
        )
        await self._decided(definition)
        return messages.CreatedKeyAnswer(
            key=self._line(definition, request.kind), secret=secret, account_opened=opened
        )

    async def revoke(self, request: messages.RevokeKeyRequest) -> messages.KeyLine:
        """End a key for good; its open orders stay. Raises OperatorError."""
        definition = self._core.directory.keys.get(request.name)
        if definition is None:
            raise UnknownSubjectError(f"there is no key `{request.name}`")
        ended = DefineKey(
            definition.key,
            definition.name,
            definition.account,
            definition.permissions,
            definition.addresses,
            definition.expires_ns,
            False,
        )
        await self._decided(ended)
        self._keystore.revoke(request.name)
        if self._authenticator is not None:
            self._authenticator.forget(request.name)
        return self._line(ended, "")

    def list(self) -> messages.KeysAnswer:
        """Return all keys, without their secrets."""
        kinds = {stored.name: stored.kind for stored in self._keystore.list()}
        return messages.KeysAnswer(
            keys=tuple(
                self._line(definition, kinds.get(definition.name, ""))
                for definition in self._core.directory.keys_by_number.values()
            )
        )

    async def _account(self, request: messages.CreateKeyRequest) -> tuple[int, bool]:
        """Return the number of the account, opened if need be, and whether it was."""
        directory = self._core.directory
        found = directory.accounts.get(request.account)
        if found is not None:
            if request.owner and request.owner != directory.name(DEFINE_OWNER, found.owner):
                raise OperatorError(
                    f"account `{request.account}` belongs to "
                    f"`{directory.name(DEFINE_OWNER, found.owner)}`, not to `{request.owner}`"
                )
            return found.account, False
        owner = directory.number(DEFINE_OWNER, request.owner or request.account)
        number = max(directory.accounts_by_number, default=0) + 1
        await self._decided(DefineAccount(number, request.account, owner, request.tier, 0))
        return number, True

    def _address(self, text: str) -> int:
        counted = address_text(text)
        if counted is None:
            raise OperatorError(f"`{text}` is not an IPv4 or IPv6 address")
        return self._core.directory.address(counted)

    def _line(self, definition: DefineKey, kind: str) -> messages.KeyLine:
        directory = self._core.directory
        account = directory.accounts_by_number.get(definition.account)
        return messages.KeyLine(
            name=definition.name,
            kind=kind,
            account=account.name if account is not None else "",
            owner=directory.name(DEFINE_OWNER, account.owner) if account is not None else "",
            permissions=tuple(
                name for bit, name in PERMISSION_NAMES.items() if definition.permissions & bit
            ),
            addresses=tuple(
                directory.name(DEFINE_ADDRESS, address) for address in definition.addresses
            ),
            expires_ns=definition.expires_ns,
            enabled=definition.enabled,
        )

    async def _decided(self, event: Event) -> None:
        answer = Answer()
        self._core.submit(event, answer)
        await answer.outcome()
