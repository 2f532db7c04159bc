#!/usr/bin/env bash
# release_check.sh VENV: what is special to a release, after wheel and sdist were built into dist/. VENV has the extra `release`.
set -euo pipefail
venv=$1
version=$("$venv/bin/hatchling" version)
wheel=dist/camlite-$version-py3-none-any.whl
sdist=dist/camlite-$version.tar.gz

stop() {
    echo "release-check: $1" >&2
    exit 1
}

echo "camlite $version"
[ -z "$(git status --porcelain)" ] || stop "what is not committed is not released; commit it, or throw it away"
grep -q "^## \[$version\] - " CHANGELOG.md || stop "CHANGELOG.md has no heading '## [$version] - DATE'"
"$venv/bin/twine" check --strict "$wheel" "$sdist"

# What a user does: the wheel alone, in an empty environment, on a device; and the wheel that the sdist becomes is the same.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$venv/bin/python" -m venv "$folder/device"
"$folder/device/bin/pip" install --quiet --disable-pip-version-check "$wheel[litert,onnx,image]"
"$folder/device/bin/camlite" check runtime/spec/vectors/stripes.int8.tflite runtime/spec/vectors/stripes.int8.onnx
mkdir "$folder/sources"
tar -xzf "$sdist" -C "$folder/sources" --strip-components 1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) "$venv/bin/python" -m build --no-isolation --wheel --outdir "$folder" \
    "$folder/sources" >/dev/null
cmp "$wheel" "$folder/$(basename "$wheel")" || stop "the sdist builds another wheel"
echo "camlite $version can be released: git tag -s v$version && twine upload $wheel $sdist"
