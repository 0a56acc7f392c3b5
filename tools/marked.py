"""Parts of documents that programs write: between a marker that starts them and one that ends them.

A module of its own because tables of roles, of the network, of the bench and of the soak are all kept so.
"""

from __future__ import annotations


def between_markers(text: str, part: str, start: str, end: str) -> str:
    """The document with what stands between its markers replaced; ValueError unless they are there once, in order."""
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"the markers {start} and {end} are not there once each, in this order")
    before, rest = text.split(start)
    return f"{before}{start}\n{part}\n{end}{rest.split(end)[1]}"
