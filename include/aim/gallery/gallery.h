// A page that shows a data set to a person: the work of aim-data view.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"

namespace aim {

struct GalleryOptions {
  DataOptions data = {};
  int episodes = 12;
  int page_mib = 24;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.data.path, Any{}, InAnyLayout("data set, task, or one episode"));
    visit("layout", self.data.layout, LayoutChoices(), "auto: found by the files there");
    visit("views", self.data.views, Any{},
          "names of the views to show, in this order, also with commas; none: all of them");
    visit("episodes", self.episodes, Range{1, 1000},
          "episodes to show, the first ones; all are counted");
    visit("page_mib", self.page_mib, Range{1, 1024},
          "MiB: once the page is as large, no further episode is shown");
  }
  void Validate() const;  // throws ConfigError
};

struct GalleryReport {
  std::string page;          // file below the run's folder
  int64_t num_episodes = 0;  // that could be opened
  int64_t num_shown = 0;
  int64_t size_bytes = 0;  // of the page
  std::vector<Skipped> skipped;
};
// {"page", "episodes", "shown", "bytes", "damaged", "unfit"}
nlohmann::json ToJson(const GalleryReport& report);

// Writes index.html into the run's folder, which holds all that it shows: numbers of the whole set,
// and of its first episodes pictures, the tool drawn over them, the path of its tip, the cameras,
// curves. What is not known (poses, calibration) is said to be missing. Pictures of episodes that
// are not shown are not decoded. Damaged ones are left out and named.
GalleryReport RunGallery(const GalleryOptions& options, RunContext& run);

}  // namespace aim
