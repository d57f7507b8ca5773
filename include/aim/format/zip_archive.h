// ZIP archives whose records are stored as they are, as torch.save writes them.
// docs/reference/wan22.md 7.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace aim {

struct ZipRecord {
  std::string name = {};  // path inside the archive, '/' between folders
  size_t begin = 0;       // of its bytes in the file
  size_t size_bytes = 0;
  uint32_t crc = 0;  // of its bytes, as the archive says; see CheckCrc
};

// The records of an archive, in the order of its directory. ZIP64 is read. Sizes and offsets come
// from the central directory, local headers only say where data begins. Throws FormatError naming
// `file` and the record for anything that is truncated, encrypted, compressed, overlapping,
// doubled, beyond the file, or named so that it would leave a folder. Reads headers alone, never
// the data.
std::vector<ZipRecord> ParseZip(std::span<const std::byte> bytes, const std::string& file);

// CRC-32 of ISO 3309, as ZIP uses it.
uint32_t Crc32(std::span<const std::byte> bytes);

// Throws FormatError unless the bytes of the record have the CRC that the archive says; 0 says that
// it was not computed (torch.serialization.set_crc32_options). `where` names file and record.
void CheckCrc(std::span<const std::byte> record, uint32_t crc, const std::string& where);

}  // namespace aim
