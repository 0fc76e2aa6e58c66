# What the scripts here and tests/run.sh share: which Debian packages are needed, how to install the
# missing ones, how to configure and how to launch. Sourced, not run.

# To build, to run and to make pictures. Kept honest by tests/house/test_packages.sh.
MMSOLD_PACKAGES=(
  build-essential cmake ninja-build pkg-config
  libopenmpi-dev openmpi-bin
  libhdf5-openmpi-dev hdf5-tools
  libscalapack-openmpi-dev libopenblas-dev liblapacke-dev
  libyaml-dev libpng-dev zlib1g-dev librandom123-dev
  gnuplot-nox dataset-fashion-mnist
)

# And to test.
MMSOLD_TEST_PACKAGES=(
  libcmocka-dev valgrind lcov python3-h5py
  slurm-wlm munge
  clang libclang-rt-14-dev # the fuzzers; 14 is the clang of Debian 12
  clang-format clang-tidy cppcheck shellcheck
)

# Prints the packages of the arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
      installed) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

# Installs what is missing of the arguments, as root or through sudo; otherwise says what an
# administrator would run, and fails. Does nothing, and needs no network, where all is there.
install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system: make sure that what these packages hold is there: $*" >&2
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
      as_root=(sudo)
    else
      {
        echo "These packages are missing: ${missing[*]}"
        echo "Installing them needs an administrator, who would run"
        echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
      } >&2
      return 1
    fi
  fi
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update >"$log" 2>&1 </dev/null &&
     "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
       apt-get -q -y install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    rm -f "$log"
    return 0
  fi
  tail -n 30 "$log" >&2
  echo "apt-get could not install the packages; its last lines are above, all of them in $log" >&2
  return 1
}

# Ninja where it is there, Make otherwise; a build folder keeps the one it was made with.
cmake_generator() {
  if command -v ninja >/dev/null; then echo Ninja; else echo "Unix Makefiles"; fi
}

# Variables that any launch under Open MPI wants, whoever and wherever we are.
prepare_launch() {
  export OPENBLAS_NUM_THREADS=1 # a rank is a core
  # Containers forbid the system call behind this way of copying, and Open MPI then complains on every message.
  export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
  if [ "$(id -u)" -eq 0 ]; then # Open MPI refuses root unless told twice
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}
