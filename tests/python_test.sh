#!/usr/bin/env bash
# Runs Python tests with an interpreter that has the modules they need: python_test.sh MODULE,MODULE TEST... Debian's
# packages may belong to another python3 than the first in the path; `./opsched test` installs missing ones into a
# folder of the build, $BUILD_PYTHON. Exits with 77, which CTest shows as skipped, if no interpreter has all.
modules=$1
shift
for python in python3 /usr/bin/python3 "${BUILD_PYTHON:-}"; do
  [[ -n $python ]] && "$python" -c "import $modules" 2>/dev/null && exec "$python" -m pytest -q -p no:cacheprovider "$@"
done
echo "skipped: no python3 has all of the modules $modules"
exit 77
