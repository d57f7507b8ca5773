#include "calibration/undistort_views.h"

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/media/file_names.h"
#include "aim/media/frame_times.h"
#include "aim/media/undistort.h"
#include "aim/media/video.h"
#include "calibration/open_frames.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr double kPicturesPerSecond = 10;  // of folders: nobody sees it

bool IsPicture(const std::string& path) {
  const std::string extension = LowerExtension(path);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

void RequireSize(const std::string& path, int width, int height, const Camera& camera) {
  if (width == camera.width && height == camera.height) return;
  throw InputError(
      {.where = path,
       .got = "of " + SizeText(width, height) + " pixels",
       .expected = SizeText(camera.width, camera.height) + " as its camera",
       .fix = "give --width and --height if the camera was calibrated at another size"});
}

void RequireEven(const std::string& path, const Camera& camera, bool lossless) {
  if (lossless || (camera.width % 2 == 0 && camera.height % 2 == 0)) return;
  throw InputError({.where = path,
                    .got = "of " + SizeText(camera.width, camera.height) + " pixels",
                    .expected = "even sides for a video that is not lossless",
                    .fix = "leave out --no-lossless"});
}

// Writes one view below `folder`; returns what was written.
std::string WriteUndistorted(const std::string& source, const fs::path& folder,
                             const std::string& name, const Undistorter& undistort,
                             const VideoOptions& video, Progress& progress) {
  if (IsPicture(source)) {
    WriteImage(folder / (name + ".png"), undistort(ReadImage(source).rgb));
    progress.Advance(1);
    return name + ".png";
  }
  const std::shared_ptr<FrameReader> frames = OpenFrames(source, kPicturesPerSecond);
  const VideoInfo& info = frames->info();
  if (fs::is_directory(source)) {
    frames->VisitFrames(0, info.num_frames, 1, [&](int frame, std::span<const uint8_t> rgb) {
      WriteImage(folder / name / (std::to_string(frame) + ".png"), undistort(rgb));
      progress.Advance(1);
    });
    return name;
  }
  const std::string uneven = DescribeUnevenTimes(info.times_s, info.format.fps);
  if (!uneven.empty()) LogWarning(source + ": " + uneven + "; the frames are written evenly");
  VideoWriter writer(folder / (name + ".mp4"), info.format, video);
  frames->VisitFrames(0, info.num_frames, 1, [&](int, std::span<const uint8_t> rgb) {
    writer.Append(undistort(rgb));
    progress.Advance(1);
  });
  writer.Finish();
  return name + ".mp4";
}

}  // namespace

void CheckPictures(const CamerasOptions& options, const std::vector<ForeignView>& views) {
  if (options.undistort.size() != views.size()) {
    throw InputError(
        {.where = "--undistort",
         .got = "given for " + CountText(static_cast<int64_t>(options.undistort.size()), "view"),
         .expected = std::to_string(views.size()) + ", one for each camera",
         .fix = "give --undistort once a view in the cameras' order, or choose --view"});
  }
  for (size_t view = 0; view < views.size(); ++view) {
    const std::string& path = options.undistort[view];
    const Camera& camera = views[view].camera;
    if (IsPicture(path)) {
      const Image image = ReadImage(path);
      RequireSize(path, image.width, image.height, camera);
      continue;
    }
    const VideoFormat format = OpenFrames(path, kPicturesPerSecond)->info().format;
    RequireSize(path, format.width, format.height, camera);
    if (!fs::is_directory(path)) RequireEven(path, camera, options.lossless);
  }
}

void UndistortViews(const CamerasOptions& options, const std::vector<ForeignView>& views,
                    const std::function<void(const fs::path&)>& finish,
                    std::vector<CamerasReport::View>& report, Progress& progress) {
  progress.Start("undistort frames", 0);
  WriteFolderAtomic(options.undistorted, [&](const fs::path& folder) {
    for (size_t view = 0; view < views.size(); ++view) {
      const Undistorter undistort(views[view].camera, views[view].lens);
      report[view].file =
          WriteUndistorted(options.undistort[view], folder, "view" + std::to_string(view),
                           undistort, {.lossless = options.lossless}, progress);
      report[view].blank_fraction = undistort.blank_fraction();
    }
    const nlohmann::json record = {{"format", "aim-undistorted-1"},
                                   {"from", options.from},
                                   {"cameras", options.files},
                                   {"pictures", options.undistort}};
    WriteFileAtomic(folder / kUndistortedRecord, DumpJson(record, 2) + "\n");
    finish(folder);
  });
  progress.Finish();
}

}  // namespace aim
