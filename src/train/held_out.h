// What is kept for validation: how much of the data, and what can be measured on it.
#pragma once

#include <cstddef>
#include <vector>

#include "aim/diffusion/validation.h"

namespace aim {

// `asked` episodes, or, where it is -1, one in ten, at least 1 and at most 24. Throws ConfigError
// where none would be left to train on.
size_t NumHeldOut(int asked, size_t num_episodes);

// Clips of episodes that nothing is trained on.
struct HeldOutClips {
  std::vector<Clip> with_actions;
  std::vector<Clip> videos;  // alone: for modes without actions

  void Add(Clip clip);
  size_t size() const { return with_actions.size() + videos.size(); }
  bool empty() const { return size() == 0; }

  // How many `mode` can be measured on, and the first of them, at most so many.
  size_t CountFor(const Mode& mode) const;
  std::vector<Clip> FirstFor(const Mode& mode, size_t most) const;
};

// ValidateMode (diffusion/validation.h) on those that `mode` can be measured on.
QualitySummary ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const HeldOutClips& clips, const GenerateOptions& options,
                            const Rng& rng);

}  // namespace aim
