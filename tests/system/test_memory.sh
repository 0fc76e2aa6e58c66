#!/usr/bin/env bash
# Law 3 and what --check says of it: the peak of memory that is stated is the one that the run has.
set -eu
. "$(dirname "$0")/lib.sh"
[ "${MMSOLD_FAULT_FEW:-0}" != 1 ] || { echo "skipped: sanitizers keep memory that was given back"; exit 77; }
enter_scratch memory

"$PYTHON" - << 'EOF'
import numpy
random = numpy.random.default_rng(7)
numpy.save("few.npy", random.normal(size=(64, 16)))
numpy.save("many.npy", random.normal(size=(400_000, 8)))
EOF
cat > c.yaml << 'EOF'
training:
  source: few.npy
score:
  bandwidth: 0.5
sampler:
  particles: 200000
  steps: 2
  scheme: exponential
  step_size: 0.01
EOF

# measure RANKS KEY...: MiB stated by --check and measured on the rank that took most
measure() {
  ranks=$1; shift
  run_ranks "$ranks" run c.yaml --check "$@" > check.log 2>&1 || { cat check.log >&2; fail "--check"; }
  stated=$(sed -n 's/^# peak *about \([0-9]*\).*/\1/p' check.log)
  [ -n "$stated" ] || { cat check.log >&2; fail "no peak is stated"; }
  rm -f peaks
  MMSOLD_PEAKS=$PWD/peaks mpirun --oversubscribe --mca pml ob1 -n "$ranks" "$MMSOLD_BUILD/tests/mmsold_peak" run c.yaml "$@" \
    2> run.log || { cat run.log >&2; fail "run"; }
  [ "$(wc -l < peaks)" -eq "$ranks" ] || fail "not a peak from each rank"
  measured=$(($(sort -n peaks | tail -n 1) / 1024))
}

# What was said may be passed by a tenth at most; below there is more room.
kept() { [ $((10 * measured)) -le $((11 * stated)) ] && [ $((10 * measured)) -ge $((8 * stated)) ]; }

# Particles are most of it, then the making of a training set and its index.
for what in "--output.directory=particles" "--training.source=many.npy --sampler.particles=200 --output.directory=points"; do
  for ranks in 1 2; do
    # shellcheck disable=SC2086 # several words
    measure "$ranks" $what-$ranks
    echo "$what, $ranks ranks: $stated MiB stated, $measured measured"
    kept || fail "$what at $ranks ranks: $stated MiB were stated and $measured measured"
  done
done

# and the bounds would see another job's peak
measure 1 --output.directory=other --sampler.particles=200
[ "$stated" -gt 0 ] && [ "$measured" -gt 0 ]
measured=$((measured + 100))
if kept; then fail "a peak of $measured MiB passes for one of $stated"; fi
echo "memory is what is said"
