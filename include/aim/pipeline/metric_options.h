// What is measured where pictures and poses have a truth, and with which networks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/words.h"
#include "aim/pipeline/i3d.h"
#include "aim/pipeline/lpips.h"
#include "aim/pipeline/metric_weights.h"

namespace aim {

enum class Metric { kPsnr, kSsim, kLpips, kFvd, kPose };
constexpr auto WordsOf(Metric) {
  return WordTable<Metric, 5>{{{Metric::kPsnr, "psnr"},
                               {Metric::kSsim, "ssim"},
                               {Metric::kLpips, "lpips"},
                               {Metric::kFvd, "fvd"},
                               {Metric::kPose, "pose"}}};
}

struct MetricOptions {
  std::vector<std::string> metrics;
  LpipsNetwork lpips = LpipsNetwork::kAlexnet;
  int fvd_frames = 16;
  std::string weights = kMetricWeightsFolder;

  // `by_default` says what is measured where nothing was asked for.
  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit, const std::string& by_default) {
    visit("metrics", self.metrics, Any{},
          "what to measure, repeatable or with commas: psnr, ssim, lpips, fvd, pose; default " +
              by_default);
    visit("lpips", self.lpips, Any{}, "network behind LPIPS; numbers of different ones differ");
    visit("fvd_frames", self.fvd_frames, Range{kI3dMinFrames, 256},
          "frames of a clip of FVD, one after another");
    visit("weights", self.weights, Any{},
          "folder of the networks behind LPIPS and FVD, which scripts/setup --metrics filled");
  }
  void Validate() const;            // throws ConfigError
  std::set<Metric> Chosen() const;  // throws ConfigError for another word
};

// What was asked for and not measured, and why.
using Missing = std::map<std::string, std::string>;

}  // namespace aim
