#include "aim/wire/api_key.h"

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr size_t kShortestKey = 8;
constexpr size_t kLongestKey = 1024;

}  // namespace

std::string ReadApiKey(const std::filesystem::path& path) {
  std::string key = ReadFile(path);
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  const bool is_printable =
      std::ranges::all_of(key, [](char letter) { return letter > ' ' && letter <= '~'; });
  if (is_printable && key.size() >= kShortestKey && key.size() <= kLongestKey) return key;
  throw InputError({.where = path.string(),
                    .got = is_printable ? CountText(std::ssize(key), "character") + " long"
                                        : "not one line of printable characters without spaces",
                    .expected = "a key of 8 to 1024 characters",
                    .fix = "make one with: openssl rand -hex 32"});
}

bool IsAuthorized(std::string_view header, std::string_view key) {
  constexpr std::string_view kScheme = "Api-Key ";
  if (!header.starts_with(kScheme)) return false;
  header.remove_prefix(kScheme.size());
  if (header.size() != key.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < key.size(); ++i) {
    difference |= static_cast<unsigned char>(header[i]) ^ static_cast<unsigned char>(key[i]);
  }
  return difference == 0;
}

}  // namespace aim
