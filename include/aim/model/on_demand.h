// An autoencoder that is in memory only while it is used.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "aim/model/autoencoder.h"

namespace aim {

struct AutoencoderShape {
  int64_t channels = 0;
  int64_t spatial_factor = 0;
  int64_t temporal_factor = 0;
};

// Calls `load` at the first use and after every ReleaseWeights. A call that runs while another
// thread releases keeps its weights until it is done.
class OnDemandAutoencoder : public Autoencoder {
 public:
  OnDemandAutoencoder(AutoencoderShape shape, c10::Device device,
                      std::function<std::unique_ptr<Autoencoder>()> load)
      : shape_(shape), device_(device), load_(std::move(load)) {}

  at::Tensor Encode(const at::Tensor& video, ContentKind kind) const override {
    return Loaded()->Encode(video, kind);
  }
  at::Tensor Decode(const at::Tensor& latent, ContentKind kind) const override {
    return Loaded()->Decode(latent, kind);
  }
  int64_t channels() const override { return shape_.channels; }
  int64_t spatial_factor() const override { return shape_.spatial_factor; }
  int64_t temporal_factor() const override { return shape_.temporal_factor; }
  c10::Device device() const override { return device_; }
  void ReleaseWeights() const override;

 private:
  std::shared_ptr<const Autoencoder> Loaded() const;

  AutoencoderShape shape_;
  c10::Device device_;
  std::function<std::unique_ptr<Autoencoder>()> load_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Autoencoder> loaded_;
};

}  // namespace aim
