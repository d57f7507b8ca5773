#include "data/hdf5_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/hdf5_writer.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::Hdf5Kind;
using testing::TemporaryFolder;

class Hdf5FileTest : public ::testing::Test {
 protected:
  Hdf5FileTest() {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    testing::WriteHdf5(path_,
                       {{"arm/pose", {1, 2, 3, 4, 5, 6.5}, {3}},
                        {"arm/long", {0.25, -1, 7, 8, 9}},
                        {"arm/packed", {1, 2}, {}, Hdf5Kind::kFloat64, true},
                        {"times", {1.7e12, 1.7e12 + 67}, {}, Hdf5Kind::kInt64},
                        {"flags", {1, 0, 1}, {}, Hdf5Kind::kFlag},
                        {"camera", {1, 0, 2, 0, 1, 3, 0, 0, 1}, {3, 3}},
                        {"words", {0, 0}, {}, Hdf5Kind::kText},
                        {"holes", {1, nan}, {}},
                        {"nothing", {}, {}}},
                       {"elsewhere"});
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "numbers.h5";
};

TEST_F(Hdf5FileTest, ArraysOfEveryKindComeBack) {
  const Hdf5File file(path_);
  EXPECT_THAT(file.Rows("arm/pose", 3), ElementsAre(1, 2, 3, 4, 5, 6.5));
  EXPECT_THAT(file.Rows("arm/long"), ElementsAre(0.25, -1, 7, 8, 9));
  EXPECT_THAT(file.Rows("times"), ElementsAre(1.7e12, 1.7e12 + 67));
  EXPECT_THAT(file.Rows("flags"), ElementsAre(1, 0, 1));
  EXPECT_THAT(file.Rows("camera", 9), ElementsAre(1, 0, 2, 0, 1, 3, 0, 0, 1));
  EXPECT_THAT(file.Rows("nothing"), ElementsAre());
  EXPECT_TRUE(file.Has("arm/pose"));
  EXPECT_FALSE(file.Has("arm/other"));
  EXPECT_FALSE(file.Has("other/pose"));
  EXPECT_FALSE(file.Has("elsewhere"));
}

TEST_F(Hdf5FileTest, WhatIsNoSuchArrayIsRefusedByName) {
  const Hdf5File file(path_);
  const auto expect = [&](const std::string& name, size_t width,
                          const std::vector<std::string>& words) {
    SCOPED_TRACE(name);
    ExpectThrowsWith<InputError>([&] { file.Rows(name, width); }, words);
  };
  expect("arm/other", 1, {"numbers.h5: arm/other", "missing"});
  expect("elsewhere", 1, {"elsewhere", "missing"});
  expect("arm", 1, {"arm", "no array"});
  expect("arm/pose", 6, {"arm/pose", "of shape [2, 3]", "rows of 6 numbers"});
  expect("times", 2, {"times", "of shape [2]", "rows of 2"});
  expect("arm/packed", 1, {"arm/packed", "compressed", "h5repack"});
  expect("words", 1, {"words", "no array of numbers"});
  expect("holes", 1, {"holes", "not a finite number in row 1"});
}

TEST_F(Hdf5FileTest, FilesThatAreNoneAreNamed) {
  ExpectThrowsWith<InputError>([&] { Hdf5File(folder_ / "none.h5"); }, {"none.h5", "missing"});
  WriteFileAtomic(folder_ / "empty.h5", "");
  ExpectThrowsWith<FormatError>([&] { Hdf5File(folder_ / "empty.h5"); }, {"empty.h5", "empty"});
  WriteFileAtomic(folder_ / "text.h5", std::string(5000, 'x'));
  ExpectThrowsWith<FormatError>([&] { Hdf5File(folder_ / "text.h5"); }, {"text.h5", "no HDF5"});
}

// All that is in the file, for what was done to its bytes.
void ReadAllHdf5(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  const Hdf5File file(path);
  for (const char* name : {"arm/long", "times", "flags", "nothing"}) file.Rows(name);
  file.Rows("arm/pose", 3);
  file.Rows("camera", 9);
}

TEST_F(Hdf5FileTest, CutAnywhereItIsRefused) {
  const std::string bytes = ReadFile(path_);
  ReadAllHdf5(folder_ / "whole.h5", bytes);
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 16) {
    EXPECT_THROW(ReadAllHdf5(folder_ / "cut.h5", bytes.substr(0, size)), FormatError) << size;
  }
  EXPECT_THROW(ReadAllHdf5(folder_ / "cut.h5", bytes.substr(0, bytes.size() - 1)), FormatError);
}

// Read or refused, whichever bit is wrong.
TEST_F(Hdf5FileTest, FlippedBitsDoNoHarm) {
  const std::string bytes = ReadFile(path_);
  Rng rng(7);
  int num_refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string flipped = bytes;
    size_t at = rng.UniformInt(bytes.size());
    while (flipped[at] == 0 && rng.UniformInt(20) != 0) at = rng.UniformInt(bytes.size());
    flipped[at] ^= static_cast<char>(1 << rng.UniformInt(8));
    try {
      ReadAllHdf5(folder_ / "flipped.h5", flipped);
    } catch (const InputError&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, 100);
}

}  // namespace
}  // namespace aim
