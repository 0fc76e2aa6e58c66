#!/usr/bin/env bash
# INTERFACE "exact moments", seen from outside by NumPy in extended precision: mean and covariance of
# /latent are the target's to 1e-12, whatever the scheme, and the target is the data's.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch moments

"$PYTHON" - <<'PY'
import numpy as np
r = np.random.default_rng(2)
np.save("data.npy", (r.normal(size=(80, 6)) @ np.diag([1e-2, 1, 3, 1, 50, 1])) + np.array([1e3, 0, 0, -7, 0, 0]))
PY
cat > c.yaml <<'YAML'
training: {source: data.npy}
score: {bandwidth: 0.3, smoothing: 0.2, smoothing_samples: 4}
sampler: {particles: 150, steps: 30, step_size: auto}
output: {precision: double}
YAML
cat > check.py <<'PY'
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1]); shift = float(sys.argv[2])
z = f["latent"][...].astype(np.longdouble); x = np.load("data.npy").astype(np.longdouble)
z[0, 0] += shift
mu, S = f["target/mean"][...].astype(np.longdouble), f["target/covariance"][...].astype(np.longdouble)
want = (x - x.mean(0)).T @ (x - x.mean(0)) / len(x) + np.longdouble(0.3) ** 2 * np.eye(6)
scale = np.sqrt(np.diag(S).max())
assert abs(mu - x.mean(0)).max() < 1e-12 * scale + 1e-15 * 1e3, "target mean"
assert abs(S - want).max() < 1e-12 * abs(S).max(), "target covariance"
c = z - z.mean(0)
mean = abs(z.mean(0) - mu).max() / scale; cov = abs(c.T @ c / len(z) - S).max() / abs(S).max()
print(f"{sys.argv[1]}: mean {float(mean):.1e}, covariance {float(cov):.1e}")
sys.exit(0 if mean < 1e-12 + 1e3 * 2.3e-16 / scale and cov < 1e-12 else 1)
PY
for scheme in lm lm-corrected em exponential; do
  for retraction in qr polar; do
    run_ranks 2 run c.yaml --quiet --output.directory=$scheme-$retraction --sampler.scheme=$scheme --sampler.retraction=$retraction
    "$PYTHON" check.py $scheme-$retraction/samples.h5 0 || fail "$scheme, $retraction: moments are not exact"
  done
done
# far above the stability bound particles fly apart, and the moments still hold
run_ranks 2 run c.yaml --quiet --output.directory=wild --sampler.scheme=lm --sampler.step_size=1
"$PYTHON" check.py wild/samples.h5 0 || fail "moments are not exact far above the bound"
# the check fires: one particle moved by 1e-8
if "$PYTHON" check.py lm-qr/samples.h5 1e-8 > shifted; then fail "a moved particle was not noticed"; fi
echo "moments are exact"
