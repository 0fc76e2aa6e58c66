#!/usr/bin/env bash
# mmsold and what people use instead, in one run on the same processors: whole steps, or the part of one that the peer
# does. Prints a table of times and ratios as Markdown. The peers come from PyPI into a virtual environment of this
# benchmark's own, $PEERS (default build/peers); the project itself never needs them.
#   tests/bench/peers.sh             W1 W2 W3 W3k W4
#   tests/bench/peers.sh W1 W2       some of them
# Then a table of their errors against double precision (W1 and W2, the bare field).
# CORES=2: processors used by all. TURNS=3: mmsold and its peers take turns so often; one turn takes some five minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
. jobs/lib.sh
prepare_launch
cores=${CORES:-2}
turns=${TURNS:-3}
workloads=("$@")
[ ${#workloads[@]} -gt 0 ] || workloads=(W1 W2 W3 W3k W4)
export OPENBLAS_NUM_THREADS=1
build=$root/build/release
peers=${PEERS:-$root/build/peers}
data=$root/build/bench-data
mkdir -p "$data"

cmake --preset release >/dev/null
cmake --build "$build" --target bench_step mmsold_program >/dev/null
if [ ! -f "$peers/complete" ]; then
  /usr/bin/python3 -m venv "$peers" || { echo "a virtual environment needs the package python3-venv" >&2; exit 1; }
  "$peers/bin/pip" install -q h5py numpy scipy jax torch pykeops faiss-cpu
  touch "$peers/complete"
fi
allowed=$(taskset -pc $$ | sed 's/.*: //')
echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $cores of processors $allowed," \
  "load $(cut -d' ' -f1 /proc/loadavg) at the start, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
"$peers/bin/python" -c 'import jax, torch, faiss, scipy
print(f"jax {jax.__version__}, torch {torch.__version__}, faiss {faiss.__version__}, scipy {scipy.__version__}")'

lines=$data/lines
: >"$lines"
for workload in "${workloads[@]}"; do
  config=$root/tests/bench/workloads/$workload.yaml
  cd "$data"
  if [ "$workload" = W4 ]; then
    [ -f cube.npy ] || "$peers/bin/python" -c '
import numpy
numpy.save("cube.npy", numpy.random.default_rng(0).random((10_000_000, 3)))'
    steps=3
  else
    set=${workload%k}.h5 # W3k has W3's points
    [ -f "$set" ] || "$build/mmsold" prepare "$root/tests/bench/workloads/${workload%k}.yaml" --output "$set" >/dev/null
    steps=20
    [ "${workload%k}" != W3 ] || steps=3
  fi
  for ((turn = 0; turn < turns; turn++)); do
    for ((ranks = 1; ranks <= cores; ranks *= 2)); do
      taskset -c "0-$((cores - 1))" mpirun --oversubscribe --bind-to none -n "$ranks" "$build/tests/bench_step" "$steps" \
        "$config" --output.directory="$workload" |
        sed "s/^/workload $workload peer mmsold-$ranks /" >>"$lines"
      [ "$workload" != W4 ] || continue
      OMP_NUM_THREADS=$ranks taskset -c "0-$((ranks - 1))" "$peers/bin/python" "$root/tests/bench/peers.py" "$workload" \
        "$set" 2>>"$data/peers.log" | sed -nE "s/^peer ([^ ]*)/workload $workload peer \1-$ranks/p" >>"$lines"
    done
  done
done

# Of each (workload, peer, cores): the median over the turns of wall time and processor time (of all ranks or threads), and
# the ratio to mmsold on as many cores, by turns.
awk '
  function median(list, n,    i, j, x) {
    for (i = 2; i <= n; i++) { x = list[i]; for (j = i - 1; j > 0 && list[j] > x; j--) list[j + 1] = list[j]; list[j + 1] = x }
    low = list[int((n - 1) / 4) + 1]; high = list[int((n - 1) * 3 / 4) + 1]
    return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
  }
  {
    delete field
    for (i = 1; i < NF; i += 2) field[$i] = $(i + 1)
    key = field["workload"] " " field["peer"]
    if (!(key in count)) order[++keys] = key
    k = ++count[key]
    ranks = field["peer"]; sub(/.*-/, "", ranks); cores[key] = ranks
    wall[key, k] = field["wall_ms"]
    cpu[key, k] = field["cpu_ms"] * (field["peer"] ~ /^mmsold/ ? ranks : 1)
  }
  END {
    print "\n| workload | program | cores | ms, wall | ± | CPU ms | wall / mmsold | CPU / mmsold |"
    print "|---|---|---|---|---|---|---|---|"
    for (o = 1; o <= keys; o++) {
      key = order[o]; split(key, part, " "); peer = part[2]; sub(/-[0-9]+$/, "", peer)
      ours = part[1] " mmsold-" cores[key]
      n = count[key] < count[ours] ? count[key] : count[ours]
      for (i = 1; i <= n; i++) { a[i] = wall[key, i] / wall[ours, i]; b[i] = cpu[key, i] / cpu[ours, i] }
      for (i = 1; i <= count[key]; i++) { w[i] = wall[key, i]; c[i] = cpu[key, i] }
      middle = median(w, count[key]); half = middle > 0 ? 50 * (high - low) / middle : 0
      printf "| %s | %s | %d | %.4g | %.0f %% | %.4g | %.2f | %.2f |\n", part[1], peer, cores[key], middle, half,
        median(c, count[key]), median(a, n), median(b, n)
    }
  }' "$lines"

# The same points, no smoothing: what single precision costs where the kernel is narrow.
printf '\n| workload | program | largest error of grad U / largest gradient | median |\n|---|---|---|---|\n'
for workload in W1 W2; do
  [ -f "$data/$workload.h5" ] || continue
  points=$data/$workload-points.npy evaluated=$data/$workload-evaluated.h5
  rm -f "$evaluated"
  "$peers/bin/python" "$root/tests/bench/peers.py" points "$workload" "$data/$workload.h5" "$points"
  bandwidth=$(sed -n 's/^ *bandwidth: *\([0-9.]*\).*/\1/p' "$root/tests/bench/workloads/$workload.yaml")
  printf 'training: {source: %s}\nscore: {bandwidth: %s}\n' "$data/$workload.h5" "$bandwidth" >"$data/accuracy.yaml"
  "$build/mmsold" evaluate "$data/accuracy.yaml" --points "$points" --output "$evaluated" >/dev/null 2>>"$data/peers.log"
  "$peers/bin/python" "$root/tests/bench/peers.py" accuracy "$workload" "$data/$workload.h5" "$evaluated" 2>>"$data/peers.log"
done
