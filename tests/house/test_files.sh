#!/usr/bin/env bash
# Files stay short, name no machine they were written on, and leave the top level as it is.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

longest=400

check_length() {
  house_files "$1" | grep '\.[ch]$' | (cd "$1" && while IFS= read -r file; do wc -l "$file"; done) |
    awk -v longest=$longest '$1 > longest { print $2 ": " $1 " lines; " longest " are enough" }'
}

# Folders of one machine; written in pieces, so that this file passes its own test. Pictures and data are not searched.
machine_paths='(^|[^A-Za-z0-9_.])/(wo''rk|ro''ot|ho''me/[a-z]+)/|/tm''p/(w-|[a-z]+\.[0-9])'

check_paths() {
  house_files "$1" | (cd "$1" && tr '\n' '\0' | xargs -0 grep -nIE "$machine_paths") || true
}

# What may stand at the top.
top='CHANGELOG.md CITATION.cff CMakeLists.txt CMakePresets.json LICENSE README.md config include jobs src tests'

check_top() {
  house_files "$1" | sed 's,/.*,,' | sort -u | while IFS= read -r name; do
    case " $top " in *" $name "*) continue ;; esac
    case $name in .?*) ;; *) echo "$name: does not belong at the top level" ;; esac
  done
}

house_expect_clean check_length "$MMSOLD_SOURCE"
house_expect_clean check_paths "$MMSOLD_SOURCE"
house_expect_clean check_top "$MMSOLD_SOURCE"

copy=$(house_copy)
seq -f 'int mms_%g;' $((longest + 1)) >"$copy/src/base/long.c"
printf '# see %s/notes\n' "/wo""rk" >>"$copy/jobs/lib.sh"
printf '/* %s */\n' "/tm""p/w-x/y" >>"$copy/src/base/log.c"
touch "$copy/notes.txt"
house_expect_fires check_length "$copy" "src/base/long.c"
house_expect_fires check_paths "$copy" "jobs/lib.sh"
house_expect_fires check_paths "$copy" "src/base/log.c"
house_expect_fires check_top "$copy" "notes.txt"
echo "files are short, name no machine, and stand where they belong"
