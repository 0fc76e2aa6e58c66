#!/usr/bin/env bash
# Builds and runs the benchmarks and prints their tables as Markdown.
#   tests/bench/run.sh             all but flow and normals, in some minutes
#   tests/bench/run.sh PART...     some of: step ranks moments field neighbours converge auto screen cost scaling memory
#                                  flow normals
# REPEATS=N (5): how often each job of the parts `step`, `ranks`, `converge` and `scaling` is run, numbers of ranks taking turns.
# Parts `cost` and `scaling` draw cost.png and scaling.png beside this script (gnuplot).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
repeats=${REPEATS:-5}
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(step ranks moments field neighbours converge auto screen cost scaling memory)

build=build/release
cmake --preset release >/dev/null
cmake --build "$build" --target bench_step bench_ranks bench_moments bench_field bench_neighbours bench_auto bench_screen bench_cost \
  bench_flow bench_normals mmsold_program >/dev/null
bench=$root/tests/bench

echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors," \
  "load $(cut -d' ' -f1 /proc/loadavg) at the start, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

# job STEPS CONFIG [OVERRIDE...]: one and two ranks in turn, so that a disturbance of the machine hits both.
job() {
  local turn ranks
  for ((turn = 0; turn < repeats; turn++)); do
    for ranks in 1 2; do
      mpirun --oversubscribe -n "$ranks" "$build/tests/bench_step" "$@" >>"$lines"
    done
  done
}

