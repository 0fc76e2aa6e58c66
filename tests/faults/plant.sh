#!/usr/bin/env bash
# Takes one check after the other out of a copy of the source and expects the sweep to notice: plant.sh, by hand; it builds.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d "$PWD/plant.XXXXXX")
trap 'cd / && rm -rf "$scratch"' EXIT
mkdir "$scratch/tree" && git -C "$root" ls-files -z | (cd "$root" && xargs -0 cp --parents -t "$scratch/tree")
cd "$scratch/tree"
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release > /dev/null

# planted NAME FILE SED SCENARIO STRIDE PLAN: with FILE changed by SED the sweep fails
planted() {
  name=$1 file=$2; cp "$file" kept
  sed -i "$3" "$file"
  cmp -s "$file" kept && { echo "FAILED: $name: nothing in $file is changed any more"; exit 1; }
  cmake --build build --target fault_run > build.log 2>&1 || { cat build.log; exit 1; }
  if MMSOLD_FAULT_RUN=$PWD/build/tests/fault_run MMSOLD_FAULT_SCENARIOS=$4 MMSOLD_FAULT_SECONDS=5 MMSOLD_FAULT_MOST=1 \
    bash tests/faults/run_all.sh "$5" "$6" > sweep.log 2>&1; then cat sweep.log; echo "FAILED: $name is not noticed"; exit 1; fi
  echo "$name: $(grep -E -m1 '^NOT BORNE|^HANG' sweep.log | cut -c1-160)"
  mv kept "$file"
}

planted "a rename whose status is ignored" src/store/files.c 's/if (rename(partial, path) != 0)$/if (rename(partial, path) > 0)/' start 1 1:0:rename
planted "memory that was refused is used" src/base/memory.c 's/if (\*out == NULL)$/if (padded == 0)/' start 29 1:0:memory
planted "a rank that stays away from a collective write" src/store/h5_write.c 's/good = mms_h5_all(file, good);$/good = good \&\& file != NULL;/' start 1 2:1:H5Pset_dxpl_mpio
planted "a trace that cannot be looked for passes for none" src/store/h5_read.c 's/if (found < 0) status =/if (found < -1) status =/' resume 1 1:0:H5Lexists
