// What a model does with clips beside planning: imagine, simulate, label. No torch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "aim/codec/clip.h"
#include "aim/codec/plan.h"
#include "aim/control/policy.h"

namespace aim {

struct MadeClip {
  std::vector<std::vector<uint8_t>> videos;  // per view [T, H, W, 3]; empty if the job makes none
  Plan plan;  // a frame for each of the clip; without frames if the job makes none
};

class ClipJobs {
 public:
  virtual ~ClipJobs() = default;

  // Of the table of modes (aim/recipe/mode.h), those that it can do: i2a, i2va, v2a, a2v, i2v.
  virtual std::vector<std::string> Jobs() const = 0;

  // `given` has what InputsOf the mode says, at the size and length that the policy beside it
  // needs. The same seed, replan and clip give the same, bit for bit. Throws ConfigError,
  // InputError.
  virtual MadeClip Run(const std::string& job, const Clip& given, const PlanRequest& request) = 0;
};

// A policy, and what else the model behind it does.
struct ServedModel {
  std::unique_ptr<Policy> policy;
  std::unique_ptr<ClipJobs> jobs;  // none: it plans, and no more
};

}  // namespace aim
