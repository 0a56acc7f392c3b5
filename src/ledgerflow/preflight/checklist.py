"""The owner's checklists before something dangerous: volumes, the database, a deploy; each line with its verdict.

A module of its own because a checklist is a judgement on facts that others collected (`host_probe`, the vault, compose
files as they were rendered): pure, so that each line is tried with facts given as data. A line is {id, verdict, what,
hint}; its verdict is `ok`, `bad`, `unknown` (could not be checked) or `note`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledgerflow.checks.compose import Rules, check

Facts = Mapping[str, Any]
Line = dict[str, str]

OK, BAD, UNKNOWN, NOTE = "ok", "bad", "unknown", "note"
MARKS = {OK: "ok  ", BAD: "FAIL", UNKNOWN: "????", NOTE: "note"}
NOT_INSTALLED = 127  # what a shell says of a program that is not there
# Not there yet on every host: where nothing but test data can be lost, that does not make a checklist fail.
OPTIONAL, RELAXED = frozenset({"wrapper", "guard"}), frozenset({"dev", "ci"})


def line(id_: str, verdict: str, what: str, hint: str = "") -> Line:
    """One line of a checklist."""
    return {"id": id_, "verdict": verdict, "what": what, "hint": hint}


def preflight_lines(probe: Facts, given: Facts, now: datetime | None = None) -> list[Line]:
    """The whole checklist of `given.operation`; for `given` see `preflight_given` in playbooks/tasks/checklist.yml."""
    build = {"volume": volume_lines, "database": database_lines, "deploy": deploy_lines}
    return build[str(given["operation"])](probe, given, now or datetime.now(UTC))


def volume_lines(probe: Facts, given: Facts, _now: datetime) -> list[Line]:
    """Environment, compose files, wrapper, guard, labels, directories, mounts."""
    return [
        environment_line(given),
        *compose_lines(probe, given, needed=True),
        wrapper_line(given),
        guard_line(given),
        *label_lines(probe, given, needed=True),
        *sentinel_lines(probe, given),
        *mount_lines(probe, given),
    ]


def database_lines(probe: Facts, given: Facts, now: datetime) -> list[Line]:
    """Environment; backup there, proven, recent, large enough, its bytes; counts of the live database."""
    return [
        environment_line(given),
        *backup_lines(probe["vault"], given, now),
        bytes_line(given),
        *count_lines(probe["vault"], given),
    ]


def deploy_lines(probe: Facts, given: Facts, now: datetime) -> list[Line]:
    """Environment, variables, secrets, host, what stands already, and what could be lost."""
    return [
        environment_line(given),
        *_findings("variables", given["settings_findings"], f"{given['settings_count']} settings, all good"),
        *_findings("secrets", given["secret_findings"], f"{len(probe['secrets'])} secrets, none damaged"),
        *_findings("host", given["host_findings"], "cores, memory, disks and ports are enough and free"),
        *compose_lines(probe, given, needed=False),
        wrapper_line(given),
        guard_line(given),
        *label_lines(probe, given, needed=False),
        *sentinel_lines(probe, given),
        *mount_lines(probe, given),
        *(_before_deploy(probe, given, now)),
    ]


def _findings(id_: str, findings: Sequence[Facts], good: str) -> list[Line]:
    return [line(id_, BAD, f"{one['where']}: {one['what']}", one["hint"]) for one in findings] or [line(id_, OK, good)]


# --- lines of more than one checklist -------------------------------------------------------------------------------


def environment_line(given: Facts) -> Line:
    """Inventory, settings file and shell speak of one environment; production wants the shell to say so."""
    wanted, settings, shell = given["environment"], given["settings_environment"], given["shell_environment"]
    if settings != wanted:
        what = f"{given['settings_file']} says LEDGER_ENV={settings}, the inventory is for {wanted}"
        return line("environment", BAD, what, f"run it with ENV={settings}, or correct the file")
    if shell not in ("", wanted) or (wanted == "prod" and shell != wanted):
        what = f"this shell's LEDGER_ENV is {shell or 'not set'}, the inventory is for {wanted}"
        return line(
            "environment", BAD, what, f"ENV={shell or 'dev'}, or if {wanted} is meant: export LEDGER_ENV={wanted}"
        )
    told = f"shell: {shell}" if shell else "LEDGER_ENV of this shell is not set"
    return line("environment", OK, f"{wanted}: inventory and {given['settings_file']} agree; {told}")


def compose_lines(probe: Facts, given: Facts, needed: bool) -> list[Line]:
    """The compose files as they were rendered on the host, by the check that also guards the repository."""
    files, hint = rendered_files(str(given["compose"]["text"])), f"make deploy ENV={given['environment']}"
    if not probe["stack_mode"] or (given["compose"]["rc"] == 0 and not files):
        what = f"no compose file below {given['config_root']}: nothing is deployed"
        return [line("compose", UNKNOWN if needed else NOTE, what, hint if needed else "")]
    if given["compose"]["rc"] != 0:
        what = f"compose files below {given['config_root']}: {_last(given['compose']['error'])}"
        return [line("compose", UNKNOWN, what, f"ls -l {given['config_root']}")]
    protected = [one for one in given["volumes"] if one["protected"]]
    paths = tuple(sorted({str(one["path"]) for one in protected if one["path"]}))
    rules = Rules(frozenset(str(one["name"]) for one in protected), paths)
    found = [one for path, text in files.items() for one in check(text, path, str(Path(path).parent), rules)]
    lines = [
        line("compose", UNKNOWN if one.unknown else BAD, f"{one.where}:{one.line}: {one.what}", one.hint)
        for one in found
    ]
    good = f"{len(files)} compose files: volumes external, no database port, no bind over data"
    return lines or [line("compose", OK, good)]


def rendered_files(text: str) -> dict[str, str]:
    """Path → content, of `PATH/compose.yml:LINE` lines as `grep -H ''` prints them."""
    files: dict[str, list[str]] = {}
    for each in text.splitlines():
        path, mark, content = each.partition("/compose.yml:")
        if mark:
            files.setdefault(f"{path}/compose.yml", []).append(content)
    return {path: "\n".join(lines) for path, lines in files.items()}


def wrapper_line(given: Facts) -> Line:
    """Whether `ledger_docker` answers on the host."""
    code = int(given["wrapper"]["rc"])
    if code == 0:
        return line("wrapper", OK, "ledger_docker answers")
    if code == NOT_INSTALLED:
        return line(
            "wrapper",
            UNKNOWN,
            "ledger_docker: not installed on this host",
            "make down and make migrate go through this checklist; docker itself asks nothing",
        )
    what = f"ledger_docker does not answer (exit {code}): {_last(given['wrapper']['error'])}"
    return line("wrapper", BAD, what, "ledger_docker --version")


def guard_line(given: Facts) -> Line:
    """What `ledgerguard check` says on the host."""
    code, told = int(given["guard"]["rc"]), _last(given["guard"]["text"] or given["guard"]["error"])
    if code == 0:
        return line("guard", OK, "ledgerguard check: active")
    if code == NOT_INSTALLED:
        what = "engine guard: not installed: no request to the engine is refused"
        return line(
            "guard", UNKNOWN, what, "docs/architecture.md, 'Protection', tells what protects the data without it"
        )
    return line(
        "guard", BAD if code == 1 else UNKNOWN, f"ledgerguard check: {told or f'exit {code}'}", "ledgerguard check"
    )


def label_lines(probe: Facts, given: Facts, needed: bool) -> list[Line]:
    """Each protected volume exactly as declared: label, driver, device."""
    if not probe["engine"]["running"]:
        return [line("labels", UNKNOWN, f"the engine does not answer: {probe['engine']['error']}", "docker info")]
    wrong = {name: findings for name, *findings in given["volume_findings"]}
    lines = []
    for volume in [one for one in given["volumes"] if one["protected"]]:
        name = str(volume["name"])
        if name not in probe["volumes"]:
            hint = f"make deploy ENV={given['environment']} makes it anew from its directory"
            lines.append(line("labels", BAD if needed else NOTE, f"volume {name}: the engine does not have it", hint))
        elif name in wrong:
            what, _, hint = str(wrong[name][0]).partition("\nHINT: ")
            lines.append(line("labels", BAD, what, hint))
        else:
            where = volume["path"] or "the engine"
            lines.append(line("labels", OK, f"volume {name}: protected, in {where}"))
    return lines or [
        line("labels", UNKNOWN, "no protected volume is declared", "protected_volume_items in the inventory")
    ]


def sentinel_lines(probe: Facts, given: Facts) -> list[Line]:
    """Each volume's directory is the one that was recorded."""
    records, sentinels = probe["records"], probe["sentinels"]
    lines = []
    for name in sorted(records):
        if records[name] and sentinels.get(name) == records[name]:
            continue
        seen = "another one" if sentinels.get(name) else "missing"
        what = f"directory of {name}: its sentinel is {seen}: not its directory, or its disk is not mounted"
        lines.append(line("directories", BAD, what, f"findmnt -T {given['data_root'] or '/'}; then make status"))
    if lines:
        return lines
    verdict, what = (OK, f"{len(records)} directories are those recorded") if records else (NOTE, "none was made yet")
    return [line("directories", verdict, what)]


