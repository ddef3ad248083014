"""Parameters of a request: from raw query and body to integers, texts and the first fault.

Nothing here raises on what a client sent. Whatever is wrong is kept as the request's one fault,
the first found, and the reading goes on with a neutral value.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from rules.reasons import Reason
from rules.values import E8, INT63_MAX

PARAMETERS_MAX: Final = 100
"""More than any endpoint could mean; the reading stops there."""
SYMBOLS_MAX: Final = 100
_DETAIL_MAX: Final = 256
_PLACES: Final = 8
_E8_OF_PLACES: Final[tuple[int, ...]] = tuple(
    10 ** (_PLACES - places) for places in range(_PLACES + 1)
)
"""What the last digit of so many decimal places counts, in 1e-8."""
_USUAL_DIGITS: Final = 10
"""Digits before the point with which any amount fits 63 bits."""

DECIMAL_RANGE: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER_RANGE: Final = "^[0-9]{1,20}$"
SYMBOL_RANGE: Final = r"^[\w\-._&&[^a-z]]{1,50}$"
SYMBOLS_RANGE: Final = r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'
CLIENT_ID_RANGE: Final = "^[a-zA-Z0-9-_]{1,36}$"
RECV_WINDOW_RANGE: Final = r"^[0-9]{1,20}(\.[0-9]{1,3})?$"

_SYMBOL: Final = re.compile(r"(?:(?![a-z])[\w\-.]){1,50}")
_CLIENT_ID: Final = re.compile("[a-zA-Z0-9_-]{1,36}")
_MICROSECONDS_FROM: Final = 10**15
"""Times of 16 digits or more are in microseconds; fewer are milliseconds."""


class Fault(NamedTuple):
    """Why a request could not be understood."""

    reason: Reason
    detail: str = ""
    """The parameter or value at fault."""
    expected: str = ""
    """What would have been accepted."""
    code: int = 0
    """The venue's code where it has a finer one than the reason's, else 0."""
    text: str = ""
    """The venue's text that goes with `code`."""


