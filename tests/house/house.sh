# What the house tests share. Each looks at the source tree for one rule of the house, and then shows
# on a copy with a made-up violation that it would have seen it. Sourced, not run.
set -euo pipefail

MMSOLD_SOURCE=${MMSOLD_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
house_scratch=$(mktemp -d)
trap 'rm -rf "$house_scratch"' EXIT

# The files of a source tree, relative to it: what git knows of, or all but build folders and results.
house_files() {
  (
    cd "$1"
    if [ -e .git ] && git ls-files >/dev/null 2>&1; then
      git ls-files | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
    else
      find . \( -path './build*' -o -path ./results -o -path ./.git -o -path ./.cache \) -prune -o -type f -printf '%P\n'
    fi
  )
}

# A copy of the source tree, to spoil: prints its path.
house_copy() {
  local copy
  copy=$(mktemp -d "$house_scratch/tree.XXXXXX")
  house_files "$MMSOLD_SOURCE" | tar -C "$MMSOLD_SOURCE" -cf - -T - | tar -C "$copy" -xf -
  printf '%s\n' "$copy"
}

# The rule holds: CHECK TREE prints nothing. (A check prints one line per violation.)
house_expect_clean() {
  local check=$1 tree=$2 found
  found=$("$check" "$tree")
  [ -z "$found" ] && return 0
  printf '%s\n' "$found" >&2
  echo "FAIL: $(printf '%s\n' "$found" | wc -l) violations (above)" >&2
  exit 1
}

# The rule bites: CHECK TREE prints a line that holds PART.
house_expect_fires() {
  local check=$1 tree=$2 part=$3 found
  found=$("$check" "$tree")
  case $found in
    *"$part"*) return 0 ;;
  esac
  echo "FAIL: $check overlooked a made-up violation (\"$part\"); it said: ${found:-nothing}" >&2
  exit 1
}
