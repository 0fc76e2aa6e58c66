# The lines for Python in the README read a result.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch python
"$PYTHON" -c 'import h5py' || fail "python3-h5py is not there"

printf '%s\n' 'training: {source: clusters, count: 40}' 'score: {bandwidth: 0.1}' 'sampler: {particles: 30, steps: 3}' \
  'output: {directory: results/fashion}' > run.yaml
"$MMSOLD_PROGRAM" run run.yaml --quiet
# The block of two lines that opens samples.h5.
sed -n '/^```python$/,/^```$/p' "$MMSOLD_SOURCE/README.md" | sed 's/^```.*//' | awk -v RS= '/samples.h5/' > lines.py
[ "$(grep -c . lines.py)" -eq 2 ] || fail "not two lines: $(cat lines.py)"
printf 'assert samples.shape == (30, 2) and samples.std() > 0.5\n' >> lines.py
"$PYTHON" lines.py || fail "they do not read the samples"

# A picture of V, and of points in space.
"$PYTHON" -c 'import numpy as np; np.save("at.npy", np.random.default_rng(0).normal(size=(50, 2)))'
"$MMSOLD_PROGRAM" evaluate run.yaml --points at.npy --output v.h5 --quiet
"$MMSOLD_PROGRAM" plot v.h5 --output v.png > /dev/null
[ "$(head -n 1 v.png.csv)" = x,y,panel,series,label,value ] || fail "the numbers of V: $(head -n 1 v.png.csv)"
[ "$(wc -l < v.png.csv)" -eq 51 ] || fail "V is not drawn at every point"
"$PYTHON" -c 'import numpy as np; np.save("space.npy", np.random.default_rng(0).normal(size=(50, 3)))'
printf 'training: {source: space.npy}\n' > space.yaml
"$MMSOLD_PROGRAM" prepare space.yaml --output space.h5 > /dev/null
"$MMSOLD_PROGRAM" plot space.h5 --output space.pdf > /dev/null
[ "$(wc -l < space.pdf.csv)" -eq 151 ] || fail "not three views of 50 points"
