#!/usr/bin/env bash
# Runs the tests of our own kernels under every tool of compute-sanitizer, in parallel, and prints the summary of each.
# Fails if one finds something.
#
#   tests/core/runtime/cuda/sanitize.sh build/release/tests/opsched_cuda_tests > results/NAME/sanitizer.txt
set -uo pipefail
tests=${1:?the program with the GPU tests, for example build/release/tests/opsched_cuda_tests}
filters=('ConvSimt.*' 'ConvPointwise.*:ConvWinograd.*:ConvFirst.*' 'ConvMma.*Tf32*' 'ConvMma.*Fp16' 'ConvPatch.*' 'ConvWgmma.*' '*Kernels.Depthwise*:*Kernels.Pools*:*Kernels.Gathers*' '*Kernels.Products*:*Kernels.Resizes*:*Kernels.Activations*' '*Kernels.LargePools*/fp32' 'BareKernels.*' 'KernelOverlap.*')
export OPSCHED_TEST_CASES=${OPSCHED_TEST_CASES:-4}
minutes=${OPSCHED_SANITIZE_MINUTES:-10}  # a tool that takes longer for one of these fails
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

check() {  # $1: tool; $2: filter; $3: log
  local options=(--tool "$1" --error-exitcode 9) code=0
  # cuDNN's heuristics, which list the candidates that BareKernels completes, never free their memory.
  [[ $1 == memcheck && $2 != BareKernels* ]] && options+=(--leak-check full)
  timeout "${minutes}m" compute-sanitizer "${options[@]}" "$tests" --gtest_filter="$2" >"$3" 2>&1 || code=$?
  local ran summary
  ran=$(grep -oE '[0-9]+ tests? from .* ran' "$3") || ran="did not finish in $minutes minutes"
  summary=$(grep -o 'SUMMARY: .*' "$3" | tr '\n' ' ')
  echo "$1 $2: exit code $code, $ran, $summary"
  ((code == 0)) || { touch "$logs/failed"; grep '^=====' "$3" | head -40; }
}

echo "compute-sanitizer $(compute-sanitizer --version | grep -o 'Version .*'), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $OPSCHED_TEST_CASES random cases a test"
for tool in memcheck racecheck initcheck synccheck; do
  for i in "${!filters[@]}"; do check "$tool" "${filters[i]}" "$logs/$tool.$i" & done
done
wait
[[ ! -e $logs/failed ]]
