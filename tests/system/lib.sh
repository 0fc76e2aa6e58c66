# Helpers of the system tests. A script sources this first; the environment names the program
# (MMSOLD_PROGRAM), the source tree and the build.
: "${MMSOLD_PROGRAM:?}" "${MMSOLD_SOURCE:?}" "${MMSOLD_BUILD:?}"
PYTHON=/usr/bin/python3 # Debian's, where python3-h5py is
# The program, whose runs can be held in a step (held.c).
HELD_PROGRAM=$MMSOLD_BUILD/tests/mmsold_held

# enter_scratch NAME: an empty folder of this test's own below the build's tests, removed at a good end. What a test that
# fails has left running ends with it.
enter_scratch() {
  scratch="$PWD/scratch-$1"
  rm -rf "$scratch" && mkdir -p "$scratch" && cd "$scratch" || exit 1
  trap 'code=$?; jobs -p | xargs -r kill 2> /dev/null || true; if [ $code -eq 0 ]; then cd / && rm -rf "$scratch"; fi; exit $code' EXIT
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# run_ranks N ARGUMENTS...: the program under mpirun on N ranks (alone where N is 1). About pml see ../CMakeLists.txt.
run_ranks() {
  ranks_wanted=$1; shift
  if [ "$ranks_wanted" -eq 1 ]; then "$MMSOLD_PROGRAM" "$@"; else
    mpirun --oversubscribe --mca pml ob1 -n "$ranks_wanted" "$MMSOLD_PROGRAM" "$@"; fi
}

# expect_exit CODE PATTERN COMMAND...: it ends with CODE and says PATTERN (extended regular expression),
# on stdout or stderr, in one go: a message of several ranks would be one too many.
expect_exit() {
  wanted=$1 pattern=$2; shift 2
  code=0

  "$@" > expect.log 2>&1 || code=$?
  [ "$code" -eq "$wanted" ] || { cat expect.log >&2; fail "exit $code instead of $wanted: $*"; }
  grep -Eq -- "$pattern" expect.log || { cat expect.log >&2; fail "no \"$pattern\" in the output of: $*"; }
  if [ "$wanted" -eq 2 ]; then
    said=$(grep -c '^mmsold: error: ' expect.log || true)
    [ "$said" -eq 1 ] || { cat expect.log >&2; fail "$said error messages instead of 1: $*"; }
  fi
}

# same_bits FILE FILE WHAT: two results have the same samples, coordinates and trace, to the bit.
same_bits() {
  for data in /samples /latent /trace; do
    h5diff -q "$1" "$2" "$data" "$data" || fail "$3: $data differs"
  done
}

# hold FOLDER: the run of HELD_PROGRAM into it will wait in the step in which it next looks whether to stop.
hold() { mkdir -p "$1" && touch "$1/hold"; }

# held FOLDER: wait until it does. It goes on when it is let go or a signal comes to it.
held() { wait_for "[ ! -e '$1/hold' ] && [ -e '$1/held' ]" 300; }
let_go() { rm "$1/held"; }

# step_on FOLDER: one step further, and held again: it looks once a second, waiting or not.
step_on() {
  touch "$1/hold"
  sleep 1.5
  let_go "$1"
  held "$1"
}

# alive PROCESS: there, and not only as an entry that nobody has asked for yet?
alive() { [ -r "/proc/$1/status" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2> /dev/null; }

# wait_for CONDITION SECONDS: poll a shell condition. The limit is for a test that has failed: generous, for a slow machine.
wait_for() {
  for attempt in $(seq $(($2 * 10))); do
    if eval "$1"; then return 0; fi
    sleep 0.1
  done
  fail "waited $2 s in vain for: $1"
}
