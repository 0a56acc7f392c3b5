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

from ledgerflow.checks.compose import Finding as ComposeFinding
from ledgerflow.checks.compose import Rules, check_text

Facts = Mapping[str, Any]
Line = dict[str, str]

OK, BAD, UNKNOWN, NOTE = "ok", "bad", "unknown", "note"
MARKS = {OK: "ok  ", BAD: "FAIL", UNKNOWN: "????", NOTE: "note"}
NOT_INSTALLED = 127  # what a shell says of a program that is not there
# Not there yet on every host: where nothing but test data can be lost, that does not make a checklist fail.
OPTIONAL, RELAXED = frozenset({"wrapper", "guard"}), frozenset({"dev", "ci"})


def make_line(id_: str, verdict: str, text: str, hint: str = "") -> Line:
    """One line of a checklist."""
    return {"id": id_, "verdict": verdict, "what": text, "hint": hint}


def preflight_lines(probe: Facts, inputs: Facts, now: datetime | None = None) -> list[Line]:
    """The whole checklist of `inputs.operation`; `inputs` is `preflight_given` in playbooks/tasks/checklist.yml."""
    build = {"volume": volume_lines, "database": database_lines, "deploy": deploy_lines}
    return build[str(inputs["operation"])](probe, inputs, now or datetime.now(UTC))


def volume_lines(probe: Facts, inputs: Facts, _now: datetime) -> list[Line]:
    """Environment, compose files, wrapper, guard, labels, directories, mounts."""
    return [
        environment_line(inputs),
        *compose_lines(probe, inputs, required=True),
        wrapper_line(inputs),
        guard_line(inputs),
        *label_lines(probe, inputs, required=True),
        *sentinel_lines(probe, inputs),
        *mount_lines(probe, inputs),
    ]


def database_lines(probe: Facts, inputs: Facts, now: datetime) -> list[Line]:
    """Environment; backup there, proven, recent, large enough, its bytes; counts of the live database."""
    return [
        environment_line(inputs),
        *backup_lines(probe["vault"], inputs, now),
        bytes_line(inputs),
        *count_lines(probe["vault"], inputs),
    ]


def deploy_lines(probe: Facts, inputs: Facts, now: datetime) -> list[Line]:
    """Environment, variables, secrets, host, what stands already, and what could be lost."""
    return [
        environment_line(inputs),
        *_findings("variables", inputs["settings_findings"], f"{inputs['settings_count']} settings, all good"),
        *_findings("secrets", inputs["secret_findings"], f"{len(probe['secrets'])} secrets, none damaged"),
        *_findings("host", inputs["host_findings"], "cores, memory, disks and ports are enough and free"),
        *compose_lines(probe, inputs, required=False),
        wrapper_line(inputs),
        guard_line(inputs),
        *label_lines(probe, inputs, required=False),
        *sentinel_lines(probe, inputs),
        *mount_lines(probe, inputs),
        *(_before_deploy(probe, inputs, now)),
    ]


def _findings(id_: str, findings: Sequence[Facts], good: str) -> list[Line]:
    bad = [make_line(id_, BAD, f"{finding['where']}: {finding['what']}", finding["hint"]) for finding in findings]
    return bad or [make_line(id_, OK, good)]


def _protected(inputs: Facts) -> list[Facts]:
    return [volume for volume in inputs["volumes"] if volume["protected"]]


# --- lines of more than one checklist -------------------------------------------------------------------------------


def environment_line(inputs: Facts) -> Line:
    """Inventory, settings file and shell speak of one environment; production wants the shell to say so."""
    environment, settings, shell = inputs["environment"], inputs["settings_environment"], inputs["shell_environment"]
    if settings != environment:
        problem = f"{inputs['settings_file']} says LEDGER_ENV={settings}, the inventory is for {environment}"
        return make_line("environment", BAD, problem, f"run it with ENV={settings}, or correct the file")
    if shell not in ("", environment) or (environment == "prod" and shell != environment):
        problem = f"this shell's LEDGER_ENV is {shell or 'not set'}, the inventory is for {environment}"
        return make_line(
            "environment",
            BAD,
            problem,
            f"ENV={shell or 'dev'}, or if {environment} is meant: export LEDGER_ENV={environment}",
        )
    shell_text = f"shell: {shell}" if shell else "LEDGER_ENV of this shell is not set"
    return make_line("environment", OK, f"{environment}: inventory and {inputs['settings_file']} agree; {shell_text}")


