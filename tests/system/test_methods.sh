#!/usr/bin/env bash
# The ways of moving without the constraint, as a user runs them: truth v (a stop, and a resume at another rank count, from
# their own checkpoints), what a resume may not change, and where kinetic's tilt comes from.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch methods

cat > c.yaml <<'YAML'
training: {source: spirals, count: 100}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 80, steps: 20, step_size: auto}
output: {precision: double, trace_every: 3}
YAML
run_ranks 1 run c.yaml --quiet --output.directory=constrained

# way METHOD OPTIONS...: run, and stop + resume, give the same bytes; the method may not change
way() {
  method=$1; shift
  run_ranks 2 run c.yaml --quiet --output.directory="$method-whole" --sampler.method="$method" "$@"
  mkdir "$method" && touch "$method/stop"
  expect_exit 75 'run the same command again' run_ranks 1 run c.yaml --output.directory="$method" --sampler.method="$method" "$@"
  expect_exit 2 "sampler.method = $method, now it is mmsold" run_ranks 1 run c.yaml --output.directory="$method"
  expect_exit 0 'resumed' run_ranks 3 run c.yaml --output.directory="$method" --sampler.method="$method" "$@"
  same_bits "$method-whole/samples.h5" "$method/samples.h5" "$method after a resume"
}
way langevin
way kinetic --sampler.scheme=baoab --sampler.tilt=constrained/samples.h5
nearest=(--score.backend=neighbours --score.nearest=10 --score.remainder=5)
way cfdm "${nearest[@]}"
flow=(run c.yaml --sampler.method=cfdm "${nearest[@]}")
expect_exit 2 'sampler.steps = 20, now it is 30' run_ranks 1 "${flow[@]}" --output.directory=cfdm --sampler.steps=30
run_ranks 3 "${flow[@]}" --quiet --output.directory=parts --training.placement=partitioned
h5diff -q cfdm-whole/samples.h5 parts/samples.h5 /samples /samples || fail "cfdm differs over a partitioned training set"
expect_exit 2 'kinetic works on a whole training set' run_ranks 2 run c.yaml --sampler.method=kinetic "${nearest[@]}" \
  --output.directory=none --training.placement=partitioned
expect_exit 0 '^# step .*19 Euler steps of 1/20' run_ranks 1 run c.yaml --check --sampler.method=cfdm

# the tilt is that of the file it was made from, and of no other one of this name
tilted=(run c.yaml --sampler.method=kinetic --output.directory=tilted --sampler.tilt=seed/samples.h5)
run_ranks 1 run c.yaml --quiet --output.directory=seed --sampler.seed=3
mkdir tilted && touch tilted/stop
expect_exit 75 'run the same command again' run_ranks 1 "${tilted[@]}"
cp constrained/samples.h5 seed/samples.h5
expect_exit 2 'the tilt has changed since this run began' run_ranks 2 "${tilted[@]}"
other=(run c.yaml --sampler.method=kinetic --output.directory=none)
expect_exit 2 'sampler.tilt: .*no such file' run_ranks 2 "${other[@]}" --sampler.tilt=none.h5
expect_exit 2 'sampler.tilt: .*/latent' run_ranks 1 "${other[@]}" --sampler.tilt=tilted/checkpoint-1.h5
expect_exit 2 'another target' run_ranks 1 "${other[@]}" --sampler.tilt=seed/samples.h5 --score.bandwidth=0.06
echo "ways of moving hold"
