#!/usr/bin/env bash
# make_venv.sh FOLDER: the development environment, with uv where that is installed, else with pip.
# On Python 3.11 alone: tflite-runtime has no wheels for a later one, Keras 3.15 does not run on an earlier one.
set -euo pipefail
venv=$1
log=$venv/setup.log
packages=$(grep -c == constraints.txt)

# Not what Ray carries inside itself.
installed() {
    find "$venv" -maxdepth 4 -name '*.dist-info' ! -name 'pip-*' ! -name 'camlite-*'
}

# The installer's large downloads and its summaries; and in every quiet quarter of a minute, how far it is.
report() {
    local told='^(Installing collected|Resolved|Prepared|Installed|(Downloading|Using cached) .*[0-9]{2}\.[0-9] ?Mi?B)'
    local line
    while true; do
        if read -r -t 15 line; then
            if [[ $line =~ $told ]]; then echo "  ${line%%: *}"; fi
        elif (($? > 128)); then
            echo "  $SECONDS s: $(installed | wc -l) of $packages packages in place"
        else
            return 0
        fi
    done
}

if ! command -v uv >/dev/null && ! python3.11 -c '' 2>/dev/null; then
    echo "Python 3.11 not found: install python3.11, or uv (docs.astral.sh/uv), which brings it along" >&2
    exit 2
fi
echo "Setting up $venv with TensorFlow and the interpreters: once, 2.6 GB on disk, some minutes."
if command -v uv >/dev/null; then
    uv venv --quiet --python 3.11 "$venv"
    install=(uv pip install --python "$venv/bin/python" --build-constraint constraints.txt)
else
    python3.11 -m venv "$venv"
    install=("$venv/bin/python" -m pip install --no-compile --progress-bar off)
    export PIP_CONSTRAINT=constraints.txt # for what builds the project, too
fi
if ! "${install[@]}" --constraint constraints.txt --editable '.[dev]' 2>&1 | tee "$log" | report; then
    tail -n 12 "$log" >&2
    echo "Setting up $venv failed; everything the installer said is in $log" >&2
    exit 2
fi
# Python keeps what it compiles when a module is first imported. Where that is forbidden, TensorFlow would be compiled
# each time that it is imported, which takes twice as long.
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then
    echo "  compiling what is installed, as PYTHONDONTWRITEBYTECODE is set"
    "$venv/bin/python" -m compileall -q -j 0 "$venv"/lib/python3.11/site-packages >/dev/null || true
fi
