#include "aim/data/episode.h"

namespace aim {

std::string EpisodeName(const std::string& task, int variation, int index) {
  return task + "/variation" + std::to_string(variation) + "/episode" + std::to_string(index);
}

}  // namespace aim
