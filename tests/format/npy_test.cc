#include "aim/format/npy.h"

#include <gmock/gmock.h>

#include <cstring>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

// A version 1.0 file with this header text, unpadded, and these data.
std::string NpyBytes(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

std::string Header(const std::string& type, const std::string& order, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <class T>
class NpyRoundTripTest : public ::testing::Test {};
using Types = ::testing::Types<float, double, uint8_t>;
TYPED_TEST_SUITE(NpyRoundTripTest, Types);

TYPED_TEST(NpyRoundTripTest, KeepsShapeAndEveryBit) {
  const TemporaryFolder folder;
  const std::vector<TypeParam> values = {
      TypeParam(0), TypeParam(1), TypeParam(2.5), TypeParam(255), TypeParam(1) / TypeParam(3),
      TypeParam(7)};
  const std::vector<std::vector<int64_t>> shapes = {{6}, {2, 3}, {1, 3, 2, 1}};
  for (const std::vector<int64_t>& shape : shapes) {
    WriteNpy(folder / "a.npy", shape, std::span<const TypeParam>(values));
    const NpyArray array = ReadNpy(folder / "a.npy");
    EXPECT_EQ(array.shape, shape);
    ASSERT_EQ(array.bytes.size(), values.size() * sizeof(TypeParam));
    EXPECT_EQ(std::memcmp(array.bytes.data(), values.data(), array.bytes.size()), 0);
    EXPECT_EQ(ToDoubles(array), std::vector<double>(values.begin(), values.end()));
  }
}

TEST(NpyTest, ScalarsAndEmptyArrays) {
  const TemporaryFolder folder;
  const std::vector<float> one = {4.5f};
  WriteNpy(folder / "s.npy", {}, std::span<const float>(one));
  EXPECT_TRUE(ReadNpy(folder / "s.npy").shape.empty());
  EXPECT_EQ(ToFloats(ReadNpy(folder / "s.npy")), one);
  WriteNpy(folder / "e.npy", {0, 3}, std::span<const float>());
  EXPECT_EQ(ReadNpy(folder / "e.npy").shape, (std::vector<int64_t>{0, 3}));
}

// numpy 1.24.2: np.save of np.arange(3, dtype="<f4").
TEST(NpyTest, WritesTheBytesThatNumpyWrites) {
  const TemporaryFolder folder;
  const std::vector<float> values = {0, 1, 2};
  WriteNpy(folder / "a.npy", {3}, std::span<const float>(values));
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
  expected += std::string(60, ' ') + "\n";
  expected += std::string("\0\0\0\0\0\0\x80\x3f\0\0\0\x40", 12);
  EXPECT_EQ(ReadFile(folder / "a.npy"), expected);
}

TEST(NpyTest, ReadsVersionTwo) {
  const std::string header = Header("<f8", "False", "(1,)");
  std::string bytes("\x93NUMPY\x02\x00", 8);
  bytes += std::string{static_cast<char>(header.size()), 0, 0, 0} + header + std::string(8, '\0');
  EXPECT_EQ(ParseNpy(bytes, "v2").shape, std::vector<int64_t>{1});
}

TEST(NpyTest, FileCutAtAnyByteIsRefused) {
  const std::string whole = NpyBytes(Header("<f4", "False", "(2, 3)"), std::string(24, 'x'));
  EXPECT_NO_THROW(ParseNpy(whole, "whole"));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(ParseNpy(whole.substr(0, size), "cut"), FormatError) << size;
  }
  EXPECT_THROW(ParseNpy(whole + "x", "longer"), FormatError);
}

TEST(NpyTest, AnyChangedByteIsReadOrRefusedButNeverWorse) {
  const std::string whole = NpyBytes(Header("<f4", "False", "(2, 3)"), std::string(24, 'x'));
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; value += 5) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      try {
        EXPECT_EQ(ParseNpy(changed, "changed").bytes.size(), 24u);
      } catch (const FormatError&) {
      }
    }
  }
}

struct BadFile {
  const char* name;
  std::string header;
  std::vector<std::string> words;
};

class BadNpyTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadNpyTest, IsRefusedInOneSentence) {
  const std::string bytes = NpyBytes(GetParam().header, std::string(24, '\0'));
  ExpectThrowsWith<FormatError>([&] { ParseNpy(bytes, "a.npy"); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadNpyTest,
    ::testing::Values(
        BadFile{
            "Fortran", Header("<f4", "True", "(2, 3)"), {"a.npy is in Fortran order", "C order"}},
        BadFile{"BigEndian", Header(">f4", "False", "(2, 3)"), {"type >f4", "little-endian"}},
        BadFile{"Integers", Header("<i8", "False", "(3,)"), {"type <i8", "<f4, <f8 or |u1"}},
        BadFile{"Pickle", Header("|O", "False", "(3,)"), {"type |O"}},
        BadFile{"Structure",
                "{'descr': [('a','<f4')], 'fortran_order': False, 'shape': (6,)}",
                {"array of structures"}},
        BadFile{"NegativeSize", Header("<f4", "False", "(-2, -3)"), {"shape (-2, -3)"}},
        BadFile{"Overflow",
                Header("<f4", "False", "(4294967296, 4294967296, 6)"),
                {"24 bytes of data", "(4294967296, 4294967296, 6)"}},
        BadFile{"TooLargeSize", Header("<f4", "False", "(99999999999999999999,)"), {"shape"}},
        BadFile{"TooManyAxes",
                Header("<f4", "False", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
                {"at most 16"}},
        BadFile{"WrongCount", Header("<f4", "False", "(2, 4)"), {"24 bytes of data", "(2, 4)"}},
        BadFile{"NoShape", "{'descr': '<f4', 'fortran_order': False}", {"\"shape\""}},
        BadFile{"Empty", "", {"\"descr\""}}),
    testing::CaseName());

TEST(NpyTest, MissingFileIsAnInputError) {
  ExpectThrowsWith<InputError>([] { ReadNpy("no/such/file.npy"); }, {"missing"});
}

}  // namespace
}  // namespace aim
