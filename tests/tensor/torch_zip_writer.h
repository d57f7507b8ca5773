// Writes archives of torch byte by byte, so that each can be broken in one place.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aim/format/zip_archive.h"
#include "support/pickled.h"

namespace aim::testing {

// A record and the fields of its headers, all of which may lie.
struct FakeRecord {
  FakeRecord(std::string record_name, std::string record_data)
      : name(std::move(record_name)),
        data(std::move(record_data)),
        size_bytes(data.size()),
        crc(Crc32(AsBytes(data))) {}

  std::string name;
  std::string data;
  uint64_t size_bytes;
  uint32_t crc;
  uint16_t flags = 0;
  uint16_t method = 0;
  int64_t header_shift = 0;  // added to the true offset of the local header
};

// The archive; with `zip64` all sizes and offsets stand in ZIP64 fields, as in files above 4 GiB.
inline std::string MakeZip(const std::vector<FakeRecord>& records, bool zip64 = false) {
  std::string bytes;
  std::string directory;
  for (const FakeRecord& record : records) {
    const auto header =
        static_cast<uint64_t>(static_cast<int64_t>(bytes.size()) + record.header_shift);
    const auto narrow = [&](uint64_t value) {
      return Number<uint32_t>(zip64 ? 0xffffffff : static_cast<uint32_t>(value));
    };
    const auto name_bytes = Number(static_cast<uint16_t>(record.name.size()));
    // As torch writes them: local sizes and CRC are zero, the directory alone has them; data begins
    // at a multiple of 64 bytes.
    const size_t unpadded = bytes.size() + 30 + record.name.size() + 4;
    const std::string padding((unpadded + 63) / 64 * 64 - unpadded, 'Z');
    bytes += "PK\3\4" + Number<uint16_t>(20) + Number(record.flags) + Number(record.method) +
             std::string(16, '\0') + name_bytes +
             Number(static_cast<uint16_t>(padding.size() + 4)) + record.name + "FB" +
             Number(static_cast<uint16_t>(padding.size())) + padding + record.data;
    const std::string extra = zip64 ? Number<uint16_t>(1) + Number<uint16_t>(24) +
                                          Number(record.size_bytes) + Number(record.size_bytes) +
                                          Number(header)
                                    : "";
    directory += "PK\1\2" + std::string(4, '\0') + Number(record.flags) + Number(record.method) +
                 std::string(4, '\0') + Number(record.crc) + narrow(record.size_bytes) +
                 narrow(record.size_bytes) + name_bytes +
                 Number(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') +
                 narrow(header) + record.name + extra;
  }
  const uint64_t begin = bytes.size();
  const uint64_t count = records.size();
  bytes += directory;
  if (zip64) {
    const uint64_t end = bytes.size();
    bytes += "PK\6\6" + Number<uint64_t>(44) + std::string(12, '\0') + Number(count) +
             Number(count) + Number<uint64_t>(directory.size()) + Number(begin) + "PK\6\7" +
             std::string(4, '\0') + Number(end) + Number<uint32_t>(1);
  }
  const auto short_count = zip64 ? uint16_t{0xffff} : static_cast<uint16_t>(count);
  bytes += "PK\5\6" + std::string(4, '\0') + Number(short_count) + Number(short_count) +
           Number(zip64 ? 0xffffffff : static_cast<uint32_t>(directory.size())) +
           Number(zip64 ? 0xffffffff : static_cast<uint32_t>(begin)) + std::string(2, '\0');
  return bytes;
}

struct FakeTensor {
  std::string key = "0";
  std::string storage = "FloatStorage";
  int64_t numel = 4;
  int64_t offset = 0;
  std::vector<int64_t> shape = {2, 2};
  std::vector<int64_t> strides = {2, 1};
};

inline std::string PickledTensor(const FakeTensor& tensor) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + PickledText("storage") + "ctorch\n" +
         tensor.storage + "\n" + PickledText(tensor.key) + PickledText("cpu") +
         PickledInt(tensor.numel) + "tQ" + PickledInt(tensor.offset) + PickledTuple(tensor.shape) +
         PickledTuple(tensor.strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

// {"w": value} as protocol 2.
inline std::string PickledDict(const std::string& value) {
  return "\x80\x02}(" + PickledText("w") + value + "u.";
}

// One float32 storage of 1, 2, 3, 4 and the pickle.
inline std::vector<FakeRecord> FakeTorchRecords(const std::string& pickle) {
  std::string data;
  for (const float value : {1.0f, 2.0f, 3.0f, 4.0f}) data += Number(value);
  return {{"archive/data.pkl", pickle}, {"archive/data/0", data}, {"archive/version", "3\n"}};
}

}  // namespace aim::testing
