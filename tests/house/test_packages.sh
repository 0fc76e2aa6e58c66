#!/usr/bin/env bash
# Every header, library and command that the build, the program, the scripts and the tests use belongs to a package
# that jobs/install.sh installs (itself or through a dependency), so a fresh Debian has what we rely on.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

command -v dpkg-query >/dev/null || { echo "SKIP: not a Debian system"; exit 77; }

# Used where they are there, and done without where not.
optional="git sudo"

# Prints the packages that the arguments bring with them: themselves, what the base system has, and what these depend on.
# Of alternatives (a | b) all that are installed count.
closure() {
  dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\n' |
    awk -F'\t' -v wanted="$*" '
      $1 == "installed" {
        needs[$2] = $5
        if ($3 == "yes" || $4 == "required") queue[++last] = $2
      }
      END {
        count = split(wanted, first, " ")
        for (i = 1; i <= count; i++) queue[++last] = first[i]
        for (i = 1; i <= last; i++) {
          name = queue[i]
          if (name in seen || !(name in needs)) continue
          seen[name] = 1
          print name
          parts = split(needs[name], part, /[,|]/)
          for (j = 1; j <= parts; j++) {
            sub(/^ */, "", part[j]); sub(/[ :(].*$/, "", part[j])
            if (part[j] != "") queue[++last] = part[j]
          }
        }
      }' | sort -u
}

# Prints the headers read by the compiler and the libraries of the program, as real paths outside our own tree.
used_files() {
  local build=$1
  {
    if [ -f "$build/build.ninja" ]; then
      ninja -C "$build" -t deps | sed -n 's/^ \{1,\}\(\/usr\/.*\)$/\1/p'
    else
      find "$build" -name '*.d' -exec cat {} + | grep -o '[^ \\]*' | grep '^/usr/' || true
    fi
    find "$build" -maxdepth 1 -name mmsold -exec ldd {} \; | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p'
  } | sort -u | xargs -r readlink -f | sort -u
}

# Prints the lines of a script that are the shell's own: no here-documents, which hold other languages.
shell_lines() {
  awk 'end != "" { line = $0; sub(/^\t*/, "", line); if (line == end) end = ""; next }
       { print }
       match($0, /<<-?[ ]*[\047"]?[A-Z]+/) { end = substr($0, RSTART, RLENGTH); gsub(/[^A-Z]/, "", end) }' "$1"
}

# Prints the words of TREE's scripts that stand where a command can stand; what is in single quotes is left out. Slurm's
# scripts run where Slurm is and are not looked at.
command_words() {
  find "$1/jobs" "$1/tests" "$1/.ci" -type f \( -name '*.sh' -o -name run \) |
    while IFS= read -r script; do
      shell_lines "$script" | grep -v '^[[:space:]]*#' | awk -v RS='\047' 'NR % 2 == 1'
    done |
    grep -oE '(^[[:space:]]*|[|;&(!{][[:space:]]*|\<(if|then|do|else|while|until|exec|time|env) +|-- )[a-z][a-z0-9_.+-]*=?' |
    sed -E '/=$/d; s/^[[:space:]]*//; s/.*[^a-z0-9_.+-]//' | sort -u
}

# Prints the real paths of those words that are programs on this machine.
used_commands() {
  {
    command_words "$1"
    grep -rhoE '/usr/bin/[a-z][a-z0-9_.+-]*' "$1/jobs" "$1/tests" --include='*.sh'
  } | while IFS= read -r word; do
    case " $optional " in *" $word "*) continue ;; esac
    if [ "$(type -t "$word")" = file ]; then readlink -f "$(type -P "$word")"; fi
  done | sort -u
}

# Reads paths; prints each with the package it belongs to, "-" where there is none. Debian's own list may know a file under
# its name from before /bin and /lib moved into /usr, so both are asked for.
owners() {
  local paths=$house_scratch/paths
  cat >"$paths"
  sed 'p; s,^/usr/,/,' "$paths" | sort -u | xargs -r dpkg-query -S 2>/dev/null >"$house_scratch/owners" || true
  awk '
    FILENAME == ARGV[1] {
      file = $NF
      sub(/^\/(lib|bin|sbin)/, "/usr&", file)
      owner[file] = $1; sub(/[:,].*/, "", owner[file])
      next
    }
    { print $1, ($1 in owner ? owner[$1] : "-") }
  ' "$house_scratch/owners" "$paths"
}

# check_owners LIST PACKAGE...: prints "FILE: its package ... is not installed by jobs/install.sh" for the files of a list
# of owners whose package is not among these and what they bring.
check_owners() {
  local list=$1
  shift
  closure "$@" >"$house_scratch/allowed"
  awk '
    FILENAME == ARGV[1] { allowed[$1] = 1; next }
    $2 == "-" { print $1 ": belongs to no package"; next }
    !($2 in allowed) { print $1 ": its package " $2 " is not installed by jobs/install.sh" }
  ' "$house_scratch/allowed" "$list"
}

. "$MMSOLD_SOURCE/jobs/lib.sh"
everything=("${MMSOLD_PACKAGES[@]}" "${MMSOLD_TEST_PACKAGES[@]}")

build_files=$house_scratch/build-files commands=$house_scratch/commands
used_files "$MMSOLD_BUILD" | owners >"$build_files"
used_commands "$MMSOLD_SOURCE" | owners >"$commands"
[ "$(wc -l <"$build_files")" -gt 20 ] || { echo "FAIL: the build seems to use no headers" >&2; exit 1; }
[ "$(wc -l <"$commands")" -gt 10 ] || { echo "FAIL: the scripts seem to call no commands" >&2; exit 1; }

check_build() { check_owners "$build_files" "$@"; }
check_build_with() { check_build "${everything[@]}"; }
check_commands() { check_owners "$commands" "${everything[@]}"; }

house_expect_clean check_build_with "$MMSOLD_SOURCE"
house_expect_clean check_commands "$MMSOLD_SOURCE"

# Each package of the list that owns something above is missed when it is left out.
without() { printf '%s\n' "${everything[@]}" | grep -vxF "$1"; }
check_without() { local rest; mapfile -t rest < <(without "$1"); check_build "${rest[@]}"; }
for package in libpng-dev libyaml-dev librandom123-dev libcmocka-dev liblapacke-dev libscalapack-openmpi-dev; do
  grep -q " $package\$" "$build_files" || continue # its part is not built here
  house_expect_fires check_without "$package" "$package"
done
everything=(base-files)
house_expect_fires check_commands "$MMSOLD_SOURCE" "cmake"
echo "every header, library and command comes from the list of packages"
