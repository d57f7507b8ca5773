#include "train/held_out.h"

#include <algorithm>
#include <string>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

size_t NumHeldOut(int asked, size_t num_episodes) {
  const size_t count =
      asked >= 0 ? static_cast<size_t>(asked) : std::clamp<size_t>(num_episodes / 10, 1, 24);
  if (count < num_episodes) return count;
  throw ConfigError(
      {"train.validation_episodes", std::to_string(count),
       "fewer than the " + CountText(static_cast<int64_t>(num_episodes), "episode") + " found",
       "add data, or hold out fewer: 0 trains without validation"});
}

}  // namespace aim
