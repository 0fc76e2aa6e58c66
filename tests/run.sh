#!/usr/bin/env bash
# Installs what is missing and runs all tests.
#   tests/run.sh            everything
#   tests/run.sh quick      the ordinary suite of a release build only
#   tests/run.sh PART...    some of: release sanitize memcheck fuzz format shellcheck cppcheck tidy, and coverage, which
#                           is no part of everything: which lines and branches the tests reach, by floor
# Ends with "N passed, N failed, N skipped" over all parts, and fails where one did. Each part's whole output is
# in build/logs/.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/jobs/lib.sh"
cd "$root" || exit 1

all=(release sanitize memcheck fuzz format shellcheck cppcheck tidy)
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${all[@]}")
[ "${parts[*]}" != quick ] || parts=(release)
for part in "${parts[@]}"; do
  case " ${all[*]} coverage " in
    *" $part "*) ;;
    *)
      echo "tests/run.sh: there is no part \"$part\"; there are: quick, or some of ${all[*]} coverage" >&2
      exit 2
      ;;
  esac
done

install_packages "${MMSOLD_PACKAGES[@]}" "${MMSOLD_TEST_PACKAGES[@]}" || exit 1
prepare_launch
logs=$root/build/logs
mkdir -p "$logs"
passed=0
failed=0
skipped=0

# Runs `part_NAME` with its output in a log; a part sets `part_passed` and `part_failed`. One line where
# all is well, the end of the log where not.
run_part() {
  local name=$1 start=$SECONDS log=$logs/$1.log
  part_passed=0
  part_failed=0
  part_skipped=0
  "part_$name" >"$log" 2>&1
  if [ $((part_passed + part_failed)) -eq 0 ]; then part_failed=1; fi # a part that tests nothing is broken
  passed=$((passed + part_passed))
  failed=$((failed + part_failed))
  skipped=$((skipped + part_skipped))
  printf '%-10s  %4d passed, %d failed, %d skipped  (%d s)\n' "$name" "$part_passed" "$part_failed" "$part_skipped" \
    $((SECONDS - start))
  if [ "$name" = coverage ] && [ -s "$logs/coverage.txt" ]; then cat "$logs/coverage.txt"; fi
  if [ "$part_failed" -gt 0 ]; then
    grep -E '\(Failed\)|\(Timeout\)|\(Not Run\)|error:|FAIL' "$log" | head -n 40
    echo "---- the last lines of $log"
    tail -n 60 "$log"
    echo "----"
  fi
}

# One thing that passes or fails.
check() {
  echo "+ $*"
  if "$@"; then part_passed=$((part_passed + 1)); else part_failed=$((part_failed + 1)); fi
}

build() { # PRESET
  local generator=()
  [ -f "build/$1/CMakeCache.txt" ] || generator=(-G "$(cmake_generator)")
  cmake --preset "$1" "${generator[@]}" && cmake --build "build/$1" --parallel "$(nproc)"
}

# Builds PRESET and runs ctest with the other arguments; counts from ctest's own report.
build_and_test() {
  local preset=$1 report=$logs/$1.xml
  shift
  rm -f "$report"
  if ! build "$preset"; then
    part_failed=1
    return
  fi
  ctest --preset "$preset" --parallel "$(nproc)" --output-junit "$report" "$@"
  local status=$?
  part_passed=$(grep -c '<testcase .*status="run"' "$report")
  part_failed=$(grep -c '<testcase .*status="fail"' "$report")
  part_skipped=$(grep -c '<skipped' "$report")
  # A test whose program is missing is no failure in the report, but one in the exit status.
  if [ $status -ne 0 ] && [ "$part_failed" -eq 0 ]; then part_failed=1; fi
}

part_release() { build_and_test release; }

# Unit and mpi tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
part_sanitize() { build_and_test sanitize --label-regex '^(unit|mpi)$'; }

