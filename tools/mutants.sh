#!/usr/bin/env bash
# mutants.sh MODULE TEST...: change a module a bit at a time, in a copy of the last commit, and list the changes that
# the tests do not notice. Needs cosmic-ray (extra release). A change takes as long as the tests, without their start.
set -euo pipefail
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
copy=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server"; rm -rf "$copy"' EXIT
git archive HEAD | tar x -C "$copy"
cd "$copy"
cat > config.toml <<END_OF_CONFIG
[cosmic-ray]
module-path = "$1"
timeout = 200.0
excluded-modules = []
test-command = "$venv/python -S tools/warm_pytest.py run socket -q -x -p no:cacheprovider --artifacts=tiny --hypothesis-profile=mutants ${*:2}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]
END_OF_CONFIG
# None of the three modules computes with `|`: it stands in annotations, which nothing evaluates.
export PYTHONPATH=runtime:export:tests:examples PYTHONDONTWRITEBYTECODE=1 CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3
mkdir tiny
"$venv/python" tests/support/tiny_classifiers.py tiny > pytest.log 2>&1 || { cat pytest.log; exit 1; }
slow_imports=$([[ $1 == export/* ]] && echo keras tf_keras || echo hypothesis.extra.numpy onnx) # fewer fork faster
# shellcheck disable=SC2086
"$venv/python" tools/warm_pytest.py serve socket 120 $slow_imports > pytest.log 2>&1 &
server=$!
until [ -S socket ]; do kill -0 $server; sleep 1; done
unchanged() { "$venv/cosmic-ray" baseline config.toml || { tail -n 40 pytest.log; exit 1; }; }
unchanged
"$venv/cosmic-ray" init config.toml session.sqlite
"$venv/cr-filter-operators" session.sqlite config.toml
"$venv/cosmic-ray" exec config.toml session.sqlite
unchanged # or all that was killed at last was the server
"$venv/cr-report" --surviving-only --show-diff session.sqlite
