// What a variation of a task is called: RLBench's variation_descriptions.
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
#include "data/action_images_files.h"

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

std::string OfText(const fs::path& path) {
  const std::string text = ToUtf8(ReadFile(path));
  return text.substr(0, text.find_first_of("\r\n"));
}

// The first of the files that is there, or nothing.
fs::path DescriptionFile(const fs::path& variation) {
  for (const char* name : kDescriptionFiles) {
    if (fs::exists(variation / name)) return variation / name;
  }
  return {};
}

}  // namespace

std::string VariationPrompt(const EpisodeRef& episode) {
  const fs::path file = DescriptionFile(VariationFolder(episode));
  if (file.extension() == ".json") return OfJson(file);
  if (file.extension() == ".pkl") return OfPickle(file);
  if (file.extension() == ".txt") return OfText(file);
  std::string words = episode.task;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string DescriptionStamp(const EpisodeRef& episode) {
  return FileStamp(DescriptionFile(VariationFolder(episode)));
}

void WarnOfMissingPrompts(const fs::path& root, const std::vector<EpisodeRef>& episodes) {
  std::set<fs::path> without;
  for (const EpisodeRef& episode : episodes) {
    const fs::path variation = VariationFolder(episode);
    if (!fs::exists(episode.path / "meta.json") && DescriptionFile(variation).empty()) {
      without.insert(variation);
    }
  }
  if (without.empty()) return;
  LogWarning(root.string() + ": " + std::to_string(without.size()) +
             " variations have no variation_descriptions.json, .pkl or .txt (the first is " +
             without.begin()->string() + "): their prompt is the task's name in words");
}

}  // namespace aim