def mount_lines(probe: Facts, given: Facts) -> list[Line]:
    """Only this stack's own containers hold its protected volumes."""
    names = {str(one["name"]) for one in given["volumes"] if one["protected"]}
    lines, held = [], 0
    for container, item in sorted(probe["containers"].items()):
        for volume in sorted({mount["name"] for mount in item["mounts"]} & names):
            environment = item["labels"].get("com.ledgerflow.environment", "none")
            own = container.startswith(f"{given['stack_id']}-") and environment == given["environment"]
            held += own
            if not own:
                what = f"container {container} (environment {environment}, {item['state']}) holds volume {volume}"
                lines.append(
                    line(
                        "mounts", BAD, what, f"docker inspect {container}; if it is not yours: docker stop {container}"
                    )
                )
    return lines or [
        line("mounts", OK if held else NOTE, f"{held} mounts of protected volumes, all by containers of this stack")
    ]


# --- backups --------------------------------------------------------------------------------------------------------


def backup_lines(vault: Facts, given: Facts, now: datetime) -> list[Line]:
    """There, proven, recent, large enough; what `state/vault.json` says."""
    env = given["environment"]
    newest, proven = vault.get("newest") or {}, vault.get("newest_proven") or {}
    if not vault:
        return [
            line(
                "backup", UNKNOWN, "state/vault.json: not there or not readable", f"make deploy SERVICE=vault ENV={env}"
            )
        ]
    if not newest:
        return [line("backup exists", BAD, "there is no backup", f"make backup ENV={env}")]
    lines = [line("backup exists", OK, f"newest: {newest['file']}, {newest['verdict']}")]
    if newest.get("verdict") == "failed":
        bad = "; ".join(map(str, newest.get("bad") or [])) or "see its proof"
        lines = [
            line("backup exists", BAD, f"the newest, {newest['file']}, failed: {bad}", f"make list-backups ENV={env}")
        ]
    if vault.get("journal", {}).get("broken"):
        lines.append(line("journal", BAD, f"the journal is broken: {vault['journal']['broken']}", "ledgervault audit"))
    if not proven:
        return [*lines, line("backup proven", BAD, "no backup is proven", f"make prove FILE=latest ENV={env}")]
    lines.append(line("backup proven", OK, f"{proven['file']}, judged {proven.get('judged')}"))
    if proven.get("shrunken") or vault.get("unaccepted_loss"):
        lines.append(loss_line(vault, env))
    return [*lines, age_line(proven, given, now), size_line(proven, given)]


