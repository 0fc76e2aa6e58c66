#!/usr/bin/env bash
# score.linalg: d x d algebra spread over the ranks gives the replicated result to rounding, with moments as exact (truth i);
# over partitioned training sets too, with a transform, and across a resume that changes ranks and algebra.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch linalg

"$PYTHON" - <<'PY'
import numpy as np
r = np.random.default_rng(1)
np.save("wide.npy", r.normal(size=(1100, 30)) @ r.normal(size=(30, 30)) + 2)
PY
cat > c.yaml <<'YAML'
training: {source: wide.npy, components: 20, whiten: full, whiten_top: 6}
score: {bandwidth: 0.2, smoothing: 0.3, smoothing_samples: 4, backend: dense, linalg: distributed}
sampler: {particles: 60, steps: 6}
output: {precision: double, trace_every: 1, observables: [radius_fourth, kurtosis]}
YAML

# Everything of a file of samples but times is the other's to 1e-9 of its size; the moments of the file itself to 1e-12.
cat > near.py <<'PY'
import sys, h5py, numpy as np
a, b = (h5py.File(name + "/samples.h5") for name in sys.argv[1:3])
def show(name, item):
    if isinstance(item, h5py.Dataset) and not name.startswith("timing"):
        x, y = item[()], b[name][()]
        assert x.shape == y.shape, name
        known = np.isfinite(x)
        assert (known == np.isfinite(y)).all(), name
        if "defect" not in name and known.any():
            away, size = np.abs(x - y)[known].max() if x.shape else abs(x - y), np.abs(x[known]).max() if x.shape else abs(x)
            assert away <= 1e-9 * max(1, size), f"{name}: {away}"
a.visititems(show)
z, mean, covariance = b["latent"][()], b["target/mean"][()], b["target/covariance"][()]
assert np.abs(z.mean(0) - mean).max() <= 1e-12 * np.sqrt(np.diag(covariance).max()) + 4e-16 * np.abs(mean).max()
assert np.abs(np.cov(z.T, bias=True) - covariance).max() <= 1e-12 * np.abs(covariance).max()
assert np.array_equal(covariance, covariance.T)
PY
near() { "$PYTHON" near.py "$1" "$2" || fail "$2 is not near $1"; }

run_ranks 1 run c.yaml --quiet --output.directory=whole --score.linalg=replicated
expect_exit 0 'linalg +distributed over 3 ranks \(as given: .*last bits depend on the number of ranks' \
  run_ranks 3 run c.yaml --output.directory=three
near whole three
run_ranks 1 run c.yaml --quiet --output.directory=one
near whole one
run_ranks 2 run c.yaml --quiet --output.directory=parts --training.placement=partitioned --sampler.retraction=qr
near whole parts
h5dump -a /linalg three/samples.h5 | grep -q 'distributed over 3 ranks' || fail "the file does not say where the algebra was done"

# other schemes and retractions; eigenvectors are only as well determined as eigenvalues lie apart, so without whitening
sed 's/, whiten: full, whiten_top: 6//' c.yaml > plain.yaml
other="--sampler.scheme=exponential --sampler.retraction=polar"
# shellcheck disable=SC2086 # several options
{
  run_ranks 2 run plain.yaml --quiet --output.directory=whole-other --score.linalg=replicated $other
  run_ranks 2 run plain.yaml --quiet --output.directory=other $other
}
near whole-other other

# stopped, and gone on with at other rank counts and with the other algebra
mkdir stopped && touch stopped/stop
expect_exit 75 'run the same command again' run_ranks 2 run c.yaml --output.directory=stopped
touch stopped/stop
expect_exit 75 'resumed' run_ranks 3 run c.yaml --output.directory=stopped
expect_exit 0 'resumed' run_ranks 1 run c.yaml --output.directory=stopped --score.linalg=replicated
near whole stopped

# alike eigenvalues have other eigenvectors there: what Y meant is not what it would mean, and that is seen
"$PYTHON" -c 'import numpy; numpy.save("far.npy", 1000 * numpy.load("wide.npy"))'
sed 's/wide.npy/far.npy/; s/linalg: distributed/linalg: replicated/' c.yaml > far.yaml
alike="--sampler.scheme=exponential --output.directory=alike"
# shellcheck disable=SC2086 # several options
{
  run_ranks 1 run far.yaml --quiet --sampler.steps=3 --output.checkpoint_minutes=0 $alike
  expect_exit 2 'checkpoint-3.h5: its state means other points here: the first particle would be [0-9.e-]+ standard' \
    run_ranks 2 run far.yaml $alike --score.linalg=distributed
  expect_exit 0 'resumed' run_ranks 3 run far.yaml $alike
}

# auto, --check, and what it is not for
expect_exit 0 'linalg +replicated \(auto\)' run_ranks 2 run c.yaml --check --output.directory=none --score.linalg=auto
expect_exit 0 'linalg +distributed' run_ranks 2 run c.yaml --check --output.directory=none
expect_exit 2 'distributed is for sampler.method: mmsold; langevin works with whole' \
  run_ranks 2 run c.yaml --output.directory=none --sampler.method=langevin
sed 's/, components: 20.*/}/; s/bandwidth: 0.2/bandwidth: 1e-9/' c.yaml > singular.yaml # 20 points in 30 dimensions
expect_exit 2 'singular in floating point' run_ranks 2 run singular.yaml --training.count=20

# prepare's own fit: a run from the file it makes is near one that fits for itself; a run never spreads its fit
expect_exit 0 'PCA to 20 components; whitening \(full\) of the top 6, fitted by 3 ranks together' \
  run_ranks 3 prepare c.yaml --output together.h5
sed 's/^training: .*/training: {source: together.h5}/' c.yaml > prepared.yaml
run_ranks 3 run prepared.yaml --quiet --output.directory=prepared --score.linalg=replicated
near whole prepared
run_ranks 2 prepare c.yaml --quiet --output alone.h5 --score.linalg=auto | grep -q alone.h5
"$PYTHON" - <<'PY'
import h5py, numpy as np
a, b = h5py.File("alone.h5"), h5py.File("together.h5")
for name in ("training", "transform/offset", "transform/encode", "transform/decode"):
    assert np.abs(a[name][()] - b[name][()]).max() <= 1e-10 * np.abs(a[name][()]).max(), name
def source(file):
    text = file.attrs["source"]
    return text.decode() if isinstance(text, bytes) else text
assert "by 3 ranks together" in source(b) and "together" not in source(a)
PY
expect_exit 2 'components: 31 is not possible with 1100 points of 30 columns' \
  run_ranks 2 prepare c.yaml --output none.h5 --training.components=31
[ ! -e none.h5 ] || fail "a prepare that failed left a file"
