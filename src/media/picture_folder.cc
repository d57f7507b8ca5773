#include "aim/media/picture_folder.h"

#include <charconv>
#include <map>
#include <string>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/media/file_names.h"
#include "aim/media/image.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Refuse(const fs::path& path, const std::string& got) {
  throw InputError({.where = path.string(),
                    .got = got,
                    .expected = "frames 0.png, 1.png, ... (or 000000.png, ...) without gaps",
                    .fix = ""});
}

int FrameNumber(const fs::path& file) {
  const std::string stem = file.stem().string();
  int number = -1;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc() || end != stem.data() + stem.size() || number < 0) {
    Refuse(file, "a picture whose name is no frame number");
  }
  return number;
}

std::vector<fs::path> NumberedPictures(const fs::path& folder) {
  if (!fs::is_directory(folder)) Refuse(folder, fs::exists(folder) ? "not a folder" : "missing");
  std::map<int, fs::path> by_number;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (IsHidden(path) || LowerExtension(path) != ".png") continue;
    const int number = FrameNumber(path);
    if (!by_number.emplace(number, path).second) {
      Refuse(folder, "two pictures of frame " + std::to_string(number));
    }
  }
  if (by_number.empty()) Refuse(folder, "a folder without PNG pictures");
  std::vector<fs::path> files;
  for (const auto& [number, path] : by_number) {
    if (static_cast<size_t>(number) != files.size()) {
      Refuse(folder, "a gap: " + std::to_string(by_number.size()) + " pictures, frame " +
                         std::to_string(files.size()) + " is missing");
    }
    files.push_back(path);
  }
  return files;
}

}  // namespace

PictureFolder::PictureFolder(const fs::path& folder, double fps)
    : files_(NumberedPictures(folder)) {
  AIM_CHECK(fps > 0);
  const Image first = ReadImage(files_[0]);
  info_.format = {first.width, first.height, fps};
  info_.num_frames = static_cast<int>(files_.size());
  for (size_t k = 0; k < files_.size(); ++k) {
    info_.times_s.push_back(static_cast<double>(k) / fps);
  }
}

void PictureFolder::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  AIM_CHECK(begin >= 0 && end > begin && end <= info_.num_frames && stride > 0);
  for (int frame = begin; frame < end; frame += stride) {
    const fs::path& file = files_[static_cast<size_t>(frame)];
    const Image image = ReadImage(file);
    if (image.width != info_.format.width || image.height != info_.format.height) {
      throw InputError({.where = file.string(),
                        .got = SizeText(image.width, image.height),
                        .expected = SizeText(info_.format.width, info_.format.height) +
                                    ", the size of the first frame",
                        .fix = ""});
    }
    visit(frame, image.rgb);
  }
}

}  // namespace aim
