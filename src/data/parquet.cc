#include "data/parquet.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "data/fail_input.h"
#include "data/parquet_reading.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void FailWriting(const fs::path& path, const std::string& what) {
  throw IoError({.where = path.string(),
                 .got = "not written (" + Excerpt(what) + ")",
                 .expected = "room and permission to write it",
                 .fix = "check the disk and try again"});
}

template <class Work>
auto Writing(const fs::path& path, Work&& work) {
  return CheckedArrow(path, FailWriting, std::forward<Work>(work));
}

// Values [begin, end) of an array, appended to `values`.
template <class Array, class Value>
void AppendValues(const arrow::Array& array, int64_t begin, int64_t end,
                  std::vector<Value>& values) {
  const auto& typed = static_cast<const Array&>(array);
  for (int64_t i = begin; i < end; ++i) {
    if constexpr (std::is_same_v<Value, std::string>) {
      values.emplace_back(typed.GetView(i));
    } else {
      values.push_back(static_cast<Value>(typed.Value(i)));
    }
  }
}

// Calls visit with a null pointer to the kind of array and an empty vector of what it becomes;
// false for other types.
template <class Visit>
bool VisitType(arrow::Type::type type, Visit&& visit) {
  const auto as = [&]<class Array, class Value>(Array* kind, std::vector<Value> empty) {
    visit(kind, std::move(empty));
    return true;
  };
  using Type = arrow::Type;
  static arrow::Array* const kNone = nullptr;
  switch (type) {
    case Type::INT8:
      return as(static_cast<arrow::Int8Array*>(kNone), std::vector<int64_t>());
    case Type::INT16:
      return as(static_cast<arrow::Int16Array*>(kNone), std::vector<int64_t>());
    case Type::INT32:
      return as(static_cast<arrow::Int32Array*>(kNone), std::vector<int64_t>());
    case Type::INT64:
      return as(static_cast<arrow::Int64Array*>(kNone), std::vector<int64_t>());
    case Type::UINT8:
      return as(static_cast<arrow::UInt8Array*>(kNone), std::vector<int64_t>());
    case Type::UINT16:
      return as(static_cast<arrow::UInt16Array*>(kNone), std::vector<int64_t>());
    case Type::UINT32:
      return as(static_cast<arrow::UInt32Array*>(kNone), std::vector<int64_t>());
    case Type::UINT64:
      return as(static_cast<arrow::UInt64Array*>(kNone), std::vector<int64_t>());
    case Type::FLOAT:
      return as(static_cast<arrow::FloatArray*>(kNone), std::vector<float>());
    case Type::DOUBLE:
      return as(static_cast<arrow::DoubleArray*>(kNone), std::vector<double>());
    case Type::BOOL:
      return as(static_cast<arrow::BooleanArray*>(kNone), std::vector<bool>());
    case Type::STRING:
      return as(static_cast<arrow::StringArray*>(kNone), std::vector<std::string>());
    case Type::LARGE_STRING:
      return as(static_cast<arrow::LargeStringArray*>(kNone), std::vector<std::string>());
    default:
      return false;
  }
}

// One row after the other of an array of lists: visit(begin, end) in `array`'s values.
template <class Visit>
std::shared_ptr<arrow::Array> VisitLists(const arrow::Array& array, Visit&& visit) {
  const auto visit_all = [&](const auto& lists) {
    for (int64_t i = 0; i < lists.length(); ++i) {
      visit(lists.value_offset(i), lists.value_offset(i) + lists.value_length(i));
    }
    return lists.values();
  };
  switch (array.type_id()) {
    case arrow::Type::LIST:
      return visit_all(static_cast<const arrow::ListArray&>(array));
    case arrow::Type::LARGE_LIST:
      return visit_all(static_cast<const arrow::LargeListArray&>(array));
    case arrow::Type::FIXED_SIZE_LIST:
      return visit_all(static_cast<const arrow::FixedSizeListArray&>(array));
    default:
      return nullptr;
  }
}

bool IsList(const arrow::DataType& type) {
  return type.id() == arrow::Type::LIST || type.id() == arrow::Type::LARGE_LIST ||
         type.id() == arrow::Type::FIXED_SIZE_LIST;
}

class ColumnReader {
 public:
  ColumnReader(std::string where, std::string name) : where_(std::move(where)) {
    column_.name = std::move(name);
  }

  ParquetColumn Take(const arrow::ChunkedArray& chunks) {
    column_.is_list = IsList(*chunks.type());
    const arrow::DataType& type =
        column_.is_list ? *chunks.type()->field(0)->type() : *chunks.type();
    const bool is_known =
        VisitType(type.id(), [&]<class Array, class Value>(Array*, std::vector<Value> values) {
          for (const std::shared_ptr<arrow::Array>& chunk : chunks.chunks()) {
            if (column_.is_list) {
              AppendLists<Array>(*chunk, values);
            } else {
              RequireFilled(*chunk);
              AppendValues<Array>(*chunk, 0, chunk->length(), values);
            }
          }
          column_.values = std::move(values);
        });
    if (!is_known) {
      FailInput(where_, "of the type " + Excerpt(chunks.type()->ToString()),
                "numbers, true and false, texts, or lists of those");
    }
    return std::move(column_);
  }

