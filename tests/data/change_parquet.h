// Parquet files with one thing in them changed.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/parquet.h"

namespace aim::testing {

// Reads all columns of numbers and texts as they are typed there, changes whole numbers of the
// column `name` and writes them again in one group.
inline void ChangeColumn(const std::filesystem::path& path, const std::string& name,
                         const std::function<void(std::vector<int64_t>&)>& change) {
  std::vector<ParquetColumn> columns;
  {
    const ParquetFile file(path);
    columns = file.Read(file.columns()).columns();
  }
  bool is_changed = false;
  for (ParquetColumn& column : columns) {
    if (column.name != name) continue;
    change(std::get<std::vector<int64_t>>(column.values));
    is_changed = true;
  }
  EXPECT_TRUE(is_changed) << name;
  ParquetWriter writer(path, columns);
  writer.Append(columns);
  writer.Finish();
}

}  // namespace aim::testing
