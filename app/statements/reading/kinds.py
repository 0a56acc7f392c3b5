"""The format of a file by its first bytes: names and extensions lie.

A module of its own because it runs before anything is decoded, and because the list of unread formats gets shorter
with each new reader.
"""

import re
from collections.abc import Callable

from statements.reading.parsing import Unreadable

LOOKED_AT = 4096
NOT_YET = "{} files are not read yet; download the statement as CSV from the bank"

_OFX = re.compile(rb"OFXHEADER|<OFX>|<\?OFX", re.IGNORECASE)
_QIF = re.compile(rb"\s*!(?:Type|Account|Option|Clear)\b", re.IGNORECASE)
_MT940 = re.compile(rb"\s*(?:\{1:|:20:)")
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|body|table)\b", re.IGNORECASE)
_JSON = re.compile(rb'\s*[\[{]\s*["{\[]')
# What programs write at the start of files that are no text at all.
_SIGNATURES = {
    b"PK\x03\x04": "this is a spreadsheet or zip archive, not a text file; save it as CSV",
    b"\xd0\xcf\x11\xe0": "this is an old Excel file, not a text file; save it as CSV",
    b"\x1f\x8b": "this is a gzip archive, not a text file; unpack it first",
    b"\x89PNG": "this is a picture, not a statement in text",
    b"\xff\xd8\xff": "this is a picture, not a statement in text",
    b"{\\rtf": "this is a word processor's file; save the table as CSV",
}


def refuse_others(content: bytes) -> None:
    """Raises Unreadable, with what to do, for every kind of file that is known not to be CSV."""
    head = _head(content)
    if b"%PDF-" in head[:1024]:
        locked = " (and this one needs a password)" if b"/Encrypt" in content else ""
        raise Unreadable(NOT_YET.format("PDF") + locked)
    for signature, refusal in _SIGNATURES.items():
        if head.startswith(signature):
            raise Unreadable(refusal)
    for matches, refusal in _TEXTS:
        if matches(head):
            raise Unreadable(refusal)


def _head(content: bytes) -> bytes:
    """The start, without a byte order mark; of UTF-16 the Latin letters are left."""
    head = content[: 2 * LOOKED_AT]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\x00", b"")
    return head.removeprefix(b"\xef\xbb\xbf")[:LOOKED_AT]


def _starts_ofx(head: bytes) -> bool:
    return bool(_OFX.search(head)) and head.lstrip()[:1] in (b"<", b"O", b"o")


_TEXTS: tuple[tuple[Callable[[bytes], object], str], ...] = (
    (_starts_ofx, NOT_YET.format("OFX, QFX and QBO")),
    (_QIF.match, NOT_YET.format("QIF")),
    (_MT940.match, NOT_YET.format("MT940")),
    (_HTML.match, "this is a web page, not a statement; download the statement as CSV from the bank"),
    (lambda head: head.lstrip().startswith(b"<"), NOT_YET.format("XML (such as camt.053)")),
    (_JSON.match, NOT_YET.format("JSON")),
)
