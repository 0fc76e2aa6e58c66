#!/usr/bin/env bash
# Fig. 2: checkerboard and spirals over the grid smoothing x draws, MM-SOLD (exponential scheme at the paper's step; lm at
# half its stability bound) against sigma-CFDM; sliced Wasserstein-2 to 20,000 fresh points of the target and to the
# training set. Prints the tables, and writes $RESULTS/fig2/fig2.csv and fig2.png.
#   jobs/paper/fig2.sh             the whole grid
#   SIGMAS="0.02 0.05" DRAWS=8 jobs/paper/fig2.sh --sampler.steps=500     a part of it; arguments go to MM-SOLD's runs
#   METHODS="exponential cfdm" REPEAT_AT=none jobs/paper/fig2.sh           the grid alone: neither lm nor error bars
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
read -r -a sigmas <<<"${SIGMAS:-0 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.2}"
read -r -a draws <<<"${DRAWS:-2 4 8}"
read -r -a sources <<<"${SOURCES:-checkerboard spirals}"
read -r -a methods <<<"${METHODS:-exponential lm cfdm}"
repeat_at=${REPEAT_AT:-0.05} # the smoothing whose cells run with three seeds: the tables' error bars
most=${draws[-1]}            # LM runs, the repeats and the cells without smoothing take the largest M

paper_begin fig2
for source in "${sources[@]}"; do
  prepare_set "$source-training" "$config/$source.yaml"
  for fresh in 1 2 3; do # fresh draws, not thinned: thinning changes the weights
    prepare_set "$source-target-$fresh" "$config/$source.yaml" --training.count="$FRESH" --training.thin=none \
      --training.seed=$fresh
  done
  for sigma in "${sigmas[@]}"; do
    for m in "${draws[@]}"; do
      if [ "$sigma" = 0 ] && [ "$m" != "$most" ]; then continue; fi # without smoothing there is nothing to draw
      seeds=0
      if [ "$sigma" = "$repeat_at" ]; then seeds="0 1 2"; fi
      for seed in $seeds; do
        setting="--score.smoothing=$sigma --score.smoothing_samples=$m --sampler.seed=$seed"
        targets=$source-target-1,$source-training
        for method in "${methods[@]}"; do
          name=$source-$method-$sigma-$m-$seed
          case $method in
            exponential) cell "$name" "$config/$source.yaml" "$targets" "$setting" "$@" ;;
            cfdm) cell "$name" "$config/${source}_cfdm.yaml" "$targets" "$setting" ;;
            lm) [ "$m" != "$most" ] || cell "$name" "$config/$source.yaml" "$targets" "$setting" --sampler.scheme=lm \
              --sampler.step_size=auto "$@" ;;
          esac
        done
      done
    done
  done
done
run_cells

# distances METHOD SIGMA M TARGET: mean over the seeds, and its standard error.
distances() {
  local seed name
  for seed in 0 1 2; do
    name=$out/cells/$source-$1-$2-$3-$seed.$source-$4.json
    if [ -f "$name" ]; then number "$name" sw2; fi
  done | mean_and_error
}

columns="source,method,smoothing,samples,sw2_target,sw2_target_error,sw2_training,sw2_training_error"
echo "$columns" >"$out/fig2.csv"
for source in "${sources[@]}"; do
  for pair in "1 2" "1 3" "2 3"; do
    "$MMSOLD" compare "$out/$source-target-${pair% *}.h5" "$out/$source-target-${pair#* }.h5" --json --sliced
  done >"$out/$source-floor"
  read -r mean error <<<"$(number "$out/$source-floor" sw2 | mean_and_error)"
  echo
  echo "$source: sliced Wasserstein-2 (two fresh draws of the target: $(with_error "$mean" "$error"))"
  echo
  echo "| method | smoothing | samples | to the target | to the training set |"
  echo "|---|---|---|---|---|"
  for method in "${methods[@]}"; do
    for sigma in "${sigmas[@]}"; do
      for m in "${draws[@]}"; do
        [ -f "$out/cells/$source-$method-$sigma-$m-0.$source-training.json" ] || continue
        read -r target target_error <<<"$(distances "$method" "$sigma" "$m" target-1)"
        read -r training training_error <<<"$(distances "$method" "$sigma" "$m" training)"
        echo "| $method | $sigma | $m | $(with_error "$target" "$target_error") | $(with_error "$training" "$training_error") |"
        echo "$source,$method,$sigma,$m,$target,$target_error,$training,$training_error" >>"$out/fig2.csv"
      done
    done
  done
done
draw_picture fig2.gp fig2 "sources='${sources[*]}'; draws='${draws[*]}'; methods='${methods[*]}'"
