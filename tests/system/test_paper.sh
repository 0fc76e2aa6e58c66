#!/usr/bin/env bash
# Every script of the paper's experiments runs from an empty folder, in small: tables, pictures and their data are there,
# and a second run does nothing twice.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch paper

export MMSOLD=$MMSOLD_PROGRAM WORKERS=2 FRESH=200 CELL_OPTIONS="--sampler.particles=120 --sampler.steps=3"
export DENSITY_OPTIONS="--density.smoothing=0.2,0.6 --density.smoothing_samples=64 --density.cells=60"
export SIGMAS="0 0.05" DRAWS=2 SOURCES=spirals REPEAT_AT=0 SIZES="1e-4 5e-4" STEPS="1 2" SEEDS="0 1"
export PARTICLES=60 COUNTS=40

bash "$MMSOLD_SOURCE/jobs/paper/all.sh" > all.txt 2> log || { cat log; fail "all.sh failed"; }
cd results/paper
for figure in fig1 fig2 fig9 fig10; do
  [ -s $figure.md ] || fail "no table of $figure"
  if grep -En 'nan|inf([^a-z]|$)' $figure.md; then fail "$figure: not all is a number"; fi
done
for picture in fig1/density.png fig1/nll.png fig2/fig2.png fig2/fig2.svg fig9/fig9.png fig10/fig10.png; do
  [ -s $picture ] || fail "no $picture"
done
# a line of data for each cell of a table: schemes and flow at two smoothings; two schemes, sizes and numbers of steps;
# two methods
for lines in fig2:7 fig9:9 fig10:3; do
  [ "$(wc -l < "${lines%:*}/${lines%:*}.csv")" -eq "${lines#*:}" ] || fail "${lines%:*}.csv has not ${lines#*:} lines"
done
grep -q ' ± ' fig9.md || fail "no error bars from two seeds"

touch stamp
cd ../..
bash "$MMSOLD_SOURCE/jobs/paper/fig9.sh" > again.txt 2> log || { cat log; fail "a second fig9.sh failed"; }
[ -z "$(find results/paper/fig9/cells -name samples.h5 -newer results/paper/stamp)" ] || fail "finished cells ran again"

# a cell that cannot run is named, and no table is made
if SIZES=-1 bash "$MMSOLD_SOURCE/jobs/paper/fig9.sh" > bad.txt 2> log; then fail "a failing cell is not noticed"; fi
grep -q 'cell .*-1-1-0 failed' log || { cat log; fail "the failing cell is not named"; }
echo "the paper's scripts run"
