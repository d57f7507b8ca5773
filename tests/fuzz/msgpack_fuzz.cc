#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aim/base/error.h"
#include "aim/format/msgpack.h"

// What is read is written in a form that is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size_bytes);
    const std::string again = aim::ToMsgpack(aim::ParseMsgpack(bytes, "message"));
    AIM_CHECK(aim::ToMsgpack(aim::ParseMsgpack(again, "again")) == again);
  } catch (const aim::FormatError&) {
  }
  return 0;
}
