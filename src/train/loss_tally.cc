#include "aim/train/loss_tally.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace aim {
namespace {

constexpr int kNumBands = 4;

std::string BandName(int band) {
  return ToText(static_cast<double>(band) / kNumBands) + "-" +
         ToText(static_cast<double>(band + 1) / kNumBands);
}

}  // namespace

LossTally::LossTally() : shares_(AllModes().size() + kNumBands) {}

void LossTally::Add(const SampleDraw& draw, double loss) {
  const auto mode = static_cast<size_t>(draw.mode - AllModes().data());
  const int band = std::min(kNumBands - 1, static_cast<int>(kNumBands * draw.noise.sigma));
  for (const size_t i : {mode, AllModes().size() + static_cast<size_t>(band)}) {
    shares_[i].sum += loss;
    shares_[i].count += 1;
  }
}

void LossTally::Add(const LossTally& other) {
  for (size_t i = 0; i < shares_.size(); ++i) {
    shares_[i].sum += other.shares_[i].sum;
    shares_[i].count += other.shares_[i].count;
  }
}

at::Tensor LossTally::AsTensor() const {
  std::vector<double> numbers;
  for (const Share& share : shares_) {
    numbers.push_back(share.sum);
    numbers.push_back(share.count);
  }
  return at::tensor(numbers, at::kDouble).view({-1, 2});
}

LossTally LossTally::Of(const at::Tensor& sums) {
  LossTally tally;
  for (size_t i = 0; i < tally.shares_.size(); ++i) {
    const at::Tensor row = sums[static_cast<int64_t>(i)];
    tally.shares_[i] = {row[0].item<double>(), row[1].item<double>()};
  }
  return tally;
}

nlohmann::json LossTally::Means() const {
  nlohmann::json of_mode = nlohmann::json::object(), of_noise = nlohmann::json::object();
  const size_t num_modes = AllModes().size();
  for (size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i].count == 0) continue;
    const double mean = shares_[i].sum / shares_[i].count;
    if (i < num_modes) {
      of_mode[AllModes()[i].name] = mean;
    } else {
      of_noise[BandName(static_cast<int>(i - num_modes))] = mean;
    }
  }
  return {{"loss_of_mode", of_mode}, {"loss_of_noise", of_noise}};
}

}  // namespace aim
