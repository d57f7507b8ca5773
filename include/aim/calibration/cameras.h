// Cameras as calibration programs leave them, made into cameras.json: the work of aim-data cameras.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"

namespace aim {

// The words of the formats that can be read, and "" for none yet; src/calibration/camera_formats.cc
// is the table.
Limits CameraFormats();

struct CamerasOptions {
  std::vector<std::string> files = {};
  std::string from = {};
  std::vector<std::string> view = {};
  std::string extrinsics = {};
  double scale = 0;
  int width = 0;
  int height = 0;
  bool fisheye = false;
  std::vector<std::string> undistort = {};
  std::string undistorted = {};
  bool lossless = true;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("files", self.files, Any{},
          "what the calibration wrote: files, or the folder of COLMAP's model or VGGT's arrays");
    visit("from", self.from, CameraFormats(), "who wrote them");
    visit("view", self.view, Any{},
          "names of the views to take, in this order, also with commas (of COLMAP pictures, or "
          "folders of pictures "
          "that one moving camera took); none: all of them");
    visit("extrinsics", self.extrinsics, Any{},
          "JSON, TOML or CSV with the pose of each view in the world, or of one view that moves "
          "all the others with it");
    visit("scale", self.scale, Range{0, 1e6},
          "metres per unit of the files' positions; 0: 1, and COLMAP and VGGT are not metric");
    visit("width", self.width, Range{0, 65536},
          "of the pictures the cameras are for, pixels; 0: as the files say");
    visit("height", self.height, Range{0, 65536}, "the same");
    visit("fisheye", self.fisheye, Any{},
          "opencv: the four coefficients are those of cv::fisheye (others say it themselves)");
    visit("undistort", self.undistort, Any{},
          "video, folder of pictures or picture of each view, to be written as a pinhole sees it");
    visit("undistorted", self.undistorted, Any{}, "new folder for these: view0.mp4, ...");
    visit("lossless", self.lossless, Any{},
          "undistorted videos keep every bit; otherwise they are a tenth of the size");
  }
  void Validate() const;  // throws ConfigError
};

struct CamerasReport {
  struct View {
    std::string name;
    int width = 0;
    int height = 0;
    size_t num_frames = 1;       // above 1: the camera moves
    double corner_shift_px = 0;  // by the lens, before it was taken out
    std::string file = {};       // undistorted
    double blank_fraction = 0;   // of its pictures
  };
  std::string from = {};
  std::string world;  // what positions are relative to
  bool is_metric = true;
  std::vector<View> views;
};
// {"from", "world", "metric", "views": [{"name", "size", "poses", "lens_px", "undistorted",
// "blank"}]}
nlohmann::json ToJson(const CamerasReport& report);

// Writes the run's file, cameras.json, and the undistorted pictures beside it; nothing if something
// is wrong. Throws InputError that names the file and the field, ConfigError for a flag that is
// missing: poses that no file has, a lens that the pictures must be rid of.
CamerasReport RunCameras(const CamerasOptions& options, RunContext& run);

}  // namespace aim