 private:
  void RequireFilled(const arrow::Array& array) const {
    if (array.null_count() > 0) {
      FailInput(where_, "empty in " + CountText(array.null_count(), "row"), "a value in each");
    }
  }

  template <class Array, class Value>
  void AppendLists(const arrow::Array& array, std::vector<Value>& values) {
    RequireFilled(array);
    std::vector<std::pair<int64_t, int64_t>> spans;
    const auto items =
        VisitLists(array, [&spans](int64_t begin, int64_t end) { spans.emplace_back(begin, end); });
    RequireFilled(*items);
    for (const auto& [begin, end] : spans) {
      AppendValues<Array>(*items, begin, end, values);
      column_.row_ends.push_back(static_cast<int64_t>(values.size()));
    }
  }

  std::string where_;
  ParquetColumn column_;
};

template <class Value>
auto NewBuilder() {
  if constexpr (std::is_same_v<Value, int64_t>) return std::make_unique<arrow::Int64Builder>();
  if constexpr (std::is_same_v<Value, float>) return std::make_unique<arrow::FloatBuilder>();
  if constexpr (std::is_same_v<Value, double>) return std::make_unique<arrow::DoubleBuilder>();
  if constexpr (std::is_same_v<Value, bool>) return std::make_unique<arrow::BooleanBuilder>();
  if constexpr (std::is_same_v<Value, std::string>) {
    return std::make_unique<arrow::StringBuilder>();
  }
}

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;

// Lists of the values of an array, from each end to the next.
ArrayResult ListsOf(const std::vector<int64_t>& ends, const std::shared_ptr<arrow::Array>& items) {
  arrow::Int32Builder offsets;
  ARROW_RETURN_NOT_OK(offsets.Append(0));
  for (const int64_t end : ends) ARROW_RETURN_NOT_OK(offsets.Append(static_cast<int32_t>(end)));
  ARROW_ASSIGN_OR_RAISE(const auto array, offsets.Finish());
  return arrow::ListArray::FromArrays(*array, *items);
}

ArrayResult ToArray(const ParquetColumn& column) {
  return std::visit(
      [&]<class Value>(const std::vector<Value>& values) -> ArrayResult {
        const auto builder = NewBuilder<Value>();
        for (const auto& value : values) ARROW_RETURN_NOT_OK(builder->Append(value));
        ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Array> array, builder->Finish());
        if (!column.is_list) return array;
        std::vector<int64_t> each(values.size());
        std::iota(each.begin(), each.end(), 1);
        for (int depth = 0; depth < column.nesting; ++depth) {
          ARROW_ASSIGN_OR_RAISE(array, ListsOf(each, array));
        }
        return ListsOf(column.row_ends, array);
      },
      column.values);
}

}  // namespace

class ParquetFile::Impl {
 public:
  explicit Impl(const fs::path& path)
      : path_(path), counted_(arrow::default_memory_pool()), pool_(&counted_, kMaxParquetBytes) {
    const auto file = OpenParquet(path_, pool_);
    parquet::ReaderProperties properties(&pool_);
    properties.set_page_checksum_verification(true);
    ReadingParquet(path_, [&]() -> arrow::Status {
      parquet::arrow::FileReaderBuilder builder;
      ARROW_RETURN_NOT_OK(builder.Open(file, properties));
      builder.memory_pool(&pool_);
      parquet::ArrowReaderProperties in_this_thread(false);
      in_this_thread.set_pre_buffer(false);
      builder.properties(in_this_thread);
      ARROW_ASSIGN_OR_RAISE(reader_, builder.Build());
      return arrow::Status::OK();
    });
    ReadingParquet(path_, [&] { return ReadNames(); });
  }

  int64_t num_rows() const { return group_ends_.empty() ? 0 : group_ends_.back(); }
  const std::vector<std::string>& columns() const { return names_; }

  ParquetTable Read(const std::vector<std::string>& names, int64_t begin, int64_t end) const {
    AIM_CHECK(begin >= 0 && begin <= end && end <= num_rows());
    std::vector<int> leaves;
    leaves.reserve(names.size());
    for (const std::string& name : names) leaves.push_back(LeafOf(name));
    std::vector<int> groups;
    int64_t first_row = begin;
    for (size_t group = 0; group < group_ends_.size(); ++group) {
      const int64_t group_begin = group == 0 ? 0 : group_ends_[group - 1];
      if (group_ends_[group] <= begin || group_begin >= end) continue;
      if (groups.empty()) first_row = group_begin;
      groups.push_back(static_cast<int>(group));
    }
    const std::shared_ptr<arrow::Table> table =
        ReadingParquet(path_, [&] { return reader_->ReadRowGroups(groups, leaves); });
    ReadingParquet(path_, [&] { return table->ValidateFull(); });
    if (first_row + table->num_rows() < end) FailParquetFile(path_, "fewer rows than it says");
    const auto wanted = table->Slice(begin - first_row, end - begin);
    std::vector<ParquetColumn> columns;
    for (const std::string& name : names) {
      const std::shared_ptr<arrow::ChunkedArray> chunks = wanted->GetColumnByName(name);
      if (chunks == nullptr) FailParquetFile(path_, "two columns called " + name);
      columns.push_back(ColumnReader(path_.string() + ": " + name, name).Take(*chunks));
    }
    return {path_.string(), std::move(columns)};
  }

