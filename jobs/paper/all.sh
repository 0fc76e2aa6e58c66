#!/usr/bin/env bash
# Every table and picture of the paper's experiments that this program redoes, from an empty folder; finished parts are
# not done twice. Results in $RESULTS (default results/paper), a log of each figure's tables beside it.
#   jobs/paper/all.sh
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
mkdir -p "${RESULTS:-results/paper}"
for figure in fig1 fig2 fig9 fig10; do
  echo "== $figure"
  bash "$here/$figure.sh" | tee "${RESULTS:-results/paper}/$figure.md"
done