def compose_lines(probe: Facts, inputs: Facts, required: bool) -> list[Line]:
    """The compose files as they were rendered on the host, by the check that also guards the repository."""
    files, hint = rendered_files(str(inputs["compose"]["text"])), f"make deploy ENV={inputs['environment']}"
    if not probe["stack_mode"] or (inputs["compose"]["rc"] == 0 and not files):
        problem = f"no compose file below {inputs['config_root']}: nothing is deployed"
        return [make_line("compose", UNKNOWN if required else NOTE, problem, hint if required else "")]
    if inputs["compose"]["rc"] != 0:
        problem = f"compose files below {inputs['config_root']}: {_last_line(inputs['compose']['error'])}"
        return [make_line("compose", UNKNOWN, problem, f"ls -l {inputs['config_root']}")]
    lines = [_compose_line(finding) for path, text in files.items() for finding in _check_rendered(path, text, inputs)]
    good = f"{len(files)} compose files: volumes external, no database port, no bind over data"
    return lines or [make_line("compose", OK, good)]


def _check_rendered(path: str, text: str, inputs: Facts) -> list[ComposeFinding]:
    protected = _protected(inputs)
    paths = {str(volume["path"]) for volume in protected if volume["path"]}
    rules = Rules(frozenset(str(volume["name"]) for volume in protected), tuple(sorted(paths)))
    return check_text(text, path, str(Path(path).parent), rules)


def _compose_line(finding: ComposeFinding) -> Line:
    verdict = UNKNOWN if finding.unknown else BAD
    return make_line("compose", verdict, f"{finding.where}:{finding.line}: {finding.what}", finding.hint)


def rendered_files(text: str) -> dict[str, str]:
    """Path → content, of `PATH/compose.yml:LINE` lines as `grep -H ''` prints them."""
    files: dict[str, list[str]] = {}
    for output_line in text.splitlines():
        path, mark, content = output_line.partition("/compose.yml:")
        if mark:
            files.setdefault(f"{path}/compose.yml", []).append(content)
    return {path: "\n".join(lines) for path, lines in files.items()}


def wrapper_line(inputs: Facts) -> Line:
    """Whether `ledger_docker` answers on the host."""
    code = int(inputs["wrapper"]["rc"])
    if code == 0:
        return make_line("wrapper", OK, "ledger_docker answers")
    if code == NOT_INSTALLED:
        return make_line(
            "wrapper",
            UNKNOWN,
            "ledger_docker: not installed on this host",
            "make down and make migrate go through this checklist; docker itself asks nothing",
        )
    problem = f"ledger_docker does not answer (exit {code}): {_last_line(inputs['wrapper']['error'])}"
    return make_line("wrapper", BAD, problem, "ledger_docker --version")


def guard_line(inputs: Facts) -> Line:
    """What `ledgerguard check` says on the host."""
    code, answer = int(inputs["guard"]["rc"]), _last_line(inputs["guard"]["text"] or inputs["guard"]["error"])
    if code == 0:
        return make_line("guard", OK, "ledgerguard check: active")
    if code == NOT_INSTALLED:
        problem = "engine guard: not installed: no request to the engine is refused"
        return make_line(
            "guard", UNKNOWN, problem, "docs/architecture.md, 'Protection', tells what protects the data without it"
        )
    return make_line(
        "guard", BAD if code == 1 else UNKNOWN, f"ledgerguard check: {answer or f'exit {code}'}", "ledgerguard check"
    )


def label_lines(probe: Facts, inputs: Facts, required: bool) -> list[Line]:
    """Each protected volume exactly as declared: label, driver, device."""
    if not probe["engine"]["running"]:
        return [make_line("labels", UNKNOWN, f"the engine does not answer: {probe['engine']['error']}", "docker info")]
    wrong = {name: findings for name, *findings in inputs["volume_findings"]}
    lines = []
    for volume in _protected(inputs):
        name = str(volume["name"])
        if name not in probe["volumes"]:
            hint = f"make deploy ENV={inputs['environment']} makes it anew from its directory"
            lines.append(
                make_line("labels", BAD if required else NOTE, f"volume {name}: the engine does not have it", hint)
            )
        elif name in wrong:
            problem, _, hint = str(wrong[name][0]).partition("\nHINT: ")
            lines.append(make_line("labels", BAD, problem, hint))
        else:
            place = volume["path"] or "the engine"
            lines.append(make_line("labels", OK, f"volume {name}: protected, in {place}"))
    return lines or [
        make_line("labels", UNKNOWN, "no protected volume is declared", "protected_volume_items in the inventory")
    ]


def sentinel_lines(probe: Facts, inputs: Facts) -> list[Line]:
    """Each volume's directory is the one that was recorded."""
    records, sentinels = probe["records"], probe["sentinels"]
    lines = []
    for name in sorted(records):
        if records[name] and sentinels.get(name) == records[name]:
            continue
        state = "another one" if sentinels.get(name) else "missing"
        problem = f"directory of {name}: its sentinel is {state}: not its directory, or its disk is not mounted"
        lines.append(
            make_line("directories", BAD, problem, f"findmnt -T {inputs['data_root'] or '/'}; then make status")
        )
    if lines:
        return lines
    if not records:
        return [make_line("directories", NOTE, "none was made yet")]
    return [make_line("directories", OK, f"{len(records)} directories are those recorded")]


