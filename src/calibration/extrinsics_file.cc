#include "calibration/extrinsics_file.h"

#include <charconv>
#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/format/csv.h"
#include "aim/geometry/checked_camera.h"
#include "aim/media/file_names.h"
#include "calibration/calibration_tree.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using PlacesByName = std::map<std::string, Rigid3d>;

constexpr const char* kPlaceHeader = "name,x,y,z,qx,qy,qz,qw";

// x y z qx qy qz qw.
Rigid3d PlaceOfSeven(const std::vector<double>& v, const std::string& where) {
  return {CheckedRotation({v[6], v[3], v[4], v[5]}, where, "check that the order is x, y, z, w"),
          {v[0], v[1], v[2]}};
}

void AddPlace(const std::string& name, const Rigid3d& place, const std::string& where,
              PlacesByName& places) {
  if (places.emplace(name, place).second) return;
  throw InputError({.where = where,
                    .got = "the view " + Excerpt(name) + " once more",
                    .expected = "each view once",
                    .fix = ""});
}

PlacesByName PlacesOfTree(const nlohmann::json& tree, const fs::path& path) {
  const JsonReader root(tree, path.string());
  PlacesByName places;
  const nlohmann::json& views = root.At("views");
  if (!views.is_array()) root.Fail("views", "a list of views");
  for (const nlohmann::json& view : views) {
    const JsonReader fields(view, root.Where("views[" + std::to_string(places.size()) + "]"));
    Rigid3d place;
    if (fields.Has("world_from_camera")) {
      place =
          RigidOfNumbers(NumbersAt(fields, "world_from_camera"), fields.Where("world_from_camera"));
    } else {
      std::vector<double> numbers = NumbersAt(fields, "position", 3);
      const std::vector<double> turn = NumbersAt(fields, "quaternion_xyzw", 4);
      numbers.insert(numbers.end(), turn.begin(), turn.end());
      place = PlaceOfSeven(numbers, fields.Where("quaternion_xyzw"));
    }
    AddPlace(fields.Text("name"), place, fields.where(), places);
  }
  return places;
}

double FiniteCell(const std::string& cell, const std::string& where) {
  double number = 0;
  const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
  if (error == std::errc() && stop == cell.data() + cell.size() && std::isfinite(number)) {
    return number;
  }
  throw InputError(
      {.where = where, .got = Excerpt(cell), .expected = "a finite number", .fix = ""});
}

PlacesByName PlacesOfCsv(const fs::path& path) {
  const std::string text = ToUtf8(ReadFile(path));
  PlacesByName places;
  size_t number = 0;
  for (const std::string_view line : SplitLines(text)) {
    const std::string where = path.string() + " line " + std::to_string(++number);
    const std::vector<std::string> cells = SplitCsvLine(line, where);
    if (number == 1) {
      if (Join(cells, ",") == kPlaceHeader) continue;
      throw FormatError({.where = where,
                         .got = Excerpt(line),
                         .expected = kPlaceHeader,
                         .fix = "name the columns in the first line"});
    }
    if (cells.size() != 8) {
      throw FormatError({.where = where,
                         .got = "of " + CountText(static_cast<int64_t>(cells.size()), "cell"),
                         .expected = std::string("8: ") + kPlaceHeader,
                         .fix = ""});
    }
    std::vector<double> numbers;
    for (size_t i = 1; i < cells.size(); ++i) numbers.push_back(FiniteCell(cells[i], where));
    AddPlace(cells[0], PlaceOfSeven(numbers, where), where, places);
  }
  return places;
}

}  // namespace

PlacesByName ReadExtrinsics(const fs::path& path) {
  const std::string extension = LowerExtension(path);
  PlacesByName places = extension == ".csv"    ? PlacesOfCsv(path)
                        : extension == ".toml" ? PlacesOfTree(ReadToml(path), path)
                                               : PlacesOfTree(ReadCalibrationTree(path), path);
  if (!places.empty()) return places;
  throw InputError({.where = path.string(),
                    .got = "without views",
                    .expected = "the pose of at least one view",
                    .fix = ""});
}

}  // namespace aim
