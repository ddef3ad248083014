"""What a run is made of: shares of orders and cancels, prices around the market, sizes."""

import re
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from loadtest.schedule import ARRIVAL_KINDS
from loadtest.units import LoadTestError, parse_duration_ns

DEFAULT_PROFILE: Final = "mixed"
SPREAD_BPS_LIMIT: Final = 5_000
"""The most an order's price may lie off the market, in hundredths of a percent."""
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,8})?")


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of load; a TOML file holds these fields."""

    name: str = ""
    """The file's name; not a field of the file."""
    description: str = ""
    place_percent: int
    """Share of placements among the requests; the others are cancels."""
    cross_percent: int = 0
    """Share of the placements whose price crosses the market, so that they take."""
    cancel_youngest: bool = False
    """Cancel the youngest order that is old enough, instead of the oldest."""
    cancel_after: str = "200ms"
    """How long an order is open at least before its cancel is sent."""
    spread_bps_min: int = 5
    """Prices of resting orders lie so far off the best price at least, in 1/100 %."""
    spread_bps_max: int = 100
    """And so far at most; evenly in between."""
    notional: str = "50"
    """Worth of an order in the quote asset; at least what the venue's filters ask for."""
    arrivals: str = ""
    """Kind of arrivals unless the command line names one."""
    burst_period: str = "1s"
    burst_width: str = "100ms"
    align_to_period: bool = False
    """Begin when the target's clock is at a whole multiple of the burst period."""

    @property
    def cancel_after_ns(self) -> int:
        """`cancel_after` in ns."""
        return parse_duration_ns(self.cancel_after)


def load_profile(name_or_path: str) -> Profile:
    """Return a shipped profile by its name, or the one in a TOML file; raises LoadTestError."""
    if name_or_path in shipped_profiles():
        text = (_shipped() / f"{name_or_path}.toml").read_text(encoding="utf-8")
        name = name_or_path
    else:
        path = Path(name_or_path)
        if path.suffix != ".toml":
            raise LoadTestError(
                f"there is no profile `{name_or_path}`; use {', '.join(shipped_profiles())} "
                "or the path of a .toml file"
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LoadTestError(f"{path}: can't be read: {error}") from None
        name = path.stem
    try:
        profile = msgspec.toml.decode(text, type=Profile)
    except msgspec.DecodeError as error:
        raise LoadTestError(f"profile {name_or_path}: {error}") from None
    if profile.name:
        raise LoadTestError(f"profile {name_or_path}: `name` is the file's name, leave it out")
    profile = msgspec.structs.replace(profile, name=name)
    if problems := _problems(profile):
        raise LoadTestError(f"profile {name_or_path}: {'; '.join(problems)}")
    return profile


def shipped_profiles() -> list[str]:
    """Return the names of the shipped profiles."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _shipped().iterdir()
        if entry.name.endswith(".toml")
    )


def _shipped() -> resources.abc.Traversable:
    return resources.files("loadtest") / "profiles"


def _problems(profile: Profile) -> list[str]:
    """Return everything that is wrong with a profile."""
    found = [
        f"{name} {value} is not 0 to 100"
        for name in ("place_percent", "cross_percent")
        if not 0 <= (value := getattr(profile, name)) <= 100
    ]
    if not profile.place_percent:
        found.append("place_percent 0 leaves nothing to cancel")
    if not 0 <= profile.spread_bps_min <= profile.spread_bps_max <= SPREAD_BPS_LIMIT:
        found.append(
            f"spread_bps_min {profile.spread_bps_min} and spread_bps_max "
            f"{profile.spread_bps_max} are not in order within 0 to {SPREAD_BPS_LIMIT}"
        )
    if not _DECIMAL.fullmatch(profile.notional) or not Decimal(profile.notional):
        found.append(f"notional `{profile.notional}` is not a decimal number above 0")
    if profile.arrivals not in ("", *ARRIVAL_KINDS):
        found.append(f"arrivals `{profile.arrivals}` is not one of {', '.join(ARRIVAL_KINDS)}")
    for name in ("cancel_after", "burst_period", "burst_width"):
        try:
            parse_duration_ns(getattr(profile, name))
        except LoadTestError as error:
            found.append(f"{name}: {error}")
    return found
