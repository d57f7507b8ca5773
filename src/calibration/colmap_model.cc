#include "calibration/colmap_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>
#include <span>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/format/byte_reader.h"
#include "aim/format/csv.h"
#include "aim/format/mapped_file.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPointBytes = 24;  // x, y and the number of the 3-D point
constexpr size_t kMaxNameBytes = 4096;
constexpr const char* kExportAgain = "export the model again with COLMAP's model_converter";

[[noreturn]] void FailColmap(const std::string& where, const std::string& got,
                             const std::string& expected) {
  throw FormatError({.where = where, .got = got, .expected = expected, .fix = kExportAgain});
}

const ColmapModelName& KnownModel(const std::string& where, const std::string& got,
                                  const auto& is_meant) {
  const auto& known = ColmapModelNames();
  const auto found = std::find_if(known.begin(), known.end(), is_meant);
  if (found != known.end()) return *found;
  std::vector<std::string> names;
  names.reserve(known.size());
  for (const ColmapModelName& model : known) names.push_back(model.name);
  throw InputError({.where = where,
                    .got = "of the model " + got,
                    .expected = Join(names),
                    .fix = "run COLMAP with one of these as --ImageReader.camera_model"});
}

void CheckCamera(const ColmapCamera& camera, uint64_t width, uint64_t height) {
  constexpr uint64_t kMaxSide = kMaxPictureSidePx;
  if (width == 0 || height == 0 || width > kMaxSide || height > kMaxSide) {
    FailColmap(camera.where, "of size " + std::to_string(width) + " x " + std::to_string(height),
               kPictureSideText);
  }
  for (const double value : camera.params) {
    if (!std::isfinite(value)) FailColmap(camera.where, "with " + ToText(value), "finite numbers");
  }
}

// qw qx qy qz tx ty tz.
Rigid3d PoseOfSeven(std::span<const double> v, const std::string& where) {
  const Eigen::Quaterniond rotation(v[0], v[1], v[2], v[3]);
  const Eigen::Vector3d translation(v[4], v[5], v[6]);
  if (!rotation.coeffs().allFinite() || !translation.allFinite()) {
    FailColmap(where, "with a number that is not finite", "a unit quaternion and a translation");
  }
  return {CheckedRotation(rotation, where, kExportAgain), translation};
}

// Numbers of a binary model, none beyond its end.
class ColmapBytes {
 public:
  explicit ColmapBytes(const fs::path& path)
      : file_(MappedFile::Open(path)), where_(path.string()) {}

  template <class Number>
  Number Take() {
    const auto number = ReadNumber<Number>(file_->bytes(), Advance(sizeof(Number)));
    return number;
  }
  double TakeDouble() { return std::bit_cast<double>(Take<uint64_t>()); }
  std::vector<double> TakeDoubles(size_t count) {
    if (count > Left() / sizeof(double)) FailShort();
    std::vector<double> values(count);
    for (double& value : values) value = TakeDouble();
    return values;
  }
  std::string TakeName() {
    std::string name;
    while (const char c = static_cast<char>(Take<uint8_t>())) {
      if (name.size() == kMaxNameBytes)
        FailColmap(where_, "with an endless name", "a picture's name");
      name += c;
    }
    return name;
  }
  void SkipPoints(uint64_t count) {
    if (count > Left() / kPointBytes) FailShort();
    Advance(static_cast<size_t>(count) * kPointBytes);
  }
  // A count of things that take at least so many bytes each.
  uint64_t TakeCount(size_t least_bytes) {
    const auto count = Take<uint64_t>();
    if (count > Left() / least_bytes) FailShort();
    return count;
  }
  void RequireEnd() const {
    if (Left() > 0) {
      FailColmap(where_, std::to_string(Left()) + " bytes longer than it says", "nothing behind");
    }
  }
  const std::string& where() const { return where_; }

 private:
  size_t Left() const { return file_->size_bytes() - at_; }
  size_t Advance(size_t size) {
    if (size > Left()) FailShort();
    at_ += size;
    return at_ - size;
  }
  [[noreturn]] void FailShort() const {
    FailColmap(where_, "cut off at byte " + std::to_string(file_->size_bytes()),
               "as many cameras, images and points as it says");
  }

  std::shared_ptr<const MappedFile> file_;
  std::string where_;
  size_t at_ = 0;
};

void ReadCamerasBin(const fs::path& path, ColmapModel& model) {
  ColmapBytes bytes(path);
  const uint64_t count = bytes.TakeCount(24);
  for (uint64_t i = 0; i < count; ++i) {
    const auto number = bytes.Take<uint32_t>();
    ColmapCamera camera;
    camera.where = bytes.where() + ": camera " + std::to_string(number);
    const auto kind = static_cast<int32_t>(bytes.Take<uint32_t>());
    const ColmapModelName& known =
        KnownModel(camera.where, "number " + std::to_string(kind),
                   [&](const ColmapModelName& name) { return name.number == kind; });
    const auto width = bytes.Take<uint64_t>();
    const auto height = bytes.Take<uint64_t>();
    camera.model = known.number;
    camera.params = bytes.TakeDoubles(known.num_params);
    CheckCamera(camera, width, height);
    camera.width = static_cast<int>(width);
    camera.height = static_cast<int>(height);
    if (!model.cameras.emplace(number, camera).second) {
      FailColmap(camera.where, "there twice", "a number of its own for each camera");
    }
  }
  bytes.RequireEnd();
}

