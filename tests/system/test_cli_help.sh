# help, --version, misspelt words, exit codes, lost output: what the program says before it works.
set -eu
. "$MMSOLD_SOURCE/tests/system/lib.sh"
enter_scratch cli_help
mmsold=$MMSOLD_PROGRAM

# Help: an overview, a page for every command it names, and every key.
"$mmsold" help > help.txt
"$mmsold" --help > help2.txt
cmp help.txt help2.txt || fail "help and --help differ"
for command in run prepare evaluate density converge classify compare info plot help version; do
  grep -q "^  $command " help.txt || fail "help does not name $command"
  expect_exit 0 "^usage: mmsold $command" "$mmsold" help "$command"
done
expect_exit 0 '^usage: mmsold run' "$mmsold" run c.yaml --nonsense --help
"$mmsold" help keys > keys.txt
"$mmsold" help keys --markdown > keys.md
[ "$(head -1 keys.md | cut -c1-17)" = "<!-- keys: begin " ] || fail "the Markdown table does not begin with its marker"
[ "$(tail -1 keys.md)" = "<!-- keys: end -->" ] || fail "the Markdown table does not end with its marker"
rows=$(grep -c '^| `' keys.md)
keys=$(grep -c '^  [a-z_]*$' keys.txt)
if [ "$rows" -lt 34 ] || [ "$rows" -ne "$keys" ]; then fail "$rows keys in the table, $keys in the text"; fi

# The README's table is this one.
if grep -q '^<!-- keys: begin ' "$MMSOLD_SOURCE/README.md"; then
  sed -n '/^<!-- keys: begin /,/^<!-- keys: end -->/p' "$MMSOLD_SOURCE/README.md" > readme.md
  diff readme.md keys.md || fail "the table of keys in README.md is not what mmsold help keys --markdown prints"
fi

# Version: ours and the libraries'.
"$mmsold" --version > version.txt
"$mmsold" version > version2.txt
cmp version.txt version2.txt || fail "version and --version differ"
for word in '^mmsold [0-9]' 'commit' '^kernels ' '^MPI  *Open MPI' '^HDF5  *1\.' '^BLAS  *OpenBLAS' '^linalg  *ScaLAPACK [0-9]' '^libyaml  *0\.'; do
  grep -Eq "$word" version.txt || fail "--version does not say $word"
done

# Wrong words: exit 2 and the nearest right one.
expect_exit 2 'no command is given' "$mmsold"
expect_exit 2 'there is no command plto; did you mean mmsold plot\?' "$mmsold" plto
expect_exit 2 'there is no command xyzzy ' "$mmsold" xyzzy
expect_exit 2 'there is no option --versoin; did you mean mmsold version\?' "$mmsold" --versoin
expect_exit 2 'there is no command evalute; did you mean evaluate\?' "$mmsold" help evalute
expect_exit 2 'run has no option --chekc; did you mean --check\?' "$mmsold" run --chekc c.yaml
expect_exit 2 'plot has no option --qiuet; did you mean --quiet\?' "$mmsold" plot --qiuet
expect_exit 2 'there is no option -v' "$mmsold" info -v
expect_exit 2 'run: CONFIG is missing' "$mmsold" run
expect_exit 2 'compare: B is missing' "$mmsold" compare a.npy
expect_exit 2 '"c" is one argument too many' "$mmsold" compare a b c
expect_exit 2 '--output FILE.h5 is missing' "$mmsold" prepare c.yaml
expect_exit 2 '--points FILE is missing' "$mmsold" evaluate c.yaml --output e.h5
expect_exit 2 '--output needs a value' "$mmsold" plot s.h5 --output
expect_exit 2 '--output is given twice' "$mmsold" plot s.h5 --output a.png --output b.png
expect_exit 2 '--check takes no value' "$mmsold" run c.yaml --check=yes
expect_exit 2 '--max-hours: "2h" is not a number' "$mmsold" run c.yaml --max-hours 2h
expect_exit 2 '--directions: "0" is not an integer, 1 or more' "$mmsold" compare a b --directions=0
expect_exit 2 '--markdown goes with' "$mmsold" help --markdown
expect_exit 2 'classify is not built in this version' "$mmsold" classify c.yaml

# Messages go to stderr, results to stdout; --quiet and --verbose stand anywhere.
"$mmsold" --quiet help run --verbose > out.txt 2> err.txt
if [ ! -s out.txt ] || [ -s err.txt ]; then fail "help does not go to stdout alone"; fi
"$mmsold" plto > out.txt 2> err.txt && fail "plto worked"
if [ -s out.txt ] || [ ! -s err.txt ]; then fail "an error does not go to stderr alone"; fi

# A result that is lost is not a success.
lost() {
  "$mmsold" help > /dev/full
}
expect_exit 1 'stdout: not everything could be written: No space left' lost
closed() {
  "$mmsold" help >&-
}
expect_exit 1 'stdout: not everything could be written: Bad file descriptor' closed
broken() {
  { wait_for '[ -e nobody-reads ]' 120; "$mmsold" help || echo "$?" > broken.code; } | { exec <&- && touch nobody-reads; }
}
broken 2> broken.log
[ "$(cat broken.code)" -eq 1 ] || fail "a broken pipe gave exit $(cat broken.code)"
grep -q 'Broken pipe' broken.log || fail "a broken pipe is not named"

# Several ranks answer as one.
expect_exit 2 'there is no command plto' mpirun --oversubscribe -n 3 "$mmsold" plto
mpirun --oversubscribe -n 2 "$mmsold" --version > version3.txt
[ "$(grep -c '^mmsold ' version3.txt)" -eq 1 ] || fail "--version speaks from more than one rank"
