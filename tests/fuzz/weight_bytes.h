// Entry points of fuzzing: any bytes are either read or refused with a FormatError. What else is
// thrown, and every report of a sanitizer, is a bug.
#pragma once

#include <cstddef>
#include <span>

#include "aim/base/error.h"
#include "aim/format/pickle.h"
#include "tensor/safetensors_format.h"
#include "tensor/torch_zip.h"

namespace aim::testing {

// Returns whether the bytes were read.
template <class Reader>
bool ReadOrRefuse(Reader&& reader) {
  try {
    reader();
    return true;
  } catch (const FormatError&) {
    return false;
  }
}

inline bool FuzzSafetensors(std::span<const std::byte> bytes) {
  return ReadOrRefuse([&] { ParseSafetensors(bytes, "fuzz"); });
}

inline bool FuzzPickle(std::span<const std::byte> bytes) {
  return ReadOrRefuse([&] { ParsePickle(bytes, "fuzz"); });
}

// Where the archive reads, the bytes that it points to are touched too.
inline bool FuzzZip(std::span<const std::byte> bytes) {
  ReadOrRefuse([&] { ParseTorchZip(bytes, "fuzz"); });
  return ReadOrRefuse([&] {
    for (const ZipRecord& record : ParseZip(bytes, "fuzz")) {
      CheckCrc(bytes.subspan(record.begin, record.size_bytes), record.crc, "fuzz");
    }
  });
}

}  // namespace aim::testing
