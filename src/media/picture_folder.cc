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

[[noreturn]] void Refuse(const fs::path& path, const PictureNames& names, const std::string& got) {
  const auto name = [&](const char* number) { return names.prefix + number + names.extension; };
  throw InputError({.where = path.string(),
                    .got = got,
                    .expected = "frames " + name("0") + ", " + name("1") + ", ... (or " +
                                name("000000") + ", ...) without gaps",
                    .fix = ""});
}

int FrameNumber(const fs::path& file, const PictureNames& names) {
  const std::string stem = file.stem().string();
  int number = -1;
  if (stem.starts_with(names.prefix)) {
    const char* const last = stem.data() + stem.size();
    const auto [end, error] = std::from_chars(stem.data() + names.prefix.size(), last, number);
    if (error == std::errc() && end == last && number >= 0) return number;
  }
  Refuse(file, names, "a picture whose name is no frame number");
}

std::vector<fs::path> NumberedPictures(const fs::path& folder, const PictureNames& names) {
  if (!fs::is_directory(folder)) {
    Refuse(folder, names, fs::exists(folder) ? "not a folder" : "missing");
  }
  std::map<int, fs::path> by_number;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (IsHidden(path) || LowerExtension(path) != names.extension) continue;
    const int number = FrameNumber(path, names);
    if (!by_number.emplace(number, path).second) {
      Refuse(folder, names, "two pictures of frame " + std::to_string(number));
    }
  }
  if (by_number.empty()) Refuse(folder, names, "a folder without " + names.extension + " pictures");
  std::vector<fs::path> files;
  for (const auto& [number, path] : by_number) {
    if (static_cast<size_t>(number) != files.size()) {
      Refuse(folder, names,
             "a gap: " + std::to_string(by_number.size()) + " pictures, frame " +
                 std::to_string(files.size()) + " is missing");
    }
    files.push_back(path);
  }
  return files;
}

}  // namespace

void RequireFrameSize(const Image& image, const VideoFormat& format, const std::string& where) {
  if (image.width == format.width && image.height == format.height) return;
  throw InputError(
      {.where = where,
       .got = SizeText(image.width, image.height),
       .expected = SizeText(format.width, format.height) + ", the size of the first frame",
       .fix = ""});
}

PictureFolder::PictureFolder(const fs::path& folder, double fps, const PictureNames& names)
    : files_(NumberedPictures(folder, names)) {
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
    RequireFrameSize(image, info_.format, file.string());
    visit(frame, image.rgb);
  }
}

}  // namespace aim
