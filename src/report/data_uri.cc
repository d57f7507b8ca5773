#include "aim/report/data_uri.h"

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {
namespace {

constexpr uintmax_t kLargestVideo = uintmax_t{1} << 20;
constexpr uintmax_t kAllVideos = uintmax_t{16} << 20;

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63U];
    }
  }
  return text;
}

std::string MediaType(const std::filesystem::path& file) {
  const std::filesystem::path extension = file.extension();
  if (extension == ".png") return "image/png";
  if (extension == ".mp4") return "video/mp4";
  AIM_CHECK(extension == ".jpg");
  return "image/jpeg";
}

}  // namespace

std::string DataUri(std::string_view media_type, std::string_view bytes) {
  return "data:" + std::string(media_type) + ";base64," + Base64(bytes);
}

std::string DataUri(const std::filesystem::path& file) {
  return DataUri(MediaType(file), ReadFile(file));
}

nlohmann::json PageVideos::Values(std::span<const std::string> files) {
  nlohmann::json values = nlohmann::json::array();
  for (const std::string& file : files) {
    std::error_code missing;
    const uintmax_t size_bytes = std::filesystem::file_size(folder_ / file, missing);
    const bool is_embedded =
        !missing && size_bytes <= kLargestVideo && embedded_bytes_ + size_bytes <= kAllVideos;
    if (is_embedded) embedded_bytes_ += size_bytes;
    values.push_back({{"number", values.size()},
                      {"file", file},
                      {"is_embedded", is_embedded},
                      {"is_linked", !missing && !is_embedded},
                      {"is_missing", static_cast<bool>(missing)},
                      {"source", is_embedded ? DataUri(folder_ / file) : ""}});
  }
  return values;
}

}  // namespace aim
