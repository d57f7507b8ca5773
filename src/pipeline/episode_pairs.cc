#include "pipeline/episode_pairs.h"

#include <algorithm>
#include <map>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr size_t kNamesInMessage = 3;

// The first few.
std::string SomeNames(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesInMessage);
  std::string text = Join({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown)});
  return names.size() > shown ? text + ", ..." : text;
}

// As the folder of a clip is called after its episode.
std::string FlatName(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

// The episodes by flat name; null where two have the same.
std::map<std::string, const EpisodeRef*> ByFlatName(const std::vector<EpisodeRef>& refs) {
  std::map<std::string, const EpisodeRef*> by_name;
  for (const EpisodeRef& ref : refs) {
    const auto [at, is_new] = by_name.emplace(FlatName(ref.name), &ref);
    if (!is_new) at->second = nullptr;
  }
  return by_name;
}

// The counterpart of `ref` in `data`, whose flat names are `flat`, or null.
const EpisodeRef* Counterpart(const EpisodeRef& ref, const DataSet& data,
                              const std::map<std::string, const EpisodeRef*>& flat) {
  if (const EpisodeRef* same = data.Find(ref.name)) return same;
  const auto found = flat.find(FlatName(ref.name));
  // One that is called as a third episode is the counterpart of that.
  return found == flat.end() ? nullptr : found->second;
}

EpisodePairs PairByOrder(const DataSet& first, const DataSet& second) {
  const std::vector<EpisodeRef>& ours = first.episodes();
  const std::vector<EpisodeRef>& others = second.episodes();
  if (ours.size() != others.size() || ours.empty()) {
    throw InputError({.where = first.root().string(),
                      .got = "with " + CountText(static_cast<int64_t>(ours.size()), "episode") +
                             " where the truth has " + std::to_string(others.size()),
                      .expected = "as many, to pair them by order",
                      .fix = "leave --pair by name where names agree"});
  }
  EpisodePairs result;
  for (size_t i = 0; i < ours.size(); ++i) result.pairs.emplace_back(&ours[i], &others[i]);
  return result;
}

}  // namespace

EpisodePairs PairEpisodes(const DataSet& first, const DataSet& second, Pairing pairing) {
  const std::vector<EpisodeRef>& ours = first.episodes();
  const std::vector<EpisodeRef>& others = second.episodes();
  const bool alone = ours.size() == 1 && others.size() == 1;
  if (alone || pairing == Pairing::kOrder) return PairByOrder(first, second);
  const auto our_names = ByFlatName(ours);
  const auto other_names = ByFlatName(others);
  EpisodePairs result;
  for (const EpisodeRef& ref : ours) {
    const EpisodeRef* counterpart = Counterpart(ref, second, other_names);
    if (counterpart == nullptr || Counterpart(*counterpart, first, our_names) != &ref) {
      result.only_first.push_back(ref.name);
    } else {
      result.pairs.emplace_back(&ref, counterpart);
    }
  }
  for (const EpisodeRef& ref : others) {
    const EpisodeRef* counterpart = Counterpart(ref, first, our_names);
    if (counterpart == nullptr || Counterpart(*counterpart, second, other_names) != &ref) {
      result.only_second.push_back(ref.name);
    }
  }
  if (!result.pairs.empty()) return result;
  throw InputError({.where = first.root().string(),
                    .got = "a data set with the episodes " + SomeNames(result.only_first),
                    .expected = "one at least that " + second.root().string() + " has too (" +
                                SomeNames(result.only_second) + ")",
                    .fix = "pair them by their order with --pair order, or give two folders of one "
                           "episode each"});
}

}  // namespace aim
