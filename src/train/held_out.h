// How much of the data is kept for validation.
#pragma once

#include <cstddef>

namespace aim {

// `asked` episodes, or, where it is -1, one in ten, at least 1 and at most 24. Throws ConfigError
// where none would be left to train on.
size_t NumHeldOut(int asked, size_t num_episodes);

}  // namespace aim
