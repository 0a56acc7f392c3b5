# Every task a person or a workflow runs. Recipes are thin: the work is in playbooks/, src/, tools/ and tests/.
#   ## after a target: shown by `make`      #: after a target: shown by `make help-all` only
# Only make's command line sets these: a forgotten `export ENV=prod` in a shell must not choose where a deploy goes.
ENV = dev
SERVICE =
FILE =
CONFIRM =
REASON =
STACK =
SETTINGS =
STRATEGY =
COLD =
YES =
V =
SINCE =
LEVEL =
ONLY =
CHANGED =
JSON =
OP =
NAME =
OUTCOME =
DRY =
FORCE =
export ENV SERVICE FILE CONFIRM REASON DRY FORCE NAME OP STACK SETTINGS STRATEGY COLD YES V SINCE LEVEL ONLY CHANGED

comma := ,
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

# Nothing here is a file; build/ and .venv/ are kept by the scripts.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@scripts/help Makefile '##'

help-all: ## every target
	@scripts/help Makefile '##|#:'

# --- the stack -------------------------------------------------------------------------------------------------------
deploy: ## the whole stack, healthy, or one service (SERVICE=searxng); ENV=dev unless told otherwise
	@scripts/play deploy

dev: ## the same as deploy ENV=dev
	@$(MAKE) deploy ENV=dev

status: ## containers, health, ports, volumes with their labels, the last proven backup
	@scripts/play status

logs: ## all services' logs merged by time (SERVICE= SINCE=10m LEVEL=warning)
	@scripts/bootstrap
	@$(PYTHON) -m ledgerflow.play.logs

health-check: ## asks every service whether it is ready; fails if one is not
	@scripts/play health_check --judge

down: ## stops the stack; the data stays
	@scripts/play down

uninstall: #: removes the stack's containers, its networks and the engine's guard; the data stays, and it says where
	@scripts/play uninstall

nuke: #: removes a dev stack with its data, after a proven backup that is kept; asks for the word DESTROY
	@scripts/play nuke

destroy: #: removes a ci stack with its data, after its name was given (CONFIRM=ledger-ci); never prod
	@scripts/play destroy

env-check: ## reads .env.ENV and says what is wrong with it, line by line
	@scripts/play env_check

preflight: ## the owner's checklist, line by line (OP=volume, database or deploy)
	@scripts/play preflight --judge

check-volumes: ## compose files, scripts and workflows: nothing here may lose a protected volume (FILE=compose.yml JSON=1)
	@scripts/bootstrap
	@$(PYTHON) -m ledgerflow.checks.volumes $(if $(JSON),--json) $(FILE)

# --- the data --------------------------------------------------------------------------------------------------------
backup: ## takes a backup of the database now
	@scripts/play backup

prove: ## restores a backup into a throw-away server and compares it (FILE=latest or a name from list-backups)
	@scripts/play prove --judge

verify-backup: #: checks a backup's bytes against its manifest (FILE=latest or a name from list-backups)
	@scripts/play verify_backup --judge

restore-test: #: proves the newest backup, whatever was said of it before
	@scripts/play restore_test --judge

verify-data: ## the live database against the last backup that lost nothing: rows by key, invariants (FILE= another)
	@scripts/play verify_data --judge

accept: #: says that the rows a backup has lost were meant to go (FILE=newest REASON='…'); the alarm ends
	@scripts/play accept --judge

forget: #: lets a backup count for nothing, one from the future for example (FILE= REASON='…'); its file goes in time
	@scripts/play forget --judge

audit: ## the journal of the backups against their files, manifests and proofs
	@scripts/play audit --judge

migrate: ## a proven backup, then the migrations, then verify-data
	@scripts/play migrate --judge

list-backups: ## the backups there are, with their verdicts
	@scripts/play list_backups

prune: #: removes what no tier keeps any longer, each file with its reason (DRY=1 removes nothing)
	@scripts/play prune --judge

restore: ## puts a proven backup back and keeps what it replaces (FILE=latest or a name; DRY=1 prints the plan only)
	@scripts/play restore --judge

safe-restore: restore #: the same as restore

restore-undo: ## the database that the last restore replaced becomes live again (NAME= another one)
	@scripts/play restore_undo --judge

restore-drop: #: removes a database that a restore replaced (NAME=, which is asked for or given as CONFIRM=)
	@scripts/play restore_drop --judge

restore-smoke: ## statement → rows → backup → restore → equal, in a database of its own
	@scripts/play restore_smoke --judge

# --- the code --------------------------------------------------------------------------------------------------------
lint: ## ruff, mypy, ansible-lint, yamllint, shellcheck, workflows, documents (ONLY=step)
	@scripts/bootstrap
	@$(PYTHON) -m tools.lint

test: ## everything that guards a push, in worlds of its own (ONLY=part CHANGED=origin/main)
	@scripts/bootstrap
	@$(PYTHON) -m tools.runner

test-fast: ## what needs no engine: lint and unit tests, under 3 minutes
	@scripts/bootstrap
	@$(PYTHON) -m tools.runner --fast

soak: #: what is too long for every push, hours of it; goes on where it was stopped, writes docs/soak.md
	@scripts/bootstrap
	@$(PYTHON) -m tools.runner --soak

mutants: #: changes decisions one at a time and lists those that no test notices (ONLY=guard,vault,flow,roles,tools)
	@scripts/bootstrap
	@$(PYTHON) -m tools.mutation.cli $(subst $(comma), ,$(ONLY))

bench: #: measures what the README quotes, as ratios in one run
	@scripts/bootstrap
	@status=0; scripts/bed run --template images -- $(PYTHON) -m bench.vault || status=$$?; $(PYTHON) -m bench.guard || status=$$?; $(PYTHON) -m bench || status=$$?; exit $$status

guard-matrix: #: every attempt on a protected volume: no guard, standard, strict; writes docs/guard-matrix.md
	@scripts/bootstrap
	@$(PYTHON) -m tests.guard.matrix

docs: #: writes the generated parts: the roles' tables, the pictures
	@scripts/bootstrap
	@$(PYTHON) -m tools.diagrams
	@$(PYTHON) -m tools.role_docs

bootstrap: #: installs the hashed packages that every target needs; done by each of them when it is due
	@scripts/bootstrap

deploy-candidate: #: for workflows: refuses a commit that ci did not pass, or that is not main's head
	@python3 -m tools.deploy_candidate

deploy-inputs: #: writes key, known hosts, vault password and inventory for a deploy over ssh from DEPLOY_… (ENV=staging)
	@scripts/bootstrap
	@$(PYTHON) -m ledgerflow.play.remote_inputs write "$(ENV)"

deploy-inputs-remove: #: removes what deploy-inputs wrote (ENV=staging)
	@scripts/bootstrap
	@$(PYTHON) -m ledgerflow.play.remote_inputs remove "$(ENV)"

deploy-inputs-pack: #: prints inventory/ENV and .env.ENV as one line, the secret DEPLOY_INVENTORY (ENV=staging)
	@scripts/bootstrap
	@$(PYTHON) -m ledgerflow.play.remote_inputs pack "$(ENV)"

schedule-issue: #: for workflows: keeps one open issue while a schedule fails (NAME=restore-smoke OUTCOME=failure)
	@scripts/bootstrap
	@$(PYTHON) -m tools.schedule_issue "$(NAME)" "$(OUTCOME)"

update-deps: #: locks the newest versions that requirements/*.in allow; run the tests and look at the diff
	@scripts/bootstrap
	@tools/update_deps
