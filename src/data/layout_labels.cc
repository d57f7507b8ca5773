#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/normal_path.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/data_set.h"
#include "aim/data/labels.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kName = "labels";
constexpr int kMaxNameDepth = 4;      // folders in an episode's name
constexpr int kMaxLookedAt = 10'000;  // entries until a folder counts as something else

[[noreturn]] void FailRecord(const fs::path& path, const std::string& key, const std::string& got,
                             const std::string& expected) {
  throw InputError({.where = path.string() + (key.empty() ? "" : " " + key),
                    .got = got,
                    .expected = expected,
                    .fix = "label the episode again with aim-label"});
}

const json& Field(const json& object, const char* key, bool (json::*is_kind)() const noexcept,
                  const fs::path& path) {
  if (!object.contains(key) || !(object.at(key).*is_kind)()) {
    FailRecord(path, key, object.contains(key) ? object.at(key).dump() : "missing",
               "what aim-label writes");
  }
  return object.at(key);
}

struct Record {
  EpisodeOrigin origin;
  size_t num_frames = 0;
  size_t num_low = 0;  // frames below the run's least confidence
};

Record ReadRecord(const fs::path& folder) {
  const fs::path path = folder / "label.json";
  const json object = ParseJson(ReadFile(path));
  if (!object.is_object()) {
    throw FormatError({.where = path.string(),
                       .got = "broken JSON",
                       .expected = "what aim-label writes",
                       .fix = "label the episode again with aim-label"});
  }
  const json& origin = Field(object, "origin", &json::is_object, path);
  const auto text = [&](const char* key) {
    return Field(origin, key, &json::is_string, path).get<std::string>();
  };
  const auto number = [&](const char* key) {
    return Field(object, key, &json::is_number_unsigned, path).get<size_t>();
  };
  return {.origin = {text("data"), text("layout"), text("episode")},
          .num_frames = number("frames"),
          .num_low = number("low_confidence")};
}

// Videos lie in no labels, so that labels cannot lead in a circle.
void CheckLayout(const fs::path& path, const std::string& layout) {
  std::string known;
  for (const Layout* one : Layouts()) {
    if (one->Name() == kName) continue;
    if (one->Name() == layout) return;
    known += (known.empty() ? "" : ", ") + std::string(one->Name());
  }
  FailRecord(path, "origin.layout", layout == kName ? "labels themselves" : '"' + layout + '"',
             "a layout that holds videos (" + known + ")");
}

// Without a single frame that the model was sure of, the others were not filled in from it: where
// nothing was decoded there is no pose at all.
void CheckConfident(const fs::path& path, const Record& record, const std::vector<PoseRow>& rows) {
  const bool lost = std::any_of(rows.begin(), rows.end(),
                                [](const PoseRow& row) { return !row.decoded.decodable; });
  if (!lost || record.num_low < record.num_frames) return;
  throw InputError({.where = path.string(),
                    .got = "without confidence in any of " + CountText(std::ssize(rows), "frame"),
                    .expected = "one at least that the others can be filled in from",
                    .fix = "label the episode with another model"});
}

std::vector<PoseRow> ReadRows(const fs::path& folder, const Record& record, int num_frames) {
  const fs::path path = folder / "poses.csv";
  std::vector<PoseRow> rows = ReadPosesCsv(path);
  const auto count = static_cast<size_t>(num_frames);
  if (rows.size() != count || rows.back().frame != num_frames - 1) {
    throw InputError({.where = path.string(),
                      .got = "with " + CountText(std::ssize(rows), "row"),
                      .expected = "one for each of " + std::to_string(num_frames) +
                                  " frames of the videos that were labelled (" +
                                  (record.origin.data / record.origin.episode).string() + ")",
                      .fix = "label the episode again with aim-label"});
  }
  CheckConfident(path, record, rows);
  return rows;
}

// Calls visit(folder) for every folder of labels at or below `root` until it returns true, or until
// `max_entries` were looked at.
template <class Visit>
bool VisitLabels(const fs::path& root, int max_entries, Visit&& visit) {
  const auto holds_labels = [](const fs::path& folder) {
    return fs::exists(folder / "label.json") || fs::exists(folder / "poses.csv");
  };
  if (holds_labels(root)) return visit(root);
  const auto options = fs::directory_options::skip_permission_denied;
  int looked_at = 0;
  for (auto entry = fs::recursive_directory_iterator(root, options);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (++looked_at > max_entries) return false;
    if (!entry->is_directory()) continue;
    const bool hidden = entry->path().filename().string().starts_with(".");
    const bool labels = !hidden && holds_labels(entry->path());
    if (labels && visit(entry->path())) return true;
    if (hidden || labels || entry.depth() + 1 >= kMaxNameDepth) entry.disable_recursion_pending();
  }
  return false;
}

