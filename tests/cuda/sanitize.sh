#!/usr/bin/env bash
# Runs the tests of our own kernels under every tool of compute-sanitizer, side by side, and prints for
# each its summary; fails if one finds something.
#
#   tests/cuda/sanitize.sh build/release/tests/opsched_cuda_tests > results/NAME/sanitizer.txt
set -uo pipefail
tests=${1:?the program with the GPU tests, for example build/release/tests/opsched_cuda_tests}
filters=('ConvSimt.*' 'ConvMma.*Tf32' 'ConvMma.*Fp16' '*Kernels.Depthwise*:*Kernels.Pools*:*Kernels.Gathers*' 'KernelOverlap.*')
export OPSCHED_TEST_CASES=${OPSCHED_TEST_CASES:-6}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

for tool in memcheck racecheck initcheck synccheck; do
  options=(--tool "$tool" --error-exitcode 9)
  [[ $tool == memcheck ]] && options+=(--leak-check full)
  for i in "${!filters[@]}"; do
    (
      compute-sanitizer "${options[@]}" "$tests" --gtest_filter="${filters[i]}" >"$logs/$tool.$i" 2>&1
      echo $? >"$logs/$tool.$i.status"
    ) &
  done
done
wait

echo "compute-sanitizer $(compute-sanitizer --version | grep -o 'Version .*'), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $OPSCHED_TEST_CASES random cases a test"
status=0
for tool in memcheck racecheck initcheck synccheck; do
  for i in "${!filters[@]}"; do
    log=$logs/$tool.$i code=$(<"$logs/$tool.$i.status")
    echo "$tool ${filters[i]}: exit code $code, $(grep -oE '[0-9]+ tests? from .* ran' "$log"), $(grep -o 'SUMMARY: .*' "$log")"
    ((code == 0)) || { status=1; grep '^=====' "$log" | head -40; }
  done
done
exit $status
