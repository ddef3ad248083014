#!/bin/sh
# Makes a virtual environment: `make_venv.sh DIRECTORY`.
#
# Takes $PYTHON, or else the first Python of at least 3.11 on the path. Some distributions ship
# Python without ensurepip (Debian's python3-venv); then pip comes from the system's own pip, from
# virtualenv or from uv, whichever is there.
set -eu

target=${1:?"name the directory of the virtual environment"}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

found=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if recent "$candidate"; then
        found=$candidate
        break
    fi
done
if [ -z "$found" ]; then
    echo "make_venv: no Python of at least 3.11; install one, or name it: make PYTHON=/path/to/python" >&2
    exit 2
fi

works() {
    [ -x "$target/bin/python" ] && "$target/bin/python" -m pip --version >/dev/null 2>&1
}

if works && recent "$target/bin/python"; then
    exit 0
fi
rm -rf "$target"
"$found" -m venv "$target" >/dev/null 2>&1 && works && exit 0
rm -rf "$target"
if "$found" -m venv --without-pip "$target" >/dev/null 2>&1; then
    "$found" -m pip --python "$target/bin/python" install --quiet pip >/dev/null 2>&1 && works && exit 0
fi
rm -rf "$target"
"$found" -m virtualenv --quiet "$target" >/dev/null 2>&1 && works && exit 0
rm -rf "$target"
uv venv --quiet --seed --python "$found" "$target" >/dev/null 2>&1 && works && exit 0
rm -rf "$target"
echo "make_venv: $found can't make virtual environments; install python3-venv (Debian, Ubuntu: apt-get install python3-venv) or virtualenv" >&2
exit 2
