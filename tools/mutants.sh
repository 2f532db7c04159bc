#!/usr/bin/env bash
# mutants.sh MODULE TEST...: change a module a bit at a time, in a copy of the last commit, and list the changes that
# the tests do not notice. Needs cosmic-ray (extra release). Hours: each change runs the tests.
set -euo pipefail
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git archive HEAD | tar x -C "$copy"
cd "$copy"
cat > config.toml <<END
[cosmic-ray]
module-path = "$1"
timeout = 120.0
excluded-modules = []
test-command = "env PYTHONPATH=runtime:export:tests $venv/python -m pytest -x -q ${*:2}"
[cosmic-ray.distributor]
name = "local"
END
"$venv/cosmic-ray" init config.toml session.sqlite
"$venv/cosmic-ray" exec config.toml session.sqlite
"$venv/cr-report" --surviving-only --show-diff session.sqlite
