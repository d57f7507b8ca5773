#include "aim/model/on_demand.h"

namespace aim {

std::shared_ptr<const Autoencoder> OnDemandAutoencoder::Loaded() const {
  const std::lock_guard lock(mutex_);
  if (!loaded_) loaded_ = load_();
  return loaded_;
}

void OnDemandAutoencoder::ReleaseWeights() const {
  const std::lock_guard lock(mutex_);
  loaded_.reset();
}

}  // namespace aim
