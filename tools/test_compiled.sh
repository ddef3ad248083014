#!/bin/sh
# Builds a wheel with compiled rules, unpacks it into DIRECTORY with the tests beside it, and runs
# tests there: `test_compiled.sh DIRECTORY [PYTEST ARGUMENTS]`. $PYTHON needs the test packages.
#
# The golden runs among the tests were decided by interpreted rules, so replaying them here shows
# that both builds decide the same.
set -eu

target=${1:?"name the directory to build in"}
shift
python=${PYTHON:-python3}
case $python in
*/*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;;
esac

rm -rf "$target"
mkdir -p "$target/wheel"
ORDERGATE_COMPILE=1 ORDERGATE_COMPILE_LEVEL=${ORDERGATE_COMPILE_LEVEL:-1} \
    "$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$target/wheel" .
"$python" -m pip --disable-pip-version-check install --quiet --no-deps --target "$target/tree" "$target"/wheel/*.whl
cp -R tests tools pyproject.toml "$target/tree/"

cd "$target/tree"
export ORDERGATE_COMPILED=always
if [ $# -eq 0 ]; then
    # A fault can't be planted in compiled code.
    set -- tests/rules tests/property tests/sim tests/test_golden.py tests/test_builds.py \
        --ignore=tests/sim/test_planted_faults.py
fi
exec "$python" -m pytest -q -p no:cacheprovider "$@"
