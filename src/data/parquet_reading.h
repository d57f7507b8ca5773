// Opening Parquet files with Arrow: what parquet.cc and parquet_bytes.cc share, and nobody else
// sees.
#pragma once

#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>
#include <parquet/exception.h>

#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

inline constexpr int64_t kMaxParquetBytes = int64_t{2} << 30;  // of what is read at once

[[noreturn]] inline void FailParquetFile(const std::filesystem::path& path,
                                         const std::string& what) {
  throw FormatError({.where = path.string(),
                     .got = "damaged or no Parquet file (" + Excerpt(what) + ")",
                     .expected = "a whole Parquet file",
                     .fix = "copy or write it again"});
}

// Runs `work`, which returns an arrow::Status or Result; Arrow throws as well as returning.
template <class Work, class Fail>
auto CheckedArrow(const std::filesystem::path& path, Fail&& fail, Work&& work) {
  try {
    auto result = work();
    if constexpr (std::is_same_v<decltype(result), arrow::Status>) {
      if (!result.ok()) fail(path, result.message());
      return;
    } else {
      if (!result.ok()) fail(path, result.status().message());
      return std::move(result).ValueUnsafe();
    }
  } catch (const parquet::ParquetException& error) {
    fail(path, error.what());
  }
  FailCheck("Arrow's failure is thrown", __FILE__, __LINE__);
}

template <class Work>
auto ReadingParquet(const std::filesystem::path& path, Work&& work) {
  return CheckedArrow(path, FailParquetFile, std::forward<Work>(work));
}

// Throws InputError if the file is missing.
inline std::shared_ptr<arrow::io::ReadableFile> OpenParquet(const std::filesystem::path& path,
                                                            arrow::MemoryPool& pool) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError({.where = path.string(),
                      .got = std::filesystem::exists(path, error) ? "not a file" : "missing",
                      .expected = "a Parquet file",
                      .fix = "copy the data set again"});
  }
  return ReadingParquet(path, [&] { return arrow::io::ReadableFile::Open(path.string(), &pool); });
}

}  // namespace aim
