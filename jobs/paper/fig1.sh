#!/usr/bin/env bash
# Fig. 1: the limit density on a circle of 12 points, with and without the tilt, at 16 values of the smoothing, and the
# likelihood of 1,000 fresh points under both. Tables and pictures in $RESULTS/fig1.
#   jobs/paper/fig1.sh
#   DENSITY_OPTIONS="--density.cells=40 --density.smoothing=0.2" jobs/paper/fig1.sh     a try in small
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
mkdir -p "$RESULTS"
read -r -a options <<<"${DENSITY_OPTIONS:-}"
mpirun --oversubscribe -n "$WORKERS" "$MMSOLD" density "$config/circle.yaml" --output.directory="$RESULTS/fig1" "${options[@]}"
