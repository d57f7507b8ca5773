#include "data/lerobot_table.h"

#include "data/padded_number.h"

namespace aim {
namespace {

constexpr int64_t kFilesPerChunk = 1000;

}  // namespace

std::string ChunkedPlace::Name() const {
  return "chunk-" + PaddedNumber(chunk, 3) + "/file-" + PaddedNumber(file, 3);
}

void ChunkedPlace::Next() {
  if (++file < kFilesPerChunk) return;
  file = 0;
  ++chunk;
}

void ChunkedTable::Append(const std::vector<ParquetColumn>& columns) {
  if (!writer_) writer_.emplace(folder_ / (place_.Name() + ".parquet"), columns);
  writer_->Append(columns);
  if (writer_->size_bytes() < max_bytes_) return;
  Finish();
  place_.Next();
}

void ChunkedTable::Finish() {
  if (writer_) writer_->Finish();
  writer_.reset();
}

template <class Value>
void RowsBuilder::AddValues(const std::string& name, const std::vector<Value>& values,
                            int nesting) {
  std::vector<Value>& all = Values<Value>(name, true, nesting);
  all.insert(all.end(), values.begin(), values.end());
  columns_[next_ - 1].row_ends.push_back(static_cast<int64_t>(all.size()));
}

void RowsBuilder::AddList(const std::string& name, const std::vector<double>& values, int nesting) {
  AddValues(name, values, nesting);
}

void RowsBuilder::AddList(const std::string& name, const std::vector<int64_t>& values) {
  AddValues(name, values, 0);
}

void RowsBuilder::AddList(const std::string& name, const std::vector<std::string>& values) {
  AddValues(name, values, 0);
}

void RowsBuilder::EndRow() {
  AIM_CHECK(next_ == columns_.size());
  next_ = 0;
  ++num_rows_;
}

std::vector<ParquetColumn> RowsBuilder::Take() {
  AIM_CHECK(next_ == 0);
  num_rows_ = 0;
  return std::exchange(columns_, {});
}

}  // namespace aim
