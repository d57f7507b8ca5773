// The pictures of calibrated views, written as pinholes see them.
#pragma once

#include <filesystem>
#include <functional>

#include "aim/base/progress.h"
#include "calibration/camera_formats.h"

namespace aim {

// What --undistort names, opened and compared with the views: one for each, of its camera's size.
// Throws InputError naming the file.
void CheckPictures(const CamerasOptions& options, const std::vector<ForeignView>& views);

// Writes view0.mp4 (or view0/0.png, ... of a folder, view0.png of a picture), view1..., into
// the folder options.undistorted, which appears whole, with kUndistortedRecord, after `finish` was
// called with the folder that becomes it. Fills `file` and `blank_fraction` of the report's views.
void UndistortViews(const CamerasOptions& options, const std::vector<ForeignView>& views,
                    const std::function<void(const std::filesystem::path&)>& finish,
                    std::vector<CamerasReport::View>& report, Progress& progress);

// Of what such a folder was made; what has none is not replaced.
inline constexpr const char* kUndistortedRecord = "undistorted.json";

}  // namespace aim
