# prepare, run, evaluate, compare, info and plot one after another, on small sets.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch cli_commands
mmsold=$MMSOLD_PROGRAM

cat > board.yaml <<'YAML'
training: {source: checkerboard, count: 60}
score: {bandwidth: 0.1, smoothing: 0.2, smoothing_samples: 4}
sampler: {particles: 80, steps: 20, scheme: exponential, step_size: 1e-3}
YAML

is_png() { [ "$(head -c 4 "$1" | od -An -tx1 | tr -d ' ')" = 89504e47 ] || fail "$1 is not a PNG"; }

# prepare: the training section is enough; what is there is not written over.
"$mmsold" prepare board.yaml --output set.h5 > out.txt
[ "$(cat out.txt)" = set.h5 ] || fail "prepare does not say where its result is"
expect_exit 2 'set.h5 exists already' "$mmsold" prepare board.yaml --output set.h5
expect_exit 2 'there is no folder no' "$mmsold" prepare board.yaml --output no/set.h5
printf 'training: {source: set.h5}\n' > stored.yaml
"$mmsold" plot set.h5 --output set.png > /dev/null
is_png set.png

# run, and go on from the prepared set.
"$mmsold" run board.yaml --quiet
[ -s board/samples.h5 ] || fail "run made no board/samples.h5"
run_ranks 2 run stored.yaml --quiet --score.bandwidth=0.1 --sampler.particles=80 --sampler.steps=20 \
  --score.smoothing=0.2 --score.smoothing_samples=4 --sampler.scheme=exponential --sampler.step_size=1e-3
h5diff board/samples.h5 stored/samples.h5 /latent /latent || fail "a prepared set gives other samples"

# info: datasets, attributes, configuration; --verify; other formats; what is none.
expect_exit 0 '/samples' "$mmsold" info board/samples.h5
"$mmsold" info board/samples.h5 > info.txt
[ "$(grep -c 'source: checkerboard' info.txt)" -eq 1 ] || fail "info does not show the configuration once"
sed -n '/^training:/,$p' info.txt > stored-text.yaml
"$mmsold" run stored-text.yaml --check > /dev/null || fail "the configuration as info shows it does not read back"
expect_exit 0 'checksums right' "$mmsold" info board/samples.h5 --verify
expect_exit 2 'cannot be read: No such file' "$mmsold" info none.h5
expect_exit 2 'cannot be read: Is a directory' mpirun --oversubscribe -n 2 "$mmsold" info .
expect_exit 2 'neither HDF5 nor .npy nor IDX' "$mmsold" info board.yaml
$PYTHON -c 'import numpy; numpy.save("grid.npy", numpy.arange(12.0).reshape(6, 2) / 12)'
expect_exit 0 '6 x 2  values 0 to 0.91' "$mmsold" info grid.npy
printf '\0\0\10\1\0\0\0\3abc' > bytes.idx
expect_exit 0 'IDX array of bytes' "$mmsold" info bytes.idx
printf '\0\0\10\1\0\0\0\4abc' > cut.idx
expect_exit 2 'cut.idx' "$mmsold" info cut.idx

# evaluate.
"$mmsold" evaluate board.yaml --points grid.npy --output field.h5 --quiet > out.txt
[ "$(cat out.txt)" = field.h5 ] || fail "evaluate does not say where its result is"
expect_exit 0 '/grad_V_stderr' "$mmsold" info field.h5
expect_exit 2 'field.h5' "$mmsold" evaluate board.yaml --points grid.npy --output field.h5

# compare: a table for people, an object for programs, the same numbers on 2 ranks.
expect_exit 0 'sliced Wasserstein-2' "$mmsold" compare board/samples.h5 set.h5
"$mmsold" compare board/samples.h5 set.h5 --json > one.json
run_ranks 2 compare board/samples.h5 set.h5 --json > two.json
cmp one.json two.json || fail "compare differs on 2 ranks"
"$mmsold" compare board/samples.h5 set.h5 --json --sliced > sliced.json
number_of() { grep -oE "\"$2\": [^,}]*" "$1"; }
[ "$(number_of sliced.json sw2)" = "$(number_of one.json sw2)" ] || fail "compare --sliced is another distance"
! grep -q coverage sliced.json || fail "compare --sliced does more than it says"
$PYTHON -c '
import json
c = json.load(open("one.json"))
assert c["count_a"] == 80 and c["count_b"] == 60 and c["dim"] == 2, c
assert 0 < c["sw2"] < 2 and c["mean_defect"] < 1e-12 and c["covariance_defect"] < 1e-12, c
assert c["defects_against"] == "target", c
'
expect_exit 2 'none.npy' "$mmsold" compare none.npy set.h5

# plot: a scatter, its numbers, a trace; wrong names; a source that is gone.
"$mmsold" plot board/samples.h5 --output samples.png > out.txt
[ "$(cat out.txt)" = samples.png ] || fail "plot does not say where its result is"
is_png samples.png
[ "$(wc -l < samples.png.csv)" -eq 141 ] || fail "the numbers of the scatter are not 60 + 80 points"
"$mmsold" plot board/samples.h5 --trace --output trace.png > /dev/null
is_png trace.png
expect_exit 2 'no folder' "$mmsold" plot board/samples.h5 --output no/samples.png
expect_exit 2 'must end in .png' "$mmsold" plot board/samples.h5 --output samples.jpg
"$mmsold" plot field.h5 --output field.png # V in the plane
is_png field.png
/usr/bin/python3 -c 'import h5py; h5py.File("bare.h5", "w")["numbers"] = [1.0]'
/usr/bin/python3 -c 'import h5py; f = h5py.File("short.h5", "w"); f["points"] = [[1.0, 2.0]] * 3; f["V"] = [1.0, 2.0]'
expect_exit 2 '/V is 2 x 1, and /points has 3 rows' "$mmsold" plot short.h5 --output short.png
expect_exit 2 'holds neither' "$mmsold" plot bare.h5 --output bare.png
mv set.h5 moved.h5
expect_exit 0 'warning: the training set cannot be shown: .*set.h5' "$mmsold" plot stored/samples.h5 --output alone.png
is_png alone.png
[ "$(wc -l < alone.png.csv)" -eq 81 ] || fail "the particles alone are not 80 points"

# Images: real, through PCA and back, generated, nearest.
$PYTHON -c '
import numpy
rng = numpy.random.default_rng(1)
x, y = numpy.meshgrid(numpy.arange(8), numpy.arange(8))
images = [numpy.exp(-((x - a) ** 2 + (y - b) ** 2) / 4) for a, b in rng.uniform(2, 5, (70, 2))]
numpy.save("blobs.npy", numpy.array(images, dtype="f4"))
'
cat > blobs.yaml <<'YAML'
training: {source: blobs.npy, components: 10, whiten: cap, whiten_top: 4}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 40, steps: 5, scheme: exponential}
YAML
"$mmsold" run blobs.yaml --quiet
"$mmsold" plot blobs/samples.h5 --output blobs.png > /dev/null
is_png blobs.png
"$mmsold" prepare blobs.yaml --output blobs.h5 > /dev/null
"$mmsold" plot blobs.h5 --output blobs-set.png > /dev/null
is_png blobs-set.png
expect_exit 2 'must end in .png' "$mmsold" plot blobs/samples.h5 --output blobs.pdf
