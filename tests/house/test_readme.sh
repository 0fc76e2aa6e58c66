#!/usr/bin/env bash
# What the README says is so: its table of keys is the program's own, its commands and the files it names exist,
# its example configuration is accepted.
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

[ -x "$MMSOLD_PROGRAM" ] || { echo "SKIP: the program is not built"; exit 77; }
cd "$house_scratch"

# Lines between and with the two markers, which the program prints too.
check_keys() {
  sed -n '/^<!-- keys: begin/,/^<!-- keys: end/p' "$1/README.md" >readme.keys
  "$MMSOLD_PROGRAM" help keys --markdown >program.keys
  diff readme.keys program.keys || true
}

# Commands in shell examples and in code type: mmsold WORD.
check_commands() {
  local command
  {
    sed -n '/^```sh$/,/^```$/p' "$1/README.md"
    grep -oE '`mmsold [a-z]+' "$1/README.md"
  } | grep -oE 'mmsold [a-z]+' | sort -u | while read -r _ command; do
    "$MMSOLD_PROGRAM" help "$command" >/dev/null 2>&1 || echo "mmsold $command: there is no such command"
  done
}

# Files and folders of the tree that are linked to or set in code type.
check_files() {
  local file
  {
    grep -oE '\]\([^)#]+\)' "$1/README.md" | sed 's/^](//; s/)$//' | grep -v '^https:' || true
    grep -oE '\b(jobs|tests|config|src|include)/[A-Za-z0-9_./-]*' "$1/README.md"
  } | sort -u | while IFS= read -r file; do
    [ -e "$1/$file" ] || echo "$file: the README names it, and it is not there"
  done
}

# The example in the section on one's own data, on points made here.
check_example() {
  sed -n '/^```yaml$/,/^```$/p' "$1/README.md" | sed '/^```/d; s,mine.h5:/points,circle,; s,^  source.*,&\n  count: 12,' >mine.yaml
  "$MMSOLD_PROGRAM" run mine.yaml --check >example.log 2>&1 || sed 's/^/the example: /' example.log
}

house_expect_clean check_keys "$MMSOLD_SOURCE"
house_expect_clean check_commands "$MMSOLD_SOURCE"
house_expect_clean check_files "$MMSOLD_SOURCE"
house_expect_clean check_example "$MMSOLD_SOURCE"

copy=$(house_copy)
sed -i 's/`score.bandwidth`/`score.breadth`/; s/^  bandwidth: /  breadth: /; s,config/spirals,config/whirls,g; s/`mmsold compare/`mmsold contrast/' "$copy/README.md"
house_expect_fires check_keys "$copy" 'score.breadth'
house_expect_fires check_commands "$copy" "mmsold contrast"
house_expect_fires check_files "$copy" "config/whirls.yaml"
house_expect_fires check_example "$copy" "breadth"
echo "the README tells what is"
