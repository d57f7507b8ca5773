#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aim/base/error.h"
#include "aim/wire/wire.h"

// A request to a policy server, on the wire that its first byte chooses.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  if (size_bytes == 0) return 0;
  const auto& wires = aim::AllWires();
  const std::string_view message(reinterpret_cast<const char*>(data) + 1, size_bytes - 1);
  aim::PolicyRequest request;
  try {
    wires[data[0] % wires.size()].read(message, request);
  } catch (const aim::InputError&) {
  }
  return 0;
}
