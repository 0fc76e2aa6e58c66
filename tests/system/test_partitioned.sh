#!/usr/bin/env bash
# Truths h and v: a partitioned training set gives the bytes of a replicated one, at any number of ranks and across a resume
# from one to the other; memory per rank is what --check says of it and falls with their number.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch partitioned

"$PYTHON" - <<'PY'
import numpy as np
r = np.random.default_rng(1)
np.save("wide.npy", r.normal(size=(1300, 12)) @ r.normal(size=(12, 12)))
np.save("points.npy", r.normal(size=(70, 10)))
np.save("large.npy", r.normal(size=(40000, 150)))
PY
cat > c.yaml <<'YAML'
training: {source: wide.npy, components: 10, whiten: full, whiten_top: 4}
score: {bandwidth: 0.2, smoothing: 0.3, smoothing_samples: 4, backend: dense}
sampler: {particles: 100, steps: 6}
output: {precision: double, trace_every: 1}
YAML
cat > large.yaml <<'YAML'
training: {source: large.npy}
score: {bandwidth: 0.2, backend: dense}
sampler: {particles: 160, steps: 100000}
YAML
parts=--training.placement=partitioned

same() { same_bits "$1/samples.h5" "$2/samples.h5" "$1 and $2"; }

neighbours="--score.backend=neighbours --score.nearest=20 --score.remainder=9"
run_ranks 1 run c.yaml --quiet --output.directory=dense
# shellcheck disable=SC2086 # several options
run_ranks 1 run c.yaml --quiet --output.directory=near $neighbours
for ranks in 1 2 3 4; do
  run_ranks "$ranks" run c.yaml --quiet --output.directory="dense-$ranks" $parts
  same dense "dense-$ranks"
done
# shellcheck disable=SC2086
run_ranks 3 run c.yaml --quiet --output.directory=near-3 $neighbours $parts
same near near-3
if h5diff -q dense/samples.h5 near/samples.h5 /latent /latent; then fail "h5diff sees no difference between backends"; fi

# from replicated to partitioned and back
run_ranks 2 run c.yaml --quiet --output.directory=mixed --sampler.steps=2
run_ranks 3 run c.yaml --quiet --output.directory=mixed --sampler.steps=4 $parts
expect_exit 0 'resumed .*step 4 of 6' run_ranks 1 run c.yaml --output.directory=mixed
same dense mixed

# evaluate, where ranks have unequal numbers of blocks; and what a picture is made from
run_ranks 1 evaluate c.yaml --points points.npy --output whole.h5 --quiet
run_ranks 3 evaluate c.yaml --points points.npy --output parts.h5 --quiet $parts
h5diff -q whole.h5 parts.h5 /grad_V /grad_V || fail "evaluate differs"
h5diff -q whole.h5 parts.h5 /V_stderr /V_stderr || fail "standard errors differ"
"$MMSOLD_PROGRAM" info dense-3/samples.h5 | grep -q 'placement: partitioned' || fail "the file does not say where the set was"
"$MMSOLD_PROGRAM" info dense-3/samples.h5 | grep -q '/trace/nearest_50' || fail "no distances to the training set in the trace"
"$MMSOLD_PROGRAM" plot dense-3/samples.h5 --trace --output trace.png

# what holds the whole set says so
expect_exit 2 'backend tree holds the whole' run_ranks 2 run c.yaml $parts --score.backend=tree --output.directory=no
expect_exit 2 'more than 8 dimensions' run_ranks 2 run c.yaml $parts --training.components=3 \
  --training.whiten_top=2 --output.directory=no
expect_exit 2 'for run and evaluate' run_ranks 2 prepare c.yaml $parts --output no.h5
expect_exit 0 'partitioned, each rank a part' run_ranks 2 run c.yaml $parts --output.directory=no

# Memory: the largest rank's own pages (Pss_Anon, in MiB) while steps are taken, and the most that one ever had, reading
# included (VmHWM), against the same at half the ranks: from a file of rows, and from a prepared one.
# (With the screen in single precision, whatever this processor would take: in bfloat16 a rank needs 18 n d bytes and not 20.)
run_ranks 1 prepare large.yaml --quiet --output large.h5
memory() {
  local ranks=$1 source=$2 own=0 top=0 pid kib
  rm -rf large large.log
  hold large
  MMSOLD_SCREEN=single mpirun --oversubscribe --mca pml ob1 -n "$ranks" "$HELD_PROGRAM" run large.yaml $parts \
    "--training.source=$source" 2> large.log &
  local job=$!
  held large
  step_on large
  for pid in $(pgrep -f "run large.yaml $parts"); do
    [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$HELD_PROGRAM")" ] || continue
    kib=$(awk '$1 == "Pss_Anon:" { print $2 }' "/proc/$pid/smaps_rollup")
    [ "$kib" -le "$own" ] || own=$kib
    kib=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status")
    [ "$kib" -le "$top" ] || top=$kib
  done
  for pid in $(pgrep -P $job); do kill -USR2 "$pid"; done
  wait $job || true
  measured=$((own / 1024)) peak=$((top / 1024))
  stated=$(sed -n 's/^memory *\([0-9]*\).*/\1/p' large.log)
  echo "$source $ranks $measured $stated $peak"
}
echo "source, ranks, MiB measured, MiB stated, MiB at most:"
for source in large.npy large.h5; do
  memory 2 "$source"
  measured_2=$measured stated_2=$stated peak_2=$peak
  memory 4 "$source"
  fell=$((measured_2 - measured)) should=$((stated_2 - stated)) peaks=$((peak_2 - peak))
  [ "$should" -ge 26 ] || fail "$source: 20 n d bytes are 57 MiB on each of 2 ranks and 29 on each of 4; said: $should less"
  [ "$fell" -ge $((should * 8 / 10)) ] || fail "$source: memory fell by $fell MiB where $should were said"
  [ "$peaks" -ge $((should * 8 / 10)) ] || fail "$source: the peak fell by $peaks MiB where $should were said"
done
echo "parts are as good as the whole"
