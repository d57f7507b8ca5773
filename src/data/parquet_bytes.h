// A column of bytes in a Parquet file, such as the pictures that LeRobot stores with
// use_videos=False: { bytes, path } a row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace aim {

// Memory is that of the pages that are being read. Not thread-safe.
class ParquetBytes {
 public:
  // Throws InputError if the file is missing or has no such column of bytes, FormatError if it is
  // damaged.
  ParquetBytes(const std::filesystem::path& path, const std::string& column);
  ~ParquetBytes();

  int64_t num_rows() const;

  // The bytes of one row. Goes on from the row read last; an earlier one costs its group of rows
  // from its beginning. Throws InputError where the row holds none, FormatError where they are
  // damaged.
  std::string Row(int64_t row);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aim
