#include "data/lerobot_meta.h"

#include <cmath>

#include "data/lerobot_columns.h"

namespace aim {
namespace {

using nlohmann::ordered_json;

// A number as LeRobot has it: whole where it is.
ordered_json RateJson(double fps) {
  if (fps == std::floor(fps)) return static_cast<int64_t>(fps);
  return fps;
}

ordered_json VideoFeature(const LeRobotInfo& info) {
  return {{"dtype", "video"},
          {"shape", {info.height, info.width, 3}},
          {"names", {"height", "width", "channels"}},
          {"info",
           {{"video.height", info.height},
            {"video.width", info.width},
            {"video.codec", "h264"},
            {"video.pix_fmt", info.lossless ? "gbrp" : "yuv420p"},
            {"video.is_depth_map", false},
            {"is_depth_map", false},
            {"video.fps", RateJson(info.fps)},
            {"video.channels", 3},
            {"has_audio", false}}}};
}

// One list, or, of pictures, one [[number]] a colour.
ordered_json ListJson(const std::vector<double>& values, bool is_picture) {
  ordered_json list = ordered_json::array();
  for (const double value : values) {
    ordered_json number = value;
    if (is_picture) number = ordered_json::array({ordered_json::array({value})});
    list.push_back(std::move(number));
  }
  return list;
}

ordered_json PandasColumn(const char* name, const char* pandas_type, const char* numpy_type) {
  return {{"name", name},
          {"field_name", name},
          {"pandas_type", pandas_type},
          {"numpy_type", numpy_type},
          {"metadata", nullptr}};
}

}  // namespace

bool IsLeRobotPicture(const std::string& key) { return key.starts_with(kLeRobotPictures); }

ordered_json FeaturesJson(const LeRobotInfo& info, const std::vector<std::string>& videos,
                          const std::vector<LeRobotColumn>& columns) {
  ordered_json features;
  for (const std::string& key : videos) features[key] = VideoFeature(info);
  for (const LeRobotColumn& column : columns) {
    ordered_json names;  // null
    if (!column.names.empty()) names = column.names;
    features[column.name] = {
        {"dtype", column.dtype}, {"shape", {column.width}}, {"names", std::move(names)}};
  }
  return features;
}

ordered_json InfoJson(const LeRobotInfo& info, const ordered_json& features) {
  return {{"codebase_version", "v3.0"},
          {"robot_type", nullptr},
          {"total_episodes", info.num_episodes},
          {"total_frames", info.num_frames},
          {"total_tasks", info.num_tasks},
          {"chunks_size", 1000},
          {"data_files_size_in_mb", info.data_mb},
          {"video_files_size_in_mb", info.video_mb},
          {"fps", RateJson(info.fps)},
          {"splits", {{"train", "0:" + std::to_string(info.num_episodes)}}},
          {"data_path", "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"},
          {"video_path", "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"},
          {"features", features}};
}

ordered_json StatisticsJson(const std::map<std::string, ColumnStatistics>& statistics) {
  ordered_json all = ordered_json::object();
  for (const auto& [key, one] : statistics) {
    const bool is_picture = IsLeRobotPicture(key);
    ordered_json& numbers = all[key];
    numbers = {{"min", ListJson(one.min, is_picture)},
               {"max", ListJson(one.max, is_picture)},
               {"mean", ListJson(one.mean, is_picture)},
               {"std", ListJson(one.std, is_picture)},
               {"count", ordered_json::array({one.count})}};
    for (size_t q = 0; q < kStatisticQuantileNames.size(); ++q) {
      numbers[kStatisticQuantileNames[q]] = ListJson(one.quantiles[q], is_picture);
    }
  }
  return all;
}

ordered_json CamerasJson(const std::vector<LeRobotCamera>& cameras) {
  ordered_json views = ordered_json::array();
  for (const auto& [name, camera, is_fixed] : cameras) {
    ordered_json view = {
        {"name", name}, {"width", camera.width}, {"height", camera.height}, {"fixed", is_fixed}};
    if (is_fixed) {
      view["fx"] = camera.fx;
      view["fy"] = camera.fy;
      view["cx"] = camera.cx;
      view["cy"] = camera.cy;
      view["world_from_camera"] = MatrixNumbers(camera.world_from_camera);
    }
    views.push_back(std::move(view));
  }
  return {{"format", "aim-cameras-1"},
          {"convention",
           "OpenCV axes (x right, y down, z forward); world_from_camera: camera to world, metres, "
           "4 x 4 row by row; fx, fy > 0 and cx, cy in pixels, the first pixel's centre at (0.5, "
           "0.5). A camera that is not fixed stands in the columns camera_intrinsics.<camera> and "
           "camera_extrinsics_c2w.<camera> of the data, frame by frame."},
          {"views", std::move(views)}};
}

ordered_json PandasMetadata() {
  const ordered_json names = {{"name", nullptr},
                              {"field_name", nullptr},
                              {"pandas_type", "unicode"},
                              {"numpy_type", "object"},
                              {"metadata", {{"encoding", "UTF-8"}}}};
  return {{"index_columns", ordered_json::array({"task"})},
          {"column_indexes", ordered_json::array({names})},
          {"columns", ordered_json::array({PandasColumn("task_index", "int64", "int64"),
                                           PandasColumn("task", "unicode", "object")})},
          {"creator", {{"library", "aim"}, {"version", "1"}}},
          {"pandas_version", "2.0.0"}};
}

}  // namespace aim
