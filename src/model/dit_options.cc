#include "aim/model/dit_options.h"

namespace aim {

void DitOptions::Validate() const {
  CheckRanges(*this, "dit");
  if (dim % num_heads != 0 || (dim / num_heads) % 2 != 0) {
    throw ConfigError(
        {"dit.num_heads", std::to_string(num_heads),
         "a divisor of dit.dim = " + std::to_string(dim) + " that leaves heads of even width", ""});
  }
  if (camera.projector && camera.mode == CameraMode::kNone) {
    throw ConfigError({"dit.camera.projector", "true", "false when dit.camera.mode is none", ""});
  }
  if (freq_dim % 2 != 0)
    throw ConfigError({"dit.freq_dim", std::to_string(freq_dim), "an even number", ""});
}

}  // namespace aim
