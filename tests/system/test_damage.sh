#!/usr/bin/env bash
# Whatever happens to the newest checkpoint, it is named and the one before is used, with the same bits at the end; none
# good is refused and nothing is written over. test_digest.c flips every byte; here a sample of them goes through a resume.
# MMSOLD_DAMAGES bytes are flipped (default 10).
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch damage

cat > c.yaml <<'YAML'
training: {source: circle, count: 12}
score: {bandwidth: 0.3, smoothing: 0.1, smoothing_samples: 2}
sampler: {particles: 16, steps: 12}
output: {precision: double, trace_every: 2}
YAML
run_ranks 1 run c.yaml --quiet --output.directory=whole
run_ranks 1 run c.yaml --quiet --output.directory=kept --sampler.steps=6
run_ranks 1 run c.yaml --quiet --output.directory=kept --sampler.steps=9
old=kept/checkpoint-6.h5 new=kept/checkpoint-9.h5
[ -e $old ] && [ -e $new ] || fail "two checkpoints were expected"
size=$(stat -c %s $new)

# resumed WHAT: out/checkpoint-9.h5 was damaged so
resumed() {
  "$MMSOLD_PROGRAM" info out/checkpoint-9.h5 --verify > verify.log 2>&1 && fail "$1: info --verify finds nothing"
  expect_exit 0 'checkpoint-9.h5 is damaged.*' run_ranks 1 run c.yaml --output.directory=out
  grep -q 'resumed .*step 6 of 12' expect.log || { cat expect.log; fail "$1: not resumed from step 6"; }
  same_bits whole/samples.h5 out/samples.h5 "$1"
  [ -e out/checkpoint-9.h5.damaged ] || fail "$1: the damaged file is not put aside"
  count=$((count + 1))
}
prepare() { rm -rf out && mkdir out && cp $old $new out/; }

count=0
# one byte: evenly over the file, with the superblock, the digest and what lies between them
flips=${MMSOLD_DAMAGES:-10}
for offset in 0 9 28 44 48 $(seq 60 $((size / flips + 1)) $((size - 33))) $((size - 32)) $((size - 20)) $((size - 1)); do
  prepare
  "$PYTHON" - out/checkpoint-9.h5 "$offset" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); byte = f.read(1)[0]
    f.seek(int(sys.argv[2])); f.write(bytes([byte ^ (1 << int(sys.argv[2]) % 8)]))
PY
  resumed "byte $offset"
done
# cut at multiples of 512 bytes, and by one byte
for length in $(seq 512 $(((size / ${MMSOLD_CUTS:-3} / 512 + 1) * 512)) $((size - 1))) $((size - 1)) 0; do
  prepare; truncate -s "$length" out/checkpoint-9.h5; resumed "cut to $length"
done
prepare; cp "$MMSOLD_SOURCE/README.md" out/checkpoint-9.h5; resumed "another kind of file"
prepare; "$PYTHON" -c 'import h5py; h5py.File("out/checkpoint-9.h5", "w")["Y"] = [[1.0, 2.0]]'; cp out/checkpoint-9.h5 x.h5
expect_exit 0 'checkpoint-9.h5 is damaged' run_ranks 2 run c.yaml --output.directory=out

# none good: refused, nothing changed
prepare
truncate -s 700 out/checkpoint-9.h5; truncate -s 0 out/checkpoint-6.h5
before=$(cat out/*.h5 | cksum)
for ranks in 1 3; do expect_exit 2 'none of the 2 checkpoints' run_ranks $ranks run c.yaml --output.directory=out; done
[ "$before" = "$(cat out/*.h5 | cksum)" ] && [ ! -e out/samples.h5 ] || fail "a refused resume changed the folder"

# a finished result that was damaged is not taken for one
cp whole/samples.h5 whole/checkpoint-12.h5 out/
printf 'x' | dd of=out/samples.h5 bs=1 seek=3000 conv=notrunc 2> /dev/null
expect_exit 2 'samples.h5' run_ranks 2 run c.yaml --output.directory=out
echo "$count damaged checkpoints named and passed over"
