#include "aim/format/zip_archive.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/byte_reader.h"

namespace aim {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEndRecord = 0x06054b50;
constexpr uint32_t kEndRecord64 = 0x06064b50;
constexpr uint32_t kEndLocator64 = 0x07064b50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCentralBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEndBytes64 = 56;
constexpr size_t kLocatorBytes = 20;
constexpr size_t kMaxCommentBytes = 0xffff;
constexpr uint32_t kSentinel = 0xffffffff;  // the number stands in a ZIP64 field
constexpr uint16_t kSentinel16 = 0xffff;
constexpr uint16_t kEncryptedFlags = 0x0001 | 0x0040 | 0x2000;
constexpr uint16_t kZip64Extra = 0x0001;

[[noreturn]] void FailZip(const std::string& where, const std::string& got,
                          const std::string& expected) {
  throw FormatError(
      {.where = where, .got = got, .expected = expected, .fix = "copy or download the file again"});
}

struct Directory {
  size_t begin = 0;
  size_t size_bytes = 0;
  size_t num_records = 0;
  size_t end_record = 0;  // where the end records begin
};

struct Entry {
  ZipRecord record = {};
  size_t header = 0;  // of its local header
};

// Offset of the end record: the last signature whose comment reaches exactly to the file's end.
size_t FindEndRecord(Bytes bytes, const std::string& file) {
  const std::string expected = "a ZIP archive with its directory at the end; it is truncated";
  if (bytes.size() < kEndBytes) {
    FailZip(file, std::to_string(bytes.size()) + " bytes long", expected);
  }
  const size_t last = bytes.size() - kEndBytes;
  const size_t first = last > kMaxCommentBytes ? last - kMaxCommentBytes : 0;
  for (size_t offset = last + 1; offset-- > first;) {
    if (ReadNumber<uint32_t>(bytes, offset) != kEndRecord) continue;
    if (offset + kEndBytes + ReadNumber<uint16_t>(bytes, offset + 20) == bytes.size()) {
      return offset;
    }
  }
  FailZip(file, "without an end record", expected);
}

// The same numbers from the ZIP64 end record; where both records give one they must agree.
Directory ReadEnd64(Bytes bytes, size_t locator, const Directory& small, const std::string& file) {
  const std::string expected = "one that lies before its locator and agrees with the end record";
  const uint64_t begin = ReadNumber<uint64_t>(bytes, locator + 8);
  if (!Fits(begin, kEndBytes64, locator) || ReadNumber<uint32_t>(bytes, begin) != kEndRecord64) {
    FailZip(file + ": ZIP64 end record", "said to be at byte " + std::to_string(begin), expected);
  }
  const Directory large{.begin = ReadNumber<uint64_t>(bytes, begin + 48),
                        .size_bytes = ReadNumber<uint64_t>(bytes, begin + 40),
                        .num_records = ReadNumber<uint64_t>(bytes, begin + 32),
                        .end_record = begin};
  const auto agree = [](size_t narrow, size_t wide, size_t sentinel) {
    return narrow == wide || narrow == sentinel;
  };
  if (ReadNumber<uint64_t>(bytes, begin + 24) != large.num_records ||
      !agree(small.begin, large.begin, kSentinel) ||
      !agree(small.size_bytes, large.size_bytes, kSentinel) ||
      !agree(small.num_records, large.num_records, kSentinel16)) {
    FailZip(file + ": ZIP64 end record", "contradicting the end record", expected);
  }
  return large;
}

Directory FindDirectory(Bytes bytes, const std::string& file) {
  const size_t end = FindEndRecord(bytes, file);
  Directory directory{.begin = ReadNumber<uint32_t>(bytes, end + 16),
                      .size_bytes = ReadNumber<uint32_t>(bytes, end + 12),
                      .num_records = ReadNumber<uint16_t>(bytes, end + 10),
                      .end_record = end};
  const bool has_locator =
      end >= kLocatorBytes && ReadNumber<uint32_t>(bytes, end - kLocatorBytes) == kEndLocator64;
  if (has_locator) directory = ReadEnd64(bytes, end - kLocatorBytes, directory, file);
  if (!Fits(directory.begin, directory.size_bytes, directory.end_record)) {
    FailZip(
        file + ": directory",
        std::to_string(directory.size_bytes) + " bytes at byte " + std::to_string(directory.begin),
        "within the " + std::to_string(directory.end_record) + " bytes before the end record");
  }
  if (directory.num_records > directory.size_bytes / kCentralBytes) {
    FailZip(file + ": directory",
            "said to hold " + std::to_string(directory.num_records) + " records",
            "at most " + std::to_string(directory.size_bytes / kCentralBytes) + ", all that fit");
  }
  return directory;
}

void CheckName(std::string_view name, const std::string& file) {
  bool is_safe = !name.empty() && name.front() != '/';
  for (const char c : name) {
    is_safe = is_safe && static_cast<unsigned char>(c) >= ' ' && c != '\\' && c != '\x7f';
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    is_safe = is_safe && name.substr(begin, end - begin) != "..";
    begin = end + 1;
  }
  if (is_safe) return;
  FailZip(file + ": record", "named \"" + Printable(name) + "\"", "a relative path without ..");
}

// Sizes and offset of a directory entry, out of its ZIP64 extra field where they are too large.
void ReadZip64(Bytes extra, Entry& entry, uint64_t& packed_bytes, const std::string& where) {
  const std::string expected = "ZIP64 fields for what 32 bits cannot hold";
  uint64_t size_bytes = entry.record.size_bytes;
  uint64_t header = entry.header;
  bool is_found = false;
  for (size_t at = 0; at < extra.size();) {
    if (!Fits(at, 4, extra.size())) FailZip(where, "with a truncated extra field", expected);
    const uint16_t id = ReadNumber<uint16_t>(extra, at);
    const size_t length = ReadNumber<uint16_t>(extra, at + 2);
    if (!Fits(at + 4, length, extra.size()))
      FailZip(where, "with a truncated extra field", expected);
    const Bytes field = extra.subspan(at + 4, length);
    at += 4 + length;
    if (id != kZip64Extra || is_found) continue;
    is_found = true;
    size_t next = 0;
    for (uint64_t* number : {&size_bytes, &packed_bytes, &header}) {
      if (*number != kSentinel) continue;
      if (!Fits(next, 8, field.size())) FailZip(where, "without all its ZIP64 fields", expected);
      *number = ReadNumber<uint64_t>(field, next);
      next += 8;
    }
  }
  entry.record.size_bytes = size_bytes;
  entry.header = header;
}

// The entry at `at`, which moves past it.
Entry ReadEntry(Bytes directory, size_t& at, const std::string& file) {
  const std::string expected = "a record of the directory";
  if (!Fits(at, kCentralBytes, directory.size()) ||
      ReadNumber<uint32_t>(directory, at) != kCentralHeader) {
    FailZip(file + ": directory", "broken at its byte " + std::to_string(at), expected);
  }
  const size_t name_bytes = ReadNumber<uint16_t>(directory, at + 28);
  const size_t extra_bytes = ReadNumber<uint16_t>(directory, at + 30);
  const size_t comment_bytes = ReadNumber<uint16_t>(directory, at + 32);
  if (!Fits(at + kCentralBytes, name_bytes + extra_bytes + comment_bytes, directory.size())) {
    FailZip(file + ": directory", "ending within the record at its byte " + std::to_string(at),
            expected);
  }
  const char* name = reinterpret_cast<const char*>(directory.data() + at + kCentralBytes);
  CheckName({name, name_bytes}, file);
  Entry entry{.record = {.name = {name, name_bytes},
                         .size_bytes = ReadNumber<uint32_t>(directory, at + 24),
                         .crc = ReadNumber<uint32_t>(directory, at + 16)},
              .header = ReadNumber<uint32_t>(directory, at + 42)};
  uint64_t packed_bytes = ReadNumber<uint32_t>(directory, at + 20);
  const std::string where = file + ": record " + Printable(entry.record.name);
  ReadZip64(directory.subspan(at + kCentralBytes + name_bytes, extra_bytes), entry, packed_bytes,
            where);
  if ((ReadNumber<uint16_t>(directory, at + 8) & kEncryptedFlags) != 0) {
    FailZip(where, "encrypted", "a record stored as it is");
  }
  if (ReadNumber<uint16_t>(directory, at + 10) != 0 || packed_bytes != entry.record.size_bytes) {
    FailZip(where, "compressed",
            "a record stored as it is, as numpy.savez and torch.save write it (not "
            "numpy.savez_compressed)");
  }
  at += kCentralBytes + name_bytes + extra_bytes + comment_bytes;
  return entry;
}

// Where the data of an entry begins; the local header must belong to it.
void Locate(Bytes bytes, size_t end, Entry& entry, const std::string& where) {
  if (!Fits(entry.header, kLocalBytes, end) ||
      ReadNumber<uint32_t>(bytes, entry.header) != kLocalHeader) {
    FailZip(where, "said to be at byte " + std::to_string(entry.header),
            "the byte of its local header");
  }
  const size_t name_bytes = ReadNumber<uint16_t>(bytes, entry.header + 26);
  const size_t extra_bytes = ReadNumber<uint16_t>(bytes, entry.header + 28);
  const size_t names = entry.header + kLocalBytes;
  const bool is_named =
      Fits(names, name_bytes + extra_bytes, end) && name_bytes == entry.record.name.size() &&
      std::memcmp(bytes.data() + names, entry.record.name.data(), name_bytes) == 0;
  if (!is_named || ReadNumber<uint16_t>(bytes, entry.header + 8) != 0) {
    FailZip(where, "contradicted by its local header", "the same name, stored as it is");
  }
  entry.record.begin = names + name_bytes + extra_bytes;
  if (!Fits(entry.record.begin, entry.record.size_bytes, end)) {
    FailZip(where, std::to_string(entry.record.size_bytes) + " bytes long",
            "at most " + std::to_string(end - entry.record.begin) + ", all that come before the " +
                "directory");
  }
}

void CheckApart(std::vector<Entry> entries, const std::string& file) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.header < b.header; });
  for (size_t i = 1; i < entries.size(); ++i) {
    const ZipRecord& before = entries[i - 1].record;
    if (entries[i].header < before.begin + before.size_bytes) {
      FailZip(file + ": record " + Printable(entries[i].record.name),
              "overlapping " + Printable(before.name), "records that lie apart");
    }
  }
}

