// Arrays of numbers in HDF5 files, as h5py writes them unless it is told otherwise: superblock 0 or
// 1, object headers of version 1, groups as symbol tables, arrays that are contiguous, compact or
// in pieces below a B-tree, without compression. Read by hand, every address and length held
// against the bytes that are there: a wrong bit ends libhdf5 1.10 with a division by zero.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace aim {

// A file that was read into memory; links are not followed. const methods are thread-safe.
class Hdf5File {
 public:
  // Throws InputError if the file is missing, longer than 1 GiB or of another kind of HDF5,
  // FormatError naming it if it is none or is cut off.
  explicit Hdf5File(const std::filesystem::path& path);
  ~Hdf5File();

  // Whether there is an array of that name: "observation/robot_state/gripper_position".
  bool Has(const std::string& name) const;

  // An array whose first size counts rows and whose others are `width` numbers a row together, in
  // row-major order: whole numbers and floats, true and false as 1 and 0. Throws InputError naming
  // the file and the array if it is missing, of another kind or shape, or holds a number that is
  // not finite; FormatError if it is damaged or says that it is longer than its bytes bear out.
  std::vector<double> Rows(const std::string& name, size_t width = 1) const;

  std::string Where(const std::string& name) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aim
