#!/usr/bin/env bash
# A file system that fills up at many points, a limit on file sizes, a folder removed on the way: warnings, the run goes
# on, the result goes to output.fallback (exit 1), and no file cut short stands under its final name. MMSOLD_FULL_DISKS
# lists the sizes to try, in KiB.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch full_disk
[ "$(id -u)" -eq 0 ] || { echo "skipped: mounting a small file system needs root"; exit 77; }
mkdir disk rescued
mount -t tmpfs -o size=64k tmpfs disk 2> mount.log || { echo "skipped: no mount here: $(cat mount.log)"; exit 77; }
trap 'code=$?; umount -l "$scratch/disk" 2> /dev/null || true; [ $code -ne 0 ] || { cd / && rm -rf "$scratch"; }; exit $code' EXIT

cat > c.yaml <<'YAML'
training: {source: spirals, count: 150}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 400, steps: 60, step_size: auto}
output: {precision: double, trace_every: 3, snapshot_every: 20, fallback: rescued}
YAML
run_ranks 2 run c.yaml --quiet --output.directory=whole

same_as_whole() { same_bits whole/samples.h5 "$1" "$1, against the undisturbed run"; }

# outcome WHERE COMMAND...: the run ends well, or with 1 and the result in `rescued`; what has its final name is whole
outcome() {
  where=$1; shift
  rm -rf rescued && mkdir rescued
  code=0
  timeout 300 mpirun --oversubscribe "$@" > log 2>&1 || code=$?
  case $code in
    0) same_as_whole "$where/samples.h5"; enough=$((enough + 1)) ;;
    1)
      full=$((full + 1))
      grep -q 'written to rescued/out-samples.h5 instead' log || { cat log; fail "$*: the result is not said to be rescued"; }
      same_as_whole rescued/out-samples.h5
      [ ! -e "$where/samples.h5" ] || fail "$*: samples.h5 stands where there was no room for it"
      ;;
    *) cat log; fail "$*: exit $code" ;;
  esac
  for file in "$where"/*.h5 rescued/*.h5; do
    [ ! -e "$file" ] || "$MMSOLD_PROGRAM" info "$file" --verify > verify.log 2>&1 || { cat verify.log; fail "$file is not whole"; }
  done
  [ -z "$(find "$where" rescued -name '*.partial' 2> /dev/null)" ] || fail "$*: a partial file is left"
}

enough=0 full=0
for size in ${MMSOLD_FULL_DISKS:-8 112 160 260 640}; do
  ranks=$((size / 4 % 3 + 1))
  umount disk && mount -t tmpfs -o "size=${size}k" tmpfs disk
  outcome disk/out -n $ranks "$MMSOLD_PROGRAM" run c.yaml --output.directory=disk/out
done
[ "$enough" -gt 0 ] && [ "$full" -gt 2 ] || fail "$enough disks were large enough and $full were full: the sizes do not meet the edge"

# A limit on file sizes of 20 KiB, set once MPI has its files: XFSZ would end a program that does not expect it.
rm -rf rescued && mkdir rescued
hold limited
"$HELD_PROGRAM" run c.yaml --output.directory=limited --sampler.steps=6000 --output.snapshot_every=2000 2> log &
job=$!
held limited
prlimit --pid $job --fsize=20480
let_go limited
code=0; wait $job || code=$?
[ $code -eq 1 ] || { cat log; fail "a limit on file sizes: exit $code instead of 1"; }
grep -q 'File too large' log || { cat log; fail "the limit on file sizes is not named"; }
[ -z "$(find limited rescued -name '*.h5*')" ] || fail "a cut file is left"

# The folder is removed while the run works.
rm -rf rescued out && mkdir rescued
hold out
mpirun --oversubscribe -n 2 "$HELD_PROGRAM" run c.yaml --output.directory=out --output.snapshot_every=1 > log 2>&1 &
job=$!
held out
step_on out
[ -e out/snapshot-1.h5 ] || { cat log; fail "no snapshot was written"; }
mv out gone # and with it what holds the run
code=0; wait $job || code=$?
[ $code -eq 1 ] || { cat log; fail "folder removed: exit $code instead of 1"; }
grep -q 'no checkpoint was written' log && grep -q 'rescued/out-samples.h5' log || { cat log; fail "folder removed: no word"; }
"$MMSOLD_PROGRAM" info rescued/out-samples.h5 --verify > /dev/null || fail "the rescued samples are not whole"

# A fallback that cannot serve is refused at the start.
expect_exit 2 'output.fallback: .*nowhere' run_ranks 2 run c.yaml --output.directory=never --output.fallback=nowhere
echo "full disks: $full and more ran into the end, none lost a result"
