#include "aim/model/autoencoder.h"

#include <string>

#include "aim/base/error.h"

namespace aim {

int64_t LatentFrames(int64_t num_frames, int64_t temporal_factor, const char* where) {
  if (num_frames < 1 || (num_frames - 1) % temporal_factor != 0) {
    const std::string factor = std::to_string(temporal_factor);
    throw InputError({.where = where,
                      .got = std::to_string(num_frames) + " frames long",
                      .expected = "a multiple of " + factor + ", plus 1",
                      .fix = "cut or repeat frames at its end"});
  }
  return 1 + (num_frames - 1) / temporal_factor;
}

int64_t VideoFrames(int64_t latent_frames, int64_t temporal_factor) {
  return 1 + (latent_frames - 1) * temporal_factor;
}

}  // namespace aim