# A few unit tests and one on two ranks under valgrind: it sees what sanitizers cannot, the use of memory
# never set. Leaks on ranks are the sanitizers' business: Open MPI keeps too much for valgrind to tell.
memcheck_unit=(unit.base.base unit.linalg.dense unit.parallel.blocks unit.random.words unit.run.folder)
memcheck_mpi=(mpi.parallel.exact_sum)
memcheck=(valgrind --quiet --error-exitcode=9 --num-callers=30 --suppressions=/usr/share/openmpi/openmpi-valgrind.supp
  "--suppressions=$root/tests/valgrind.supp")

part_memcheck() {
  if ! build release; then
    part_failed=1
    return
  fi
  local name
  for name in "${memcheck_unit[@]}"; do
    check "${memcheck[@]}" --leak-check=full --errors-for-leak-kinds=definite "build/release/tests/$name"
  done
  for name in "${memcheck_mpi[@]}"; do
    check mpirun --oversubscribe -n 2 "${memcheck[@]}" "build/release/tests/$name"
  done
}

# The fuzzers for a moment each, the same way every time; tests/fuzz/search.sh searches for as long as it is told.
part_fuzz() {
  local generator=()
  [ -f build/fuzz/CMakeCache.txt ] || generator=(-G "$(cmake_generator)")
  if ! { cmake --preset fuzz "${generator[@]}" && cmake --build build/fuzz --target fuzz --parallel "$(nproc)"; }; then
    part_failed=1
    return
  fi
  check tests/fuzz/search.sh config 10000 1
  check tests/fuzz/search.sh npy 20000 1
  check tests/fuzz/search.sh idx 10000 1
  check tests/fuzz/search.sh mesh 10000 1
  check tests/fuzz/search.sh h5 1500 1
}

part_format() {
  mapfile -t files < <(find src include tests -name '*.[ch]')
  check clang-format --dry-run --Werror "${files[@]}"
}

part_shellcheck() {
  mapfile -t files < <(find jobs tests .ci -name '*.sh' -o -path .ci/run -o -name '*.sbatch')
  check shellcheck -x "${files[@]}"
}

# Not asked for: invalidFunctionArg and arrayIndexThenCheck (guess at values that the code excludes), shiftTooManyBitsSigned
# (a signed shift to the right keeps the sign with every compiler we know).
part_cppcheck() {
  cppcheck --version
  check cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 --suppress=missingIncludeSystem --suppress=internalAstError --suppress=arrayIndexThenCheck \
    --suppress=invalidFunctionArg --suppress=shiftTooManyBitsSigned -j "$(nproc)" -I include -I src src
}

# clang's checks (.clang-tidy says which) on every file of the library and the program.
part_tidy() {
  if ! build release; then
    part_failed=1
    return
  fi
  mapfile -t files < <(find src -name '*.c')
  check run_tidy "${files[@]}"
}
run_tidy() { printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build/release --warnings-as-errors='*'; }

# What the tests reach, by floor, from gcc's counts. Left out: Slurm's, which takes its own time, the kills, whose
# processes leave no counts, and the installation, which builds anew.
part_coverage() {
  local info=$logs/coverage.info
  if ! build coverage; then
    part_failed=1
    return
  fi
  find build/coverage -name '*.gcda' -delete
  build_and_test coverage --label-regex '^(unit|mpi|system)$' --exclude-regex 'system\.(slurm|kills|install)'
  lcov --quiet --rc lcov_branch_coverage=1 --capture --directory build/coverage/src --output-file "$info.all" \
    --ignore-errors gcov,source &&
    lcov --quiet --rc lcov_branch_coverage=1 --extract "$info.all" "$root/src/*" --output-file "$info" || {
    part_failed=$((part_failed + 1))
    return
  }
  tests/coverage.sh "$info" "$root/src" | tee "$logs/coverage.txt"
}

for part in "${parts[@]}"; do run_part "$part"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
