// Where a run keeps the autoencoder that it fitted.
#pragma once

namespace aim {

inline constexpr char kFittedAutoencoder[] = "autoencoder.safetensors";  // in run.out()

}  // namespace aim
