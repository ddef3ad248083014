"""A case file as one HTML page that needs nothing else: no script, no font, no network."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

import msgspec

from gateway.logview.case import CaseFile
from gateway.logview.rendering import printable

_STYLE: Final = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; max-width: 90rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #ccc; padding: .2rem .5rem; text-align: left; vertical-align: top; }
th { background: #f2f2f2; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.REFUSED td { background: #fdf0ef; } tr.DEFERRED td { background: #fdf8e8; }
.note { color: #555; } code { font-size: 12px; } summary { cursor: pointer; }
@media print { body { margin: 0; } details > * { display: block; } }
"""
_HEAD: Final = (
    '<meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'\">"
    '<meta name="viewport" content="width=device-width">'
)

_TRADE: Final = (
    *("seq", "time", "order_id", "symbol", "side", "price", "quantity", "quote", "maker"),
    *("commission", "commission_asset", "trade_id", "counter_account"),
)
_MEASURE: Final = ("seq", "time", "event", "what", "actor", "followed")
_ORDER: Final = (
    *("order_id", "client_order_id", "account", "symbol", "side", "order_type", "price"),
    *("quantity", "placed", "accepted", "ended", "status", "cause", "reason", "filled"),
    *("fills", "amends"),
)


def case_html(case: CaseFile) -> Iterator[str]:
    """Yield the page piece by piece."""
    title = f"Case file: {case.owner}"
    yield f'<!doctype html><html lang="en"><head>{_HEAD}<title>{_text(title)}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{_text(title)}</h1>"
    yield from _about(case)
    yield from _counts("Records", case.totals)
    yield from _counts("Refusals, by rule and reason", case.refusals)
    yield "<h2>Measures and who took them</h2>"
    yield from _table(
        ("record", "time", "what", "", "actor", "what followed"),
        ([measure[name] for name in _MEASURE] for measure in case.measures),
    )
    yield "<h2>Orders</h2>"
    yield from _orders(case)
    yield "<h2>Trades</h2>"
    yield from _table(_TRADE, ([trade[name] for name in _TRADE] for trade in case.trades))
    yield "<h2>Everything, in order</h2>"
    yield from _entries(case)
    yield "</body></html>\n"


def _about(case: CaseFile) -> Iterator[str]:
    facts = [
        ("made", f"{case.made}, ordergate {case.ordergate}"),
        ("time", f"{case.time_from or 'the beginning'} to {case.time_to or 'the end'}"),
        ("accounts", ", ".join(case.accounts)),
        ("keys", ", ".join(case.keys)),
        ("addresses", ", ".join(case.addresses)),
        ("masked", "; ".join(case.erased)),
        ("other parties", _json(case.other_parties)),
    ]
    facts += [
        ("run", "{run}, rulebook {rulebook} {revision}, {life}".format_map(run))
        for run in case.runs
    ]
    facts += [("incomplete", problem) for problem in case.problems]
    facts += [("deleted", text) for text in case.deleted]
    yield from _table(("", ""), facts)


def _counts(title: str, counts: dict[str, int]) -> Iterator[str]:
    yield f"<h2>{_text(title)}</h2>"
    yield from _table(("", "count"), counts.items())


def _orders(case: CaseFile) -> Iterator[str]:
    def cells(order: dict[str, Any]) -> Iterator[Any]:
        yield from (order[name] for name in _ORDER)
        yield _Html(" ".join(f'<a href="#r{seq}">{seq}</a>' for seq in order["records"]))

    yield from _table((*_ORDER, "records"), (cells(order) for order in case.orders))


def _entries(case: CaseFile) -> Iterator[str]:
    heads = ("record", "time", "event", "what", "verdict", "refused for", "bid / ask", "details")
    yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for entry in case.entries:
        book = entry["book"] or {}
        quote = f"{book.get('bid') or '-'} / {book.get('ask') or '-'}" if book else ""
        details = {"input": entry["input"], "decision": entry["decision"], "book": entry["book"]}
        yield (
            f'<tr id="r{entry["seq"]}" class="{_text(entry["verdict"])}">'
            f'<td class="n">{entry["seq"]}</td><td>{_text(entry["time"])}<br>'
            f"<code>{_text(entry['decision_id'] or '')}</code></td>"
            f"<td>{_text(entry['event'])}</td><td>{_text(entry['what'])}</td>"
            f"<td>{_text(entry['verdict'])}</td>"
            f"<td>{'<br>'.join(_text(_refused(refusal)) for refusal in entry['refusals'])}</td>"
            f"<td>{_text(quote)}</td><td><details><summary>all</summary>"
            f"<code>{_text(_json(details))}</code></details></td></tr>"
        )
    yield "</table>"


def _refused(refusal: dict[str, Any]) -> str:
    shadow = "shadow " if refusal["mode"] == "shadow" else ""
    retry = f", again from {refusal['retry']}" if refusal["retry"] else ""
    return (
        f"{shadow}{refusal['rule']}: {refusal['reason']}, limit {refusal['limit']}, "
        f"observed {refusal['observed']}{retry}"
    )


class _Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    yield f"<table><tr>{''.join(f'<th>{_text(head)}</th>' for head in heads)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(_cell(value) for value in row)}</tr>"
    yield "</table>"


def _cell(value: Any) -> str:
    if isinstance(value, _Html):
        return f"<td>{value}</td>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="n">{value}</td>'
    return f"<td>{_text(value)}</td>"


def _text(value: Any) -> str:
    """Return a value as text that is safe in a page."""
    return "" if value is None else escape(printable(str(value)))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
