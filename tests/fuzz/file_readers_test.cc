// Thousands of mutations of the files that tests/fuzz/file_readers.h reads, with every compiler;
// libFuzzer searches on from there (tests/fuzz/files_fuzz.cc).
#include "fuzz/file_readers.h"

#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "support/case_name.h"
#include "support/corpus.h"
#include "support/temporary_folder.h"

namespace aim::testing {
namespace {

constexpr int kMutations = 300;

class FileReadersTest : public ::testing::TestWithParam<FileReader> {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kOff);
    GetParam().prepare(folder_.path());
    bytes_ = ReadFile(folder_ / GetParam().file);
  }
  void TearDown() override { SetLogLevel(LogLevel::kInfo); }
  bool Read(const std::string& bytes) { return ReadOrRefuse(GetParam(), folder_.path(), bytes); }

  TemporaryFolder folder_;
  std::string bytes_;
};

size_t Place(Rng& rng, const std::string& bytes) {
  return static_cast<size_t>(rng.UniformInt(static_cast<int64_t>(bytes.size())));
}

// A piece that is another, twice there, gone, or what breaks numbers and names.
std::string Mutated(std::string bytes, Rng& rng) {
  static const std::string kPieces[] = {"-1",
                                        "1e999",
                                        "null",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "[[[[[[",
                                        "{\"a\":",
                                        "NaN",
                                        "\xff",
                                        "18446744073709551616",
                                        "../.."};
  const int changes = 1 + static_cast<int>(rng.UniformInt(3));
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t from = Place(rng, bytes);
    const size_t length = 1 + static_cast<size_t>(rng.UniformInt(12));
    switch (rng.UniformInt(4)) {
      case 0:
        bytes[from] = static_cast<char>(rng.UniformInt(256));
        break;
      case 1:
        bytes.erase(from, length);
        break;
      case 2:
        bytes.insert(from, bytes.substr(Place(rng, bytes), length));
        break;
      default:
        bytes.replace(from, length,
                      kPieces[static_cast<size_t>(rng.UniformInt(std::size(kPieces)))]);
    }
  }
  return bytes;
}

TEST_P(FileReadersTest, EveryMutationIsReadOrRefused) {
  ASSERT_TRUE(Read(bytes_)) << "undamaged";
  Read("");
  EXPECT_FALSE(Read(std::string(100'000, '[')));
  Rng rng(17);
  int num_read = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string mutated = Mutated(bytes_, rng);
    try {
      num_read += Read(mutated);
    } catch (const std::exception& error) {
      FAIL() << error.what() << "\n" << mutated;
    }
  }
  EXPECT_LT(num_read, kMutations);
}

TEST_P(FileReadersTest, WhatFuzzingFoundIsReadOrRefused) {
  if (!HasCorpus(GetParam().name)) return;
  for (const std::string& bytes : ReadCorpus(GetParam().name)) EXPECT_NO_THROW(Read(bytes));
}

INSTANTIATE_TEST_SUITE_P(Files, FileReadersTest, ::testing::ValuesIn(FileReaders()), CaseName());

}  // namespace
}  // namespace aim::testing
