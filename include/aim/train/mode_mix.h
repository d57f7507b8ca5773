// How often each mode is trained.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/options.h"
#include "aim/recipe/mode.h"

namespace aim {

// Share of training samples in each mode of the table; they need not add up to 1.
class ModeMix {
 public:
  ModeMix();  // the shares of the table
  // Those named; all others 0. Throws ConfigError for an unknown mode.
  ModeMix(std::initializer_list<std::pair<const char*, double>> shares);

  // The mode at `u` in [0, 1) of the shares laid side by side in the order of the table.
  const Mode& Draw(double u) const;

  // Modes with a share, in the order of the table.
  std::vector<std::string> Names() const;
  bool empty() const { return Names().empty(); }

  // The shares of the modes that have no action segment: what is left for a video alone.
  ModeMix WithoutActions() const;

  bool operator==(const ModeMix&) const = default;

  // One option a mode of the table: its name and job are written there only.
  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    const std::vector<Mode>& modes = AllModes();
    for (size_t i = 0; i < modes.size(); ++i)
      visit(modes[i].name, self.shares_[i], Range{0, 1}, modes[i].job);
  }

 private:
  std::vector<double> shares_;  // in the order of AllModes()
};

}  // namespace aim
