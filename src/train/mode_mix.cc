#include "aim/train/mode_mix.h"

#include <numeric>

namespace aim {

ModeMix::ModeMix() {
  for (const Mode& mode : AllModes()) shares_.push_back(mode.training_share);
}

ModeMix::ModeMix(std::initializer_list<std::pair<const char*, double>> shares)
    : shares_(AllModes().size(), 0.0) {
  for (const auto& [name, share] : shares)
    shares_[static_cast<size_t>(&FindMode(name) - AllModes().data())] = share;
}

const Mode& ModeMix::Draw(double u) const {
  const std::vector<Mode>& modes = AllModes();
  double rest = u * std::accumulate(shares_.begin(), shares_.end(), 0.0);
  const Mode* last = &modes.front();
  for (size_t i = 0; i < modes.size(); ++i) {
    if (rest < shares_[i]) return modes[i];
    rest -= shares_[i];
    if (shares_[i] > 0) last = &modes[i];
  }
  return *last;  // u so near to 1 that the sum's rounding shows
}

ModeMix ModeMix::WithoutActions() const {
  ModeMix mix = *this;
  for (size_t i = 0; i < shares_.size(); ++i) {
    if (AllModes()[i].action.present) mix.shares_[i] = 0;
  }
  return mix;
}

std::vector<std::string> ModeMix::Names() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i] > 0) names.push_back(AllModes()[i].name);
  }
  return names;
}

}  // namespace aim
