#!/usr/bin/env bash
# Checks every step of a machine that is to run aim-rollout --env rlbench, and says for each that
# fails what to do. Changes nothing.
#   scripts/env/rlbench_setup.sh [PYTHON]    PYTHON: that which has RLBench; python3 if none is named
set -uo pipefail

python="${1:-python3}"
failed=0

ok() { echo "ok       $1"; }
missing() {
  echo "MISSING  $1"
  echo "         $2"
  failed=1
}

check_system() {
  if [[ "$(uname -s)-$(uname -m)" == Linux-x86_64 ]]; then
    ok "Linux on x86-64"
  else
    missing "Linux on x86-64" "CoppeliaSim 4.1 runs nowhere else; use another machine"
  fi
  local library known
  known="$(ldconfig -p)"
  for library in libglib-2.0.so.0 libxkbcommon-x11.so.0 libxcb-icccm.so.4 libGL.so.1 libGLU.so.1; do
    if [[ "$known" == *"$library"* ]]; then
      ok "$library"
    else
      missing "$library" "apt-get install libglib2.0-0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libgl1 libglu1-mesa"
    fi
  done
  if [[ -n "${DISPLAY:-}" ]]; then
    ok "a display, $DISPLAY"
  elif command -v xvfb-run >/dev/null; then
    ok "xvfb-run, for a machine without a display"
  else
    missing "a display or xvfb-run" "apt-get install xvfb xauth libgl1-mesa-dri"
  fi
}

check_coppeliasim() {
  local root="${COPPELIASIM_ROOT:-}"
  if [[ -z "$root" ]]; then
    missing "COPPELIASIM_ROOT" "unpack CoppeliaSim Edu 4.1.0 for Ubuntu 20.04 (https://www.coppeliarobotics.com/previousVersions) and export COPPELIASIM_ROOT=<its folder>"
    return
  fi
  if [[ "$root" != /* ]]; then
    missing "COPPELIASIM_ROOT as an absolute path" "export COPPELIASIM_ROOT=$PWD/$root"
    return
  fi
  if [[ ! -e "$root/libcoppeliaSim.so.1" ]]; then
    missing "$root/libcoppeliaSim.so.1" "COPPELIASIM_ROOT is to be the folder that holds coppeliaSim.sh; versions from 4.2 on do not fit RLBench"
    return
  fi
  ok "CoppeliaSim in $root"
}

check_python() {
  if ! command -v "$python" >/dev/null; then
    missing "$python" "name a Python that exists: scripts/env/rlbench_setup.sh PYTHON"
    return
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))'; then
    missing "Python 3.8 or later" "make another environment"
    return
  fi
  local module
  for module in numpy cffi pyquaternion scipy natsort gymnasium; do
    if "$python" -c "import $module" 2>/dev/null; then
      ok "$module"
    else
      missing "$module" "$python -m pip install $module"
    fi
  done
  local libraries="${LD_LIBRARY_PATH:-}:${COPPELIASIM_ROOT:-}"
  local message
  if message="$(LD_LIBRARY_PATH="$libraries" "$python" -c 'import pyrep' 2>&1)"; then
    ok "PyRep"
  else
    missing "PyRep (${message##*$'\n'})" "with COPPELIASIM_ROOT set: $python -m pip install git+https://github.com/stepjam/PyRep.git"
  fi
  if message="$(LD_LIBRARY_PATH="$libraries" "$python" -c 'import rlbench.environment' 2>&1)"; then
    ok "RLBench"
  else
    missing "RLBench (${message##*$'\n'})" "$python -m pip install git+https://github.com/stepjam/RLBench.git"
  fi
}

check_system
check_coppeliasim
check_python
if [[ $failed == 0 ]]; then
  echo "Everything is there. Try it:"
  echo "  build/release/bin/aim-rollout --env rlbench --env-python $python --policy replay \\"
  echo "      --task reach_target --episodes 1 --frame-period-s 0.2 --out out/rlbench"
fi
exit $((failed * 2))
