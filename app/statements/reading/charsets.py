"""Which single-byte encodings a file may have that is not UTF-8, by what its words would then look like.

A module of its own because bytes alone decide nothing here: each byte is a letter in each encoding. An encoding is
plausible if all letters are of one language of it; where another than western Europe's is, the person sees samples.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest

WEST = "cp1252"
MOST_WORDS = 5000  # different ones; more say no more
SAMPLE_WORDS, LONGEST_SAMPLE = 3, 40
MANY, FEW_KINDS = 4, 2  # of so many letters with marks, no language has all of one kind
LONGEST_RUN = 2  # letters with marks in a row, in a language of Latin letters
_WESTERN = "àâæçéèêëîïôœùûüÿäößáíñóúãõìòåøýþðšž"
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
# Without the letters of these none of the languages above writes more than a few words.
_TELLING = ("ąęłśż", "áěířšůýž", "áíľšýž", "őű", "ăşţ", "čćđ")
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґўђћљњџјѓќѕ"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"
_TURKISH, _BALTIC = "çğıöşüâîû", ("ąčęėįšųūž", "āčēģīķļņšūž")
# Encoding -> (the letters of each of its languages, those of which a text has some).
_LANGUAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "cp1250": tuple(zip(_CENTRAL, _TELLING, strict=True)),
    "iso-8859-2": tuple(zip(_CENTRAL, _TELLING, strict=True)),
    "cp1254": ((_TURKISH, "ğış"),),
    "cp1257": tuple((letters, letters) for letters in _BALTIC),
    "cp1251": ((_CYRILLIC, _CYRILLIC),),
    "cp1253": ((_GREEK, _GREEK),),
    "koi8-r": ((_CYRILLIC, _CYRILLIC),),
    "cp866": ((_CYRILLIC, _CYRILLIC),),
    "iso-8859-5": ((_CYRILLIC, _CYRILLIC),),
    "cp852": tuple(zip(_CENTRAL, _TELLING, strict=True)),
    "cp850": ((_WESTERN, _WESTERN),),
    "mac_roman": ((_WESTERN, _WESTERN),),
}
_BYTES = re.compile(rb"[^\s\",;|]{0,40}[\x80-\xff][^\s\",;|]{0,40}")
_WORD = re.compile(r"[^\s\",;|]*[^\x00-\x7f\s][^\s\",;|]*")
# Signs that are beside a letter only if the encoding is another one: `wp³ata`, `kart¹`.
_ODD_BESIDE = set("¹³£¯¢¥§±×÷¼½¾¶¸ƒ¤¦¬‡†‰‹›ˆ˜•™®©")  # noqa: RUF001  what is misread is the matter here
_ODD_BETWEEN = set("‚„…–—‰")  # noqa: RUF001  as above
_ODD_BEHIND = set("¿¡")
_NEVER_ALONE = ("cp850", "mac_roman")  # old enough that western text is not doubted for them


@dataclass(frozen=True)
class Reading:
    encoding: str
    sample: str


def readings(content: bytes) -> list[Reading]:
    """The plausible ones; that of western Europe alone where no other is. Each has a sample that differs."""
    words = [word for word in set(_BYTES.findall(content)) if not _is_price(word)]
    content = b" ".join(sorted(words)[:MOST_WORDS])
    texts = {name: text for name in _LANGUAGES if _fits(text := _decoded(content, name), _LANGUAGES[name])}
    west = _decoded(content, WEST) or content.decode("iso-8859-1")
    western = _is_western(west)
    if western and all(text == west or name in _NEVER_ALONE for name, text in texts.items()):
        return [Reading(WEST, "")]
    texts = {WEST: west, **texts} if western else {**texts, WEST: west}
    names: dict[str, str] = {}
    for name, text in texts.items():
        names.setdefault(_sample(text, texts.values()), name)
    return [Reading(name, sample) for sample, name in names.items()]


def _is_price(word: bytes) -> bool:
    """A currency's sign without a letter beside it, as in `0.01 €`, says nothing about letters."""
    text = _decoded(word, WEST)
    marks = [char for char in text if char > "\x7f" and char != "\xa0"]
    return bool(marks) and all(unicodedata.category(char) == "Sc" for char in marks) and not any(map(str.isalpha, text))


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _is_western(text: str) -> bool:
    """No sign is in the place of a letter, and no word consists of letters with marks."""
    run = 0
    for before, char, after in _around(text):
        is_letter = char > "\x7f" and char.isalpha() and char not in "ªº"
        run = run + 1 if is_letter else 0
        odd = _is_odd_letter(before, char) if is_letter else _is_odd_mark(before, char, after)
        if odd or run > LONGEST_RUN:
            return False
    return True


def _is_odd_letter(before: str, char: str) -> bool:
    """None of western Europe's, or a capital behind a small one."""
    return char.lower() not in _WESTERN or (char.isupper() and before.islower())


def _is_odd_mark(before: str, char: str, after: str) -> bool:
    """A sign beside a letter, where no text in a western language has it."""
    letters = before.isalpha() + after.isalpha()
    return (
        "\x80" <= char <= "\x9f"
        or (letters == 2 and char in _ODD_BETWEEN)
        or (letters > 0 and char in _ODD_BESIDE and before not in "mM")
        or (before.isalpha() and char in _ODD_BEHIND)
    )


def _around(text: str) -> Iterator[tuple[str, str, str]]:
    """Each character with those beside it; only where one of them is none of ASCII's."""
    for match in _WORD.finditer(text):
        word = f" {match[0]} "
        yield from zip(word, word[1:], word[2:], strict=False)
        yield " ", " ", " "


def _fits(text: str, languages: tuple[tuple[str, str], ...]) -> bool:
    """All letters with marks are those of one language, in words of one script whose capitals come first."""
    words = _WORD.findall(text)
    letters = [char.lower() for word in words for char in word if char > "\x7f" and char.isalpha()]
    kinds = set(letters)
    if not kinds or any(_is_odd(word) for word in words) or (len(letters) >= MANY and len(kinds) < FEW_KINDS):
        return False
    return any(kinds <= set(alphabet) and kinds & set(telling) for alphabet, telling in languages)


def _is_odd(word: str) -> bool:
    letters = [char for char in word if char.isalpha()]
    scripts = {unicodedata.name(char, "?").split()[0] for char in letters}
    small_first = any(a.islower() and b.isupper() for a, b in pairwise(letters))
    marks = any(unicodedata.category(char) in ("Cc", "So", "Cn", "Co") for char in word if char > "\x7f")
    return len(scripts) > 1 or small_first or marks


def _sample(text: str, texts: Iterable[str]) -> str:
    """The first words that the readings show in different ways."""
    words = _WORD.findall(text)
    rows = zip_longest(words, *(_WORD.findall(reading) for reading in texts))
    telling = [row[0] for row in rows if row[0] is not None and len(set(row)) > 1]
    return ", ".join(word[:LONGEST_SAMPLE] for word in list(dict.fromkeys(telling))[:SAMPLE_WORDS])