def loss_line(vault: Facts, env: str) -> Line:
    """Rows that are lost stay reported until somebody accepts that."""
    first, base = vault.get("unaccepted_loss") or vault.get("newest_proven") or {}, vault.get("baseline") or {}
    what = f"rows are lost in {first.get('file')}, which {base.get('file', 'an earlier backup')} still holds"
    hint = f"make verify-data ENV={env}; was it meant: make accept FILE=newest REASON='…' ENV={env}"
    return line("backup counts", BAD, what, hint)


def age_line(proven: Facts, given: Facts, now: datetime) -> Line:
    """The newest proven backup is younger than the limit; one of the future is as bad as an old one."""
    limit, hint = float(given["limit_hours"]), f"make backup ENV={given['environment']}"
    try:
        hours = (now - datetime.fromisoformat(str(proven["taken"]))).total_seconds() / 3600
    except (KeyError, ValueError, TypeError):
        return line("backup recent", UNKNOWN, f"its time cannot be read: {proven.get('taken')!r}", hint)
    told = f"{hours:.1f} hours old, the limit is {limit:g}"
    return line("backup recent", OK if 0 <= hours <= limit else BAD, told, "" if 0 <= hours <= limit else hint)


def size_line(proven: Facts, given: Facts) -> Line:
    """The floor guards and does not decide: a small proven backup is told, an empty one is bad."""
    size, floor = int(proven.get("size") or 0), int(given["size_floor_bytes"])
    told = f"{size} bytes, {proven.get('rows')} rows in {proven.get('tables')} tables"
    if size >= floor:
        return line("backup size", OK, told)
    if size == 0:
        return line("backup size", BAD, told, f"make backup ENV={given['environment']}")
    return line("backup size", NOTE, f"{told}: below the floor of {floor}; it was restored and compared all the same")


