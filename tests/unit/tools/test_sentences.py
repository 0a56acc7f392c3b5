"""Sentences are counted as a reader meets them, and those of the documents stay short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import sentences
from tools.sentences import MEDIAN_LIMIT, P95_LIMIT, Sentence


def texts(markdown: str) -> list[str]:
    return [entry.text for entry in sentences.sentences("page.md", markdown)]


def test_the_sentences_of_the_documents_are_short() -> None:
    counts = [entry.words for entry in sentences.read(sentences.pages())]
    assert len(counts) > 500
    assert sentences.percentile(counts, 0.5) <= MEDIAN_LIMIT
    assert sentences.percentile(counts, 0.95) <= P95_LIMIT


@pytest.mark.parametrize("page", sentences.pages(), ids=lambda path: str(path.relative_to(sentences.ROOT)))
def test_no_page_has_long_sentences_throughout(page: Path) -> None:
    counts = [entry.words for entry in sentences.read([page])]
    assert len(counts) < 10 or sentences.percentile(counts, 0.5) <= MEDIAN_LIMIT + 2


def test_a_paragraph_is_split_at_the_ends_of_its_sentences() -> None:
    prose = "One is here now. Two is\nthere too! Is three *here*? (Four is in brackets.) `make` is five."
    assert texts(prose) == [
        "One is here now.", "Two is there too!", "Is three *here*?", "(Four is in brackets.)", "`command` is five.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "markdown",
    [
        "```sh\nthis is no prose at all\n```",
        "| a table is | no prose at all |",
        "## A heading is no sentence",
        "<!-- a comment is no prose -->",
        "Two words",
        "",
    ],
    ids=["code", "table", "heading", "comment", "label", "nothing"],
)
def test_only_prose_is_counted(markdown: str) -> None:
    assert texts(markdown) == []


def test_an_entry_of_a_list_is_a_sentence_of_its_own_over_its_lines() -> None:
    assert texts("- the first entry\n  goes on here\n- the second entry\n1. a numbered step\n- [ ] an open task") == [
        "the first entry goes on here", "the second entry", "a numbered step", "an open task",
    ]  # fmt: skip


def test_a_command_is_one_word_and_a_link_is_its_text() -> None:
    (entry,) = sentences.sentences("page.md", "Run `make deploy ENV=prod` as [the\nguide](docs/a.md) says - always.")
    assert entry == Sentence("page.md", "Run `command` as the guide says - always.")
    assert entry.words == 7


def test_a_full_stop_inside_a_word_or_an_abbreviation_ends_nothing() -> None:
    assert len(texts("At 3 a.m. Berlin sleeps, and engine 26.1 runs e.g. Debian 13.")) == 1


def test_a_percentile_is_the_smallest_count_that_covers_its_share() -> None:
    counts = list(range(1, 101))
    assert sentences.percentile(counts, 0.5) == 50
    assert sentences.percentile(counts, 0.95) == 95
    assert sentences.percentile([7], 0.95) == 7
    assert sentences.percentile([1, 9], 0.5) == 1
    with pytest.raises(ValueError, match="nothing was measured"):
        sentences.percentile([], 0.5)


def page(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sentences, "ROOT", folder.resolve())
    (folder / "page.md").write_text(text)
    return str(folder / "page.md")


def test_it_prints_the_worst_first_and_fails_above_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = " ".join(["word"] * (P95_LIMIT + 1)).capitalize()
    assert sentences.main([page(tmp_path, f"A short one here. {long}.", monkeypatch)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == [str(P95_LIMIT + 1), "page.md:"]
    assert lines[-1] == "sentences: 2, median 4 words (at most 15), p95 31 (at most 30)"
    assert sentences.main([page(tmp_path, "A short one here.", monkeypatch)]) == 0


def test_a_page_without_prose_could_not_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentences.main([page(tmp_path, "| a | b |\n", monkeypatch)]) == 2
    assert "nothing was measured" in capsys.readouterr().err
