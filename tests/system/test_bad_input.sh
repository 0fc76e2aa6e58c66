#!/usr/bin/env bash
# Bad input: one clear error that names the place, exit 2 on every rank, no hang, nothing written over.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch bad_input

"$PYTHON" - <<'PY'
import gzip, struct
import h5py, numpy as np
r = np.random.default_rng(3)
x = r.normal(size=(30, 4))
np.save("good.npy", x); np.save("tiny.npy", x * 1e-200)
bad = x.copy(); bad[17, 3] = np.nan; np.save("nan.npy", bad)
bad = x.copy(); bad[5, 0] = np.inf; np.save("inf.npy", bad)
np.save("complex.npy", x.astype(complex)); np.save("text.npy", np.array(["a", "b"]))
np.save("empty.npy", np.zeros((0, 4))); np.save("one.npy", x[:1])
same = np.repeat(x[:3], 10, axis=0); np.save("duplicates.npy", same)
flat = x.copy(); flat[:, 2] = 7; np.save("constant.npy", flat); np.save("huge.npy", flat * 1e9)
np.save("far.npy", x * 1e100); np.save("farther.npy", x * 1e200); np.save("tiny.npy", x * 1e-100)
open("cut.npy", "wb").write(open("good.npy", "rb").read()[:-100])
open("noise.npy", "wb").write(bytes(range(256)))
images = struct.pack(">IIII", 0x803, 3, 2, 2) + bytes(range(12))
open("i-idx3-ubyte", "wb").write(images); open("cut-idx3-ubyte", "wb").write(images[:-5])
gz = gzip.compress(images); open("i-idx3-ubyte.gz", "wb").write(gz); open("cut-idx3-ubyte.gz", "wb").write(gz[:-9])
labels = lambda v: struct.pack(">II", 0x801, len(v)) + bytes(v)
open("l-idx1-ubyte", "wb").write(labels([1, 2, 2])); open("l4-idx1-ubyte", "wb").write(labels([1, 2, 2, 1]))
with h5py.File("good.h5", "w") as f: f["x"] = x; f["t"] = np.array([b"a", b"b"]); f.create_group("g")
open("cut.h5", "wb").write(open("good.h5", "rb").read()[:900])
PY
mkdir folder.npy
cat > c.yaml <<'YAML'
training: {source: good.npy}
score: {bandwidth: 0.3}
sampler: {particles: 20, steps: 3}
YAML

# refused PATTERN OPTIONS...: at 1 and 3 ranks, exit 2, the pattern in one message, no output left
refused() {
  pattern=$1; shift
  for ranks in 1 3; do
    expect_exit 2 "$pattern" run_ranks $ranks run c.yaml --output.directory=never "$@"
    [ ! -e never/samples.h5 ] || fail "a refused run left samples.h5 ($*)"
  done
}

# the file
refused 'nowhere.npy' --training.source=nowhere.npy
refused 'folder.npy' --training.source=folder.npy
refused 'cut.npy' --training.source=cut.npy
refused 'noise.npy' --training.source=noise.npy
refused 'row 17.*column 3' --training.source=nan.npy
refused 'row 5.*column 0' --training.source=inf.npy
refused 'complex' --training.source=complex.npy
refused 'text.npy' --training.source=text.npy
refused 'empty.npy' --training.source=empty.npy
refused 'cut-idx3-ubyte' --training.source=cut-idx3-ubyte
refused 'cut-idx3-ubyte.gz' --training.source=cut-idx3-ubyte.gz
refused 'cut.h5' --training.source=cut.h5:/x
refused '/y' --training.source=good.h5:/y
refused '/t' --training.source=good.h5:/t
refused 'checkerboard' --training.source=checkerbord
# labels and class
refused '4.*3|3.*4' --training.source=i-idx3-ubyte --training.labels=l4-idx1-ubyte --training.class=1
refused '9' --training.source=i-idx3-ubyte --training.labels=l-idx1-ubyte --training.class=9
refused 'labels' --training.source=i-idx3-ubyte --training.class=1
# numbers
refused 'count' --training.count=31
refused 'components' --training.components=5
refused 'whiten_top' --training.whiten=cap --training.whiten_top=9
refused 'smoothing_samples' --score.smoothing=0.1 --score.smoothing_samples=3
refused '5e-4s' --sampler.step_size=5e-4s
refused 'bandwidth' --score.bandwidth=-1
refused 'bandwidth' --score.bandwidth=nan
refused 'particles' --sampler.particles=-5
refused 'bandwith.*bandwidth' --score.bandwith=0.1
refused 'nearest.*remainder' --training.count=20 --score.backend=neighbours --score.nearest=15 --score.remainder=6
refused 'particles = 4' --sampler.particles=4
refused 'singular|bandwidth' --training.source=huge.npy --score.bandwidth=1e-6
# beyond what single precision holds: said before the steps, and done with double
refused 'output.precision: double' --training.source=far.npy --score.bandwidth=1e99
refused 'output.precision: double' --training.source=tiny.npy --score.bandwidth=1e-101
expect_exit 0 'finished' run_ranks 2 run c.yaml --training.source=far.npy --score.bandwidth=1e99 \
  --output.precision=double --output.directory=far
