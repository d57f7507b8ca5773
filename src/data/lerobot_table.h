// Tables of LeRobot data sets on their way to disk.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "data/parquet.h"

namespace aim {

// The number of a file: "chunk-000/file-012".
struct ChunkedPlace {
  int64_t chunk = 0;
  int64_t file = 0;

  std::string Name() const;
  void Next();
};

// A table in files chunk-000/file-000.parquet, ..., each of which ends when it has grown to its
// size.
class ChunkedTable {
 public:
  ChunkedTable(std::filesystem::path folder, int64_t max_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}

  const ChunkedPlace& place() const { return place_; }  // of the rows that come next
  void Append(const std::vector<ParquetColumn>& columns);
  void Finish();

 private:
  std::filesystem::path folder_;
  int64_t max_bytes_;
  ChunkedPlace place_;
  std::optional<ParquetWriter> writer_;
};

// Columns that grow a row at a time; every row adds the same names in the same order.
class RowsBuilder {
 public:
  void Add(const std::string& name, int64_t value) { AddValue(name, value); }
  void Add(const std::string& name, double value) { AddValue(name, value); }
  void Add(const std::string& name, const std::string& value) { AddValue(name, value); }
  // Each number in `nesting` lists of its own.
  void AddList(const std::string& name, const std::vector<double>& values, int nesting = 0);
  void AddList(const std::string& name, const std::vector<int64_t>& values);
  void AddList(const std::string& name, const std::vector<std::string>& values);

  void EndRow();
  size_t num_rows() const { return num_rows_; }
  std::vector<ParquetColumn> Take();

 private:
  template <class Value>
  std::vector<Value>& Values(const std::string& name, bool is_list, int nesting);
  template <class Value>
  void AddValue(const std::string& name, const Value& value) {
    Values<Value>(name, false, 0).push_back(value);
  }
  template <class Value>
  void AddValues(const std::string& name, const std::vector<Value>& values, int nesting);

  std::vector<ParquetColumn> columns_;
  size_t next_ = 0;  // column of this row
  size_t num_rows_ = 0;
};

template <class Value>
std::vector<Value>& RowsBuilder::Values(const std::string& name, bool is_list, int nesting) {
  if (num_rows_ == 0) {
    columns_.push_back({.name = name,
                        .values = std::vector<Value>(),
                        .is_list = is_list,
                        .row_ends = {},
                        .nesting = nesting});
  }
  ParquetColumn& column = columns_.at(next_++);
  AIM_CHECK(column.name == name);
  return std::get<std::vector<Value>>(column.values);
}

}  // namespace aim
