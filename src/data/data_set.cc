#include "aim/data/data_set.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/normal_path.h"
#include "aim/codec/rig_check.h"
#include "data/foreign_layouts.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

void CheckFolder(const fs::path& root) {
  if (fs::is_directory(root)) return;
  throw InputError({.where = root.string(),
                    .got = fs::exists(root) ? "not a folder" : "missing",
                    .expected = "a data folder",
                    .fix = "check the path"});
}

const Layout& DetectLayout(const fs::path& root) {
  std::vector<const Layout*> fitting;
  std::string reasons;
  for (const Layout* layout : Layouts()) {
    const std::string why_not = layout->WhyNot(root);
    if (why_not.empty()) fitting.push_back(layout);
    reasons += (reasons.empty() ? "" : "; ") + std::string(layout->Name()) + " (" + why_not + ")";
  }
  if (fitting.size() == 1) return *fitting[0];
  const Foreign foreign = fitting.empty() ? ForeignLayout(root) : Foreign{};
  if (!foreign.what.empty()) {
    throw InputError({.where = root.string(),
                      .got = foreign.what,
                      .expected = "one of: " + reasons,
                      .fix = foreign.fix});
  }
  if (fitting.empty()) {
    throw InputError({.where = root.string(),
                      .got = "a folder without episodes of a known layout",
                      .expected = "one of: " + reasons,
                      .fix = "check the path, or make episodes with aim-data demos"});
  }
  std::string names;
  for (const Layout* layout : fitting) {
    names += (names.empty() ? "" : " and of ") + std::string(layout->Name());
  }
  throw InputError({.where = root.string(),
                    .got = "a folder with episodes of " + names,
                    .expected = "one layout",
                    .fix = "move one of them to a folder of its own"});
}

}  // namespace

struct DataSet::Contents {
  const Layout* layout;
  fs::path root;
  std::unique_ptr<EpisodeSource> source;
  std::vector<EpisodeRef> episodes;
  std::map<std::string, size_t> by_name;
  mutable std::mutex mutex;
  mutable std::set<std::string> checked;  // names of episodes whose cameras were spoken of

  // Recorded poses must lie in the pictures.
  void CheckCameras(const Episode& episode, const std::string& name) const {
    if (!TellsOfCameras(episode)) return;
    const Clip& clip = episode.clip;
    const std::vector<std::string> warnings = CheckRig(CamerasOf(clip), clip.poses, name);
    const std::lock_guard lock(mutex);
    if (!checked.insert(name).second) return;
    for (const std::string& warning : warnings) LogWarning(warning);
  }
};

DataSet::DataSet(const Layout& layout, const fs::path& root) {
  auto contents = std::make_shared<Contents>();
  contents->layout = &layout;
  contents->root = root;
  contents->source = layout.Open(root);
  contents->episodes = contents->source->List();
  for (size_t i = 0; i < contents->episodes.size(); ++i) {
    contents->by_name.emplace(contents->episodes[i].name, i);
  }
  contents_ = std::move(contents);
}

DataSet DataSet::WithViews(std::vector<std::string> names) const {
  DataSet set = *this;
  set.views_ = std::move(names);
  return set;
}

const Layout& DataSet::layout() const { return *contents_->layout; }

const fs::path& DataSet::root() const { return contents_->root; }

const std::vector<EpisodeRef>& DataSet::episodes() const& { return contents_->episodes; }

const EpisodeRef* DataSet::Find(const std::string& name) const& {
  const auto found = contents_->by_name.find(name);
  return found == contents_->by_name.end() ? nullptr : &contents_->episodes[found->second];
}

std::unique_ptr<OpenEpisode> DataSet::OpenAsIs(const EpisodeRef& ref) const {
  std::unique_ptr<OpenEpisode> episode = contents_->source->Open(ref);
  if (!views_.empty()) episode->KeepViews(views_);
  return episode;
}

std::unique_ptr<OpenEpisode> DataSet::Open(const EpisodeRef& ref) const {
  std::unique_ptr<OpenEpisode> episode = OpenAsIs(ref);
  contents_->CheckCameras(episode->facts(), ref.name);
  return episode;
}

Episode DataSet::Read(const EpisodeRef& ref, const FrameRange& range) const {
  const std::unique_ptr<OpenEpisode> episode = Open(ref);
  RequireCameras(episode->facts().clip, ref.name);
  return episode->Read(range);
}

std::optional<Episode> DataSet::TryRead(const EpisodeRef& ref, std::vector<Skipped>& skipped,
                                        const FrameRange& range) const {
  std::optional<Episode> episode;
  TryOrSkip(ref.name, skipped, [&] { episode = Read(ref, range); });
  return episode;
}

std::string DataSet::Stamp(const EpisodeRef& ref) const { return contents_->source->Stamp(ref); }

EpisodeOrigin DataSet::Origin(const EpisodeRef& ref) const {
  if (std::optional<EpisodeOrigin> origin = contents_->source->Origin(ref)) return *origin;
  return {NormalPath(root()), std::string(layout().Name()), ref.name};
}

DataSet OpenDataSet(const fs::path& root, std::string_view layout) {
  CheckFolder(root);
  if (layout == "auto") return {DetectLayout(root), root};
  const Layout& chosen = FindLayout(layout);
  const std::string why_not = chosen.WhyNot(root);
  if (why_not.empty()) return {chosen, root};
  throw InputError(
      {.where = root.string(),
       .got = "no data set of the layout " + std::string(layout) + " (" + why_not + ")",
       .expected = "one",
       .fix = "check the path, or let the layout be found with auto"});
}

}  // namespace aim
