#include "aim/policy/shared_model.h"

#include <utility>

namespace aim {

SharedModel::SharedModel(ModelOptions options, std::string device)
    : options_(std::move(options)), device_(std::move(device)) {}

ClipGenerator SharedModel::For(const std::string& mode) {
  const std::lock_guard lock(loading_);
  if (!loaded_) loaded_.emplace(options_, mode, device_);
  return loaded_->ForMode(mode);
}

}  // namespace aim