def mount_lines(probe: Facts, inputs: Facts) -> list[Line]:
    """Only this stack's own containers hold its protected volumes."""
    names = {str(volume["name"]) for volume in _protected(inputs)}
    lines, mount_count = [], 0
    for container, facts in sorted(probe["containers"].items()):
        volumes = sorted({mount["name"] for mount in facts["mounts"]} & names)
        environment = facts["labels"].get("com.ledgerflow.environment", "none")
        if container.startswith(f"{inputs['stack_id']}-") and environment == inputs["environment"]:
            mount_count += len(volumes)
            continue
        holder = f"container {container} (environment {environment}, {facts['state']})"
        hint = f"docker inspect {container}; if it is not yours: docker stop {container}"
        lines += [make_line("mounts", BAD, f"{holder} holds volume {volume}", hint) for volume in volumes]
    good = f"{mount_count} mounts of protected volumes, all by containers of this stack"
    return lines or [make_line("mounts", OK if mount_count else NOTE, good)]


# --- backups --------------------------------------------------------------------------------------------------------


def backup_lines(vault: Facts, inputs: Facts, now: datetime) -> list[Line]:
    """There, proven, recent, large enough; what `state/vault.json` says."""
    env = inputs["environment"]
    newest, proven = vault.get("newest") or {}, vault.get("newest_proven") or {}
    if not vault:
        return [
            make_line(
                "backup", UNKNOWN, "state/vault.json: not there or not readable", f"make deploy SERVICE=vault ENV={env}"
            )
        ]
    if not newest:
        return [make_line("backup exists", BAD, "there is no backup", f"make backup ENV={env}")]
    lines = [make_line("backup exists", OK, f"newest: {newest['file']}, {newest['verdict']}")]
    if newest.get("verdict") == "failed":
        bad = "; ".join(map(str, newest.get("bad") or [])) or "see its proof"
        lines = [
            make_line(
                "backup exists", BAD, f"the newest, {newest['file']}, failed: {bad}", f"make list-backups ENV={env}"
            )
        ]
    if vault.get("journal", {}).get("broken"):
        lines.append(
            make_line("journal", BAD, f"the journal is broken: {vault['journal']['broken']}", "ledgervault audit")
        )
    if not proven:
        return [*lines, make_line("backup proven", BAD, "no backup is proven", f"make prove FILE=latest ENV={env}")]
    lines.append(make_line("backup proven", OK, f"{proven['file']}, judged {proven.get('judged')}"))
    if proven.get("shrunken") or vault.get("unaccepted_loss"):
        lines.append(loss_line(vault, env))
    return [*lines, age_line(proven, inputs, now), size_line(proven, inputs)]


def loss_line(vault: Facts, env: str) -> Line:
    """Rows that are lost stay reported until somebody accepts that."""
    first, base = vault.get("unaccepted_loss") or vault.get("newest_proven") or {}, vault.get("baseline") or {}
    problem = f"rows are lost in {first.get('file')}, which {base.get('file', 'an earlier backup')} still holds"
    hint = f"make verify-data ENV={env}; was it meant: make accept FILE=newest REASON='…' ENV={env}"
    return make_line("backup counts", BAD, problem, hint)


def age_line(proven: Facts, inputs: Facts, now: datetime) -> Line:
    """The newest proven backup is younger than the limit; one of the future is as bad as an old one."""
    limit, hint = float(inputs["limit_hours"]), f"make backup ENV={inputs['environment']}"
    try:
        hours = (now - datetime.fromisoformat(str(proven["taken"]))).total_seconds() / 3600
    except (KeyError, ValueError, TypeError):
        return make_line("backup recent", UNKNOWN, f"its time cannot be read: {proven.get('taken')!r}", hint)
    age_text = f"{hours:.1f} hours old, the limit is {limit:g}"
    if 0 <= hours <= limit:
        return make_line("backup recent", OK, age_text)
    return make_line("backup recent", BAD, age_text, hint)


def size_line(proven: Facts, inputs: Facts) -> Line:
    """The floor guards and does not decide: a small proven backup is told, an empty one is bad."""
    size, floor = int(proven.get("size") or 0), int(inputs["size_floor_bytes"])
    size_text = f"{size} bytes, {proven.get('rows')} rows in {proven.get('tables')} tables"
    if size >= floor:
        return make_line("backup size", OK, size_text)
    if size == 0:
        return make_line("backup size", BAD, size_text, f"make backup ENV={inputs['environment']}")
    return make_line(
        "backup size", NOTE, f"{size_text}: below the floor of {floor}; it was restored and compared all the same"
    )