class Parameters:
    """The parameters of one request, and the first fault found in them.

    Query and body count alike, whatever method or Content-Type; the query wins where a name is
    in both. Every reader method returns a neutral value (0, empty text) when the parameter is
    absent or at fault.
    """

    __slots__ = ("fault", "values")

    def __init__(self, query: bytes, body: bytes) -> None:
        self.fault: Fault | None = None
        self.values: dict[str, str] = self._split(query) if query else {}
        if body:
            for name, value in self._split(body).items():
                self.values.setdefault(name, value)

    def fail(
        self,
        reason: Reason,
        detail: str = "",
        expected: str = "",
        code: int = 0,
        text: str = "",
    ) -> None:
        """Note a fault, unless there is one already."""
        if self.fault is None:
            self.fault = Fault(reason, detail[:_DETAIL_MAX], expected[:_DETAIL_MAX], code, text)

    def given(self, name: str) -> bool:
        """Tell whether a parameter was sent, empty or not."""
        return name in self.values

    def text(self, name: str, mandatory: bool = False) -> str:
        """Return a parameter as text; empty is a fault, and so is missing when mandatory."""
        value = self.values.get(name)
        if value:
            return value
        if value is not None:
            self.fail(Reason.EMPTY_PARAMETER, name)
        elif mandatory:
            self.fail(Reason.MISSING_PARAMETER, name)
        return ""

    def choice(
        self, name: str, choices: tuple[str, ...], reason: Reason, mandatory: bool = False
    ) -> int:
        """Return the place of a parameter among `choices`, whose first entry means absent."""
        value = self.values.get(name) or self.text(name, mandatory)
        if not value:
            return 0
        try:
            return choices.index(value)
        except ValueError:
            self.fail(reason, name, ", ".join(choices[1:]))
            return 0

    def integer(self, name: str, mandatory: bool = False) -> int:
        """Return a whole number that fits 63 bits."""
        value = self.text(name, mandatory)
        if not value:
            return 0
        if not _is_integer(value):
            self.fail(Reason.ILLEGAL_CHARACTERS, name, INTEGER_RANGE)
            return 0
        number = int(value)
        if number > INT63_MAX:
            self.fail(Reason.NUMBER_TOO_LARGE, name, f"at most {INT63_MAX}")
            return 0
        return number

    def decimal_e8(
        self, name: str, too_large: Reason, too_small: Reason, mandatory: bool = False
    ) -> int:
        """Return a decimal in 1e-8 units, above 0 and within 63 bits.

        What does not fit is refused for `too_large`, 0 for `too_small`: the reasons of the filter
        that the value would have met.
        """
        value = self.values.get(name) or self.text(name, mandatory)
        if not value:
            return 0
        whole, point, places = value.partition(".")
        if len(whole) <= _USUAL_DIGITS and 0 < len(places) <= _PLACES:
            digits = whole + places
            # With a digit on both sides of the point, and at most so many, nothing can be wrong.
            if whole and digits.isdigit() and digits.isascii():
                value_e8 = int(digits) * _E8_OF_PLACES[len(places)]
                if value_e8:
                    return value_e8
        if not _is_integer(whole) or (point and not _is_integer(places)):
            self.fail(Reason.ILLEGAL_CHARACTERS, name, DECIMAL_RANGE)
            return 0
        places = places.rstrip("0")
        if len(places) > 8:
            self.fail(Reason.TOO_MUCH_PRECISION, name, "at most 8 decimal places")
            return 0
        value_e8 = int(whole) * E8 + int(places.ljust(8, "0"))
        if value_e8 > INT63_MAX:
            self.fail(too_large, name)
            return 0
        if value_e8 == 0:
            self.fail(too_small, name)
        return value_e8

    def boolean(self, name: str) -> bool:
        """Return a parameter that is `true` or `false`, False when absent."""
        value = self.text(name)
        if value.lower() not in ("", "true", "false"):
            self.fail(Reason.INVALID_PARAMETER, name, "true or false")
        return value.lower() == "true"

    def limit(self, default: int, largest: int, clamp: bool = False) -> int:
        """Return the parameter `limit`; above `largest` it is cut (`clamp`) or a fault."""
        if "limit" not in self.values:
            return default
        number = self.integer("limit")
        if number > largest and clamp:
            return largest
        if not 0 < number <= largest:
            self.fail(Reason.INVALID_PARAMETER, "limit", f"1 to {largest}")
            return default
        return number

    def time_ns(self, name: str, mandatory: bool = False) -> int:
        """Return a time given in milliseconds or (from 16 digits on) microseconds, in ns."""
        value = self.values.get(name) or self.text(name, mandatory)
        if not value:
            return 0
        if not (len(value) <= 20 and value.isdigit() and value.isascii()):
            self.fail(Reason.ILLEGAL_CHARACTERS, name, INTEGER_RANGE)
            return -1
        # Leading zeros are no digits of the number.
        number = int(value)
        time_ns = number * (1_000_000 if number < _MICROSECONDS_FROM else 1_000)
        return min(time_ns, INT63_MAX)

    def recv_window_ns(self) -> int:
        """Return `recvWindow` (milliseconds, up to three decimals) in ns, 0 when absent."""
        value = self.values.get("recvWindow") or self.text("recvWindow")
        if not value:
            return 0
        if len(value) <= _USUAL_DIGITS and value.isdigit() and value.isascii():
            return int(value) * 1_000_000 or 1
        whole, point, places = value.partition(".")
        if not _is_integer(whole) or (point and not (_is_integer(places) and len(places) <= 3)):
            self.fail(Reason.ILLEGAL_CHARACTERS, "recvWindow", RECV_WINDOW_RANGE)
            return 0
        window = int(whole) * 1_000_000 + int(places.ljust(6, "0"))
        # A window of nothing is a window, and 0 would mean the default.
        return min(max(window, 1), INT63_MAX)

    def client_id(self, name: str) -> str:
        """Return a client order id: up to 36 letters, digits, `-` and `_`."""
        value = self.values.get(name) or self.text(name)
        if value and _CLIENT_ID.fullmatch(value) is None:
            self.fail(Reason.ILLEGAL_CHARACTERS, name, CLIENT_ID_RANGE)
            return ""
        return value

    def symbol_name(self, name: str = "symbol", mandatory: bool = False) -> str:
        """Return a symbol's name in its legal range, known or not."""
        value = self.values.get(name) or self.text(name, mandatory)
        if value and _SYMBOL.fullmatch(value) is None:
            self.fail(Reason.ILLEGAL_CHARACTERS, name, SYMBOL_RANGE)
            return ""
        return value

    def symbol_names(self) -> list[str]:
        """Return the names in `symbols`, a JSON array of texts."""
        value = self.text("symbols")
        if not value:
            return []
        try:
            names = msgspec.json.decode(value, type=list[str])
        except msgspec.DecodeError:
            names = [""]
        if not all(_is_symbol(name) for name in names):
            self.fail(Reason.ILLEGAL_CHARACTERS, "symbols", SYMBOLS_RANGE)
            return []
        if len(names) > SYMBOLS_MAX:
            text = f"Too many values sent for parameter 'symbols', maximum allowed up to {SYMBOLS_MAX}."
            self.fail(Reason.TOO_MANY_PARAMETERS, "symbols", f"{SYMBOLS_MAX}", -1101, text)
            return []
        if len(set(names)) < len(names):
            text = "Symbol is present multiple times in the list."
            self.fail(Reason.DUPLICATE_PARAMETER, "symbols", "", -1151, text)
            return []
        return names

    def _split(self, part: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            text = part.decode("utf-8")
        except UnicodeDecodeError:
            self.fail(Reason.MALFORMED_REQUEST, "not UTF-8")
            return found
        segments = text.split("&", PARAMETERS_MAX)
        if len(segments) > PARAMETERS_MAX:
            self.fail(Reason.TOO_MANY_PARAMETERS, "", f"at most {PARAMETERS_MAX}")
            segments.pop()
        encoded = "%" in text or "+" in text
        if not encoded:
            for segment in segments:
                name, _, value = segment.partition("=")
                found[name] = value
            if len(found) == len(segments) and "" not in found:
                return found
            found.clear()
        for segment in segments:
            name, _, value = segment.partition("=")
            if encoded and ("%" in segment or "+" in segment):
                try:
                    name = unquote_plus(name, errors="strict")
                    value = unquote_plus(value, errors="strict")
                except UnicodeDecodeError:
                    self.fail(Reason.MALFORMED_REQUEST, "not UTF-8")
                    continue
            if name in found:
                self.fail(Reason.DUPLICATE_PARAMETER, name)
            elif name:
                found[name] = value
        return found


def _is_integer(text: str) -> bool:
    """Tell whether a text is 1 to 20 of the digits 0 to 9; there are other digits in Unicode."""
    return len(text) <= 20 and text.isdigit() and text.isascii()


def _is_symbol(text: str) -> bool:
    return _SYMBOL.fullmatch(text) is not None
