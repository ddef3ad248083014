#!/bin/sh
# Builds a wheel with compiled rules: `build_wheel.sh DIRECTORY`. $PYTHON needs the test packages.
#
# With gcc the rules are compiled twice. The first build counts which ways it goes while the benchmark
# trains it; the second one is made for these ways, which takes a tenth off a decision. What the
# benchmark does not go through is compiled as without it. ORDERGATE_COMPILE_TRAINED=0 leaves it out.
set -eu

target=${1:?"name the directory the wheel goes to"}
python=${PYTHON:-python3}
case $python in
*/*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;;
esac
mkdir -p "$target"
target=$(cd "$target" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# The compiler finds its counts by the paths of what it compiles, so both builds are in one place and
# of one environment.
cp -R pyproject.toml setup.py README.md LICENSE rules gateway loadtest proto "$work/"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check install --quiet \
    'setuptools>=77' 'mypy>=1.18' msgspec
export ORDERGATE_COMPILE=1

wheel() { # wheel DIRECTORY [COMPILER OPTIONS]
    rm -rf "$work/build" "$work"/*.egg-info
    (cd "$work" && CFLAGS="${CFLAGS:-} ${2:-}" \
        "$work/venv/bin/python" -m pip --disable-pip-version-check wheel --quiet --no-deps \
            --no-build-isolation --wheel-dir "$1" . >"$work/log" 2>&1) || {
        tail -n 40 "$work/log" >&2
        exit 1
    }
}

if [ "${ORDERGATE_COMPILE_TRAINED:-1}" = 0 ] || ! ${CC:-gcc} --version 2>/dev/null | grep -qi gcc; then
    wheel "$target"
    exit
fi
counts="$work/counts"
wheel "$work/counting" "-fprofile-generate=$counts -fprofile-update=single"
"$python" -m pip --disable-pip-version-check install --quiet --no-deps --target "$work/tree" \
    "$work"/counting/*.whl
cp -R tests "$work/tree/"
(cd "$work/tree" && unset ORDERGATE_COMPILE && ORDERGATE_COMPILED=always \
    "$python" -m tests.bench --sizes 1000 --json >/dev/null)
wheel "$target" "-fprofile-use=$counts -fprofile-correction -fprofile-partial-training \
    -Wno-missing-profile"
