#!/usr/bin/env bash
# Fig. 10: how many particles and how many training points it takes, MM-SOLD against kinetic Langevin dynamics (independent
# particles on the tilted energy), on Fashion-MNIST's sneakers. Sliced Wasserstein-2, kernel distance and coverage against
# 1,000 sneakers of the test set, and duplicates of training images; standard errors over three seeds. Prints the tables, and
# writes $RESULTS/fig10/fig10.csv and fig10.png.
#   jobs/paper/fig10.sh
#   SEEDS=0 PARTICLES="101 300" COUNTS=1000 jobs/paper/fig10.sh       a part of it
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export DISTANCES=all
read -r -a particles <<<"${PARTICLES:-101 150 200 300 500 1000 2000}"
read -r -a counts <<<"${COUNTS:-50 100 200 500 1000}"
read -r -a seeds <<<"${SEEDS:-0 1 2}"

paper_begin fig10
prepare_set held-out "$config/held_out.yaml"
for n in "${counts[@]}"; do
  components=$((n > 100 ? 100 : n - 1)) # n points span n - 1 directions
  whitened=$((components > 20 ? 20 : components))
  training="--training.count=$n --training.components=$components --training.whiten_top=$whitened"
  read -r -a chosen <<<"$training"
  prepare_set "training-$n" "$config/particles.yaml" "${chosen[@]}"
  for p in "${particles[@]}"; do
    # The ladder in P at the largest n, and the ladder in n at the largest P.
    if [ "$n" != "${counts[-1]}" ] && [ "$p" != "${particles[-1]}" ]; then continue; fi
    for seed in "${seeds[@]}"; do
      for method in "" _kinetic; do
        cell "mmsold$method-$n-$p-$seed" "$config/particles$method.yaml" "held-out,training-$n" \
          "--sampler.particles=$p --sampler.seed=$seed $training"
      done
    done
  done
done
run_cells

# quantity METHOD N P TARGET KEY: mean over the seeds and its standard error.
quantity() {
  for seed in "${seeds[@]}"; do number "$out/cells/$1-$2-$3-$seed.$4.json" "$5"; done | mean_and_error
}

echo "method,n,particles,sw2,sw2_error,kid,kid_error,coverage,coverage_error,duplicates,duplicates_error" >"$out/fig10.csv"
echo
echo "| method | n | P | SW2 | kernel distance | coverage | copies of training images |"
echo "|---|---|---|---|---|---|---|"
for method in mmsold mmsold_kinetic; do
  for n in "${counts[@]}"; do
    for p in "${particles[@]}"; do
      [ -f "$out/cells/$method-$n-$p-${seeds[0]}.held-out.json" ] || continue
      row=$method,$n,$p
      line="| ${method/mmsold_/} | $n | $p |"
      for key in sw2 kid coverage duplicate_rate; do
        target=held-out
        if [ $key = duplicate_rate ]; then target=training-$n; fi
        read -r mean error <<<"$(quantity "$method" "$n" "$p" "$target" "$key")"
        row=$row,$mean,$error
        line="$line $(with_error "$mean" "$error") |"
      done
      echo "$line"
      echo "$row" >>"$out/fig10.csv"
    done
  done
done
draw_picture fig10.gp fig10 "n='${counts[-1]}'; particles='${particles[-1]}'"
