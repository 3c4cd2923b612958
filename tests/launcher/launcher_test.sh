#!/usr/bin/env bash
# ./opsched builds only when needed. A fake CMake "builds" a program that prints its arguments.
# Usage: launcher_test.sh SOURCE_FOLDER
set -euo pipefail
unset OPSCHED_BUILD OPSCHED_CMAKE_ARGS  # set for the build that runs this test
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; cat "$work"/*.err >&2 || true; exit 1; }

# A tree with the folders that the launcher checks.
tree=$work/tree
mkdir -p "$tree"/{cmake,core,schedulers,networks,experiments,tests} "$work/bin"
cp "$source/opsched" "$tree/opsched"
touch "$tree/CMakeLists.txt" "$tree/core/a.cpp" "$tree/schedulers/b.cpp"
cat >"$work/bin/cmake" <<'CMAKE'
#!/usr/bin/env bash
[[ $1 == --build ]] || { echo "$*" >"$BUILDS.arguments"; echo "-- CUDA runtime: off"; exit 0; }
echo "$$ begins" >>"$BUILDS"
sleep "${BUILD_SECONDS:-0}"
[[ ! -e $2/fails ]] || exit 1
mkdir -p "$2/tests"
printf '#!/usr/bin/env bash\necho "ran $*"\n' >"$2/opsched"
cp "$2/opsched" "$2/tests/opsched_tests"
chmod +x "$2/opsched"
echo "$$ ends" >>"$BUILDS"
CMAKE
# All packages seem to be there, so none is installed.
for command in g++ ninja python3 apt-get; do printf '#!/bin/sh\n' >"$work/bin/$command"; done
printf '#!/bin/sh\necho "ctest $*"\n' >"$work/bin/ctest"
chmod +x "$work"/bin/*
export PATH=$work/bin:$PATH BUILDS=$work/builds OPSCHED_BUILD=$tree/build/release
touch "$BUILDS"

builds() { grep -c begins "$BUILDS" || true; }
expect_builds() {  # $1: expected number so far, $2: reason
  [[ $(builds) == "$1" ]] || fail "$2: expected $1 builds until now, not $(builds)"
}
launch() {
  [[ $("$tree/opsched" "$@" 2>"$work/launch.err") == "ran $*" ]] || fail "./opsched $*: did not run the program"
}

# Two launchers at once on an unbuilt tree: one builds, the other waits and says so.
for i in 1 2; do BUILD_SECONDS=1 "$tree/opsched" list >"$work/$i.out" 2>"$work/$i.err" & pids[i]=$!; done
for i in 1 2; do wait "${pids[i]}" || fail "launcher $i of two at once"; done
for i in 1 2; do [[ $(<"$work/$i.out") == "ran list" ]] || fail "launcher $i of two at once ran nothing"; done
expect_builds 1 "two launchers at once"
grep -q "waiting for another" "$work"/[12].err || fail "nobody said that it waits"

choice=OFF
[[ ! -e /dev/nvidiactl && ! -e /dev/dxg ]] || choice=AUTO
grep -q -- "-DOPSCHED_CUDA=$choice" "$BUILDS.arguments" || fail "CUDA should be $choice here"

launch show x
expect_builds 1 "nothing changed"
sleep 0.01
touch "$tree/core/a.cpp"
launch show x
expect_builds 2 "a source changed"
rm "$tree/schedulers/b.cpp"
launch show x
expect_builds 3 "a source was deleted"
touch -d "2020-01-01" "$tree/networks/old.cpp"
launch show x
expect_builds 4 "a source came, older than the build"
rm "$OPSCHED_BUILD/opsched"
launch show x
expect_builds 5 "the program was deleted"
OPSCHED_CMAKE_ARGS=-DOPSCHED_CUDA=OFF launch show x
expect_builds 6 "other arguments for CMake"
grep -q -- "-DOPSCHED_CUDA=AUTO .*-DOPSCHED_CUDA=OFF" "$BUILDS.arguments" || fail "the arguments for CMake do not win"
launch show x
expect_builds 7 "the usual arguments again"

# A failed build is an error, and is tried again.
touch "$OPSCHED_BUILD/fails"
touch "$tree/core/a.cpp"
code=0
"$tree/opsched" list >"$work/fails.out" 2>"$work/fails.err" || code=$?
[[ $code == 2 && ! -s $work/fails.out ]] || fail "a build that fails: code $code"
rm "$OPSCHED_BUILD/fails"
launch list
expect_builds 9 "after a build that failed"

# The tests need more sources than the program, which needs none of theirs.
"$tree/opsched" test -R Name >"$work/test.out" 2>"$work/test.err" || fail "./opsched test"
grep -q -- "^ctest .*-R Name" "$work/test.out" || fail "./opsched test did not hand its arguments to ctest"
expect_builds 10 "the tests are built"
touch "$tree/tests/new_test.cpp"
launch list
expect_builds 10 "a test is nothing to the program"
rm "$OPSCHED_BUILD/tests/opsched_tests"
"$tree/opsched" test >"$work/test.out" 2>"$work/test.err" || fail "./opsched test, again"
expect_builds 11 "the test program was deleted"
echo "the launcher: all as it should be"
