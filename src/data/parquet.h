// Tables in Parquet files, of the few kinds of columns that LeRobot's data sets have. Arrow is
// known to parquet.cc and parquet_bytes.cc alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace aim {

// The values of a column, one after the other: one a row or, where `is_list`, those of each row up
// to its end in `row_ends`.
struct ParquetColumn {
  std::string name;
  std::variant<std::vector<int64_t>, std::vector<float>, std::vector<double>, std::vector<bool>,
               std::vector<std::string>>
      values;
  bool is_list = false;
  std::vector<int64_t> row_ends;
  int nesting = 0;  // of a column of lists that is written: lists of one around each value

  int64_t num_rows() const;
};

// A column of lists with `width` values in each.
template <class Value>
ParquetColumn ListColumn(std::string name, std::vector<Value> values, size_t width) {
  ParquetColumn column{.name = std::move(name), .values = {}, .is_list = true, .row_ends = {}};
  for (size_t end = width; end <= values.size(); end += width) {
    column.row_ends.push_back(static_cast<int64_t>(end));
  }
  column.values = std::move(values);
  return column;
}

// Rows that were read, asked for by the name of their column. Throws InputError naming the file and
// the column where there is none of that kind.
class ParquetTable {
 public:
  ParquetTable(std::string where, std::vector<ParquetColumn> columns)
      : where_(std::move(where)), columns_(std::move(columns)) {}

  const std::vector<ParquetColumn>& columns() const& { return columns_; }
  std::vector<ParquetColumn> columns() && { return std::move(columns_); }
  bool Has(const std::string& name) const;
  const std::vector<int64_t>& Ints(const std::string& name) const;
  const std::vector<std::string>& Texts(const std::string& name) const;
  std::vector<std::vector<std::string>> TextLists(const std::string& name) const;
  // Numbers of any type, and true and false as 1 and 0, one a row or `width` of them; all finite.
  std::vector<double> Numbers(const std::string& name, size_t width = 1) const;

  std::string Where(const std::string& name) const { return where_ + ": " + name; }

 private:
  const ParquetColumn& At(const std::string& name) const;

  std::string where_;
  std::vector<ParquetColumn> columns_;
};

// A file whose end was read. Damage, lengths that nothing in the file bears out, and tables that
// would take more than 2 GiB are FormatError naming the file. Not thread-safe.
class ParquetFile {
 public:
  // Throws InputError if the file is missing.
  explicit ParquetFile(const std::filesystem::path& path);
  ~ParquetFile();

  int64_t num_rows() const;
  const std::vector<std::string>& columns() const;

  // Rows [begin, end) of these columns, which lie within the file; reads no group of rows beside
  // them. Throws InputError for a column that is missing, holds nothing in some row or is of a type
  // that ParquetColumn has not.
  ParquetTable Read(const std::vector<std::string>& names, int64_t begin, int64_t end) const;
  ParquetTable Read(const std::vector<std::string>& names) const {
    return Read(names, 0, num_rows());
  }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Writes a file group by group, compressed with Snappy and with a checksum on every page. Throws
// IoError if the system fails.
class ParquetWriter {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;  // for the file's end

  // Makes the folder of `path`. The columns' names and types are those of `first`.
  ParquetWriter(const std::filesystem::path& path, const std::vector<ParquetColumn>& first,
                const Metadata& metadata = {});
  ~ParquetWriter();

  // One group of rows: columns of one length, named and typed as the first.
  void Append(const std::vector<ParquetColumn>& columns);
  int64_t size_bytes() const;  // so far
  void Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aim
