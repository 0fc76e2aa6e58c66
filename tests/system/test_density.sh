# density: the circle of twelve on small grids. The same bits at any number of ranks, what the laws must be by symmetry and
# by quadrature, and what is refused before, and after, anything is computed.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch density
mmsold=$MMSOLD_PROGRAM

cat > ring.yaml <<'YAML'
training: {source: circle, count: 12}
score: {bandwidth: 0.2}
density:
  smoothing: [0, 0.3, 0.6]
  smoothing_samples: 400
  cells: 40
  extent: [-2, 2]
  test_count: 200
YAML

# One, two and three ranks; a grid that has to be widened, because [-0.9, 0.9] cuts the laws off.
for ranks in 1 2 3; do
  run_ranks "$ranks" density ring.yaml --quiet --output.directory="r$ranks" > "r$ranks.txt"
done
for ranks in 1 3; do
  run_ranks "$ranks" density ring.yaml --quiet --output.directory="c$ranks" --density.extent=-0.9,0.9 > "c$ranks.txt"
done
for other in r2 r3 c3; do
  for set in /lambda /lambda_stderr /Lambda /Lambda_stderr /log_Z /log_Z_stderr /nll /nll_stderr /nll_above /nll_above_stderr \
    /chosen /covariance /least /density/naive /density/tilted /potential /potential_stderr; do
    h5diff "${other%?}1/density.h5" "$other/density.h5" "$set" || fail "$set differs: $other"
  done
done
for file in r1/density.png r1/nll.png; do
  [ "$(head -c 4 "$file" | od -An -tx1 | tr -d ' ')" = 89504e47 ] || fail "$file is not a PNG"
done
[ -z "$(find r1 -name '*.partial')" ] || fail "temporary files are left in r1"
grep -q 'least nll at smoothing = 0' r1.txt || fail "the table does not say where the least is"

# Quadrature for the same, with the moments matched; from a run's particles; and a table of points.
"$mmsold" density ring.yaml --quiet --density.potential=quadrature --density.expectation=matched \
  --output.directory=exact > /dev/null
"$mmsold" run ring.yaml --quiet --score.smoothing=0.3 --score.smoothing_samples=8 --sampler.particles=200 \
  --sampler.steps=20 --output.directory=walk > /dev/null
"$mmsold" density ring.yaml --quiet --density.smoothing=0.3 --density.expectation=walk/samples.h5 \
  --output.directory=walk > /dev/null
$PYTHON - <<'PY'
import h5py, numpy
from math import log, pi, sqrt
r, c, e, w = (h5py.File(f"{n}/density.h5") for n in ("r1", "c1", "exact", "walk"))
s = r["smoothing"][:]
assert list(s) == [0, 0.3, 0.6], s
# truth s: by symmetry lambda is 0 and Lambda a multiple of I
for f, limit in ((r, 6), (e, None)):
    L, le = f["lambda"][:], f["Lambda"][:].reshape(3, 2, 2)
    se = f["Lambda_stderr"][:].reshape(3, 2, 2)
    for i in range(3):
        slack = 1e-9 if limit is None else 1e-9 + limit * (se[i, 0, 0] + se[i, 1, 1] + 2 * se[i, 0, 1])
        assert abs(L[i]).max() < 1e-9 and abs(le[i, 0, 1]) <= slack and abs(le[i, 0, 0] - le[i, 1, 1]) <= slack, (i, le, slack)
# sigma = 0: the mixture itself
assert abs(r["log_Z"][0, 0] - log(2 * pi * 0.04)) < 1e-9 and abs(e["log_Z"][0, 0] - log(2 * pi * 0.04)) < 1e-9
# draws against quadrature, in standard errors; nothing of the naive law depends on the tilt
for i in (1, 2):
    z = (r["log_Z"][i, 0] - e["log_Z"][i, 0]) / r["log_Z_stderr"][i, 0]
    assert abs(z) < 5 and 0 < r["log_Z_stderr"][i, 0] < 1, (i, z)