std::string NameIn(const fs::path& root, const fs::path& folder) {
  if (folder != root) return folder.lexically_relative(root).generic_string();
  return NormalPath(root).filename().string();
}

class LabelsSource : public EpisodeSource {
 public:
  explicit LabelsSource(fs::path root) : root_(std::move(root)) {}

  // By name.
  std::vector<EpisodeRef> List() const override {
    std::vector<EpisodeRef> refs;
    VisitLabels(root_, std::numeric_limits<int>::max(), [&](const fs::path& path) {
      refs.push_back({.name = NameIn(root_, path), .path = path, .task = {}});
      return false;
    });
    std::sort(refs.begin(), refs.end(),
              [](const EpisodeRef& a, const EpisodeRef& b) { return a.name < b.name; });
    return refs;
  }

  // Of the labels and of what was labelled.
  std::string Stamp(const EpisodeRef& ref) const override {
    const std::string own = FileStamp(ref.path);
    try {
      const Record record = ReadRecord(ref.path);
      const DataSet data = Labelled(ref, record);
      return own + data.Stamp(EpisodeIn(data, ref, record));
    } catch (const InputError&) {
      return own;  // who reads it is told
    }
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    const Record record = ReadRecord(ref.path);
    const DataSet data = Labelled(ref, record);
    std::unique_ptr<OpenEpisode> episode = data.Open(EpisodeIn(data, ref, record));
    std::vector<ToolPose> poses;
    std::vector<double> confidence;
    for (const PoseRow& row : ReadRows(ref.path, record, episode->num_frames())) {
      poses.push_back(row.decoded.pose);
      confidence.push_back(row.decoded.confidence);
    }
    episode->SetPoses(std::move(poses), std::move(confidence));
    return episode;
  }

  std::optional<EpisodeOrigin> Origin(const EpisodeRef& ref) const override {
    return ReadRecord(ref.path).origin;
  }

 private:
  // The data set that was labelled, opened once.
  DataSet Labelled(const EpisodeRef& ref, const Record& record) const {
    const EpisodeOrigin& origin = record.origin;
    const fs::path path = ref.path / "label.json";
    CheckLayout(path, origin.layout);
    if (!fs::exists(origin.data)) {
      throw InputError({.where = path.string() + " origin.data",
                        .got = origin.data.string() + ", which is missing",
                        .expected = "the data set that was labelled",
                        .fix = "put it back, or write there where it lies now"});
    }
    const std::lock_guard lock(mutex_);
    const auto key = std::make_pair(origin.data, origin.layout);
    auto found = labelled_.find(key);
    if (found == labelled_.end()) {
      found = labelled_.emplace(key, OpenDataSet(origin.data, origin.layout)).first;
    }
    return found->second;
  }

  static const EpisodeRef& EpisodeIn(const DataSet& data, const EpisodeRef& ref,
                                     const Record& record) {
    const EpisodeRef* found = data.Find(record.origin.episode);
    if (found != nullptr) return *found;
    throw InputError({.where = (ref.path / "label.json").string() + " origin.episode",
                      .got = record.origin.episode,
                      .expected = "an episode of " + data.root().string(),
                      .fix = "put it back, or remove its labels"});
  }

  fs::path root_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<fs::path, std::string>, DataSet> labelled_;
};

class Labels : public Layout {
 public:
  std::string_view Name() const override { return kName; }

  std::string WhyNot(const fs::path& root) const override {
    const bool found = VisitLabels(
        root, kMaxLookedAt, [](const fs::path& path) { return fs::exists(path / "label.json"); });
    if (found) return "";
    return "no label.json in it or below it";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .confidence = true,
            .prompt = true,
            .task = true,
            .seed = true,
            .many_sizes = true,
            .many_rates = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<LabelsSource>(root);
  }
};

}  // namespace

const Layout& LabelsLayout() {
  static const Labels kLayout;
  return kLayout;
}

void WriteLabels(const fs::path& folder, const Plan& labels, const EpisodeOrigin& origin,
                 json record, const LabelExtras& extras) {
  AIM_CHECK(record.contains("frames") && record.contains("low_confidence"));
  record["origin"] = {
      {"data", origin.data.string()}, {"layout", origin.layout}, {"episode", origin.episode}};
  WriteFolderAtomic(folder, [&](const fs::path& temporary) {
    WritePosesCsv(temporary / "poses.csv", labels, extras.times_s);
    WriteFileAtomic(temporary / "label.json", DumpJson(record) + "\n");
    if (extras.write_more) extras.write_more(temporary);
  });
}

}  // namespace aim
