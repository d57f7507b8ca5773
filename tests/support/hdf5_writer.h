// HDF5 files as h5py's recorders leave them, written by the library itself: groups, and arrays in
// pieces, which can grow.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace aim::testing {

// How an array is stored.
enum class Hdf5Kind { kFloat64, kInt64, kFlag, kText };

struct Hdf5Array {
  std::string name;              // "observation/robot_state/gripper_position"; its groups are made
  std::vector<double> values;    // row-major
  std::vector<size_t> row = {};  // sizes of a row; empty: a number a row
  Hdf5Kind kind = Hdf5Kind::kFloat64;
  bool is_deflated = false;
};

// `links`: names for "/times" besides.
void WriteHdf5(const std::filesystem::path& path, const std::vector<Hdf5Array>& arrays,
               const std::vector<std::string>& links = {});

}  // namespace aim::testing