 private:
  // A column of numbers or of lists of them has one leaf.
  arrow::Status ReadNames() {
    const auto metadata = reader_->parquet_reader()->metadata();
    int64_t rows = 0;
    for (int group = 0; group < metadata->num_row_groups(); ++group) {
      const int64_t count = metadata->RowGroup(group)->num_rows();
      if (count < 0 || count > metadata->num_rows() - rows) {
        return arrow::Status::Invalid("numbers of rows that contradict each other");
      }
      group_ends_.push_back(rows += count);
    }
    const parquet::SchemaDescriptor& schema = *metadata->schema();
    for (int leaf = 0; leaf < schema.num_columns(); ++leaf) {
      names_.push_back(schema.Column(leaf)->path()->ToDotVector().at(0));
    }
    return arrow::Status::OK();
  }

  int LeafOf(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      FailInput(path_.string() + ": " + name, "missing", "a column of that name");
    }
    return static_cast<int>(found - names_.begin());
  }

  fs::path path_;
  arrow::ProxyMemoryPool counted_;  // this file's alone
  mutable arrow::CappedMemoryPool pool_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<int64_t> group_ends_;
  std::vector<std::string> names_;
};

ParquetFile::ParquetFile(const fs::path& path) : impl_(std::make_unique<Impl>(path)) {}
ParquetFile::~ParquetFile() = default;
int64_t ParquetFile::num_rows() const { return impl_->num_rows(); }
const std::vector<std::string>& ParquetFile::columns() const { return impl_->columns(); }

ParquetTable ParquetFile::Read(const std::vector<std::string>& names, int64_t begin,
                               int64_t end) const {
  return impl_->Read(names, begin, end);
}

class ParquetWriter::Impl {
 public:
  Impl(const fs::path& path, const std::vector<ParquetColumn>& first, const Metadata& metadata)
      : path_(path) {
    std::error_code ignored;  // what fails here fails again when the file is opened
    fs::create_directories(path.parent_path(), ignored);
    arrow::FieldVector fields;
    for (const ParquetColumn& column : first) {
      const auto array = Writing(path_, [&] { return ToArray(column); });
      fields.push_back(arrow::field(column.name, array->type(), false));
    }
    schema_ = arrow::schema(fields);
    stream_ = Writing(path_, [&] { return arrow::io::FileOutputStream::Open(path.string()); });
    const auto properties = parquet::WriterProperties::Builder()
                                .compression(parquet::Compression::SNAPPY)
                                ->enable_page_checksum()
                                ->build();
    writer_ = Writing(path_, [&] {
      return parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream_,
                                              properties);
    });
    if (metadata.empty()) return;
    const auto pairs = std::make_shared<arrow::KeyValueMetadata>();
    for (const auto& [key, value] : metadata) pairs->Append(key, value);
    Writing(path_, [&] { return writer_->AddKeyValueMetadata(pairs); });
  }

  void Append(const std::vector<ParquetColumn>& columns) {
    AIM_CHECK(static_cast<int>(columns.size()) == schema_->num_fields());
    arrow::ArrayVector arrays;
    for (const ParquetColumn& column : columns) {
      const arrow::Field& field = *schema_->field(static_cast<int>(arrays.size()));
      arrays.push_back(Writing(path_, [&] { return ToArray(column); }));
      AIM_CHECK(field.name() == column.name && field.type()->Equals(*arrays.back()->type()) &&
                arrays.back()->length() == arrays[0]->length());
    }
    const auto table = arrow::Table::Make(schema_, arrays);
    const int64_t num_rows = std::max<int64_t>(1, table->num_rows());
    Writing(path_, [&] { return writer_->WriteTable(*table, num_rows); });
  }

  int64_t size_bytes() const {
    return Writing(path_, [&] { return stream_->Tell(); });
  }

  void Finish() {
    Writing(path_, [&] { return writer_->Close(); });
    Writing(path_, [&] { return stream_->Close(); });
  }

 private:
  fs::path path_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::FileOutputStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

ParquetWriter::ParquetWriter(const fs::path& path, const std::vector<ParquetColumn>& first,
                             const Metadata& metadata)
    : impl_(std::make_unique<Impl>(path, first, metadata)) {}
ParquetWriter::~ParquetWriter() = default;
void ParquetWriter::Append(const std::vector<ParquetColumn>& columns) { impl_->Append(columns); }
int64_t ParquetWriter::size_bytes() const { return impl_->size_bytes(); }
void ParquetWriter::Finish() { impl_->Finish(); }

}  // namespace aim
