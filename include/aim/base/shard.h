// One part of work that several processes share.
#pragma once

#include <cstddef>
#include <string>

namespace aim {

// Items index, index + count, ...
struct Shard {
  size_t index = 0;
  size_t count = 1;

  size_t SizeOf(size_t num_items) const {
    return num_items > index ? (num_items - index - 1) / count + 1 : 0;
  }
  // "report" for the whole, "report-0-of-4" for a part.
  std::string FileStem(const std::string& stem) const;
};

// "i/n" with 0 <= i < n; the whole if empty. Throws ConfigError naming --shard.
Shard ParseShard(const std::string& text);

}  // namespace aim
