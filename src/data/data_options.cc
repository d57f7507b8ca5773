#include "aim/data/data_options.h"

#include "aim/base/error.h"
#include "aim/data/episode_edit.h"

namespace aim {

Limits LayoutChoices() {
  Limits limits = {"auto"};
  for (const Layout* layout : Layouts()) limits.choices.emplace_back(layout->Name());
  return limits;
}

std::string InAnyLayout(std::string_view what) {
  std::string text = std::string(what) + ", in any layout: ";
  for (size_t i = 0; i < Layouts().size(); ++i) {
    text += (i > 0 ? ", " : "") + std::string(Layouts()[i]->Name());
  }
  return text;
}

DataSet DataOptions::Open() const {
  const DataSet data = OpenDataSet(path, layout);
  RequireFitting(data, {.views = views});
  return data.WithViews(views);
}

void DataOptions::Validate() const {
  if (!path.empty()) return;
  throw ConfigError({.where = "--data",
                     .got = "not given",
                     .expected = "a folder of episodes",
                     .fix = "add --data DIR"});
}

}  // namespace aim
