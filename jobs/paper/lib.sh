# What the scripts of this folder share: cells (ordinary runs, each in its own folder) that are done once, as many at a
# time as there are processors. Sourced, not run. Results go to $RESULTS, default results/paper in the current folder.
# $CELL_OPTIONS are options of every cell that does not give them itself, $FRESH (20,000) how many fresh points of a target
# are compared with: for a try in small.
# A script that was cut off goes on where it was: finished cells say so, others resume.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
config=$root/config/paper
RESULTS=${RESULTS:-results/paper}
WORKERS=${WORKERS:-$(nproc)}
FRESH=${FRESH:-20000}
export OPENBLAS_NUM_THREADS=1 # a rank is a core

# The program: $MMSOLD, else the one built here, else the one on the path.
MMSOLD=${MMSOLD:-$(if [ -x "$root/build/mmsold" ]; then echo "$root/build/mmsold"; else command -v mmsold; fi)} || true
[ -n "$MMSOLD" ] || {
  echo "no mmsold: build it in build/, put it on the path, or set MMSOLD to it" >&2
  exit 2
}
export MMSOLD

# paper_begin NAME: the folder of one figure, and an empty list of cells.
paper_begin() {
  out=$RESULTS/$1
  mkdir -p "$out/cells"
  list=$out/cells.list
  : >"$list"
}

# cell NAME CONFIG TARGETS [--section.key=value ...]: one run, then `compare` with the named sets (TARGETS:
# comma-separated names of prepared files in $out, without .h5); the sliced distance alone unless $DISTANCES is "all".
cell() { printf '%s\n' "$*" >>"$list"; }

# One line of the list. The distances are kept beside the cell, and are not made again.
do_cell() {
  local name config targets target folder option only=--sliced
  [ "${DISTANCES:-sliced}" != all ] || only=
  read -r name config targets rest <<<"$1"
  folder=$2/cells/$name
  read -r -a options <<<"$rest"
  for option in ${CELL_OPTIONS:-}; do
    case " $rest" in *" ${option%%=*}="*) ;; *) options+=("$option") ;; esac
  done
  if ! "$MMSOLD" run "$config" "${options[@]}" --output.directory="$folder" --quiet >"$folder.log" 2>&1; then
    echo "cell $name failed; the end of $folder.log:" >&2
    tail -n 3 "$folder.log" >&2
    return 1
  fi
  for target in ${targets//,/ }; do
    [ "$folder.$target.json" -nt "$folder/samples.h5" ] || {
      "$MMSOLD" compare "$folder/samples.h5" "$2/$target.h5" --json ${only:+"$only"} >"$folder.$target.part"
      mv "$folder.$target.part" "$folder.$target.json"
    }
  done
}
export -f do_cell

run_cells() {
  local start=$SECONDS
  echo "$(($(wc -l <"$list"))) cells, $WORKERS at a time"
  tr '\n' '\0' <"$list" | xargs -0 -P "$WORKERS" -I{} bash -c 'do_cell "$1" "$2"' - {} "$out"
  echo "cells done in $((SECONDS - start)) s"
}

# prepare_set NAME CONFIG [--section.key=value ...]: a set that cells are compared with.
prepare_set() {
  local name=$1 from=$2
  shift 2
  [ -f "$out/$name.h5" ] || "$MMSOLD" prepare "$from" --output "$out/$name.h5" "$@" --quiet >/dev/null
}

# number FILE KEY: a number of a JSON object on one line.
number() { sed -n "s/.*\"$2\": \([^,}]*\).*/\1/p" "$1"; }

# mean_and_error: of the numbers on standard input, and the standard error of that mean ("-" for a single number).
mean_and_error() {
  awk '{ n++; s += $1; q += $1 * $1 }
       END { m = s / n; v = n > 1 ? (q - n * m * m) / (n - 1) : 0
             if (n < 2) printf "%.4g -\n", m; else printf "%.4g %.2g\n", m, sqrt((v > 0 ? v : 0) / n) }'
}

# with_error MEAN ERROR: as a table shows it.
with_error() { if [ "$2" = - ]; then echo "$1"; else echo "$1 ± $2"; fi; }

# draw_picture SCRIPT NAME [VARIABLES]: gnuplot's SCRIPT of this folder on $out/NAME.csv, into $out/NAME.png and .svg.
draw_picture() {
  local kind size="size 1400,620"
  for kind in png svg; do
    gnuplot -e "csv='$out/$2.csv'; ${3:-}" -e "set terminal ${kind/png/pngcairo} $size; set output '$out/$2.$kind'" \
      "$root/jobs/paper/$1"
  done
  echo "picture: $out/$2.png (.svg, and its data in .csv)"
}