# the matched law has the target's moments, the naive one shrinks
assert abs(e["covariance"][:, 4:] - [0.54, 0, 0, 0.54]).max() < 1e-9, e["covariance"][:]
assert (numpy.diff(e["covariance"][:, 0]) < -0.02).all(), e["covariance"][:]
# a grid that is widened gives the same integrals; cells and cut are what they say
assert abs(c["log_Z"][:] - r["log_Z"][:]).max() < 1e-5, (c["log_Z"][:], r["log_Z"][:])
assert (r["edge"][:] < 1e-9).all() and (c["edge"][:] < 1e-8).all(), c["edge"][:]
# densities are what their sums say
d = r["density/tilted"][:]
assert d.shape == (3, 1600) and abs(d.sum(1) * 0.01 - 1).max() < 1e-3
# the run's own particles: errors of a sample on top
assert w["Lambda"].shape == (1, 4) and w["Lambda_stderr"][0, 0] > 0 and w["lambda_stderr"][0, 0] > 1e-3
assert abs(r["chosen"][:].sum(0) - 1).max() < 1e-12
PY

# plot and info.
"$mmsold" plot r1/density.h5 --output again.png > /dev/null
"$mmsold" plot r1/density.h5 --curves --output curves.png > /dev/null
[ -s again.png ] && [ -s curves.png.csv ] || fail "plot draws no densities"
expect_exit 0 '/nll_stderr' "$mmsold" info r1/density.h5
expect_exit 0 'checksums right' "$mmsold" info r1/density.h5 --verify
expect_exit 2 'has no likelihoods' "$mmsold" plot walk/samples.h5 --curves --output no.png

# What is there is not written over; --fresh keeps it aside.
expect_exit 2 'r1/density.h5 exists; --fresh' "$mmsold" density ring.yaml --output.directory=r1
"$mmsold" density ring.yaml --quiet --density.smoothing=0.3 --fresh --output.directory=r1 > /dev/null
h5diff r1/density.h5.old-1 r2/density.h5 /nll || fail "--fresh did not keep the old density.h5"

# Refused.
grep -v smoothing: ring.yaml > none.yaml
expect_exit 2 'required and missing: density.smoothing' "$mmsold" density none.yaml
expect_exit 2 'there is no such key; did you mean --density.cells' "$mmsold" density ring.yaml --density.cell=3
$PYTHON -c 'import numpy; numpy.save("deep.npy", numpy.arange(30.).reshape(10, 3) % 7)'
$PYTHON -c 'import numpy; numpy.save("wide.npy", 3 * numpy.random.default_rng(0).normal(size=(100, 2)))'
expect_exit 2 'the training set has d = 3' mpirun --oversubscribe -n 2 "$mmsold" density ring.yaml \
  --training.source=deep.npy --training.count=0 --output.directory=no
expect_exit 1 'smoothing = 0.3: exp\(-E\*\) cannot be normalised' mpirun --oversubscribe -n 2 "$mmsold" density ring.yaml \
  --density.smoothing=0.3 --density.expectation=wide.npy --output.directory=no
[ ! -e no/density.h5 ] || fail "a failed density left a file"
expect_exit 2 'nothing new can be drawn' "$mmsold" density ring.yaml --training.source=wide.npy --training.count=0 \
  --output.directory=no
expect_exit 2 '2 to -2 is no range' "$mmsold" density ring.yaml --density.extent=2,-2 --output.directory=no
expect_exit 2 'deep.npy has 3 columns' "$mmsold" density ring.yaml --density.test=deep.npy --output.directory=no
expect_exit 2 'circle: is a generator' "$mmsold" density ring.yaml --density.expectation=circle --output.directory=no
expect_exit 2 '"20000" is not an integer, 2 or more: at most 10000' "$mmsold" density ring.yaml --density.cells=20000
expect_exit 2 '0 draws smooth nothing' "$mmsold" density ring.yaml --density.smoothing_samples=0 --output.directory=no
expect_exit 0 'warning: density.cells: cells of side 0.8' "$mmsold" density ring.yaml --density.cells=5 \
  --density.smoothing=0.3 --output.directory=coarse