# Of every (job, ranks): medians over the repeats; ± is half the distance of the quartiles as a share of the median.
table() {
  awk '
    function sorted(list, n,    i, j, x) {
      for (i = 2; i <= n; i++) { x = list[i]; for (j = i - 1; j > 0 && list[j] > x; j--) list[j + 1] = list[j]; list[j + 1] = x }
    }
    function median(key, name,    i, n, list) {
      n = count[key]; for (i = 1; i <= n; i++) list[i] = value[key, i, name]
      sorted(list, n)
      spread = list[int((n - 1) * 3 / 4) + 1] - list[int((n - 1) / 4) + 1]
      middle = (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
      spread = middle > 0 ? 50 * spread / middle : 0
      return middle
    }
    {
      for (i = 1; i < NF; i += 2) field[$i] = $(i + 1)
      key = field["job"] " " field["ranks"]
      if (!(key in count)) order[++keys] = key
      k = ++count[key]
      for (name in field) value[key, k, name] = field[name]
    }
    END {
      print "| job | ranks | block | ms a step | ± | CPU ms a rank | ± | 1 rank / this, wall | CPU | field | products | finish | screen, noise | all-reduce | algebra | rest | products, GFLOP/s | SGEMM, GFLOP/s | step / its SGEMM, CPU | KiB reduced |"
      print "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
      for (o = 1; o <= keys; o++) {
        key = order[o]; split(key, part, " "); one = part[1] " 1"
        n = count[key] < count[one] ? count[key] : count[one]
        for (i = 1; i <= n; i++) {
          value["ratio", i, "wall"] = value[one, i, "wall_ms"] / value[key, i, "wall_ms"]
          value["ratio", i, "cpu"] = value[one, i, "cpu_ms"] / value[key, i, "cpu_ms"]
          value["ratio", i, "sgemm"] = value[key, i, "cpu_ms"] * part[2] / value[key, i, "sgemm_ms"]
        }
        count["ratio"] = n
        wall = median(key, "wall_ms"); wall_spread = spread; cpu = median(key, "cpu_ms"); cpu_spread = spread
        printf "| %s (n %d, d %d, P %d, M %d) | %d | %d | %.3g | %.0f %% | %.3g | %.0f %% |", part[1], value[key, 1, "n"],
          value[key, 1, "d"], value[key, 1, "P"], value[key, 1, "M"], part[2], value[key, 1, "block"], wall, wall_spread,
          cpu, cpu_spread
        printf " %.2f | %.2f |", median("ratio", "wall"), median("ratio", "cpu")
        split("field product finish screen reduce algebra rest", names, " ")
        for (i = 1; i <= 7; i++) printf " %.0f %% |", median(key, names[i])
        printf " %.1f | %.1f | %.2f | %.1f |\n", median(key, "product_gflops"), median(key, "sgemm_gflops"),
          median("ratio", "sgemm"), value[key, 1, "bytes"] / 1024
      }
      print "\nbackend of the last job: " field["backend"] ", kernels " field["kernels"]
    }' "$lines"
}

# From one rank to two on processors that are busy all the time: a row for every turn of every job.
ranks() {
  local turn workloads=tests/bench/workloads
  echo "| job | ranks | a rank alone on the slowest processor, ms | on the fastest | together, ms | slowest / together | ± | mean / together | all-reduce |"
  echo "|---|---|---|---|---|---|---|---|---|"
  local -a job
  local line
  for line in "fashion 100 config/fashion.yaml" "W1 300 $workloads/W1.yaml" "W2 300 $workloads/W2.yaml" \
    "W3 8 $workloads/W3.yaml" "W3k 8 $workloads/W3k.yaml"; do
    read -ra job <<<"$line"
    for ((turn = 0; turn < repeats; turn++)); do
      mpirun --oversubscribe -n 2 "$build/tests/bench_ranks" "${job[1]}" "${job[2]}" --output.directory="${job[0]}"
    done
  done
}

# The peak that --check states against the one a short run has, at 1 and 2 ranks: MiB of the rank that takes most.
memory() {
  local name ranks folder stated most
  folder=$(mktemp -d)
  echo "| workload | ranks | stated, MiB | measured, MiB | measured / stated |"
  echo "|---|---|---|---|---|"
  for name in "$@"; do
    for ranks in 1 2; do
      stated=$(cd "$folder" && mpirun --oversubscribe -n "$ranks" "$root/$build/mmsold" run \
        "$root/tests/bench/workloads/$name.yaml" --check 2>/dev/null | sed -n 's/^# peak *about \([0-9.]*\).*/\1/p')
      most=$(cd "$folder" && bash "$root/tests/bench/peak.sh" "$ranks" "$root/$build/mmsold" run \
        "$root/tests/bench/workloads/$name.yaml" --fresh --sampler.steps=2 2>/dev/null | sort -n | tail -n 1)
      awk -v name="$name" -v ranks="$ranks" -v stated="$stated" -v most="$most" \
        'BEGIN { printf "| %s | %d | %.1f | %.1f | %.2f |\n", name, ranks, stated, most / 1024, most / 1024 / stated }'
    done
  done
  rm -rf "$folder"
}

# A study of 12 cells at 1 and 2 ranks in turn: processor time of the busiest rank, without what it waits at the end.
study() {
  local turn ranks folder
  folder=$(mktemp -d)
  for ((turn = 0; turn < repeats; turn++)); do
    for ranks in 1 2; do
      rm -rf "$folder/study"
      mpirun --oversubscribe -n "$ranks" "$build/mmsold" converge config/checkerboard.yaml --sampler.steps=60 \
        --converge.particles=1000,2000,4000,8000 --converge.seeds=3 --output.trace_every=10 \
        --output.directory="$folder/study" --verbose 2>&1 >/dev/null | sed -n 's/^busy *\([0-9.]*\) s.*/\1/p' >>"$folder/$ranks"
    done
  done
  paste "$folder/1" "$folder/2" | sort -g -k1,1 | awk '
    { one[NR] = $1; two[NR] = $2; ratio[NR] = $1 / $2 }
    END {
      for (i = 2; i <= NR; i++) { x = ratio[i]; for (j = i - 1; j > 0 && ratio[j] > x; j--) ratio[j + 1] = ratio[j]; ratio[j + 1] = x }
      print "| study | 1 rank, s | busiest of 2, s | ratio, median | least | most |"
      print "|---|---|---|---|---|---|"
      m = int((NR + 1) / 2)
      printf "| 12 cells, P 1000 to 8000 | %.2f | %.2f | %.2f | %.2f | %.2f |\n", one[m], two[m], ratio[m], ratio[1], ratio[NR]
    }'
  rm -rf "$folder"
}

# Processor time against n, P, d and M, one at a time: cost.png.
cost() {
  "$build/tests/bench_cost" >"$lines"
  gnuplot -e "data='$lines'; picture='$bench/cost.png'" "$bench/cost.gnuplot"
  echo "tests/bench/cost.png; at the ends of each axis:"
  printf '\n| axis | value | us a particle | its products, us | backend |\n|---|---|---|---|---|\n'
  awk '{ if ($1 != axis) { if (NR > 1) print last; print row($0); axis = $1 } last = row($0) } END { print last }
    function row(line,    f) { split(line, f, " "); return "| " f[1] " | " f[2] " | " f[3] " | " f[4] " | " f[5] " |" }' "$lines"
}

# Weak scaling to 4,096 ranks: steps measured at one rank, messages as they are, the network as stated. scaling.png.
# The network: nodes of 64 cores on InfiniBand HDR, 1.5 us a message and 25 GB/s a node; inside a node 5 GB/s a rank. The
# all-reduce adds 64-bit integers at 10 GB/s.
scaling() {
  local turn points
  points=$(mktemp)
  for ((turn = 0; turn < repeats; turn++)); do
    mpirun -n 1 "$build/tests/bench_step" 40 config/fashion.yaml
    mpirun -n 1 "$build/tests/bench_step" 40 config/fashion.yaml --sampler.particles=300 --output.directory=W2
    mpirun -n 1 "$build/tests/bench_step" 40 config/checkerboard.yaml
  done >"$lines"
  rm -f "$points"
  awk -v latency=1.5e-6 -v bandwidth=25e9 -v cores=64 -v inside=5e9 -v add=1e-10 -v points="$points" \
    -f "$bench/scaling.awk" "$lines"
  gnuplot -e "data='$points'; picture='$bench/scaling.png'" "$bench/scaling.gnuplot"
  rm -f "$points"
}

for part in "${parts[@]}"; do
  printf '\n### %s\n\n' "$part"
  case $part in
    step)
      job 40 config/fashion.yaml
      job 40 config/fashion.yaml --sampler.particles=300 --output.directory=W2
      job 40 config/checkerboard.yaml
      table
      ;;
    ranks) ranks ;;
    moments) "$build/tests/bench_moments" ;;
    neighbours) "$build/tests/bench_neighbours" ;;
    field)
      echo '```'
      "$build/tests/bench_field"
      echo '```'
      ;;
    converge) study ;;
    memory) memory W1 W2 W3 W3k ;;
    auto) "$build/tests/bench_auto" 1e4 || true ;; # 1: somewhere more than 1.25 times slower, as its last line says
    screen) "$build/tests/bench_screen" ;;
    cost) cost ;;
    scaling) scaling ;;
    flow | normals)
      echo '```'
      "$build/tests/bench_$part"
      echo '```'
      ;;
    *)
      echo "tests/bench/run.sh: there is no part \"$part\"; there are: step ranks moments field neighbours converge auto screen cost scaling memory" \
        "flow normals" >&2
      exit 2
      ;;
  esac
done
