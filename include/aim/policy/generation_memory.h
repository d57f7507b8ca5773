// The memory that generating takes at its peak: said before, measured after.
#pragma once

#include <cstdint>
#include <string>

#include "aim/bundle/bundle.h"
#include "aim/recipe/mode_inputs.h"

namespace aim {

// Estimated, in bytes on the bundle's device. A pass of the network and the decoding of a view
// follow each other, so that the larger one counts.
struct GenerationMemory {
  int64_t weights = 0;  // that stay: the network, without offload also autoencoder and text encoder
  // One branch of guidance, text of both: `guidance_mode auto` adds a second if it fits.
  int64_t pass = 0;
  int64_t decoding = 0;  // with the autoencoder's weights where these do not stay

  int64_t peak() const;
};

// Of one clip of `mode`; of a wan_vae, what others take is next to nothing.
GenerationMemory EstimateGeneration(const Bundle& bundle, const LoadOptions& load,
                                    const Mode& mode);
std::string GenerationMemoryText(const GenerationMemory& memory);

}  // namespace aim
