"""The indexes are complete and true: questions, runbooks, what is not built yet, decisions, the earlier system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "roles").glob("*/README.md")])
INDEX = DOCS / "README.md"
DECISIONS = [path for path in sorted((DOCS / "decisions").glob("*.md")) if path.name != "README.md"]
# Lists of open work, and a sentence about attempts that lose nothing "yet".
WITHOUT_PROMISES = {"progress.md", "guard-matrix.md", "CHANGELOG.md"}
NOT_YET = re.compile(r"\b(?:not|no)\b[^.|]*\byet\b", re.IGNORECASE)
# Documents that are not in the repository, and the numbers of their entries.
ELSEWHERE = re.compile(r"\bthe design\b|\bthe issue\b|\(B\d+\)|\bDESIGN\.md|\bCATALOGUE\.md", re.IGNORECASE)
# A path below a folder of the repository, without placeholders.
PATH = re.compile(
    r"(?:app|bench|docs|filter_plugins|images|inventory|molecule|playbooks|roles|scripts|src|tests|tools|\.github)"
    r"/[\w./-]+"
)
EARLIER = (
    "backup_database.sh", "backup_dev_db.sh", "backup_dev_full.sh", "create_protected_volumes.sh",
    "restore_database.sh", "restore_db_clean.sh", "restore_db_force_v2.sh", "restore_full_backup.sh",
    "safe_migrate.sh", "setup_backup_cron.sh", "setup_security.sh", "verify_restore.sh", "ledger_docker",
    *(f"docker-compose{part}.yml" for part in ("", ".core", ".dev", ".postgres", ".prod", ".searxng")),
)  # fmt: skip
DIFFERENT = (
    "Redis", "PostgreSQL", "ports", "Nginx", "psycopg2", "django-environ", "Bootstrap", "class-based views", "Selenium",
    "Sphinx", "flake8", "black", "payments", "analytics", "WebSockets", "authentication providers",
)  # fmt: skip


def section(page: Path, heading: str) -> str:
    return page.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_an_anchor_is_made_as_github_makes_it() -> None:
    assert slug("Somebody ran `docker compose down -v`") == "somebody-ran-docker-compose-down--v"
    assert slug("5. The engine works without its guard") == "5-the-engine-works-without-its-guard"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for link in links(page.read_text()):
        target, _, anchor = link.partition("#")
        if anchor and not target.startswith("http"):
            assert anchor in anchors(page.parent / target if target else page), link


def test_ten_questions_are_answered_within_two_clicks_of_the_readme() -> None:
    assert "docs/README.md#ten-questions" in links((ROOT / "README.md").read_text())
    rows = re.findall(r"^\| ([^|]+\?(?: [^|]+\?)?) \| (.+) \|$", section(INDEX, "Ten questions"), re.MULTILINE)
    assert len(rows) == 10
    answers = [link for _question, answer in rows for link in links(answer)]
    assert len(answers) == len(rows)
    assert [link for link in answers if "README.md" in link] == []  # an index would be one more click


def test_every_document_is_in_the_index() -> None:
    indexed = {(DOCS / link.partition("#")[0]).resolve() for link in links(INDEX.read_text())}
    indexed |= {(DOCS / "runbooks" / link.partition("#")[0]).resolve() for link in
                links((DOCS / "runbooks/README.md").read_text())}  # fmt: skip
    indexed |= {(DOCS / "decisions" / link).resolve() for link in links((DOCS / "decisions/README.md").read_text())}
    pages = {path for path in DOCS.rglob("*.md") if path.name != "progress.md"}  # deleted when nothing is open
    assert sorted(name_of(path) for path in pages - indexed - {INDEX}) == []


def test_every_page_that_says_not_yet_is_listed_and_every_listed_one_says_it() -> None:
    listed = {(DOCS / link).resolve() for link in links(section(INDEX, "Not yet"))}
    saying = {
        path for path in PAGES
        if path != INDEX and path.name not in WITHOUT_PROMISES and NOT_YET.search(path.read_text())
    }  # fmt: skip
    assert sorted(map(name_of, saying)) == sorted(map(name_of, listed))


def test_a_target_that_is_called_not_yet_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for page in PAGES for line in page.read_text().splitlines() if "*not yet*" in line]
    promised = {target for line in lines for target in re.findall(r"\*not yet\*[^|]*?`make ([a-z-]+)", line)}
    assert promised != set()
    assert promised & targets == set(), "it exists now: change the pages that call it *not yet*"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_no_page_names_a_document_that_is_not_here(page: Path) -> None:
    assert ELSEWHERE.findall(page.read_text()) == []


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_context_decision_and_consequence_in_twelve_lines(page: Path) -> None:
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    assert sections != []
    for text in sections:
        heading, _, body = text.partition("\n")
        labels = re.findall(r"^- \*\*(\w+):\*\* ", body, re.MULTILINE)
        assert labels == ["Context", "Decision", "Consequence"], heading
        assert len(body.strip().splitlines()) <= 12, heading


def test_each_choice_that_differs_from_the_owners_wish_is_explained() -> None:
    rows = section(DOCS / "decisions/README.md", "Where we differ from the owner's wish").splitlines()
    wishes = [row.split("|")[1] for row in rows if row.count("|") == 4]
    assert [name for name in DIFFERENT if not any(name in wish for wish in wishes)] == []


def test_every_script_and_compose_file_of_the_earlier_system_is_mapped() -> None:
    then = [line.split("|")[1] for line in (DOCS / "coming-from.md").read_text().splitlines() if line.startswith("|")]
    assert [name for name in EARLIER if not any(f"`{name}`" in cell for cell in then)] == []


def test_every_symptom_leads_to_a_runbook_or_troubleshooting() -> None:
    rows = [line for line in section(DOCS / "runbooks/README.md", "Symptoms").splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 10
    assert [row for row in rows if len(links(row)) != 1] == []


def test_every_line_of_the_incidents_causes_and_actions_is_closed_by_a_test_or_open() -> None:
    page = DOCS / "incident-2025-04-22.md"
    for heading in ("Root causes", "Action items"):
        rows = [line for line in section(page, heading).splitlines() if line.startswith("| ")][1:]
        assert len(rows) >= 6
        assert [row for row in rows if "**open" not in row.lower() and not links(row.split("|")[3])] == []


def test_the_readme_quotes_the_matrix_as_it_was_measured() -> None:
    tried, *lost = re.findall(
        r"Attempts, engine 26\.1\n\nOf (\d+) lost data: (\d+) with no guard, (\d+) in standard, (\d+) in strict",
        (DOCS / "guard-matrix.md").read_text(),
    )[0]
    readme = (ROOT / "README.md").read_text()
    assert f"we tried {tried} ways" in readme
    assert f"| attempts that lost data | {' | '.join(lost)} |" in readme


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in WITHOUT_PROMISES], ids=name_of)
def test_every_path_and_playbook_that_a_page_names_is_here(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    own = ("inventory/prod", "inventory/staging")  # a person's own, made from the examples
    named = {span for span in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(span)}
    named = {name for name in named if name not in own and not name.startswith(tuple(f"{each}/" for each in own))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    played = set(re.findall(r"scripts/play ([a-z_]+)", page.read_text()))
    assert sorted(name for name in played if not (ROOT / f"playbooks/{name}.yml").exists()) == []
