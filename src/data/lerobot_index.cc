#include "data/lerobot_index.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/format/json_reader.h"
#include "data/padded_number.h"
#include "data/parquet.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kMaxCount = 1e9;  // of episodes, rows, files

[[noreturn]] void FailIndex(const std::string& where, const std::string& got,
                            const std::string& expected) {
  throw InputError({.where = where,
                    .got = got,
                    .expected = expected,
                    .fix = "copy or write the data set again"});
}

int CheckedCount(int64_t value, int64_t low, const std::string& where) {
  if (value >= low && static_cast<double>(value) <= kMaxCount) return static_cast<int>(value);
  FailIndex(where, std::to_string(value),
            "a whole number from " + std::to_string(low) + " to a thousand million");
}

// A list of texts, or an object with one of them: {"axes": ["x", "y", "z"]}.
std::vector<std::string> NamesOf(const json& names) {
  const json& list = names.is_object() && names.size() == 1 ? names.front() : names;
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const json& name : list) {
    if (!name.is_string()) return {};
    texts.push_back(name.get<std::string>());
  }
  return texts;
}

bool IsDepth(const JsonReader& feature) {
  for (const char* key : {"info", "video_info"}) {
    if (!feature.Has(key)) continue;
    const JsonReader info(feature.At(key), feature.Where(key));
    if (info.Flag("is_depth_map", false) || info.Flag("video.is_depth_map", false)) return true;
  }
  return false;
}

LeRobotFeature ReadFeature(const std::string& key, const JsonReader& feature) {
  LeRobotFeature read{.key = key,
                      .dtype = feature.Text("dtype"),
                      .shape = feature.Ints("shape", {}),
                      .names = {},
                      .is_depth = false};
  if (feature.Has("names")) read.names = NamesOf(feature.At("names"));
  read.is_depth = (read.is_video() || read.is_pictures()) && IsDepth(feature);
  return read;
}

// JsonReader sorts keys; views are to come in the file's own order.
std::vector<std::string> KeysInOrder(const fs::path& path, const char* of) {
  const auto ordered = nlohmann::ordered_json::parse(ReadFile(path), nullptr, false);
  std::vector<std::string> keys;
  if (!ordered.is_object() || !ordered.contains(of)) return keys;  // not UTF-8
  for (const auto& [key, value] : ordered.at(of).items()) keys.push_back(key);
  return keys;
}

class IndexReader {
 public:
  explicit IndexReader(const fs::path& root)
      : root_(root), info_(JsonReader::OfFile(root / "meta" / "info.json")) {}

  LeRobotIndex Read() {
    const std::string version = info_.Text("codebase_version");
    index_.fps = info_.Number("fps");
    if (!(index_.fps > 0 && index_.fps <= 1000)) {
      info_.Fail("fps", "frames a second, above 0 and at most 1000");
    }
    ReadFeatures();
    index_.shares_files = version.starts_with("v3.");
    if (!index_.shares_files && !version.starts_with("v2.")) {
      info_.Fail("codebase_version", "v2.0, v2.1 or v3.x",
                 "convert the data set with a LeRobot that knows it");
    }
    data_path_ = info_.Text("data_path");
    const bool has_videos = std::ranges::any_of(
        index_.cameras, [this](const std::string& camera) { return index_.HasVideo(camera); });
    if (has_videos) video_path_ = info_.Text("video_path");
    if (index_.shares_files) {
      ReadTasks();
      ReadEpisodes();
    } else {
      ReadTaskLines();
      ReadEpisodeLines();
    }
    return std::move(index_);
  }

 private:
  std::string Where(const char* key) const { return info_.Where(key); }

  void ReadFeatures() {
    const JsonReader features(info_.At("features"), Where("features"));
    std::vector<std::string> keys = KeysInOrder(root_ / "meta" / "info.json", "features");
    if (keys.size() != features.object().size()) {
      keys.clear();
      for (const auto& [key, value] : features.object().items()) keys.push_back(key);
    }
    for (const std::string& key : keys) {
      index_.features.push_back(
          ReadFeature(key, JsonReader(features.At(key), features.Where(key))));
      const LeRobotFeature& feature = index_.features.back();
      const bool is_camera = feature.is_video() || feature.is_pictures();
      if (is_camera && !feature.is_depth) index_.cameras.push_back(key);
    }
    if (!index_.cameras.empty()) return;
    throw InputError({.where = Where("features"),
                      .got = "without videos and pictures",
                      .expected = "at least one feature with dtype video or image",
                      .fix = ""});
  }

