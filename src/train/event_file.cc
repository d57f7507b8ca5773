#include "train/event_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/format/byte_reader.h"

namespace aim {
namespace {

constexpr std::string_view kEventPrefix = "events.out.tfevents.";
constexpr std::string_view kEventSuffix = ".aim";
constexpr size_t kFrameHead = 12;  // length and its checksum
constexpr size_t kFrameTail = 4;
// Tags of the fields, (number << 3) + wire type: Event.wall_time, step, file_version and summary,
// Summary.value, Value.tag and simple_value.
constexpr char kWallTime = 0x09, kStep = 0x10, kFileVersion = 0x1A, kSummary = 0x2A;
constexpr char kValue = 0x0A, kTag = 0x0A, kSimpleValue = 0x15;

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1U ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

template <class Number>
std::string LittleEndian(Number number) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

std::string Varint(uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80U);
  return bytes + static_cast<char>(number);
}

std::string LengthDelimited(char tag, std::string_view data) {
  return tag + Varint(data.size()) + std::string(data);
}

std::string EventHead(double wall_time_s, int64_t train_step) {
  return kWallTime + LittleEndian(wall_time_s) + kStep + Varint(static_cast<uint64_t>(train_step));
}

double WallTime() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Data of the first record of `bytes` if it is whole.
std::optional<std::string_view> FirstRecord(std::string_view bytes) {
  if (bytes.size() < kFrameHead) return std::nullopt;
  const std::span<const std::byte> raw = std::as_bytes(std::span(bytes));
  const auto length = ReadNumber<uint64_t>(raw, 0);
  if (ReadNumber<uint32_t>(raw, 8) != MaskedCrc32c(bytes.substr(0, 8)) ||
      length > bytes.size() - kFrameHead || bytes.size() - kFrameHead - length < kFrameTail) {
    return std::nullopt;
  }
  const std::string_view data = bytes.substr(kFrameHead, length);
  const auto checksum = ReadNumber<uint32_t>(raw, kFrameHead + length);
  return checksum == MaskedCrc32c(data) ? std::optional(data) : std::nullopt;
}

// The step of an event that begins as EventHead writes it; that of the file's version is 0.
int64_t StepOf(std::string_view event) {
  constexpr size_t kAt = 1 + sizeof(double);
  uint64_t step = 0;
  if (event.size() <= kAt || event[kAt] != kStep) return 0;
  for (size_t i = kAt + 1, shift = 0; i < event.size() && shift < 64; ++i, shift += 7) {
    step |= static_cast<uint64_t>(event[i] & 0x7F) << shift;
    if ((event[i] & 0x80) == 0) break;
  }
  return static_cast<int64_t>(step);
}

// The whole records of a file up to that step, framed.
std::string RecordsUpTo(const std::filesystem::path& file, int64_t train_step) {
  const std::string bytes = ReadFile(file);
  std::string_view rest = bytes;
  std::string kept;
  while (const std::optional<std::string_view> record = FirstRecord(rest)) {
    const size_t size = kFrameHead + record->size() + kFrameTail;
    if (StepOf(*record) <= train_step) kept += rest.substr(0, size);
    rest.remove_prefix(size);
  }
  return kept;
}

// Oldest first: the names hold when they were begun.
std::vector<std::filesystem::path> EventFilesIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kEventPrefix) && name.ends_with(kEventSuffix))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// When it was begun, as its name says: the clock may have been ahead of that of now.
int64_t SecondOf(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  int64_t second = 0;
  std::from_chars(name.data() + kEventPrefix.size(), name.data() + name.size(), second);
  return second;
}

std::string EventFileName(int64_t second) {
  std::string digits = std::to_string(second);
  digits.insert(0, 10 - std::min<size_t>(10, digits.size()), '0');
  return std::string(kEventPrefix) + digits + std::string(kEventSuffix);
}

}  // namespace

uint32_t MaskedCrc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFFU] ^ crc >> 8;
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8U;
}

std::string FrameRecord(std::string_view data) {
  const std::string length = LittleEndian<uint64_t>(data.size());
  return length + LittleEndian(MaskedCrc32c(length)) + std::string(data) +
         LittleEndian(MaskedCrc32c(data));
}

std::vector<Scalar> ScalarsOf(const nlohmann::json& line) {
  std::vector<Scalar> scalars;
  const nlohmann::json flat = line.flatten();
  for (const auto& [place, value] : flat.items()) {
    const std::string key = place.substr(place.rfind('/') + 1);
    const bool is_constant = key == "train_step" || key == "clips" || key == "frames";
    if (!value.is_number() || is_constant) continue;
    const bool is_nested = place.find('/', 1) != std::string::npos;
    scalars.push_back({is_nested ? place.substr(1) : "train" + place, value.get<double>()});
  }
  return scalars;
}

std::string ScalarEvent(double wall_time_s, int64_t train_step, std::span<const Scalar> scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    const std::string number = LittleEndian(static_cast<float>(scalar.value));
    summary += LengthDelimited(kValue, LengthDelimited(kTag, scalar.tag) + kSimpleValue + number);
  }
  return EventHead(wall_time_s, train_step) + LengthDelimited(kSummary, summary);
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t train_step) {
  const std::vector<std::filesystem::path> earlier = EventFilesIn(folder);
  std::string bytes;
  if (!earlier.empty()) bytes = RecordsUpTo(earlier.back(), train_step);
  if (bytes.empty())
    bytes = FrameRecord(EventHead(WallTime(), 0) + LengthDelimited(kFileVersion, "brain.Event:2"));
  // TensorBoard reads files in the order of their names.
  auto second = static_cast<int64_t>(WallTime());
  if (!earlier.empty()) second = std::max(second, SecondOf(earlier.back()) + 1);
  path_ = folder / EventFileName(second);
  WriteFileAtomic(path_, bytes);
  for (const std::filesystem::path& file : earlier) std::filesystem::remove(file);
}

void EventFile::Append(int64_t train_step, std::span<const Scalar> scalars) {
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  file << FrameRecord(ScalarEvent(WallTime(), train_step, scalars)) << std::flush;
  if (!file) throw IoError({path_.string(), "not writable", "", "free some space and resume"});
}

}  // namespace aim
