#!/usr/bin/env bash
# From a fresh clone to new images: installs what is missing, builds, runs the main job on 2 ranks
# and draws its result. Run it again at once: what is done already is not done twice.
#   jobs/quickstart.sh [--section.key=value ...] [--fresh]    the arguments go to `mmsold run`
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/jobs/lib.sh"

install_packages "${MMSOLD_PACKAGES[@]}"

build=$root/build
log=$build/quickstart.log
echo "Building in $build"
mkdir -p "$build"
configure=(cmake -S "$root" -B "$build")
if [ ! -f "$build/CMakeCache.txt" ]; then # a folder configured before keeps what was chosen then
  configure+=(-G "$(cmake_generator)" -DCMAKE_BUILD_TYPE=Release -DMMSOLD_TESTS=OFF)
fi
if ! { "${configure[@]}" && cmake --build "$build" --parallel "$(nproc)"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "The build failed; its last lines are above, all of them in $log" >&2
  exit 1
fi

prepare_launch
result=$root/results/fashion
mkdir -p "$root/results"
mpirun --oversubscribe -n 2 "$build/mmsold" run "$root/config/fashion.yaml" --output.directory="$result" "$@"

if [ ! -f "$result/samples.png" ] || [ "$result/samples.h5" -nt "$result/samples.png" ]; then
  "$build/mmsold" plot "$result/samples.h5" --output "$result/samples.png"
fi

cat <<END

The new images:           $result/samples.png
The numbers behind them:  $result/samples.h5
To see what is in there:  "$build/mmsold" info "$result/samples.h5"
END
