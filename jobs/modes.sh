#!/usr/bin/env bash
# jobs/modes.sh CONFIG...: does every mode keep its share? The ladder behind the tables in config/studies/*.yaml.
#
# For each configuration, PARTICLES (100 316 1000 3162 10000), STEPS (the configuration's) and SEEDS (1 2 3 4 5, of
# training set and sampler together): one run, its modes counted. Prints, per line, means over the seeds with their
# standard errors:
#   occupied  the fewest modes that hold a particle in any of the runs, of how many
#   off       sum over the modes of |share - the training points' share|, halved; for independent particles `chance`
#   chi2/dof  of the shares against the training points': 1 for independent particles
#   p<.01     runs in which the difference would be called one
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
mmsold=${MMSOLD:-$root/build/mmsold}
results=${RESULTS:-results/studies}

# One run's line: occupied, modes, distance, what chance gives, chi2 per degree of freedom, p.
one_run() {
  local config=$1 particles=$2 steps=$3 seed=$4 out
  out=$results/$(basename "$config" .yaml)-$particles-${steps:-all}-$seed
  "$mmsold" run "$config" --quiet "--sampler.particles=$particles" ${steps:+"--sampler.steps=$steps"} \
    "--sampler.seed=$seed" "--training.seed=$seed" "--output.directory=$out" >&2
  "$mmsold" compare "$out/samples.h5" "$out/samples.h5" --sliced --json | awk -v particles="$particles" '
    function numbers(key, out,   text) {
      if (!match($0, "\"" key "\": \\[[^]]*\\]")) exit 1
      text = substr($0, RSTART, RLENGTH); sub(/.*\[/, "", text); sub(/\]/, "", text)
      return split(text, out, ", ")
    }
    function number(key,   text) {
      if (!match($0, "\"" key "\": [0-9.e+-]+")) return "inf"
      text = substr($0, RSTART, RLENGTH); sub(/.*: /, "", text)
      return text
    }
    {
      sub(/.*"modes": /, "")
      n = numbers("training_share", t); numbers("share", s)
      for (k = 1; k <= n; k++) {
        off += (s[k] > t[k] ? s[k] - t[k] : t[k] - s[k]) / 2
        chance += sqrt(2 * t[k] * (1 - t[k]) / 3.14159265 / particles) / 2 # mean size of a normal of this variance
      }
      print number("occupied"), n, off, chance, number("chi2_training") / number("freedom_training"), number("p_training")
    }'
}

for config in "$@"; do
  echo "$config"
  printf '%10s %8s %10s %18s %8s %16s %6s\n' particles steps occupied "off" chance "chi2/dof" "p<.01"
  for steps in ${STEPS:-""}; do
    for particles in ${PARTICLES:-100 316 1000 3162 10000}; do
      for seed in ${SEEDS:-1 2 3 4 5}; do one_run "$config" "$particles" "$steps" "$seed"; done | awk \
        -v particles="$particles" -v steps="${steps:--}" '
        function error(sum, squares) { return NR > 1 ? sqrt((squares - sum * sum / NR) / (NR - 1) / NR) : 0 }
        { if (NR == 1 || $1 < fewest) fewest = $1
          off += $3; off2 += $3 * $3; chance += $4; chi += $5; chi2 += $5 * $5; blamed += $6 < 0.01; modes = $2 }
        END { printf "%10d %8s %10s %9.4f +- %5.4f %8.4f %8.2f +- %4.2f %6s\n", particles, steps,
              fewest " of " modes, off / NR, error(off, off2), chance / NR, chi / NR, error(chi, chi2),
              blamed " of " NR }'
    done
  done
done
