#!/usr/bin/env bash
# Installs the Debian packages that mmsold needs and that are not there yet.
#   jobs/install.sh          to build, run and make pictures
#   jobs/install.sh test     and to test
#   jobs/install.sh --list [test]   only print their names
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

list=false
packages=("${MMSOLD_PACKAGES[@]}")
for argument in "$@"; do
  case $argument in
    test) packages+=("${MMSOLD_TEST_PACKAGES[@]}") ;;
    --list) list=true ;;
    *)
      echo "usage: jobs/install.sh [--list] [test]" >&2
      exit 2
      ;;
  esac
done

if $list; then
  printf '%s\n' "${packages[@]}"
else
  install_packages "${packages[@]}"
fi
