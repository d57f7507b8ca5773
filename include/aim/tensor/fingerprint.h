// The fingerprint of weights that come one by one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace aim {

class Fingerprinter {
 public:
  Fingerprinter();
  // Goes on where another had that state.
  explicit Fingerprinter(uint64_t state) : state_(state) {}

  // In the order of the names.
  void Add(const std::string& name, const at::Tensor& weight);

  uint64_t state() const { return state_; }
  // As Fingerprint says of a map of all.
  std::string Text() const;

 private:
  uint64_t state_;
};

}  // namespace aim
