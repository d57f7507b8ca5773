#include "aim/pipeline/metric_options.h"

#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"

namespace aim {

std::set<Metric> MetricOptions::Chosen() const {
  std::set<Metric> chosen;
  for (const std::string& name : SplitNames(metrics)) {
    chosen.insert(FromWord<Metric>(name, "--metrics"));
  }
  return chosen;
}

void MetricOptions::Validate() const {
  if (!Chosen().empty()) return;
  throw ConfigError({.where = "--metrics",
                     .got = "empty",
                     .expected = "one or more of " + Join(AllWords<Metric>()),
                     .fix = ""});
}

}  // namespace aim
