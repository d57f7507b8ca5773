#include "data/parquet_bytes.h"

#include <parquet/column_reader.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "data/fail_input.h"
#include "data/parquet.h"
#include "data/parquet_reading.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// The leaf that holds the bytes: the column itself, or its part `bytes`.
int BytesLeaf(const parquet::SchemaDescriptor& schema, const std::string& column) {
  for (int leaf = 0; leaf < schema.num_columns(); ++leaf) {
    const parquet::ColumnDescriptor& descriptor = *schema.Column(leaf);
    const std::vector<std::string> path = descriptor.path()->ToDotVector();
    const bool is_part = path.size() == 1 || (path.size() == 2 && path[1] == "bytes");
    if (path[0] != column || !is_part || descriptor.max_repetition_level() != 0) continue;
    if (descriptor.physical_type() == parquet::Type::BYTE_ARRAY) return leaf;
  }
  return -1;
}

}  // namespace

class ParquetBytes::Impl {
 public:
  Impl(const fs::path& path, const std::string& column)
      : path_(path),
        where_(path.string() + ": " + column),
        counted_(arrow::default_memory_pool()),
        pool_(&counted_, kMaxParquetBytes) {
    const auto file = OpenParquet(path_, pool_);
    parquet::ReaderProperties properties(&pool_);
    properties.set_page_checksum_verification(true);
    properties.enable_buffered_stream();  // a group of pictures may be larger than memory
    ReadingParquet(path_, [&]() -> arrow::Status {
      reader_ = parquet::ParquetFileReader::Open(file, properties);
      leaf_ = BytesLeaf(*reader_->metadata()->schema(), column);
      return arrow::Status::OK();
    });
    if (leaf_ < 0) FailInput(where_, "missing or of another kind", "bytes in each row");
    int64_t rows = 0;
    for (int group = 0; group < reader_->metadata()->num_row_groups(); ++group) {
      const int64_t count = reader_->metadata()->RowGroup(group)->num_rows();
      if (count < 0 || count > reader_->metadata()->num_rows() - rows) {
        FailParquetFile(path_, "numbers of rows that contradict each other");
      }
      group_ends_.push_back(rows += count);
    }
  }

  int64_t num_rows() const { return group_ends_.empty() ? 0 : group_ends_.back(); }

  std::string Row(int64_t row) {
    AIM_CHECK(row >= 0 && row < num_rows());
    std::string bytes;
    const bool has_value = ReadingParquet(path_, [&] { return Read(row, bytes); });
    if (!has_value) {
      FailInput(where_, "empty in row " + std::to_string(row),
                "the bytes of a picture (one in a file of its own is not read)");
    }
    return bytes;
  }

 private:
  arrow::Result<bool> Read(int64_t row, std::string& bytes) {
    const auto after = std::upper_bound(group_ends_.begin(), group_ends_.end(), row);
    const auto group = static_cast<int>(after - group_ends_.begin());
    if (group != group_ || row < next_row_ || column_ == nullptr) {
      column_ = nullptr;  // so that a failure on the way leaves none that is half read
      auto column = reader_->RowGroup(group)->Column(leaf_);
      group_ = group;
      next_row_ = group == 0 ? 0 : group_ends_[static_cast<size_t>(group) - 1];
      column_ = std::move(column);
    }
    auto& values = static_cast<parquet::ByteArrayReader&>(*column_);
    const int64_t to_skip = row - next_row_;
    if (values.Skip(to_skip) != to_skip) return arrow::Status::Invalid("fewer rows than it says");
    int16_t definition = 0;
    int64_t num_values = 0;
    parquet::ByteArray value;
    if (values.ReadBatch(1, &definition, nullptr, &value, &num_values) != 1) {
      return arrow::Status::Invalid("fewer rows than it says");
    }
    next_row_ = row + 1;
    if (num_values == 0) return false;
    bytes.assign(reinterpret_cast<const char*>(value.ptr), value.len);
    return true;
  }

  fs::path path_;
  std::string where_;
  arrow::ProxyMemoryPool counted_;  // this file's alone
  arrow::CappedMemoryPool pool_;
  std::unique_ptr<parquet::ParquetFileReader> reader_;
  int leaf_ = -1;
  std::vector<int64_t> group_ends_;
  std::shared_ptr<parquet::ColumnReader> column_;  // of group_, about to read next_row_
  int group_ = -1;
  int64_t next_row_ = 0;
};

ParquetBytes::ParquetBytes(const fs::path& path, const std::string& column)
    : impl_(std::make_unique<Impl>(path, column)) {}
ParquetBytes::~ParquetBytes() = default;
int64_t ParquetBytes::num_rows() const { return impl_->num_rows(); }
std::string ParquetBytes::Row(int64_t row) { return impl_->Row(row); }

}  // namespace aim
