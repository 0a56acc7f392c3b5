"""The next Debian suite from the mirror a machine already uses."""

from __future__ import annotations

import pytest

from filter_plugins.host import FilterModule
from ledgerflow.host.apt_suites import debian_suite_sources

DEB822 = """\
# a remark
Types: deb deb-src
URIs: https://mirror.example.org/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
"""


def stanzas(files: dict[str, str]) -> list[dict[str, str]]:
    text = debian_suite_sources(files, "bookworm", "trixie")
    return [dict(line.split(": ", 1) for line in block.strip().splitlines()) for block in text.split("\n\n")]


def test_deb822_sources_give_the_same_mirror_with_security_and_without_backports() -> None:
    assert stanzas({"/etc/apt/sources.list.d/debian.sources": DEB822}) == [
        {
            "Types": "deb",
            "URIs": "https://mirror.example.org/debian",
            "Suites": "trixie trixie-updates",
            "Components": "main",
            "Signed-By": "/usr/share/keyrings/debian-archive-keyring.gpg",
        },
        {
            "Types": "deb",
            "URIs": "https://mirror.example.org/debian-security",
            "Suites": "trixie-security",
            "Components": "main",
        },
    ]


def test_one_line_sources_keep_their_options() -> None:
    text = (
        "deb [arch=amd64,arm64 signed-by=/k.gpg] http://m.example.org/debian bookworm main contrib # remark\n"
        "deb http://m.example.org/debian-security bookworm-security main\n"
        "deb-src http://m.example.org/debian bookworm main\n"
        "#deb http://off.example.org/debian bookworm main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
    )
    assert stanzas({"/etc/apt/sources.list": text}) == [
        {
            "Types": "deb",
            "URIs": "http://m.example.org/debian",
            "Suites": "trixie",
            "Components": "main",
            "Architectures": "amd64 arm64",
            "Signed-By": "/k.gpg",
        },
        {
            "Types": "deb",
            "URIs": "http://m.example.org/debian-security",
            "Suites": "trixie-security",
            "Components": "main",
        },
    ]


def test_an_embedded_key_is_kept_whole() -> None:
    block = "Types: deb\nURIs: http://m.example.org/\nSuites: bookworm\nSigned-By:\n -----BEGIN\n .\n abc\n"
    text = debian_suite_sources({"/x.sources": block}, "bookworm", "trixie")
    assert "Signed-By: \n -----BEGIN\n .\n abc\n" in text


def test_the_same_source_named_twice_appears_once() -> None:
    line = "deb http://m.example.org/debian bookworm main\n"
    assert len(stanzas({"/a.list": line, "/b.list": line})) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        DEB822.replace("bookworm", "bullseye"),
        DEB822.replace("Types: deb", "Enabled: no\nTypes: deb"),
        DEB822.replace("Types: deb deb-src", "Types: deb-src").replace("bookworm-security", "sid"),
    ],
    ids=["empty", "another release", "switched off", "sources only"],
)
def test_a_machine_without_such_a_source_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"apt: no package source of bookworm in /x\.sources\nHINT: "):
        debian_suite_sources({"/x.sources": text}, "bookworm", "trixie")


def test_the_filter_is_offered() -> None:
    assert FilterModule().filters()["debian_suite_sources"] is debian_suite_sources
