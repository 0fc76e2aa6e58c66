#!/usr/bin/env bash
# Every header compiles alone: the public ones with nothing but the C library, the private ones with what their
# floor is compiled with. And each has a guard.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

strict=(-std=c11 -fsyntax-only -x c -Wall -Wextra -Wpedantic -Werror)

check_headers() {
  local tree=$1 header flags
  while IFS= read -r header; do
    printf '#include "%s"\nint unit_that_is_not_empty;\n' "mmsold/$header" >"$house_scratch/alone.c"
    cc "${strict[@]}" -I"$tree/include" "$house_scratch/alone.c" >"$house_scratch/log" 2>&1 ||
      echo "include/mmsold/$header does not compile alone: $(grep -m1 -E 'error|warning' "$house_scratch/log")"
  done < <(cd "$tree/include/mmsold" && find . -name '*.h' -printf '%P\n' | sort)
  read -ra flags < <(pkg-config --cflags ompi-c hdf5-openmpi openblas lapacke libpng zlib yaml-0.1)
  while IFS= read -r header; do
    printf '#include "%s"\nint unit_that_is_not_empty;\n' "$header" >"$house_scratch/alone.c"
    cc "${strict[@]}" -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -I"$tree/include" -I"$tree/src" "${flags[@]}" \
      "$house_scratch/alone.c" >"$house_scratch/log" 2>&1 ||
      echo "src/$header does not compile alone: $(grep -m1 -E 'error|warning' "$house_scratch/log")"
  done < <(cd "$tree/src" && find . -name '*.h' -printf '%P\n' | sort)
  (cd "$tree" && find src include -name '*.h') | while IFS= read -r header; do
    grep -q '^#ifndef [A-Z0-9_]*_H$' "$tree/$header" || echo "$header: no guard"
  done
}

house_expect_clean check_headers "$MMSOLD_SOURCE"

copy=$(house_copy)
find "$copy/include" "$copy/src" -name '*.h' ! -path '*/base/*' -delete # the rest would only cost time
printf '#ifndef X_H\n#define X_H\nint64_t mms_x(void);\n#endif\n' >"$copy/include/mmsold/base/x.h"
printf '#ifndef Y_H\n#define Y_H\nMPI_Comm mms_y(void);\n#endif\n' >"$copy/src/base/y.h"
printf 'int mms_z(void);\n' >"$copy/src/base/z.h"
house_expect_fires check_headers "$copy" "include/mmsold/base/x.h does not compile"
house_expect_fires check_headers "$copy" "src/base/y.h does not compile"
house_expect_fires check_headers "$copy" "src/base/z.h: no guard"
echo "every header compiles alone"