def bytes_line(given: Facts) -> Line:
    """The newest proven backup's bytes are those that were written."""
    answer = vault_answer(given["verify"])
    # docker exec itself ends with 1 where there is no such container: only the vault's own words count.
    verdict = {0: OK, 1: BAD}.get(int(given["verify"]["rc"]), UNKNOWN) if "verdict" in answer else UNKNOWN
    what = f"{answer.get('file', 'the newest proven backup')}: bytes {answer.get('verdict', 'could not be checked')}"
    return line(
        "backup bytes",
        verdict,
        _with(what, answer),
        "" if verdict == OK else f"make verify-backup ENV={given['environment']}",
    )


def count_lines(vault: Facts, given: Facts) -> list[Line]:
    """The live database holds at least what the newest proven backup holds."""
    answer, code = vault_answer(given["verify_data"]), int(given["verify_data"]["rc"])
    checks = answer.get("checks") or []
    if code == 0 and checks:
        watched = (vault.get("newest_proven") or {}).get("watched") or {}
        counts = [f"; {one['text']}" for one in checks if str(one.get("id", "")).removeprefix("table ") in watched]
        return [line("counts", OK, f"{len(checks)} checks of the live database hold{''.join(counts)}")]
    hint = f"make verify-data ENV={given['environment']}"
    bad = [line("counts", BAD, str(one["text"]), hint) for one in checks if one.get("result") == "failed"]
    return bad or [line("counts", UNKNOWN, _with("the live database could not be compared", answer), hint)]


def vault_answer(answer: Facts) -> dict[str, Any]:
    """What ledgervault printed with --json; its error where it printed none."""
    try:
        value = json.loads(answer["text"])
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"error": _last(answer["error"])}


def _with(what: str, answer: Facts) -> str:
    error = answer.get("error")
    return f"{what}: {error}" if error else what


def _before_deploy(probe: Facts, given: Facts, now: datetime) -> list[Line]:
    """What could be lost has a proven backup. Only production refuses: elsewhere the deploy itself takes one first."""
    if not probe["initialised"]:
        return [line("backup", NOTE, "no database yet: nothing to lose")]
    lines = backup_lines(probe["vault"], given, now)
    strict = given["environment"] == "prod"
    return [one if strict or one["verdict"] in (OK, NOTE) else {**one, "verdict": NOTE} for one in lines]


def _last(text: object) -> str:
    return next((each.strip() for each in reversed(str(text).splitlines()) if each.strip()), "")


# --- the whole ------------------------------------------------------------------------------------------------------


def preflight_verdict(lines: Sequence[Facts], environment: str) -> str:
    """holds, bad, or inconclusive where a line could not be checked; no line at all is inconclusive."""
    if any(one["verdict"] == BAD for one in lines):
        return "bad"
    excused = OPTIONAL if environment in RELAXED else frozenset()
    open_ = [one for one in lines if one["verdict"] == UNKNOWN and one["id"] not in excused]
    return "inconclusive" if open_ or not any(one["verdict"] == OK for one in lines) else "holds"


def preflight_text(lines: Iterable[Facts], every: bool = True) -> str:
    """The checklist for people; without `every` only what is not well."""
    told = []
    for one in lines:
        if every or one["verdict"] != OK:
            told.append(f"  {MARKS[one['verdict']]}  {one['id']:<14} {one['what']}")
            told += [f"{'':8}{'':<14} HINT: {one['hint']}"] if one["hint"] and one["verdict"] != OK else []
    return "\n".join(told)


def findings_by_volume(volumes: Sequence[Facts], findings: Sequence[str]) -> list[list[str]]:
    """[name, finding] pairs: each finding of `volume_findings` begins with `volume NAME: `."""
    names = [str(volume["name"]) for volume in volumes]
    return [[name, text] for name in names for text in findings if text.startswith(f"volume {name}: ")]


def program_answer(result: Facts) -> dict[str, Any]:
    """{rc, text, error} of a registered command; one that was not run, or could not be, counts as not installed."""
    code = result.get("rc")
    told = {"text": str(result.get("stdout", "")), "error": str(result.get("stderr") or result.get("msg") or "")}
    return {"rc": NOT_INSTALLED if code is None else int(code), **told}
