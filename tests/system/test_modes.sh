# Truth q: a known mixture keeps exact moments AND every mode, with the share of its training points; and where a mode
# is lost or starved the report says so.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch modes
mmsold=$MMSOLD_PROGRAM

cat > run.yaml <<'YAML'
training: {source: clusters, count: 400}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 300, steps: 40, scheme: exponential}
output: {directory: out, precision: double}
YAML
run_ranks 2 run run.yaml --quiet || fail "the run"
"$mmsold" compare out/samples.h5 out/samples.h5 > table.txt || fail "compare"
grep -q '^occupied modes  *2 of 2$' table.txt || fail "the table: $(cat table.txt)"
grep -q 'Every mode is occupied, with the share of the training points' table.txt || fail "the verdict: $(cat table.txt)"
"$mmsold" compare out/samples.h5 out/samples.h5 --json > table.json || fail "compare --json"
"$PYTHON" - <<'PY' || fail "the JSON: $(cat table.json)"
import json
whole = json.load(open("table.json"))
modes = whole["modes"]
assert modes["count"] == modes["occupied"] == 2 and modes["weight"] == [0.8, 0.2]
assert abs(sum(modes["share"]) - 1) < 1e-6 and abs(sum(modes["training_share"]) - 1) < 1e-6
assert whole["mean_defect"] < 1e-12 and whole["covariance_defect"] < 1e-12
# five standard errors of a share of 300 independent points
assert abs(modes["share"][0] - modes["training_share"][0]) < 5 * (0.16 / 300) ** 0.5
assert modes["p_training"] > 1e-4
PY

# Broken on purpose: particles of one cluster moved into the other.
"$PYTHON" -c 'import h5py
x = h5py.File("out/samples.h5", "r+")["samples"]
few = x[:, 0] > 1.2; rows = few.nonzero()[0]; keep = len(rows) // 3
y = x[:]; y[rows[keep:]] = [-1.5, 0.0]; x[:] = y'
"$mmsold" compare out/samples.h5 out/samples.h5 > table.txt
grep -q 'FAILS: the shares are not those of the training points' table.txt || fail "a starved mode: $(cat table.txt)"
"$PYTHON" -c 'import h5py
x = h5py.File("out/samples.h5", "r+")["samples"]; x[:] = [-1.5, 0.0]'
"$mmsold" compare out/samples.h5 out/samples.h5 > table.txt
grep -q 'FAILS: 1 of 2 modes hold no particle' table.txt || fail "a lost mode: $(cat table.txt)"

# Elsewhere there are none, and what is left out is said.
"$PYTHON" -c 'import numpy as np; np.save("one.npy", np.ones((1, 2)))'
"$mmsold" compare one.npy one.npy > table.txt || fail "compare one point"
if grep -q 'modes' table.txt; then fail "modes of a .npy file"; fi
grep -q 'Left out: kernel distance (an unbiased kernel distance needs at least 2 points' table.txt ||
  fail "what is left out: $(cat table.txt)"
