#!/usr/bin/env bash
# Fig. 9: the checkerboard after T steps of size h; sliced Wasserstein-2 to 20,000 fresh points of the target, for the
# paper's scheme (lm) and the exponential one, with standard errors over three seeds. Prints the tables, and writes
# $RESULTS/fig9/fig9.csv and fig9.png.
#   jobs/paper/fig9.sh
#   SEEDS=0 STEPS="1 10" SIZES=5e-4 jobs/paper/fig9.sh       a part of it
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
read -r -a sizes <<<"${SIZES:-1e-5 1e-4 5e-4 1e-3 2e-3 4e-3 8e-3}"
read -r -a steps <<<"${STEPS:-1 2 5 10 20 50 100 200 500}"
read -r -a seeds <<<"${SEEDS:-0 1 2}"

paper_begin fig9
prepare_set target "$config/steps.yaml" --training.count="$FRESH" --training.thin=none --training.seed=1
for scheme in lm exponential; do
  for h in "${sizes[@]}"; do
    for t in "${steps[@]}"; do
      for seed in "${seeds[@]}"; do
        cell "$scheme-$h-$t-$seed" "$config/steps.yaml" target "--sampler.scheme=$scheme" "--sampler.step_size=$h" \
          "--sampler.steps=$t" "--sampler.seed=$seed"
      done
    done
  done
done
run_cells

bound=$("$MMSOLD" run "$config/steps.yaml" --check 2>/dev/null |
  sed -n 's/.*h = \([^,]*\), \([^ ]*\) times the stability bound.*/\1 \2/p' | awk '{ printf "%.3g", $1 / $2 }')
echo "scheme,step_size,steps,sw2,sw2_error" >"$out/fig9.csv"
for scheme in lm exponential; do
  echo
  echo "$scheme (lm's stability bound: h = $bound): sliced Wasserstein-2 to the target after T steps"
  echo
  printf '| h |'
  printf ' T = %s |' "${steps[@]}"
  printf '\n|---|'
  printf '%s---|' "${steps[@]//*/}"
  echo
  for h in "${sizes[@]}"; do
    printf '| %s |' "$h"
    for t in "${steps[@]}"; do
      read -r mean error <<<"$(for seed in "${seeds[@]}"; do
        number "$out/cells/$scheme-$h-$t-$seed.target.json" sw2
      done | mean_and_error)"
      printf ' %s |' "$(with_error "$mean" "$error")"
      echo "$scheme,$h,$t,$mean,$error" >>"$out/fig9.csv"
    done
    echo
  done
done
draw_picture fig9.gp fig9 "sizes='${sizes[*]}'"
