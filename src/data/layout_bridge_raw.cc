// BridgeData (V1 and V2) as its robots recorded it.
//
//   .../<date>/raw/traj_group<N>/traj<M>/
//     images0/im_0.jpg, im_1.jpg, ...   images1, images2, images3: other cameras; depth_images<N>
//     are
//                                       not read
//     obs_dict.pkl                      what was measured: full_state, time_stamp (seconds), ...
//     lang.txt                          instructions, one a line, and a line "confidence: ..."
//
// There is no calibration in the set, and the arm's poses are in a frame that no camera knows:
// videos without poses. obs_dict.pkl says when the frames were taken, five a second; nothing in it
// is executed.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <span>
#include <sstream>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/data/layout.h"
#include "aim/format/pickle.h"
#include "aim/media/picture_folder.h"
#include "data/chosen_frames.h"
#include "data/marked_folders.h"
#include "data/task_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kObservationFile = "obs_dict.pkl";
constexpr const char* kLanguageFile = "lang.txt";
constexpr const char* kBridgePictures = "images";
constexpr double kBridgeFps = 5.0;  // a step is 0.2 s
constexpr FolderMark kBridgeMark = {.file = kObservationFile, .max_depth = 10, .left_out = ""};

// Of each frame, from 0. Empty where the recording does not say: the oldest do not.
std::vector<double> ReadFrameTimes(const fs::path& path, size_t num_frames) {
  const std::string bytes = ReadFile(path);
  const Pickle pickle = ParsePickle(std::as_bytes(std::span(bytes)), path.string());
  const PickleValue& root = pickle[pickle.root];
  if (root.kind != PickleKind::kDict) {
    throw FormatError({.where = path.string(),
                       .got = "another object than a dict of observations",
                       .expected = "a pickled dict",
                       .fix = "copy the episode again"});
  }
  const PickleValue* stamps = FindInPickle(pickle, root, "time_stamp");
  if (stamps == nullptr) return {};
  const std::string where = path.string() + ": time_stamp";
  std::vector<double> times_s = NumbersInPickle(pickle, *stamps, where);
  if (times_s.size() != num_frames) {
    throw InputError({.where = where,
                      .got = "with " + CountText(std::ssize(times_s), "time"),
                      .expected = std::to_string(num_frames) + ", one a picture of images0",
                      .fix = "leave the episode out, or copy it again"});
  }
  const auto falls =
      std::ranges::adjacent_find(times_s, [](double a, double b) { return !(b > a); });
  if (falls != times_s.end()) {
    throw InputError({.where = where,
                      .got = "not later in row " + std::to_string(falls - times_s.begin() + 1),
                      .expected = "seconds that rise",
                      .fix = "leave the episode out"});
  }
  const double first_s = times_s.front();
  for (double& time_s : times_s) time_s -= first_s;
  return times_s;
}

// images0, images1, ... by number.
std::unique_ptr<ViewVideos> OpenBridgePictures(const EpisodeRef& ref) {
  std::vector<ViewFrames> views;
  for (const auto& [number, folder] : NumberedFolders(ref.path, kBridgePictures)) {
    views.push_back({folder.filename().string(), folder,
                     std::make_unique<PictureFolder>(
                         folder, kBridgeFps, PictureNames{.prefix = "im_", .extension = ".jpg"})});
  }
  if (views.empty()) {
    throw InputError({.where = ref.path.string(),
                      .got = "without pictures",
                      .expected = "images0/im_0.jpg, ...",
                      .fix = "copy the episode again"});
  }
  const auto num_frames = static_cast<size_t>(views[0].frames->info().num_frames);
  const std::vector<double> times_s = ReadFrameTimes(ref.path / kObservationFile, num_frames);
  if (times_s.empty()) return std::make_unique<ViewVideos>(std::move(views));
  std::vector<int> all(num_frames);
  std::iota(all.begin(), all.end(), 0);
  for (ViewFrames& view : views) {
    if (view.frames->info().num_frames != static_cast<int>(num_frames))
      continue;  // ViewVideos says
    view.frames = std::make_unique<ChosenFrames>(std::move(view.frames), all, times_s,
                                                 RecordedRate(times_s, kBridgeFps));
  }
  return std::make_unique<ViewVideos>(std::move(views));
}

// The first instruction; "" where nobody wrote one.
std::string ReadLanguage(const fs::path& path) {
  if (!fs::exists(path)) return "";
  std::istringstream text(ToUtf8(ReadFile(path)));
  std::string line;
  while (std::getline(text, line)) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty() && line.find("confidence") == std::string::npos) return line;
  }
  return "";
}

class BridgeRawSource : public EpisodeSource {
 public:
  explicit BridgeRawSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override {
    LogWarning(root_.string() +
               ": BridgeData has no calibration of its cameras: usable for video only");
    return ListMarkedFolders(root_, kBridgeMark).episodes;
  }

  // Of what is read: depths and what the policy said are not.
  std::string Stamp(const EpisodeRef& ref) const override {
    std::string stamp =
        FileStamp(ref.path / kObservationFile) + FileStamp(ref.path / kLanguageFile);
    for (const auto& [number, folder] : NumberedFolders(ref.path, kBridgePictures)) {
      stamp += std::to_string(number) + FileStamp(folder);
    }
    return HexText(StableHash(stamp));
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    auto pictures = OpenBridgePictures(ref);
    Episode episode;
    episode.times_s = pictures->times_s();
    episode.clip = pictures->EmptyClip();
    episode.clip.prompt = ReadLanguage(ref.path / kLanguageFile);
    const int num_frames = pictures->num_frames();
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(pictures), num_frames,
                                         ref.path.string());
  }

 private:
  fs::path root_;
};

class BridgeRaw : public Layout {
 public:
  std::string_view Name() const override { return "bridge-raw"; }

  std::string WhyNot(const fs::path& root) const override {
    return HasMarkedFolder(root, kBridgeMark) ? ""
                                              : "no raw/traj_group<N>/traj<M>/obs_dict.pkl in it";
  }

  LayoutLimits Limits() const override {
    return {.no_poses = true, .prompt = true, .many_sizes = true, .many_rates = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<BridgeRawSource>(root);
  }
};

}  // namespace

const Layout& BridgeRawLayout() {
  static const BridgeRaw kLayout;
  return kLayout;
}

}  // namespace aim
