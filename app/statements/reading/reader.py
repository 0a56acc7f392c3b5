"""The package's door: bytes and answers in, a statement out, or the questions that the file leaves open.

A module of its own because only here the bank's own format, the encoding and the generic reader meet.
"""

from collections.abc import Mapping
from dataclasses import replace

from statements.reading import charsets, generic, kinds, text, wells_fargo
from statements.reading.asking import Asked, Desk
from statements.reading.parsing import Statement, Unreadable

WESTERN = ("cp1252", "iso-8859-1")


def read(filename: str, content: bytes, answers: Mapping[str, str]) -> Statement:
    """The statement. Raises Unreadable for a file that is none, Asked for one that leaves something open."""
    kinds.refuse_others(content)
    decoded, encoding = text.decode(content)
    statement = _wells_fargo(decoded)
    if statement:
        return statement
    desk = Desk(answers)
    statement = _read_western(content, encoding, desk) if encoding in WESTERN else generic.read(decoded, desk)
    if desk.questions:
        raise Asked(filename, tuple(desk.questions), statement.layout, statement.left_out)
    return statement


def _read_western(content: bytes, encoding: str, desk: Desk) -> Statement:
    """The layout of a file whose encoding was a question is the same, whatever the answer."""
    answer = _ask_encoding(content, encoding, desk)
    is_doubtful = "encoding" in desk.subjects or bool(desk.questions)
    layout = generic.layout_of(content.decode("iso-8859-1")) if is_doubtful else ""
    decoded = content.decode(answer)
    desk.note(f"the file is not UTF-8; read as {answer.upper()}")
    statement = generic.read(decoded, desk)
    return replace(statement, layout=layout or statement.layout)


def _ask_encoding(content: bytes, western: str, desk: Desk) -> str:
    """That of western Europe; asked where the bytes are words of another part of the world as well."""
    readings = charsets.readings(content)
    if len(readings) == 1:
        return western
    samples = {reading.encoding: reading.sample for reading in readings}
    names = {encoding: western if encoding == charsets.WEST else encoding for encoding in samples}
    choices = {name: f"{samples[encoding]} ({name.upper()})" for encoding, name in names.items()}
    return desk.decide("encoding", "", "Which of these read right? The file does not say its encoding.", choices)


def _wells_fargo(decoded: str) -> Statement | None:
    try:
        records = list(text.records(decoded))
    except Unreadable:
        return None  # broken as comma-separated; the generic reader tries the other delimiters and names the fault
    return wells_fargo.read(records) if wells_fargo.recognises(records) else None
