#!/usr/bin/env bash
# Every symbol that libmmsold exports begins with mms_, so that it can live in anybody's program.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

if grep -q '^MMSOLD_SANITIZE:BOOL=ON' "$MMSOLD_BUILD/CMakeCache.txt"; then
  echo "SKIP: sanitizers add symbols of their own"
  exit 77
fi

# Prints the global symbols defined in LIBRARY without the prefix; _init and _fini are the linker's.
check_symbols() {
  local dynamic=()
  case $1 in *.so*) dynamic=(-D) ;; esac
  nm "${dynamic[@]}" --defined-only --extern-only --format=posix "$1" |
    awk 'NF >= 2 && $1 !~ /:$/ && $1 !~ /^(mms_|_init$|_fini$)/ { print $1 " (" $2 ")" }'
}

library=$(find "$MMSOLD_BUILD/src" -maxdepth 1 \( -name 'libmmsold.a' -o -name 'libmmsold.so' \))
[ -n "$library" ] || { echo "FAIL: no libmmsold in $MMSOLD_BUILD/src" >&2; exit 1; }
[ "$(nm --defined-only --extern-only "$library" 2>/dev/null | grep -c ' mms_')" -gt 10 ] ||
  { echo "FAIL: $library exports next to nothing" >&2; exit 1; }
house_expect_clean check_symbols "$library"

printf 'int mms_fine(void);\nint mms_fine(void) { return 0; }\nint stray = 1;\nint helper(void);\nint helper(void) { return 0; }\n' \
  >"$house_scratch/x.c"
cc -c "$house_scratch/x.c" -o "$house_scratch/x.o"
ar rc "$house_scratch/libx.a" "$house_scratch/x.o"
cc -shared -fPIC "$house_scratch/x.c" -o "$house_scratch/libx.so"
house_expect_fires check_symbols "$house_scratch/libx.a" "stray"
house_expect_fires check_symbols "$house_scratch/libx.a" "helper"
house_expect_fires check_symbols "$house_scratch/libx.so" "stray"
echo "every exported symbol begins with mms_"
