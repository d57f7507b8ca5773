#include "aim/base/shard.h"

#include <charconv>

#include "aim/base/error.h"

namespace aim {

std::string Shard::FileStem(const std::string& stem) const {
  if (count == 1) return stem;
  return stem + "-" + std::to_string(index) + "-of-" + std::to_string(count);
}

Shard ParseShard(const std::string& text) {
  if (text.empty()) return {};
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, error] = std::from_chars(text.data(), end, shard.index);
  bool valid = error == std::errc() && slash != end && *slash == '/';
  if (valid) {
    const auto [stop, error2] = std::from_chars(slash + 1, end, shard.count);
    valid = error2 == std::errc() && stop == end && shard.index < shard.count;
  }
  if (valid) return shard;
  throw ConfigError({.where = "--shard",
                     .got = '"' + text + '"',
                     .expected = "i/n with 0 <= i < n, like 0/4",
                     .fix = ""});
}

}  // namespace aim