  fs::path Path(const std::string& text, const char* key, const LeRobotPlace& place) const {
    return root_ / FillLeRobotPath(text, place, Where(key));
  }

  // v3: a pandas frame whose index is the text, with the name "task" or none.
  void ReadTasks() {
    const fs::path path = root_ / "meta" / "tasks.parquet";
    if (!fs::exists(path) && info_.Number("total_tasks", 0) == 0) return;
    const ParquetFile file(path);
    const std::vector<std::string>& columns = file.columns();
    const bool is_named = std::find(columns.begin(), columns.end(), "task") != columns.end();
    const std::string task = is_named ? "task" : "__index_level_0__";
    const ParquetTable table = file.Read({"task_index", task});
    const std::vector<std::string>& texts = table.Texts(task);
    for (size_t row = 0; row < texts.size(); ++row) {
      Place(table.Ints("task_index")[row], texts[row], table.Where("task_index"));
    }
  }

  void Place(int64_t task_index, const std::string& text, const std::string& where) {
    const auto at = static_cast<size_t>(CheckedCount(task_index, 0, where));
    if (at > index_.prompts.size() + 1'000'000)
      FailIndex(where, std::to_string(at), "numbers in a row");
    if (at >= index_.prompts.size()) index_.prompts.resize(at + 1);
    index_.prompts[at] = text;
  }

  void ReadEpisodes() {
    std::vector<fs::path> files;
    const fs::path folder = root_ / "meta" / "episodes";
    if (fs::is_directory(folder)) {
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".parquet") files.push_back(entry.path());
      }
    }
    if (files.empty())
      FailIndex(folder.string(), "without a parquet file", "the table of episodes");
    std::sort(files.begin(), files.end());
    std::map<fs::path, int64_t> first_index;  // of each data file's rows
    std::vector<int64_t> from;
    for (const fs::path& path : files) ReadEpisodes(ParquetFile(path), from);
    for (size_t i = 0; i < from.size(); ++i) {
      const auto [place, is_new] = first_index.emplace(index_.episodes[i].data, from[i]);
      if (!is_new) place->second = std::min(place->second, from[i]);
    }
    for (size_t i = 0; i < from.size(); ++i) {
      index_.episodes[i].first_row = from[i] - first_index.at(index_.episodes[i].data);
    }
  }

  // Appends the episodes of one file of meta/episodes, and the first row of each in the whole set.
  void ReadEpisodes(const ParquetFile& file, std::vector<int64_t>& from) {
    std::vector<std::string> names = {"episode_index",    "tasks",           "length",
                                      "data/chunk_index", "data/file_index", "dataset_from_index"};
    for (const std::string& camera : index_.cameras) {
      if (!index_.HasVideo(camera)) continue;
      for (const char* part : {"/chunk_index", "/file_index", "/from_timestamp"}) {
        names.push_back("videos/" + camera + part);
      }
    }
    const std::vector<std::string>& columns = file.columns();
    const bool is_own = std::find(columns.begin(), columns.end(), kLeRobotTask) != columns.end();
    if (is_own) names.insert(names.end(), {kLeRobotTask, kLeRobotVariation, kLeRobotSeed});
    const ParquetTable table = file.Read(names);
    const auto count = [&](const std::string& name, size_t row, int64_t low) {
      return CheckedCount(table.Ints(name)[row], low, table.Where(name));
    };
    const std::vector<std::vector<std::string>> prompts = table.TextLists("tasks");
    for (size_t row = 0; row < prompts.size(); ++row) {
      LeRobotEpisode episode;
      episode.index = count("episode_index", row, 0);
      episode.num_frames = count("length", row, 1);
      episode.prompts = prompts[row];
      episode.data = Path(data_path_, "data_path",
                          {.chunk = count("data/chunk_index", row, 0),
                           .file = count("data/file_index", row, 0),
                           .camera = {}});
      from.push_back(count("dataset_from_index", row, 0));
      for (const std::string& camera : index_.cameras) {
        if (!index_.HasVideo(camera)) {
          episode.videos.push_back({episode.data, 0});
          continue;
        }
        const std::string key = "videos/" + camera;
        episode.videos.push_back({Path(video_path_, "video_path",
                                       {.chunk = count(key + "/chunk_index", row, 0),
                                        .file = count(key + "/file_index", row, 0),
                                        .camera = camera}),
                                  table.Numbers(key + "/from_timestamp")[row]});
      }
      if (is_own) {
        episode.task = table.Texts(kLeRobotTask)[row];
        episode.variation = count(kLeRobotVariation, row, 0);
        episode.seed = std::bit_cast<uint64_t>(table.Ints(kLeRobotSeed)[row]);
      }
      index_.episodes.push_back(std::move(episode));
    }
  }

  // v2: one JSON object a line.
  template <class Visit>
  void VisitLines(const char* name, Visit&& visit) const {
    const fs::path path = root_ / "meta" / name;
    std::istringstream text(ReadFile(path));
    std::string line;
    for (int number = 1; std::getline(text, line); ++number) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      const std::string where = path.string() + ": line " + std::to_string(number);
      const json object = ParseJson(line);
      if (!object.is_object()) {
        throw FormatError({.where = where,
                           .got = "no JSON object",
                           .expected = "one a line",
                           .fix = "copy or write the data set again"});
      }
      visit(JsonReader(object, where));
    }
  }

  static int64_t Whole(const JsonReader& line, const char* key, int64_t low) {
    if (!line.HasWhole(key, static_cast<double>(low), kMaxCount)) {
      line.Fail(key, "a whole number from " + std::to_string(low) + " to a thousand million");
    }
    return line.At(key).get<int64_t>();
  }

  void ReadTaskLines() {
    VisitLines("tasks.jsonl", [&](const JsonReader& line) {
      Place(Whole(line, "task_index", 0), line.Text("task"), line.Where("task_index"));
    });
  }

  void ReadEpisodeLines() {
    const auto chunk_size = static_cast<int64_t>(info_.Int("chunks_size", 1000));
    VisitLines("episodes.jsonl", [&](const JsonReader& line) {
      LeRobotEpisode episode;
      episode.index = static_cast<int>(Whole(line, "episode_index", 0));
      episode.num_frames = static_cast<int>(Whole(line, "length", 1));
      if (line.Has("tasks")) episode.prompts = NamesOf(line.At("tasks"));
      LeRobotPlace place{
          .chunk = episode.index / chunk_size, .episode = episode.index, .camera = {}};
      episode.data = Path(data_path_, "data_path", place);
      for (const std::string& camera : index_.cameras) {
        place.camera = camera;
        episode.videos.push_back(
            {index_.HasVideo(camera) ? Path(video_path_, "video_path", place) : episode.data, 0});
      }
      index_.episodes.push_back(std::move(episode));
    });
  }

  fs::path root_;
  JsonReader info_;
  LeRobotIndex index_;
  std::string data_path_;
  std::string video_path_;
};

}  // namespace

