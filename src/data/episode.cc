#include "aim/data/episode.h"

namespace aim {

std::string EpisodePath::Name() const {
  return task + "/variation" + std::to_string(variation) + "/episode" + std::to_string(index);
}

}  // namespace aim
