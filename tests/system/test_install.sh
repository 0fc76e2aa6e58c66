#!/usr/bin/env bash
# What `cmake --install` puts down is whole: a small program outside our tree builds against it through CMake and
# through pkg-config, with the library static and shared, after the installed tree was moved.
set -euo pipefail

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mmsold install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

mkdir "$scratch/consumer"
cat >"$scratch/consumer/main.c" <<'END'
#include <mmsold/mmsold.h>
#include <stdio.h>

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK) return 1;
  mms_team *team = NULL;
  mms_status status = mms_team_create(&team, &error);
  const mms_training_options options = {.source = "circle", .count = 12, .label = -1};
  mms_training training;
  if (status == MMS_OK) status = mms_training_create(&training, team, &options, &error);
  if (status == MMS_OK) {
    printf("mmsold %s: %lld x %lld\n", mms_version(), (long long)training.count, (long long)training.dim);
    mms_training_free(&training);
  }
  mms_team_free(&team);
  mms_world_end();
  return mms_exit_code(status);
}
END
cat >"$scratch/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(mmsold 0.1 REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer PRIVATE mmsold::mmsold)
END

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

quietly() {
  "$@" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    fail "$*"
  }
}

check_install() { # NAME BUILD
  local name=$1 build=$2 prefix="$scratch/$1 moved" file said
  quietly cmake --install "$build" --prefix "$scratch/$name"
  mv "$scratch/$name" "$prefix"

  for file in bin/mmsold include/mmsold/mmsold.h share/doc/mmsold/README.md share/doc/mmsold/config/fashion.yaml; do
    [ -f "$prefix/$file" ] || fail "$name: $file was not installed"
  done
  [ -z "$(find "$prefix/include" -name '*_mpi.h')" ] || fail "$name: a private header was installed"
  "$prefix/bin/mmsold" --version >"$scratch/log" 2>&1 || fail "$name: the installed program does not start"

  quietly cmake -S "$scratch/consumer" -B "$scratch/$name-cmake" -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$scratch/$name-cmake"
  said=$("$scratch/$name-cmake/consumer") || fail "$name: the CMake consumer failed"
  [[ $said == "mmsold "*": 12 x 2" ]] || fail "$name: the CMake consumer said: $said"

  local pc flags
  pc=$(dirname "$(find "$prefix" -name mmsold.pc)")
  flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs mmsold) || fail "$name: pkg-config"
  # pkg-config escapes the spaces of the path for a shell.
  eval "quietly cc \"\$scratch/consumer/main.c\" -o \"\$scratch/$name-pc\" $flags -Wl,-rpath,\"\$(dirname \"\$pc\")\""
  said=$("$scratch/$name-pc") || fail "$name: the pkg-config consumer failed"
  [[ $said == "mmsold "*": 12 x 2" ]] || fail "$name: the pkg-config consumer said: $said"
}

if grep -q '^MMSOLD_SANITIZE:BOOL=ON' "$MMSOLD_BUILD/CMakeCache.txt"; then
  echo "SKIP: a library built with sanitizers is not for installing"
  exit 77
fi

[ -x "$MMSOLD_PROGRAM" ] || { echo "SKIP: the program is not built"; exit 77; }

check_install static "$MMSOLD_BUILD"

# Not optimised: what is looked at is where things lie and whether they fit together.
quietly cmake -S "$MMSOLD_SOURCE" -B "$scratch/shared-build" -G "$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$MMSOLD_BUILD/CMakeCache.txt")" \
  -DBUILD_SHARED_LIBS=ON -DMMSOLD_TESTS=OFF -DCMAKE_BUILD_TYPE=Debug
quietly cmake --build "$scratch/shared-build" --parallel 2
check_install shared "$scratch/shared-build"

# The check fires: without its package file the library is not found.
find "$scratch/static moved" -name mmsoldTargets.cmake -delete
if cmake -S "$scratch/consumer" -B "$scratch/negative" -DCMAKE_PREFIX_PATH="$scratch/static moved" >/dev/null 2>&1; then
  fail "a package with a missing part was accepted"
fi
# A build folder on PATH, where find_package looks too, is not taken for an installed package.
PATH="$scratch/shared-build:$PATH" cmake -S "$scratch/consumer" -B "$scratch/on-path" >"$scratch/log" 2>&1 || true
if grep -q "shared-build/mmsold" "$scratch/log"; then
  fail "find_package took the build folder: $(cat "$scratch/log")"
fi
echo "installed, moved and used: static and shared, CMake and pkg-config"
