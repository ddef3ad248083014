"""Keys over the admin port: made, listed, revoked."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rules.events import DefineAccount, DefineKey
from rules.values import NS_PER_SECOND, PERMIT_READ, PERMIT_TRADE
from tests.gateway.edges.admin_world import START_NS, run, serving


def test_shared_secret_is_made_and_shown_once(tmp_path: Path) -> None:
    """The new key belongs to the account, permits what was asked, and its secret verifies."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            asked = {
                "account": "alice-1",
                "permissions": ["read", "trade"],
                "addresses": ["127.0.0.1", "2001:db8::7"],
                "expires_ns": START_NS + NS_PER_SECOND,
            }
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert answer.status == 201
            name, secret = answer.body["key"]["name"], answer.body["secret"]
            assert len(name) == len(secret) == 64
            assert not answer.body["account_opened"]
            assert answer.body["key"]["owner"] == "alice ltd"
            assert answer.body["key"]["addresses"] == ["127.0.0.1", "2001:db8::/64"]
            material = world.keystore.find(name)
            assert material is not None
            assert material.secret == secret.encode()
            assert world.core.events[-1] == DefineKey(
                2,
                name,
                1,
                PERMIT_READ | PERMIT_TRADE,
                (1, 2),
                START_NS + NS_PER_SECOND,
            )
            listed = await world.ask("GET", "/admin/v1/keys")
            assert secret not in str(listed.body)
            assert [key["name"] for key in listed.body["keys"]] == ["A" * 64, name]

    run(scenario())


def test_account_and_owner_are_opened_when_new(tmp_path: Path) -> None:
    """A key for a new account opens it, with the owner that is named or one of its own name."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            asked: dict[str, Any] = {"account": "carol", "tier": "vip"}
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert answer.body["account_opened"]
            assert answer.body["key"]["owner"] == "carol"
            assert DefineAccount(4, "carol", 3, "vip", 0) in world.core.events
            asked = {"account": "alice-3", "owner": "alice ltd"}
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert DefineAccount(5, "alice-3", 1, "", 0) in world.core.events
            assert answer.body["key"]["permissions"] == ["read"]
            asked = {"account": "alice-3", "owner": "bob"}
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert answer.status == 400
            assert "belongs to `alice ltd`" in answer.body["error"]

    run(scenario())


def test_public_key(tmp_path: Path) -> None:
    """For a public key no secret exists at the gate."""
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            asked = {"account": "bob", "kind": "ed25519", "public_key": pem}
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert (answer.status, answer.body["secret"]) == (201, "")
            assert answer.body["key"]["kind"] == "ed25519"

    run(scenario())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"account": ""}, "account"),
        ({"account": "x" * 65}, "account"),
        ({"account": "a\nb"}, "account"),
        ({"account": "new", "owner": "x" * 65}, "owner"),
        ({"account": "bob", "permissions": ["everything"]}, "permissions"),
        ({"account": "bob", "addresses": ["nowhere"]}, "nowhere"),
        ({"account": "bob", "expires_ns": START_NS}, "expires_ns"),
        ({"account": "bob", "expires_ns": 2**63}, "expires_ns"),
        ({"account": "bob", "expires_ns": 10**20}, "expires_ns"),
        ({"account": "bob", "expires_ns": -1}, "expires_ns"),
        ({"account": "bob", "kind": "ed25519"}, "key"),
        ({"account": "bob", "kind": "ed25519", "public_key": "nonsense"}, "key"),
        ({"account": "bob", "public_key": "nonsense"}, "hmac"),
        ({"account": "bob", "kind": "morse"}, "morse"),
    ],
)
def test_bad_keys_are_refused_and_leave_nothing(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    """A key that can't be made is told why, and neither event nor material remains."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            answer = await world.ask("POST", "/admin/v1/keys", asked)
            assert answer.status == 400
            assert said in answer.body["error"]
            assert len(world.core.directory.keys) == 1
            assert list(world.keystore.list()) == []
            assert len(world.core.directory.accounts) == 3

    run(scenario())


def test_revoke(tmp_path: Path) -> None:
    """A revoked key is disabled in the record and its material is gone."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            created = await world.ask("POST", "/admin/v1/keys", {"account": "bob"})
            name = created.body["key"]["name"]
            answer = await world.ask("POST", "/admin/v1/keys/revoke", {"name": name})
            assert (answer.status, answer.body["enabled"]) == (200, False)
            assert world.keystore.find(name) is None
            assert not world.core.book.keys[2].enabled
            answer = await world.ask("POST", "/admin/v1/keys/revoke", {"name": "none"})
            assert answer.status == 404

    run(scenario())