void ReadImagesBin(const fs::path& path, ColmapModel& model) {
  ColmapBytes bytes(path);
  const uint64_t count = bytes.TakeCount(73);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string where = bytes.where() + ": image " + std::to_string(bytes.Take<uint32_t>());
    ColmapImage image;
    image.camera_from_world = PoseOfSeven(bytes.TakeDoubles(7), where);
    image.camera = bytes.Take<uint32_t>();
    image.name = bytes.TakeName();
    bytes.SkipPoints(bytes.Take<uint64_t>());
    model.images.push_back(std::move(image));
  }
  bytes.RequireEnd();
}

// The words of a line.
std::vector<std::string> WordsOfLine(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

template <class Number>
Number NumberOfWord(const std::string& word, const std::string& where) {
  Number number{};
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && stop == word.data() + word.size()) return number;
  FailColmap(where, "holding " + Excerpt(word), "a number");
}

// Calls `visit` with the words and the place of each line that is no comment.
void VisitLines(const fs::path& path, const auto& visit) {
  const std::string text = ReadFile(path);
  size_t number = 0;
  for (const std::string_view line : SplitLines(text)) {
    ++number;
    if (!line.starts_with('#')) {
      visit(WordsOfLine(line), path.string() + " line " + std::to_string(number));
    }
  }
}

void ReadCamerasTxt(const fs::path& path, ColmapModel& model) {
  VisitLines(path, [&](const std::vector<std::string>& words, const std::string& where) {
    if (words.empty()) return;
    if (words.size() < 4) FailColmap(where, "of too few words", "CAMERA_ID MODEL WIDTH HEIGHT ...");
    ColmapCamera camera;
    camera.where = where;
    const ColmapModelName& known =
        KnownModel(where, Excerpt(words[1]),
                   [&](const ColmapModelName& name) { return name.name == words[1]; });
    camera.model = known.number;
    for (size_t i = 4; i < words.size(); ++i) {
      camera.params.push_back(NumberOfWord<double>(words[i], where));
    }
    if (camera.params.size() != known.num_params) {
      FailColmap(where, "with " + std::to_string(camera.params.size()) + " numbers of the lens",
                 "the " + std::to_string(known.num_params) + " of " + known.name);
    }
    const auto width = NumberOfWord<uint64_t>(words[2], where);
    const auto height = NumberOfWord<uint64_t>(words[3], where);
    CheckCamera(camera, width, height);
    camera.width = static_cast<int>(width);
    camera.height = static_cast<int>(height);
    if (!model.cameras.emplace(NumberOfWord<uint32_t>(words[0], where), camera).second) {
      FailColmap(where, "a camera that is there twice", "a number of its own for each camera");
    }
  });
}

// Every other line holds an image's points, perhaps none.
void ReadImagesTxt(const fs::path& path, ColmapModel& model) {
  bool is_points = false;
  VisitLines(path, [&](const std::vector<std::string>& words, const std::string& where) {
    if (is_points || words.empty()) {
      is_points = false;
      return;
    }
    is_points = true;
    if (words.size() < 10) {
      FailColmap(where, "of too few words", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME");
    }
    std::vector<double> pose;
    for (size_t i = 1; i < 8; ++i) pose.push_back(NumberOfWord<double>(words[i], where));
    ColmapImage image;
    image.camera_from_world = PoseOfSeven(pose, where);
    image.camera = NumberOfWord<uint32_t>(words[8], where);
    image.name = Join({words.begin() + 9, words.end()}, " ");
    model.images.push_back(std::move(image));
  });
}

struct ColmapFiles {
  fs::path cameras;
  fs::path images;
};

ColmapFiles FindColmapFiles(const std::vector<std::string>& files) {
  if (files.size() == 1 && fs::is_directory(files[0])) {
    for (const char* extension : {".txt", ".bin"}) {
      const fs::path folder = files[0];
      const ColmapFiles found{folder / (std::string("cameras") + extension),
                              folder / (std::string("images") + extension)};
      if (fs::exists(found.cameras) && fs::exists(found.images)) return found;
    }
  }
  ColmapFiles found;
  for (const std::string& file : files) {
    const std::string stem = fs::path(file).stem().string();
    if (stem == "cameras") found.cameras = file;
    if (stem == "images") found.images = file;
  }
  if (files.size() == 2 && !found.cameras.empty() && !found.images.empty()) return found;
  throw InputError({.where = files[0],
                    .got = "no sparse model of COLMAP's",
                    .expected = "a folder with cameras.bin and images.bin (or .txt), or these two",
                    .fix = "choose sparse/0 of the reconstruction"});
}

bool IsText(const fs::path& path) { return path.extension() == ".txt"; }

}  // namespace

ColmapModel ReadColmapModel(const std::vector<std::string>& files) {
  const ColmapFiles found = FindColmapFiles(files);
  ColmapModel model;
  (IsText(found.cameras) ? ReadCamerasTxt : ReadCamerasBin)(found.cameras, model);
  (IsText(found.images) ? ReadImagesTxt : ReadImagesBin)(found.images, model);
  if (model.images.empty()) {
    FailColmap(found.images.string(), "without images", "at least one registered image");
  }
  std::sort(model.images.begin(), model.images.end(),
            [](const ColmapImage& a, const ColmapImage& b) { return a.name < b.name; });
  for (size_t i = 0; i < model.images.size(); ++i) {
    const ColmapImage& image = model.images[i];
    const std::string where = found.images.string() + ": image " + Excerpt(image.name);
    if (!model.cameras.contains(image.camera)) {
      FailColmap(where, "taken by camera " + std::to_string(image.camera), "a camera of the model");
    }
    if (i > 0 && model.images[i - 1].name == image.name) {
      FailColmap(where, "there twice", "a name of its own for each image");
    }
  }
  return model;
}

}  // namespace aim
