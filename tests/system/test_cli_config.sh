# Configurations as files: what is wrong is said once, with its place, and nothing is written.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch cli_config
mmsold=$MMSOLD_PROGRAM

cat > good.yaml <<'YAML'
training: {source: circle, count: 12}
score: {bandwidth: 0.1, smoothing: 0.2, smoothing_samples: 4}
sampler: {particles: 50, steps: 3, scheme: exponential}
YAML

# refuse PATTERN LINE...: a configuration of these lines is refused so, by run --check and by run.
refuse() {
  pattern=$1; shift
  printf '%s\n' "$@" > bad.yaml
  expect_exit 2 "$pattern" "$mmsold" run bad.yaml --check
  expect_exit 2 "$pattern" "$mmsold" run bad.yaml
  [ ! -e bad ] || fail "an output folder was made for a configuration that is refused"
}
refuse 'bad.yaml:1:1: there is no section trainning; did you mean training\?' 'trainning: {source: circle}'
refuse 'bad.yaml:3:3: sampler.setps: there is no such key; did you mean sampler.steps\?' 'sampler:' '  particles: 5' '  setps: 5'
refuse 'bad.yaml:3:3: sampler.steps is given twice, first in line 2' 'sampler:' '  steps: 5' '  steps: 6'
refuse 'bad.yaml:2:14: sampler.step_size: "5e-4s" is not a number' 'sampler:' '  step_size: 5e-4s'
refuse 'bad.yaml:2:22: score.smoothing_samples: "7" is not an even' 'score:' '  smoothing_samples: 7'
refuse 'bad.yaml:2:14: sampler.particles: "-5" is not an integer, 1 or more' 'sampler:' '  particles: -5'
refuse 'required and missing: training.source, sampler.particles, sampler.steps, score.bandwidth' 'output: {precision: double}'
refuse 'score.nearest = 50 and score.remainder = 51 are 101 points of training.count = 100' \
  'training: {source: circle, count: 100}' 'sampler: {particles: 5, steps: 5}' \
  'score: {bandwidth: 0.1, backend: neighbours, nearest: 50, remainder: 51}'
refuse 'bad.yaml:1:40: sampler.retraction: it says nothing to sampler.method: kinetic' \
  'sampler: {method: kinetic, retraction: qr, particles: 5, steps: 5}' 'training: {source: a.npy}' 'score: {bandwidth: 1}'
refuse 'the section classify: not built in this version' 'classify: {smoothing: 1}'
refuse 'holds no configuration' ''

# The file itself.
expect_exit 2 'missing.yaml: the configuration cannot be read: No such file' "$mmsold" run missing.yaml
expect_exit 2 'the configuration cannot be read: Is a directory' "$mmsold" run .
printf 'training:\n  source: \0\n' > zero.yaml
expect_exit 2 'holds a zero byte' "$mmsold" run zero.yaml
head -c 2000000 /dev/zero | tr '\0' '#' > long.yaml
expect_exit 2 'this is no configuration' "$mmsold" run long.yaml

# The command line's keys are checked alike, once, on any number of ranks.
expect_exit 2 'command line: --sampler.step: there is no such key; did you mean --sampler.steps\?' \
  "$mmsold" run good.yaml --sampler.step=5
expect_exit 2 'command line: --score.bandwidth=0: "0" is not a number, more than 0' \
  mpirun --oversubscribe -n 3 "$mmsold" run good.yaml --score.bandwidth=0
expect_exit 2 '--score.bandwidth is given twice' "$mmsold" run good.yaml --score.bandwidth=1 --score.bandwidth=1

# What --check prints is a configuration, and reads back to the same.
"$mmsold" run good.yaml --check --output.directory=here > resolved.yaml 2> check.log || { cat check.log >&2; fail "--check"; }
if [ -e here ] || [ -e good ]; then fail "--check made an output folder"; fi
"$mmsold" run resolved.yaml --check > again.yaml 2> /dev/null
grep -v '^#' resolved.yaml > a.txt
grep -v '^#' again.yaml > b.txt
diff a.txt b.txt || fail "the resolved configuration does not read back to itself"
grep -q '^  directory: here$' a.txt || fail "the key of the command line is not in the resolved configuration"
grep -q '^#' resolved.yaml || fail "--check prints no plan"

# One of the two smoothing keys alone: allowed, and said.
expect_exit 0 'warning: .*score.smoothing = 0.2 has no effect' "$mmsold" run good.yaml --check --score.smoothing_samples=0
expect_exit 0 'warning: .*score.smoothing_samples = 4 has no effect' "$mmsold" run good.yaml --check --score.smoothing=0
# A step of hours is estimated and not made.
expect_exit 0 'warning: a step takes about .* minutes' "$mmsold" run good.yaml --check --score.smoothing_samples=1000000000
grep -q '^# cost .* s per step, estimated from a part of one' expect.log || { cat expect.log; fail "no estimate of a long step"; }
ln -s "$MMSOLD_SOURCE/config" config # one names a file in it, as seen from the root
for config in "$MMSOLD_SOURCE"/config/*.yaml; do
  grep -q 'fashion' "$config" && [ ! -e /usr/share/datasets/fashion-mnist ] && continue
  expect_exit 0 '^training:' "$mmsold" run "$config" --check
done