expect_exit 2 'row 0, column 0.*rescale' run_ranks 1 compare farther.npy farther.npy
expect_exit 1 'output.trace_every' run_ranks 2 run c.yaml --sampler.steps=1099511627775 --output.trace_every=1 \
  --output.directory=never
expect_exit 1 'increment of particle [0-9]+ is [1-9]' run_ranks 2 run c.yaml --sampler.step_size=1e300 \
  --output.directory=unstable
# a pipe is refused, not waited for
mkfifo pipe pipe.npy && mkdir piped && mkfifo piped/checkpoint-1.h5
refused 'pipe: is not a regular file' --training.source=pipe
refused 'pipe.npy: is not a regular file' --training.source=pipe.npy
expect_exit 2 'checkpoints' run_ranks 2 run c.yaml --output.directory=piped
expect_exit 2 'pipe: is not a regular file' run_ranks 1 info pipe
expect_exit 2 'pipe: is not a regular file' run_ranks 1 compare pipe good.npy
# the output folder
echo keep > file
for ranks in 1 3; do
  expect_exit 2 'is a file' run_ranks $ranks run c.yaml --output.directory=file
  expect_exit 2 'file/below' run_ranks $ranks run c.yaml --output.directory=file/below
done
[ "$(cat file)" = keep ] || fail "a file in the way was written over"
if [ "$(id -u)" -ne 0 ]; then
  mkdir locked && chmod 555 locked
  expect_exit 2 'locked' run_ranks 2 run c.yaml --output.directory=locked
fi
expect_exit 2 'c2.yaml' run_ranks 2 run c2.yaml
expect_exit 2 'folder' run_ranks 2 run folder.npy
printf 'training: {source: good.npy}\nscore: {bandwidth: 0.3, bandwidth: 0.4}\n' > twice.yaml
expect_exit 2 'twice.yaml:2:' run_ranks 2 run twice.yaml

# right, though unusual: one training point, duplicate rows, a constant column
for source in one.npy duplicates.npy constant.npy; do
  expect_exit 0 'finished' run_ranks 3 run c.yaml --training.source=$source --output.directory=ok-$source
done
# data that are tiny against the bandwidth: every backend finds its points
for backend in tree dense reference; do
  expect_exit 0 'finished' run_ranks 1 run c.yaml --training.source=tiny.npy --score.backend=$backend \
    --output.precision=double --output.directory=tiny-$backend
done
# a run that fails at its first step leaves no checkpoint to go on from: the corrected command simply starts
expect_exit 1 'particle' run_ranks 2 run c.yaml --output.directory=first --sampler.step_size=1e250
expect_exit 0 'finished' run_ranks 2 run c.yaml --output.directory=first
# launched as N singletons: refused, for each of them would write the same files
SLURM_STEP_NUM_TASKS=4 SLURM_STEP_ID=0 expect_exit 2 'SLURM|srun|PMIx' run_ranks 1 run c.yaml --output.directory=never
echo "bad input is refused"