constexpr size_t kLanes = 8;
using CrcTables = std::array<std::array<uint32_t, 256>, kLanes>;

constexpr CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    tables[0][i] = crc;
  }
  for (size_t lane = 1; lane < kLanes; ++lane) {
    for (size_t i = 0; i < 256; ++i) {
      const uint32_t before = tables[lane - 1][i];
      tables[lane][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = MakeCrcTables();

}  // namespace

std::vector<ZipRecord> ParseZip(Bytes bytes, const std::string& file) {
  const Directory directory = FindDirectory(bytes, file);
  const Bytes headers = bytes.subspan(directory.begin, directory.size_bytes);
  std::vector<Entry> entries;
  std::set<std::string> names;
  size_t at = 0;
  for (size_t i = 0; i < directory.num_records; ++i) {
    Entry entry = ReadEntry(headers, at, file);
    const std::string where = file + ": record " + Printable(entry.record.name);
    Locate(bytes, directory.begin, entry, where);
    if (!names.insert(entry.record.name).second) FailZip(where, "named twice", "one record a name");
    entries.push_back(std::move(entry));
  }
  if (at != headers.size()) {
    FailZip(file + ": directory",
            std::to_string(headers.size() - at) + " bytes longer than its " +
                std::to_string(entries.size()) + " records",
            "a directory of its records alone");
  }
  CheckApart(entries, file);
  std::vector<ZipRecord> records;
  records.reserve(entries.size());
  for (Entry& entry : entries) records.push_back(std::move(entry.record));
  return records;
}

// Eight bytes a step, one table for each.
uint32_t Crc32(Bytes bytes) {
  uint32_t crc = 0xffffffff;
  size_t at = 0;
  for (; at + kLanes <= bytes.size(); at += kLanes) {
    const uint64_t word = ReadNumber<uint64_t>(bytes, at) ^ crc;
    crc = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      crc ^= kCrcTables[kLanes - 1 - lane][(word >> (8 * lane)) & 0xff];
    }
  }
  for (; at < bytes.size(); ++at) {
    crc = (crc >> 8) ^ kCrcTables[0][(crc ^ static_cast<uint32_t>(bytes[at])) & 0xff];
  }
  return ~crc;
}

void CheckCrc(Bytes record, uint32_t crc, const std::string& where) {
  if (crc == 0) return;  // torch.save was told not to compute it
  const uint32_t found = Crc32(record);
  if (found == crc) return;
  FailZip(where, "damaged (CRC " + std::to_string(found) + ")",
          "bytes whose CRC is " + std::to_string(crc));
}

}  // namespace aim
