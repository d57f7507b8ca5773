#include "data/split_plan.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "aim/base/error.h"
#include "aim/base/rng.h"

namespace aim {
namespace {

// Items of one content.
struct SplitUnit {
  uint64_t order = 0;     // by the seed
  std::string name = {};  // the first of its items'
  std::string stratum = {};
  std::vector<size_t> items = {};
};

// In an order that the seed draws.
std::vector<SplitUnit> UnitsOf(std::span<const SplitItem> items, uint64_t seed) {
  std::map<std::string, SplitUnit> by_content;
  for (size_t i = 0; i < items.size(); ++i) {
    SplitUnit& unit = by_content[items[i].content];
    unit.items.push_back(i);
    if (unit.items.size() > 1 && unit.name <= items[i].name) continue;
    unit.name = items[i].name;
    unit.stratum = items[i].stratum;
  }
  std::vector<SplitUnit> units;
  for (auto& [content, unit] : by_content) {
    unit.order = StableHash(unit.name, seed);
    units.push_back(std::move(unit));
  }
  std::sort(units.begin(), units.end(), [](const SplitUnit& a, const SplitUnit& b) {
    return std::tie(a.order, a.name) < std::tie(b.order, b.name);
  });
  return units;
}

// How many items each part has, of one stratum or of all.
struct PartCounts {
  explicit PartCounts(size_t num_parts) : counts(num_parts, 0) {}

  // By how much a part would fall behind its share if `size` items more went elsewhere.
  double Lack(size_t part, double share, int64_t size) const {
    return share * static_cast<double>(total + size) - static_cast<double>(counts[part]);
  }
  void Add(size_t part, int64_t size) {
    counts[part] += size;
    total += size;
  }

  std::vector<int64_t> counts;
  int64_t total = 0;
};

size_t ChoosePart(const SplitShares& shares, const PartCounts& all, const PartCounts& stratum,
                  int64_t size) {
  const auto has_room = [&](size_t part) {
    return shares.most_items == 0 || all.counts[part] + size <= shares.most_items;
  };
  const auto lack = [&](size_t part) {
    const double share = shares.shares[part];
    return stratum.Lack(part, share, size) + all.Lack(part, share, size);
  };
  size_t best = 0;
  for (size_t part = 1; part < shares.shares.size(); ++part) {
    if (has_room(part) == has_room(best) ? lack(part) > lack(best) : has_room(part)) best = part;
  }
  return best;
}

}  // namespace

std::vector<size_t> PlanSplit(std::span<const SplitItem> items, const SplitShares& shares,
                              uint64_t seed) {
  AIM_CHECK(!shares.shares.empty());
  const PartCounts none(shares.shares.size());
  PartCounts all = none;
  std::map<std::string, PartCounts> strata;
  std::vector<size_t> parts(items.size());
  for (const SplitUnit& unit : UnitsOf(items, seed)) {
    const auto size = static_cast<int64_t>(unit.items.size());
    PartCounts& stratum = strata.emplace(unit.stratum, none).first->second;
    const size_t part = ChoosePart(shares, all, stratum, size);
    all.Add(part, size);
    stratum.Add(part, size);
    for (const size_t item : unit.items) parts[item] = part;
  }
  return parts;
}

SizedSplit PlanSizedSplit(std::span<const SplitItem> items, int64_t most_items, uint64_t seed) {
  AIM_CHECK(most_items > 0 && !items.empty());
  for (const SplitUnit& unit : UnitsOf(items, seed)) {
    const auto size = static_cast<int64_t>(unit.items.size());
    if (size <= most_items) continue;
    throw ConfigError({.where = "episodes_per_part",
                       .got = std::to_string(most_items),
                       .expected = "at least " + std::to_string(size) + ": " + unit.name +
                                   " and its copies, which are never parted",
                       .fix = "raise it, or leave copies out first: aim-data merge"});
  }
  const auto most = static_cast<size_t>(most_items);
  // Copies that stay together may leave room in parts that nothing fits into.
  for (size_t count = (items.size() + most - 1) / most;; ++count) {
    const SplitShares equal{.shares = std::vector<double>(count, 1.0 / static_cast<double>(count)),
                            .most_items = most_items};
    SizedSplit split{.num_parts = count, .parts = PlanSplit(items, equal, seed)};
    std::vector<int64_t> sizes(count, 0);
    for (const size_t part : split.parts) ++sizes[part];
    if (*std::max_element(sizes.begin(), sizes.end()) <= most_items) return split;
  }
}

}  // namespace aim