def bytes_line(inputs: Facts) -> Line:
    """The newest proven backup's bytes are those that were written."""
    answer = vault_answer(inputs["verify"])
    # docker exec itself ends with 1 where there is no such container: only the vault's own words count.
    verdict = {0: OK, 1: BAD}.get(int(inputs["verify"]["rc"]), UNKNOWN) if "verdict" in answer else UNKNOWN
    problem = f"{answer.get('file', 'the newest proven backup')}: bytes {answer.get('verdict', 'could not be checked')}"
    return make_line(
        "backup bytes",
        verdict,
        _add_answer(problem, answer),
        "" if verdict == OK else f"make verify-backup ENV={inputs['environment']}",
    )


def count_lines(vault: Facts, inputs: Facts) -> list[Line]:
    """The live database holds at least what the newest proven backup holds."""
    answer, code = vault_answer(inputs["verify_data"]), int(inputs["verify_data"]["rc"])
    checks = answer.get("checks") or []
    if code == 0 and checks:
        watched = (vault.get("newest_proven") or {}).get("watched") or {}
        counts = [
            f"; {check['text']}" for check in checks if str(check.get("id", "")).removeprefix("table ") in watched
        ]
        return [make_line("counts", OK, f"{len(checks)} checks of the live database hold{''.join(counts)}")]
    hint = f"make verify-data ENV={inputs['environment']}"
    bad = [make_line("counts", BAD, str(check["text"]), hint) for check in checks if check.get("result") == "failed"]
    return bad or [make_line("counts", UNKNOWN, _add_answer("the live database could not be compared", answer), hint)]


def vault_answer(answer: Facts) -> dict[str, Any]:
    """What ledgervault printed with --json; its error where it printed none."""
    try:
        document = json.loads(answer["text"])
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"error": _last_line(answer["error"])}


def _add_answer(text: str, answer: Facts) -> str:
    error = answer.get("error")
    return f"{text}: {error}" if error else text


def _before_deploy(probe: Facts, inputs: Facts, now: datetime) -> list[Line]:
    """What could be lost has a proven backup. Only production refuses: elsewhere the deploy itself takes one first."""
    if not probe["initialised"]:
        return [make_line("backup", NOTE, "no database yet: nothing to lose")]
    lines = backup_lines(probe["vault"], inputs, now)
    strict = inputs["environment"] == "prod"
    return [entry if strict or entry["verdict"] in (OK, NOTE) else {**entry, "verdict": NOTE} for entry in lines]


def _last_line(text: object) -> str:
    return next((text_line.strip() for text_line in reversed(str(text).splitlines()) if text_line.strip()), "")


# --- the whole ------------------------------------------------------------------------------------------------------


def preflight_verdict(lines: Sequence[Facts], environment: str) -> str:
    """holds, bad, or inconclusive where a line could not be checked; no line at all is inconclusive."""
    if any(entry["verdict"] == BAD for entry in lines):
        return "bad"
    excused = OPTIONAL if environment in RELAXED else frozenset()
    open_ = [entry for entry in lines if entry["verdict"] == UNKNOWN and entry["id"] not in excused]
    return "inconclusive" if open_ or not any(entry["verdict"] == OK for entry in lines) else "holds"


def preflight_text(lines: Iterable[Facts], include_good: bool = True) -> str:
    """The checklist for people; without `include_good` only what is not well."""
    paragraphs = []
    for entry in lines:
        if include_good or entry["verdict"] != OK:
            paragraphs.append(f"  {MARKS[entry['verdict']]}  {entry['id']:<14} {entry['what']}")
            paragraphs += [f"{'':8}{'':<14} HINT: {entry['hint']}"] if entry["hint"] and entry["verdict"] != OK else []
    return "\n".join(paragraphs)


def findings_by_volume(volumes: Sequence[Facts], findings: Sequence[str]) -> list[list[str]]:
    """[name, finding] pairs: each finding of `volume_findings` begins with `volume NAME: `."""
    names = [str(volume["name"]) for volume in volumes]
    return [[name, text] for name in names for text in findings if text.startswith(f"volume {name}: ")]


def program_answer(registered: Facts) -> dict[str, Any]:
    """{rc, text, error} of a registered command; one that was not run, or could not be, counts as not installed."""
    code = registered.get("rc")
    streams = {
        "text": str(registered.get("stdout", "")),
        "error": str(registered.get("stderr") or registered.get("msg") or ""),
    }
    return {"rc": NOT_INSTALLED if code is None else int(code), **streams}
