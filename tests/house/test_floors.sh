#!/usr/bin/env bash
# Each floor includes only lower floors, and only some floors speak to MPI, HDF5 and BLAS themselves.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

# One line per floor: its number and name. Floors of one number don't include each other.
floors="1 base
2 parallel
2 random
3 store
3 linalg
4 training
5 field
6 ensemble
7 dynamics
8 run
9 study
9 picture
10 cli"

# Prints "FILE:LINE: includes FLOOR/..., which is not below" for every include that goes up or sideways.
check_floors() {
  local tree=$1
  (cd "$tree" && find src include/mmsold -mindepth 2 -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} +) |
    awk -v floors="$floors" '
      BEGIN {
        count = split(floors, line, "\n")
        for (i = 1; i <= count; i++) { split(line[i], field, " "); level[field[2]] = field[1] }
      }
      {
        split($0, part, ":")
        file = part[1]
        own = file
        sub(/^(src|include\/mmsold)\//, "", own); sub(/\/.*/, "", own)
        if (!(own in level)) { print file ": the folder " own " is not a floor"; next }
        if (!match($0, /["<][^">]*[">]/)) { print file ":" part[2] ": an include that cannot be read"; next }
        target = substr($0, RSTART + 1, RLENGTH - 2)
        if (target == "mmsold/mmsold.h") { if (own != "cli") print file ":" part[2] ": includes the header of all floors"; next }
        quoted = substr($0, RSTART, 1) == "\""
        sub(/^mmsold\//, "", target)
        if (target ~ /\.\./) { print file ":" part[2] ": an include goes through .."; next }
        floor = target
        if (!sub(/\/.*/, "", floor)) { if (quoted) print file ":" part[2] ": \"" target "\" does not say its floor"; next }
        if (!(floor in level)) { if (quoted) print file ":" part[2] ": \"" target "\" is of no floor"; next }
        if (floor != own && level[floor] + 0 >= level[own] + 0)
          print file ":" part[2] ": includes " target ", which is not below " own
      }'
}

# Prints every include of a library's header outside the floors that may call it.
check_libraries() {
  local tree=$1
  outside "$tree" 'mpi\.h|parallel/team_mpi\.h' 'parallel|store|linalg'
  outside "$tree" 'hdf5[a-z_]*\.h|H5[A-Za-z]*\.h' 'store'
  outside "$tree" 'cblas\.h|openblas/[a-z]*\.h' 'linalg|field'
  outside "$tree" 'lapacke?\.h' 'linalg'
  outside "$tree" 'linalg/scalapack\.h' 'linalg'
  outside "$tree" 'png\.h' 'picture'
  outside "$tree" 'zlib\.h' 'store'
  outside "$tree" 'yaml\.h' 'cli'
}

outside() { # TREE HEADERS FLOORS
  (cd "$1" && grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]([a-z0-9_-]+/)*($2)[>\"]" src include) |
    grep -vE "^src/($3)/" | sed 's/$/   (this floor does not call that library)/' || true
}

house_expect_clean check_floors "$MMSOLD_SOURCE"
house_expect_clean check_libraries "$MMSOLD_SOURCE"

spoil() { # FILE LINE: a copy where FILE has LINE too
  local copy
  copy=$(house_copy)
  mkdir -p "$(dirname "$copy/$1")"
  printf '%s\n' "$2" >>"$copy/$1"
  printf '%s\n' "$copy"
}

house_expect_fires check_floors "$(spoil src/base/log.c '#include "mmsold/parallel/team.h"')" "src/base/log.c"
house_expect_fires check_floors "$(spoil include/mmsold/store/h5.h '#  include <mmsold/field/field.h>')" "mmsold/store/h5.h"
house_expect_fires check_floors "$(spoil src/random/x.c '#include "parallel/team_mpi.h"')" "not below random"
house_expect_fires check_floors "$(spoil src/study/x.h '#include "picture/png.h"')" "not below study"
house_expect_fires check_floors "$(spoil src/run/x.c '#include "mmsold/mmsold.h"')" "all floors"
house_expect_fires check_floors "$(spoil src/base/x.c '#include "x.h"')" "does not say its floor"
house_expect_fires check_floors "$(spoil src/base/x.c '#include "../run/x.h"')" "through .."
house_expect_fires check_floors "$(spoil src/attic/x.c '#include <math.h>')" "not a floor"
house_expect_fires check_libraries "$(spoil src/run/x.c '#include <mpi.h>')" "src/run/x.c"
house_expect_fires check_libraries "$(spoil src/run/x.c '#include "parallel/team_mpi.h"')" "src/run/x.c"
house_expect_fires check_libraries "$(spoil src/run/x.c '#include <hdf5.h>')" "src/run/x.c"
house_expect_fires check_libraries "$(spoil include/mmsold/store/h5.h '#include <hdf5.h>')" "mmsold/store/h5.h"
house_expect_fires check_libraries "$(spoil src/ensemble/x.c '#include <cblas.h>')" "src/ensemble/x.c"
house_expect_fires check_libraries "$(spoil src/field/x.c '#include <lapacke.h>')" "src/field/x.c"
echo "every include goes down"
