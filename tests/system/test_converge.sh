#!/usr/bin/env bash
# A study: the same numbers at any number of ranks and across an interruption; finished cells are not run again; what
# is wrong with a ladder is said; a cell that fails is named and the others are kept.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch converge

cat > c.yaml <<'YAML'
training: {source: circle, count: 12}
score: {bandwidth: 0.1, smoothing: 0.2, smoothing_samples: 4}
sampler: {steps: 40, scheme: exponential}
output: {trace_every: 2}
converge: {particles: [64, 128], seeds: 2, reference: "limit/samples.h5:/latent", observables: [kurtosis, mean_potential]}
YAML

run_ranks 1 run c.yaml --quiet --output.directory=limit --sampler.particles=500

same() {
  for group in /cells /points /fit; do
    h5diff -q one/converge.h5 "$1/converge.h5" $group $group || fail "$1: $group differs from that of one rank"
  done
}
run_ranks 1 converge c.yaml --quiet --output.directory=one > one.txt
grep -q 'power' one.txt || fail "no table"
[ "$(find one/cells -name samples.h5 | wc -l)" -eq 4 ] || fail "not a cell for each value and seed"
[ -s one/converge.png ] || fail "no picture"
for ranks in 2 3; do
  run_ranks $ranks converge c.yaml --quiet --output.directory=ranks-$ranks > other.txt
  same ranks-$ranks
  diff one.txt other.txt || fail "the table of $ranks ranks differs"
done

# a cell is an ordinary run: its resolved configuration alone gives the same bits
"$MMSOLD_PROGRAM" info one/cells/particles-64_seed-1/samples.h5 | sed '1,/^made with this/d' > cell.yaml
run_ranks 1 run cell.yaml --quiet --output.directory=alone
h5diff -q one/cells/particles-64_seed-1/samples.h5 alone/samples.h5 /latent || fail "a cell is not that run"
h5diff -q one/cells/particles-64_seed-1/samples.h5 alone/samples.h5 /trace || fail "a cell's trace is not that run's"

# stopped in order by a file `stop`; two cells left for three ranks: teams
mkdir -p stopped && touch stopped/stop
expect_exit 75 'run the same command again' run_ranks 1 converge c.yaml --output.directory=stopped
[ ! -e stopped/converge.h5 ] || fail "a stopped study left results"
cp -r one killed && rm -r killed/converge.* killed/cells/particles-128_seed-*
run_ranks 3 converge c.yaml --output.directory=killed > log 2>&1
grep -q 'particles-64_seed-0 done' log || fail "a finished cell is not looked at"
same killed

# interrupted within a cell, then gone on with at another number of ranks
run_ranks 1 converge c.yaml --quiet --output.directory=whole --sampler.steps=200 > whole.txt
cell=part/cells/particles-128_seed-0
hold $cell
"$HELD_PROGRAM" converge c.yaml --output.directory=part --sampler.steps=200 2> log > /dev/null &
job=$!
held $cell
step_on $cell
kill -USR2 $job
code=0; wait $job || code=$?
[ $code -eq 75 ] || { cat log; fail "USR2: exit $code instead of 75"; }
[ -n "$(find $cell -name 'checkpoint-*')" ] || fail "the cell that was stopped left no checkpoint"
[ ! -e $cell/samples.h5 ] || fail "the cell that was stopped is finished"
run_ranks 2 converge c.yaml --quiet --output.directory=part --sampler.steps=200 > part.txt
for group in /cells /points /fit; do
  h5diff -q whole/converge.h5 part/converge.h5 $group $group || fail "an interrupted study has another $group"
done

# single cells, as an array of jobs runs them; then the command without --cell collects
for cell in 1 2 3 4; do run_ranks 1 converge c.yaml --quiet --output.directory=array --cell $cell > cell.txt; done
[ ! -e array/converge.h5 ] || fail "--cell wrote results"
run_ranks 1 converge c.yaml --quiet --output.directory=array > array.txt
same array
expect_exit 2 'the study has the cells 1 to 4' run_ranks 1 converge c.yaml --output.directory=array --cell 5

