#include "aim/format/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/throws.h"
#include "tensor/torch_zip.h"
#include "tensor/torch_zip_writer.h"

namespace aim {
namespace {

using testing::AsBytes;
using testing::ExpectThrowsWith;
using testing::FakeRecord;
using testing::MakeZip;

TEST(Crc32Test, MatchesTheCheckValueAndItselfAtEveryLength) {
  EXPECT_EQ(Crc32(AsBytes("123456789")), 0xcbf43926u);  // the check value of the CRC catalogue
  EXPECT_EQ(Crc32({}), 0u);
  // One bit a step, the definition.
  std::string text;
  for (int length = 0; length < 40; ++length) {
    uint32_t crc = 0xffffffff;
    for (const char c : text) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    }
    EXPECT_EQ(Crc32(AsBytes(text)), ~crc) << length;
    text += static_cast<char>(length * 37);
  }
}

TEST(ZipTest, RecordsAreWhereTheirBytesAre) {
  const std::vector<FakeRecord> records = {
      {"a/data.pkl", "pickle"}, {"a/data/0", ""}, {"a/data/1", "bytes"}};
  for (const bool zip64 : {false, true}) {
    const std::string bytes = MakeZip(records, zip64);
    const std::vector<ZipRecord> read = ParseZip(AsBytes(bytes), "w.pth");
    ASSERT_EQ(read.size(), records.size());
    for (size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i].name, records[i].name);
      EXPECT_EQ(bytes.substr(read[i].begin, read[i].size_bytes), records[i].data);
      EXPECT_NO_THROW(CheckCrc(AsBytes(records[i].data), read[i].crc, "w.pth"));
    }
  }
}

// Every prefix of an archive is refused.
TEST(ZipTest, TruncatedAtEveryByte) {
  const std::string pickle = testing::PickledDict(testing::PickledTensor({}));
  for (const bool zip64 : {false, true}) {
    const std::string bytes = MakeZip(testing::FakeTorchRecords(pickle), zip64);
    EXPECT_EQ(ParseTorchZip(AsBytes(bytes), "w.pth").tensors.size(), 1u);
    for (size_t size = 0; size < bytes.size(); ++size) {
      ExpectThrowsWith<FormatError>(
          [&] { ParseTorchZip(AsBytes(std::string_view(bytes).substr(0, size)), "w.pth"); },
          {"w.pth", "truncated"});
    }
  }
}

struct BadZip {
  std::string name;
  std::function<std::string()> make;
  std::string words;
};

class BadZipTest : public ::testing::TestWithParam<BadZip> {};

TEST_P(BadZipTest, IsRefusedWithItsRecord) {
  const std::string bytes = GetParam().make();
  ExpectThrowsWith<FormatError>([&] { ParseZip(AsBytes(bytes), "w.pth"); },
                                {"w.pth", GetParam().words});
}

// An archive of records a and b, of which `change` breaks b.
std::function<std::string()> Changed(const std::function<void(FakeRecord&)>& change,
                                     bool zip64 = false) {
  return [=] {
    std::vector<FakeRecord> records = {{"r/a", "first"}, {"r/b", "second"}};
    change(records[1]);
    return MakeZip(records, zip64);
  };
}

// A valid archive with `size` bytes at `from_end` before its end replaced.
std::function<std::string()> Patched(size_t from_end, const std::string& value) {
  return [=] {
    std::string bytes = MakeZip({{"r/a", "first"}, {"r/b", "second"}});
    return bytes.replace(bytes.size() - from_end, value.size(), value);
  };
}

INSTANTIATE_TEST_SUITE_P(
    Zip, BadZipTest,
    ::testing::Values(
        BadZip{"encrypted", Changed([](FakeRecord& r) { r.flags = 1; }), "r/b is encrypted"},
        BadZip{"compressed", Changed([](FakeRecord& r) { r.method = 8; }), "r/b is compressed"},
        BadZip{"too_long", Changed([](FakeRecord& r) { r.size_bytes = 1u << 30; }),
               "r/b is 1073741824 bytes long"},
        BadZip{"too_long_64",
               Changed([](FakeRecord& r) { r.size_bytes = uint64_t{1} << 63; }, true),
               "r/b is 9223372036854775808 bytes long"},
        BadZip{"wrong_offset", Changed([](FakeRecord& r) { r.header_shift = 3; }),
               "r/b is said to be at byte"},
        BadZip{"offset_beyond", Changed([](FakeRecord& r) { r.header_shift = 1 << 20; }),
               "r/b is said to be at byte"},
        BadZip{"offset_beyond_64",
               Changed([](FakeRecord& r) { r.header_shift = int64_t{1} << 62; }, true),
               "r/b is said to be at byte"},
        BadZip{"other_header", Changed([](FakeRecord& r) { r.header_shift = -69; }),
               "r/b is contradicted by its local header"},
        BadZip{"parent", Changed([](FakeRecord& r) { r.name = "r/../b"; }), "named \"r/../b\""},
        BadZip{"absolute", Changed([](FakeRecord& r) { r.name = "/etc/b"; }), "named \"/etc/b\""},
        BadZip{"control", Changed([](FakeRecord& r) { r.name = "r/\x1b[1m"; }), "named \"r/?[1m\""},
        BadZip{"doubled", Changed([](FakeRecord& r) { r.name = "r/a"; }), "r/a is named twice"},
        BadZip{"count", Patched(12, testing::Number<uint16_t>(999)), "said to hold 999 records"},
        BadZip{"fewer", Patched(12, testing::Number<uint16_t>(1)), "longer than its 1 records"},
        BadZip{"directory_size", Patched(10, testing::Number<uint32_t>(1 << 30)),
               "directory is 1073741824 bytes"},
        BadZip{"directory_offset", Patched(6, testing::Number<uint32_t>(1 << 30)),
               "at byte 1073741824"},
        BadZip{"comment", Patched(2, testing::Number<uint16_t>(5)), "without an end record"}),
    testing::CaseName());

TEST(ZipTest, OverlapIsRefused) {
  // The first record says that it reaches into the second.
  const std::string bytes = [] {
    std::vector<FakeRecord> records = {{"r/a", "first"}, {"r/b", "second"}};
    records[0].size_bytes = 20;
    return MakeZip(records);
  }();
  ExpectThrowsWith<FormatError>([&] { ParseZip(AsBytes(bytes), "w.pth"); },
                                {"record r/b is overlapping r/a"});
}

TEST(ZipTest, Zip64ThatContradictsIsRefused) {
  std::string bytes = MakeZip({{"r/a", "first"}}, true);
  bytes.replace(bytes.size() - 12, 2, testing::Number<uint16_t>(7));
  ExpectThrowsWith<FormatError>([&] { ParseZip(AsBytes(bytes), "w.pth"); },
                                {"ZIP64 end record is contradicting"});
}

}  // namespace
}  // namespace aim
