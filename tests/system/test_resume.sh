#!/usr/bin/env bash
# Truth v: run(2T) = run(T) + resume(T) at another rank count, from each kind of checkpoint; what may
# change at a resume and what may not; damaged checkpoints are named and passed over (truth x).
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch resume

cat > c.yaml <<'YAML'
training: {source: spirals, count: 150}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 200, steps: 40, step_size: auto}
output: {precision: double, trace_every: 3}
YAML
run_ranks 2 run c.yaml --quiet --output.directory=whole

same_as_whole() { same_bits whole/samples.h5 "$1/samples.h5" "$1, against the uninterrupted run"; }

# more steps after a finished run, at other rank counts
run_ranks 3 run c.yaml --quiet --output.directory=more --sampler.steps=17
expect_exit 0 'resumed .*step 17 of 40' run_ranks 1 run c.yaml --output.directory=more
grep -q '^more/samples.h5 of step 17 is kept as more/samples.h5.old-1' expect.log || { cat expect.log; fail "no word on the shorter result"; }
same_as_whole more
expect_exit 0 'nothing to do' run_ranks 2 run c.yaml --output.directory=more

# a `stop` file, and USR2 to one rank: exit 75, the same command goes on
mkdir stopped && touch stopped/stop
expect_exit 75 'run the same command again' run_ranks 1 run c.yaml --output.directory=stopped
[ ! -e stopped/samples.h5 ] || fail "a stopped run left samples.h5"
expect_exit 0 'resumed' run_ranks 4 run c.yaml --output.directory=stopped
same_as_whole stopped

# USR2 as soon as the program takes signals, long before its first step: remembered. Its configuration comes after that.
mkfifo late.yaml
"$MMSOLD_PROGRAM" run late.yaml --output.directory=early 2> log &
job=$!
wait_for "[ /proc/$job/exe -ef '$MMSOLD_PROGRAM' ] && grep -q '^SigCgt:.*[89a-f]..\$' /proc/$job/status" 120
kill -USR2 $job
timeout 120 sh -c 'cat c.yaml > late.yaml'
code=0; wait $job || code=$?
[ $code -eq 75 ] && grep -q 'after step 1 of' log || { cat log; fail "USR2 during set-up: exit $code instead of 75 after a step"; }
run_ranks 2 run c.yaml --quiet --output.directory=early
same_as_whole early

# what may not change: both values are named, nothing is written
before=$(cksum < more/samples.h5)
expect_exit 2 'sampler.seed = 0, now it is 5' run_ranks 1 run c.yaml --output.directory=more --sampler.seed=5
expect_exit 2 'bandwidth' run_ranks 2 run c.yaml --output.directory=more --score.bandwidth=0.06
expect_exit 2 'shortened' run_ranks 1 run c.yaml --output.directory=more --sampler.steps=10
[ "$before" = "$(cksum < more/samples.h5)" ] || fail "a refused run changed samples.h5"

# the data may not change under a run, though its configuration stays
cat > own.yaml <<'YAML'
training: {source: own.npy}
score: {bandwidth: 0.3, smoothing: 0.1, smoothing_samples: 2}
sampler: {particles: 32, steps: 20}
YAML
own() { "$PYTHON" -c "import numpy as n; a = n.random.default_rng(1).normal(size=(40, 2)); a[7, 1] += $1; n.save('own.npy', a)"; }
own 0
mkdir own && touch own/stop
expect_exit 75 'run the same command again' run_ranks 1 run own.yaml
own 1e-9
expect_exit 2 'the training set has changed' run_ranks 2 run own.yaml
own 0
expect_exit 0 'resumed' run_ranks 2 run own.yaml

# two runs into one folder: the second is refused, --fresh too, and the first is none the worse
hold shared
"$HELD_PROGRAM" run c.yaml --quiet --output.directory=shared 2> log &
job=$!
held shared
expect_exit 2 'another run is working in shared' run_ranks 2 run c.yaml --output.directory=shared
expect_exit 2 'another run is working in shared' run_ranks 1 run c.yaml --output.directory=shared --fresh
touch shared/stop
sleep 1.5 # it looks again in its next step
let_go shared
code=0; wait $job || code=$?
[ $code -eq 75 ] || { cat log; fail "the first of two runs ended with $code instead of 75"; }

