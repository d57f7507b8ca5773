#include "data/variation_prompt.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/utf8.h"
#include "aim/format/json_reader.h"
#include "aim/format/pickle.h"
#include "data/processed_folders.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr std::array kDescriptionFiles = {
    "variation_descriptions.json", "variation_descriptions.pkl", "variation_descriptions.txt"};

fs::path VariationFolder(const EpisodeRef& episode) {
  return episode.path.parent_path().parent_path();
}

[[noreturn]] void ThrowNoSentences(const fs::path& path, const std::string& expected) {
  throw InputError({.where = path.string(),
                    .got = "no list of sentences",
                    .expected = expected,
                    .fix = "write or copy the file again"});
}

std::string OfJson(const fs::path& path) {
  const nlohmann::json list = ReadJsonFile(path);
  if (list.is_array() && !list.empty() && list[0].is_string()) return list[0];
  ThrowNoSentences(path, "[\"instruction\", ...]");
}

std::string OfPickle(const fs::path& path) {
  const std::string bytes = ReadFile(path);
  const Pickle pickle = ParsePickle(std::as_bytes(std::span(bytes)), path.string());
  const PickleValue& list = pickle[pickle.root];
  const bool is_list = list.kind == PickleKind::kList || list.kind == PickleKind::kTuple;
  if (is_list && !list.items.empty() && pickle[list.items[0]].kind == PickleKind::kText) {
    return ToUtf8(pickle[list.items[0]].text);
  }
  ThrowNoSentences(path, "a pickled list of instructions");
}

// The first of the files that is there, in the episode (PerAct) or its variation, or nothing.
fs::path DescriptionFile(const EpisodeRef& episode) {
  for (const fs::path& folder : {episode.path, VariationFolder(episode)}) {
    for (const char* name : kDescriptionFiles) {
      if (fs::exists(folder / name)) return folder / name;
    }
  }
  return {};
}

}  // namespace

std::string VariationPrompt(const EpisodeRef& episode) {
  const fs::path file = DescriptionFile(episode);
  if (file.extension() == ".json") return OfJson(file);
  if (file.extension() == ".pkl") return OfPickle(file);
  if (file.extension() == ".txt") return FirstLineOf(file);
  std::string words = episode.task;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string DescriptionStamp(const EpisodeRef& episode) {
  return FileStamp(DescriptionFile(episode));
}

void WarnOfMissingPrompts(const fs::path& root, const std::vector<EpisodeRef>& episodes) {
  std::set<fs::path> without;
  for (const EpisodeRef& episode : episodes) {
    if (!fs::exists(episode.path / "meta.json") && DescriptionFile(episode).empty()) {
      without.insert(VariationFolder(episode));
    }
  }
  if (without.empty()) return;
  LogWarning(root.string() + ": " + std::to_string(without.size()) +
             " variations have no variation_descriptions.json, .pkl or .txt (the first is " +
             without.begin()->string() + "): their prompt is the task's name in words");
}

}  // namespace aim
