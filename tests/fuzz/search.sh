#!/usr/bin/env bash
# tests/fuzz/search.sh NAME RUNS [SEED]: so many executions of build/fuzz's fuzzer NAME (config, npy, idx, mesh, h5).
# With a seed: from the seeds of the tree, the same way every time. Without: from what earlier searches kept in
# build/fuzz/corpus, too, and adding to it. Fails where an input broke a promise; it is left in build/fuzz/found, and
# the fuzzer given that file as its argument repeats the fault.
#
# HDF5 itself does not survive every damaged file. A fault that is all its own is counted, kept in build/fuzz/hdf5 and
# does not end the search.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
name=$1 wanted=$2 seed=${3:-}
build=$root/build/fuzz
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) # every execution writes a file
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$build/found" "$build/hdf5" "$build/corpus/$name"
if [ -n "$seed" ]; then
  kept=$scratch/corpus
  mkdir "$kept"
else
  kept=$build/corpus/$name
  seed=$((RANDOM + 1))
fi

# Is the fault in this report HDF5's? In every stack of it (of the fault and of the memory concerned) HDF5's code
# comes before ours; what a broken promise says begins with FAIL. Memory for more than the options below allow is
# ours to refuse, but for what only HDF5 sees: lists of varying length and its own metadata.
is_hdf5s() {
  awk '
    /^FAIL/ { ours = 1 }
    /out-of-memory/ { memory = 1 }
    /H5T__conv_vlen|H5C_protect/ { unseen = 1 }
    /^ *#0 / { open = 1 }
    open && /libhdf5/ { theirs++; open = 0 }
    open && /\/(src|tests\/fuzz)\/[^ )]*\.[ch](:|$)/ { ours = 1 }
    END { exit !(theirs && !ours && (!memory || unseen)) }' "$1"
}

# Memory for more than a GiB is not there: marking so much as ours would take the sanitizer's whole allowance.
export TMPDIR=$scratch ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1024:quarantine_size_mb=16
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
# A file of a few KiB may not ask for much memory; a packed one may claim 2,064 times its size.
options=(-max_len=12288 -timeout=60 -malloc_limit_mb=256 -rss_limit_mb=2048 -print_final_stats=1
  "-artifact_prefix=$scratch/found-")
[ "$wanted" -lt 100000 ] || options+=(-detect_leaks=0) # looking for leaks takes most of a long search's time
executed=0
faults=0
while [ "$executed" -lt "$wanted" ]; do
  "$build/tests/fuzz/fuzz_$name" "-seed=$seed" "-runs=$((wanted - executed))" "${options[@]}" "$kept" \
    "$root/tests/fuzz/corpus/$name" >"$scratch/log" 2>&1
  status=$?
  grep -E '^#[0-9]+.*(INITED|DONE|pulse)|NEW_FUNC|ERROR|SUMMARY|FAIL|stat::' "$scratch/log"
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/log")
  executed=$((executed + ${count:-0}))
  [ $status -ne 0 ] || break
  if [ "$name" = h5 ] && [ "${count:-0}" -gt 0 ] && is_hdf5s "$scratch/log"; then
    faults=$((faults + 1))
    cp "$scratch/log" "$build/hdf5/$(date +%s)-$seed.log"
    for found in "$scratch"/found-*; do
      [ -e "$found" ] || continue
      rm -f "$kept/${found##*-}" # it may have been kept for what it reached, and would end every search to come
      mv "$found" "$build/hdf5/"
    done
    rm -f "$scratch"/fuzz-* # what the ended fuzzer left
    seed=$((seed + 1))
    continue
  fi
  tail -n 150 "$scratch/log" # the report, with its stacks; all of the log is kept beside the input
  cp "$scratch/log" "$build/found/$name-$seed.log"
  for found in "$scratch"/found-*; do
    [ ! -e "$found" ] || mv "$found" "$build/found/$name-${found##*/found-}"
  done
  echo "FAIL: fuzz_$name ended with $status after $executed executions; what it found is in $build/found"
  exit 1
done
echo "fuzz_$name: $executed executions, $faults faults of HDF5's own"
