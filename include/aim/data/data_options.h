// Which data set a tool reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aim/base/options.h"
#include "aim/data/data_set.h"

namespace aim {

// "auto" and the names of all layouts.
Limits LayoutChoices();

// "<what>, in any layout: action-images, folder, ..."
std::string InAnyLayout(std::string_view what);

struct DataOptions {
  std::string path;
  std::string layout = "auto";
  std::vector<std::string> views;

  // Listed flat in a tool's options; `what` says which episodes it wants.
  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit,
                           std::string_view what = "folder of episodes") {
    visit("data", self.path, Any{}, InAnyLayout(what));
    visit("layout", self.layout, LayoutChoices(), "of the data; auto: found by the files there");
    visit("views", self.views, Any{},
          "names of the views to take, in this order, also with commas; none: all of them");
  }
  void Validate() const;  // throws ConfigError if no path is given
  DataSet Open() const;   // throws ConfigError if no episode has the views
};

}  // namespace aim
