#include "data/hdf5_parts.h"

#include <tuple>

#include "aim/base/error.h"
#include "data/fail_input.h"

namespace aim {
namespace {

constexpr int kMaxTreeLevel = 16;

}  // namespace

void FailHdf5(const std::string& where, const std::string& got) {
  throw FormatError(
      {.where = where, .got = got, .expected = "a whole HDF5 file", .fix = "copy it again"});
}

Hdf5Header::Hdf5Header(const Hdf5Bytes& file, uint64_t address) : where_(file.where()) {
  if (file.Number<uint8_t>(address) != 1) {
    FailInput(where_, "damaged, or written for newer readers alone (libver=\"latest\")",
              "what h5py writes by itself", kRepackHdf5);
  }
  const uint64_t begin = address + 16;
  ReadBlocks(file, begin, begin + file.Number<uint32_t>(address + 8));
}

void Hdf5Header::ReadBlocks(const Hdf5Bytes& file, uint64_t at, uint64_t end) {
  constexpr uint64_t kMessageBytes = 8;             // before its data
  constexpr uint8_t kShared = 2;                    // its data stand elsewhere
  std::vector<std::pair<uint64_t, uint64_t>> more;  // blocks that go on
  size_t num_read = 0;
  for (int part = 0; part < kMaxHdf5Parts; ++part) {
    if (at + kMessageBytes > end) {
      if (num_read == more.size()) return;
      std::tie(at, end) = more[num_read++];
      continue;
    }
    const auto kind = file.Number<uint16_t>(at);
    const auto size = file.Number<uint16_t>(at + 2);
    const bool is_shared = (file.Number<uint8_t>(at + 4) & kShared) != 0;
    const std::string_view data = file.Part(at + kMessageBytes, size);
    if (kind == static_cast<uint16_t>(Hdf5Message::kContinuation)) {
      const Hdf5Bytes place(data, where_);
      const auto begin = place.Number<uint64_t>(0);
      const auto length = place.Number<uint64_t>(8);
      file.Part(begin, length);
      more.emplace_back(begin, begin + length);
    } else if (!is_shared) {
      messages_.emplace_back(kind, data);
    }
    at += kMessageBytes + size;
  }
  FailHdf5(where_, "damaged");
}

std::optional<Hdf5Bytes> Hdf5Header::Find(Hdf5Message kind) const {
  for (const auto& [known, data] : messages_) {
    if (known == static_cast<uint16_t>(kind)) return Hdf5Bytes(data, where_);
  }
  return std::nullopt;
}

void Hdf5Tree::Visit(uint64_t address, int level) {
  file_.RequireSignature(address, "TREE");
  const int found = file_.Number<uint8_t>(address + 5);
  const bool is_right = level < 0 ? found <= kMaxTreeLevel : found == level;
  if (file_.Number<uint8_t>(address + 4) != static_cast<uint8_t>(kind_) || !is_right) {
    FailHdf5(file_.where(), "damaged");
  }
  const int count = file_.Number<uint16_t>(address + 6);
  for (int i = 0; i < count; ++i) {
    if (++num_parts_ > kMaxHdf5Parts) FailHdf5(file_.where(), "damaged");
    const uint64_t key_at = address + 24 + static_cast<uint64_t>(i) * (key_bytes_ + 8);
    const auto child = file_.Number<uint64_t>(key_at + key_bytes_);
    if (found == 0) {
      visit_(key_at, child);
    } else {
      Visit(child, found - 1);
    }
  }
}

}  // namespace aim
