#include "media/file_end.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace aim {
namespace {

// Reads numbers from anywhere in a file; nothing past its end.
class FileBytes {
 public:
  explicit FileBytes(const std::filesystem::path& path)
      : size_(std::filesystem::file_size(path)), file_(path, std::ios::binary) {}

  uint64_t size() const { return size_; }
  uint64_t Left(uint64_t begin) const { return begin < size_ ? size_ - begin : 0; }

  std::string Text(uint64_t begin, size_t num_bytes) {
    std::string text(num_bytes, '\0');
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(begin));
    file_.read(text.data(), static_cast<std::streamsize>(num_bytes));
    text.resize(static_cast<size_t>(file_.gcount()));
    return text;
  }

  uint64_t BigEndian(uint64_t begin, size_t num_bytes) {
    uint64_t number = 0;
    for (const char byte : Text(begin, num_bytes))
      number = number << 8 | static_cast<uint8_t>(byte);
    return number;
  }

  uint64_t LittleEndian(uint64_t begin, size_t num_bytes) {
    uint64_t number = 0;
    const std::string text = Text(begin, num_bytes);
    for (size_t i = text.size(); i > 0; --i)
      number = number << 8 | static_cast<uint8_t>(text[i - 1]);
    return number;
  }

 private:
  uint64_t size_;
  std::ifstream file_;
};

// ---- mp4 and mov

// Those of a file's outermost level; anything else behind them is no part of the video.
bool IsBoxType(std::string_view type) {
  constexpr std::array<std::string_view, 16> kTypes = {
      "ftyp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra",
      "sidx", "ssix", "styp", "uuid", "meta", "pdin", "emsg", "prft"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

FileEnd EndOfBoxes(FileBytes& file) {
  bool in_fragments = false;  // moof: more of them may have been meant to follow
  uint64_t begin = 0;
  while (file.Left(begin) >= 8) {
    uint64_t box_bytes = file.BigEndian(begin, 4);
    const std::string type = file.Text(begin + 4, 4);
    if (box_bytes == 0 && IsBoxType(type)) break;                  // up to the end of the file
    if (box_bytes == 1) box_bytes = file.BigEndian(begin + 8, 8);  // 64-bit size behind the type
    if (box_bytes < 8 || box_bytes > file.Left(begin)) {
      return IsBoxType(type) || in_fragments ? FileEnd::kCut : FileEnd::kWhole;
    }
    if (type == "moof") in_fragments = true;
    if (type == "mfra") in_fragments = false;  // their index, written last
    begin += box_bytes;
  }
  if (!in_fragments) return FileEnd::kWhole;
  return file.Left(begin) > 0 && file.Left(begin) < 8 ? FileEnd::kCut : FileEnd::kUnmarked;
}

// ---- Matroska and WebM

constexpr uint64_t kEbmlId = 0x1A45DFA3;
constexpr uint64_t kSegmentId = 0x18538067;

struct Element {
  uint64_t id = 0;
  uint64_t data_begin = 0;
  std::optional<uint64_t> data_bytes;  // nothing: unknown, as in live recordings
};

// Bytes of a number whose first byte tells its length; 0 if it tells none.
size_t VarIntBytes(uint64_t first_byte) {
  for (size_t length = 1; length <= 8; ++length) {
    if ((first_byte & (uint64_t{0x80} >> (length - 1))) != 0) return length;
  }
  return 0;
}

std::optional<Element> ElementAt(FileBytes& file, uint64_t begin) {
  if (file.Left(begin) < 2) return std::nullopt;
  const size_t id_bytes = VarIntBytes(file.BigEndian(begin, 1));
  if (id_bytes == 0 || id_bytes > 4 || file.Left(begin) < id_bytes + 1) return std::nullopt;
  const size_t size_bytes = VarIntBytes(file.BigEndian(begin + id_bytes, 1));
  if (size_bytes == 0 || file.Left(begin) < id_bytes + size_bytes) return std::nullopt;
  Element element{.id = file.BigEndian(begin, id_bytes),
                  .data_begin = begin + id_bytes + size_bytes,
                  .data_bytes = std::nullopt};
  const uint64_t all_ones = (uint64_t{1} << (7 * size_bytes)) - 1;
  const uint64_t data_bytes = file.BigEndian(begin + id_bytes, size_bytes) & all_ones;
  if (data_bytes != all_ones) element.data_bytes = data_bytes;
  return element;
}

FileEnd EndOfElements(FileBytes& file) {
  uint64_t begin = 0;
  while (file.Left(begin) > 0) {
    const std::optional<Element> element = ElementAt(file, begin);
    if (!element) return FileEnd::kCut;
    begin = element->data_begin;
    if (!element->data_bytes) continue;  // the elements in it follow
    if (*element->data_bytes > file.Left(begin)) return FileEnd::kCut;
    begin += *element->data_bytes;
    if (element->id == kSegmentId) return FileEnd::kWhole;
  }
  return FileEnd::kUnmarked;
}

// ---- AVI

FileEnd EndOfChunks(FileBytes& file) {
  constexpr uint64_t kNeverWritten = 0xffffffff;
  uint64_t begin = 0;
  while (file.Left(begin) >= 8 && file.Text(begin, 4) == "RIFF") {
    const uint64_t chunk_bytes = file.LittleEndian(begin + 4, 4);
    if (chunk_bytes == 0 || chunk_bytes == kNeverWritten) return FileEnd::kUnmarked;
    if (chunk_bytes > file.Left(begin + 8)) return FileEnd::kCut;
    begin += 8 + chunk_bytes + chunk_bytes % 2;
  }
  return FileEnd::kWhole;
}

}  // namespace

FileEnd FindFileEnd(const std::filesystem::path& path) {
  FileBytes file(path);
  if (file.BigEndian(0, 4) == kEbmlId) return EndOfElements(file);
  if (file.Text(0, 4) == "RIFF") return EndOfChunks(file);
  return EndOfBoxes(file);
}

}  // namespace aim