# the newest checkpoint is damaged: named, the one before is used; none good: refused
mkdir damaged && cp more/checkpoint-17.h5 more/checkpoint-40.h5 damaged/
head -c 3000 more/checkpoint-40.h5 > damaged/checkpoint-40.h5
expect_exit 0 'checkpoint-40.h5 is damaged' run_ranks 2 run c.yaml --output.directory=damaged
same_as_whole damaged
mkdir none && head -c 100 more/checkpoint-40.h5 > none/checkpoint-40.h5
expect_exit 2 'none of the 1 checkpoints' run_ranks 2 run c.yaml --output.directory=none

# --fresh keeps the old output aside
expect_exit 0 'kept in more.old-1' run_ranks 1 run c.yaml --output.directory=more --fresh
h5diff -q more.old-1/samples.h5 more/samples.h5 /samples /samples || fail "--fresh gave another result"

# a foreign samples.h5 is not written over
mkdir foreign && echo "not ours" > foreign/samples.h5
expect_exit 2 'samples.h5' run_ranks 2 run c.yaml --output.directory=foreign
[ "$(cat foreign/samples.h5)" = "not ours" ] || fail "a foreign samples.h5 was written over"

# --fresh moves nothing before it is known that the new run can begin
expect_exit 2 'nowhere.npy' run_ranks 2 run c.yaml --output.directory=more --fresh --training.source=nowhere.npy
[ -e more/samples.h5 ] && [ ! -e more.old-2 ] || fail "--fresh moved the old output of a run that could not begin"

# a checkpoint under the name of another step is not taken for that step's
mkdir renamed && cp more/checkpoint-40.h5 renamed/checkpoint-30.h5 && cp more.old-1/checkpoint-17.h5 renamed/
expect_exit 0 'checkpoint-30.h5 is damaged .*by its name' run_ranks 2 run c.yaml --output.directory=renamed
same_as_whole renamed
[ -e renamed/checkpoint-30.h5.damaged ] || fail "a checkpoint of another step is not put aside"

# a foreign file of a snapshot's name is kept; a snapshot of the same run is replaced
mkdir guest && echo "not ours" > guest/snapshot-20.h5
expect_exit 0 'snapshot-20.h5 is not of this run: it is kept as guest/snapshot-20.h5.old-1' \
  run_ranks 2 run c.yaml --output.directory=guest --output.snapshot_every=20
[ "$(cat guest/snapshot-20.h5.old-1)" = "not ours" ] || fail "a foreign snapshot was lost"
rm guest/samples.h5 guest/checkpoint-*.h5
run_ranks 1 run c.yaml --quiet --output.directory=guest --output.snapshot_every=20
[ ! -e guest/snapshot-20.h5.old-2 ] || fail "the run's own snapshot was kept aside"
rm guest/samples.h5 guest/checkpoint-*.h5
expect_exit 0 'snapshot-20.h5.old-2' run_ranks 1 run c.yaml --output.directory=guest --output.snapshot_every=20 --sampler.seed=1

# a finished run is held against its training set: changed is refused, gone is said
make_points() {
  "$PYTHON" - "$1" <<'PY'
import sys, numpy
numpy.save("points.npy", numpy.random.default_rng(int(sys.argv[1])).normal(size=(50, 2)))
PY
}
make_points 1
from_points=(run c.yaml --output.directory=points --training.source=points.npy --training.count=50)
run_ranks 2 "${from_points[@]}" --quiet
expect_exit 0 'nothing to do' run_ranks 2 "${from_points[@]}"
make_points 2
expect_exit 2 'points/samples.h5: the training set has changed' run_ranks 2 "${from_points[@]}"
rm points.npy
expect_exit 0 'cannot be held against its training set' run_ranks 1 "${from_points[@]}"

# TERM, as a person's Ctrl-C or a queue sends it: an orderly stop, then the same bits
for signal in TERM INT USR2; do
  hold signal-$signal
  "$HELD_PROGRAM" run c.yaml --output.directory="signal-$signal" 2> log &
  job=$!
  held signal-$signal
  kill -"$signal" $job
  code=0; wait $job || code=$?
  [ $code -eq 75 ] || { cat log; fail "SIG$signal: exit $code instead of 75"; }
  grep -q 'run the same command again' log || fail "SIG$signal: no word on how to go on"
  expect_exit 0 'resumed' run_ranks 2 run c.yaml --output.directory="signal-$signal"
  same_as_whole signal-$signal
done
echo "resume holds"