# teams of one command tell each other to stop; a task of an array tells nobody: `stop` would be made through this link
for told in teams task; do
  mkdir -p $told/cells/particles-128_seed-0 && touch $told/cells/particles-128_seed-0/stop && ln -s ../$told-told $told/stop
done
expect_exit 75 'run the same command again' run_ranks 2 converge c.yaml --output.directory=teams
[ -e teams-told ] || fail "the other team was not told to stop"
expect_exit 75 'run the same command again' run_ranks 2 converge c.yaml --output.directory=task --cell 3
[ ! -e task-told ] || fail "a task of an array told the others to stop"

# another value is another cell, and nothing else is run again
run_ranks 1 converge c.yaml --quiet --output.directory=array --converge.particles=64,128,96 > more.txt
h5diff -q one/cells/particles-128_seed-1/samples.h5 array/cells/particles-128_seed-1/samples.h5 /latent || fail "a cell changed"

# the limit by quadrature: a mean potential at P = 128 is within a tenth of it
run_ranks 2 converge c.yaml --quiet --output.directory=one --converge.reference=limit > limit.txt
$PYTHON - <<'PY' || fail "the averages are far from those of the limit law"
import h5py
points = h5py.File("one/converge.h5")["points"]
for name in "kurtosis", "mean_potential":
    bias, average = points[name + "_bias"][0, 1], points[name + "_average"][0, 1]
    assert 0 < bias < 0.1 * average, (name, bias, average)
PY
expect_exit 2 'has a limit of its own' run_ranks 1 converge c.yaml --converge.reference=limit --converge.count=12,13
expect_exit 2 "converge.reference: nothing.npy: no such file" run_ranks 2 converge c.yaml --output.directory=never --converge.reference=nothing.npy
[ ! -e never ] || fail "cells were begun without a reference"
expect_exit 2 "nearest is looked at by score.backend: neighbours alone" run_ranks 1 converge c.yaml --converge.nearest=2,4 --check
expect_exit 2 "\"lmx\" is not one of lm, " run_ranks 1 converge c.yaml --converge.scheme=lmx

# what is refused
expect_exit 2 'c.yaml: the section converge has no ladder' run_ranks 1 converge c.yaml --converge.particles=64
expect_exit 2 '"64" is in the list twice' run_ranks 2 converge c.yaml --converge.particles=64,64
expect_exit 2 'burn_in=1: 1 leaves no step' run_ranks 1 converge c.yaml --converge.burn_in=1
expect_exit 2 'more than 10000 cells' run_ranks 1 converge c.yaml --converge.seeds=1000 --converge.steps=1,2,3,4,5,6
expect_exit 2 'the cell particles-64_seed-0: .*required and missing: score.bandwidth' run_ranks 1 converge <(grep -v '^score' c.yaml)
expect_exit 2 'made with score.bandwidth = 0.1, now it is 0.2' run_ranks 1 converge c.yaml --output.directory=one --score.bandwidth=0.2 --cell 1
echo keep > file
expect_exit 2 'output.directory: file/below: the folder file/below cannot be made' run_ranks 2 converge c.yaml \
  --output.directory=file/below
expect_exit 0 '^# +4  particles-128_seed-1' run_ranks 1 converge c.yaml --check

# a cell that fails (P <= d) is named, the others are kept and reported
code=0
run_ranks 2 converge c.yaml --output.directory=few --converge.particles=2,64,128 > few.txt 2> log || code=$?
[ $code -eq 2 ] || fail "exit $code instead of 2 with cells that fail"
grep -q 'too few for dimension 2' log || fail "why a cell failed is not said"
grep -q '2 of 6 cells failed: particles-2_seed-0, particles-2_seed-1' log || { cat log; fail "the failed cells are not named"; }
grep -q '2 of them have no result' few.txt || fail "the table does not say what is missing"
grep -q '^  128 ' few.txt || fail "the other cells are not reported"

"$MMSOLD_PROGRAM" plot one/converge.h5 --output drawn.png > /dev/null || fail "plot does not know converge.h5"
"$MMSOLD_PROGRAM" info one/converge.h5 > info.txt
grep -q '/fit/sliced_distance/slope' info.txt || fail "info does not show converge.h5"
echo "studies hold"