const LeRobotFeature* LeRobotIndex::Find(const std::string& key) const {
  const auto found = std::find_if(features.begin(), features.end(),
                                  [&](const LeRobotFeature& one) { return one.key == key; });
  return found == features.end() ? nullptr : &*found;
}

LeRobotIndex ReadLeRobotIndex(const fs::path& root) { return IndexReader(root).Read(); }

fs::path FillLeRobotPath(const std::string& text, const LeRobotPlace& place,
                         const std::string& where) {
  std::string filled;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '{') {
      filled += text[at++];
      continue;
    }
    const size_t close = std::min(text.find('}', at), text.size());
    const std::string inner = text.substr(at + 1, close - at - 1);
    const std::string name = inner.substr(0, inner.find(':'));
    const std::string format = name.size() < inner.size() ? inner.substr(name.size() + 1) : "";
    at = close + 1;
    if (name == "video_key" && format.empty()) {
      filled += place.camera;
      continue;
    }
    const std::map<std::string, int64_t> numbers = {{"chunk_index", place.chunk},
                                                    {"episode_chunk", place.chunk},
                                                    {"file_index", place.file},
                                                    {"episode_index", place.episode}};
    const bool is_padded = format.size() == 3 && format[0] == '0' && format[2] == 'd';
    if (!numbers.contains(name) || !(format.empty() || (is_padded && std::isdigit(format[1])))) {
      FailIndex(where, Excerpt(text), "places such as {chunk_index:03d} and {video_key}");
    }
    filled += PaddedNumber(numbers.at(name), is_padded ? static_cast<size_t>(format[1] - '0') : 0);
  }
  const fs::path path(filled);
  const bool leads_out = std::find(path.begin(), path.end(), "..") != path.end();
  if (path.empty() || path.is_absolute() || leads_out) {
    FailIndex(where, Excerpt(text), "a path within the data set");
  }
  return path;
}

}  // namespace aim
