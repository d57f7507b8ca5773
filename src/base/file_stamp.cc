#include "aim/base/file_stamp.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "aim/base/rng.h"
#include "aim/base/text.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPieces = 8;
constexpr uint64_t kPieceBytes = 8192;

// The bytes that stand for a file of `size` bytes.
std::string Pieces(const fs::path& path, uint64_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::min(size, kPieces * kPieceBytes), '\0');
  if (size <= bytes.size()) {
    file.read(bytes.data(), static_cast<std::streamsize>(size));
    return bytes;
  }
  for (uint64_t piece = 0; piece < kPieces; ++piece) {
    file.seekg(static_cast<std::streamoff>((size - kPieceBytes) * piece / (kPieces - 1)));
    file.read(bytes.data() + piece * kPieceBytes, static_cast<std::streamsize>(kPieceBytes));
  }
  return bytes;
}

std::string Line(const fs::path& file, const std::string& name) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return "";
  const uint64_t size = fs::file_size(file, error);
  if (error) return "";
  return name + '\n' + std::to_string(size) + ' ' + HexText(StableHash(Pieces(file, size))) + '\n';
}

}  // namespace

std::string FileStamp(const fs::path& path) {
  std::error_code error;
  std::vector<std::string> lines;
  if (fs::is_directory(path, error)) {
    fs::recursive_directory_iterator walk(path, fs::directory_options::follow_directory_symlink,
                                          error);
    for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
      lines.push_back(Line(walk->path(), walk->path().lexically_relative(path).string()));
    }
  } else {
    lines.push_back(Line(path, ""));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all.empty() ? "" : HexText(StableHash(all));
}

}  // namespace aim
