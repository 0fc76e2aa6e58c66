#!/usr/bin/env bash
# Fig. 1: the limit density on a circle of 12 points, with and without the tilt, at 16 values of the smoothing, and the
# likelihood of 1,000 fresh points under both. Tables and pictures in $RESULTS/fig1.
#   jobs/paper/fig1.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
mkdir -p "$RESULTS"
mpirun --oversubscribe -n "$WORKERS" "$MMSOLD" density "$config/circle.yaml" --output.directory="$RESULTS/fig1" "$@"
