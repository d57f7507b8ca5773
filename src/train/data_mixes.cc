#include "aim/train/data_mixes.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr const char* kOption = "train.mixes";
constexpr const char* kVideoAlone = "a video without actions";

[[noreturn]] void Refuse(const std::string& got, const std::string& expected) {
  throw ConfigError({.where = kOption,
                     .got = Excerpt(got),
                     .expected = expected,
                     .fix = "write NAME:MODE=SHARE,MODE=SHARE, as in bridge:i2v=1"});
}

// "i2va=0.81,i2v=0.1", of that data set.
ModeMix ParseMix(const std::string& text, const std::string& name) {
  ModeMix mix(std::initializer_list<std::pair<const char*, double>>{});
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) Refuse(name + ":" + text, "a share behind each mode, with =");
    SetOptionText(mix, word.substr(0, equals), word.substr(equals + 1), kOption);
  }
  CheckRanges(mix, std::string(kOption) + " of " + name);
  if (mix.empty()) Refuse(name + ":" + text, "at least one mode above 0");
  return mix;
}

std::vector<std::string> InOrder(const std::set<std::string>& names) {
  std::vector<std::string> ordered;
  for (const Mode& mode : AllModes()) {
    if (names.contains(mode.name)) ordered.push_back(mode.name);
  }
  return ordered;
}

}  // namespace

bool DataMixes::Mix::IsOf(const std::string& data_set) const {
  return name.empty() || name == data_set ||
         name == std::filesystem::path(data_set).filename().string();
}

DataMixes::DataMixes(const TrainOptions& options) {
  std::set<std::string> names;
  for (const std::string& text : options.mixes) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) Refuse(text, "a data set and its mix");
    const std::string name = text.substr(0, colon);
    if (!names.insert(name).second) Refuse(name, "each data set once");
    const ModeMix mix = ParseMix(text.substr(colon + 1), name);
    mixes_.push_back({name, mix, mix.WithoutActions()});
  }
  mixes_.push_back({"", options.mix, options.mix.WithoutActions()});
}

const ModeMix& DataMixes::Of(const std::string& data_set, bool has_actions) const {
  const auto mix =
      std::ranges::find_if(mixes_, [&](const Mix& each) { return each.IsOf(data_set); });
  return has_actions ? mix->whole : mix->of_video;
}

void DataMixes::RequireKnown(const std::set<std::string>& data_sets) const {
  const std::string all = Join({data_sets.begin(), data_sets.end()});
  std::set<std::string> taken;
  for (const Mix& mix : mixes_) {
    if (mix.name.empty()) continue;
    std::vector<std::string> meant;
    std::ranges::copy_if(data_sets, std::back_inserter(meant),
                         [&](const std::string& data_set) { return mix.IsOf(data_set); });
    if (meant.empty()) Refuse(mix.name, "one of the data sets of this run: " + all);
    if (meant.size() > 1) Refuse(mix.name, "the name of one data set, not of " + Join(meant));
    if (!taken.insert(meant.front()).second) Refuse(mix.name, "each data set once");
  }
}

std::vector<std::string> DataMixes::Modes() const {
  std::set<std::string> names;
  for (const Mix& mix : mixes_) {
    for (const std::string& name : mix.whole.Names()) names.insert(name);
  }
  return InOrder(names);
}

std::vector<std::string> DataMixes::ModesOf(const LatentCache& cache) const {
  std::set<std::string> names;
  std::set<std::pair<std::string, bool>> seen;
  for (int64_t clip = 0; clip < cache.size(); ++clip) {
    const auto& [kind, is_new] = seen.emplace(cache.Origin(clip).data_set, cache.HasActions(clip));
    if (!is_new) continue;
    for (const std::string& name : Of(kind->first, kind->second).Names()) names.insert(name);
  }
  return InOrder(names);
}

std::vector<Skipped> DataMixes::LeaveOut(LatentCache& cache) const {
  std::vector<Skipped> skipped;
  cache.KeepIf([&](int64_t clip) {
    if (!Of(cache.Origin(clip).data_set, cache.HasActions(clip)).empty()) return true;
    const std::string name = cache.EpisodeName(clip);
    if (skipped.empty() || skipped.back().episode != name)
      Skip({name, ToSentence(LacksActions(name, kVideoAlone)), false}, skipped);
    return false;
  });
  return skipped;
}

DrawnClips DataMixes::Over(const LatentCache& cache) const {
  const auto mix = [this, &cache](int64_t clip) -> const ModeMix& {
    const ModeMix& found = Of(cache.Origin(clip).data_set, cache.HasActions(clip));
    if (found.empty()) throw InputError(LacksActions(cache.EpisodeName(clip), kVideoAlone));
    return found;
  };
  return {cache.size(), mix};
}

Problem LacksActions(const std::string& where, const std::string& got) {
  return {
      .where = where,
      .got = got,
      .expected = "a pose and calibrated cameras for each frame, as every mode of its mix needs",
      .fix =
          "label the videos first (aim-label), or give i2v a share there (train.mix.i2v, or in "
          "train.mixes)"};
}

}  // namespace aim
