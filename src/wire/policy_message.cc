#include "aim/wire/policy_message.h"

#include <cmath>

#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {

std::string IdentityOf(const ServedPolicy& served) {
  std::vector<std::string> facts;
  if (!served.fingerprint.empty()) facts.push_back("fingerprint " + served.fingerprint);
  if (served.num_views > 0) {
    std::string views = CountText(served.num_views, "view");
    if (served.image_width > 0) views += " of " + SizeText(served.image_width, served.image_height);
    facts.push_back(views);
  }
  if (served.num_actions > 0) {
    facts.push_back(CountText(served.num_actions, "action") + " of " +
                    ToText(std::round(1e6 * served.period_s) / 1e6) + " s");
  }
  return Excerpt(served.name) + " (" + Join(facts) + ")";
}

}  // namespace aim
