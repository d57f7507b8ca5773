// A rig of cameras with lenses, written as the programs of others write it.
#pragma once

#include <bit>
#include <cstring>
#include <filesystem>
#include <opencv2/calib3d.hpp>
#include <opencv2/core.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/format/npy.h"
#include "aim/geometry/lens.h"
#include "aim/media/image.h"
#include "support/scene.h"
#include "tensor/torch_zip_writer.h"

namespace aim::testing {

struct ForeignRig {
  std::vector<std::string> names;
  std::vector<Camera> cameras;
  Lens lens;  // of all of them
};

// Cameras whose principal point is nowhere special.
inline ForeignRig MakeForeignRig(const std::vector<std::string>& names, const Lens& lens) {
  Rng rng(21);
  ForeignRig rig{names, MakeCameraRig({.num_views = static_cast<int>(names.size())}, rng), lens};
  for (Camera& camera : rig.cameras) {
    camera.width = 320;
    camera.height = 240;
    camera.fx = 260.25;
    camera.fy = 255.5;
    camera.cx = 163.75;
    camera.cy = 117.125;
  }
  return rig;
}

inline Lens RadialLens() { return {.coefficients = {-0.28, 0.09, 0.001, -0.0015, -0.012}}; }
inline Lens FisheyeLens() {
  return {.model = LensModel::kFisheye, .coefficients = {-0.02, 0.012, -0.004, 0.001}};
}

// As OpenCV counts: whole numbers are centres of pixels.
inline cv::Mat CvMatrix(const Camera& camera) {
  return (cv::Mat_<double>(3, 3) << camera.fx, 0, camera.cx - 0.5, 0, camera.fy, camera.cy - 0.5, 0,
          0, 1);
}

inline cv::Mat CvCoefficients(const Lens& lens, int count) {
  return cv::Mat(1, count, CV_64F, const_cast<double*>(lens.coefficients.data())).clone();
}

// Where OpenCV's own functions project a point to, in edge coordinates.
inline Eigen::Vector2d CvProject(const Camera& camera, const Lens& lens,
                                 const Eigen::Vector3d& p_in_world) {
  const Rigid3d camera_from_world = Inverse(camera.world_from_camera);
  const Eigen::Vector3d r = LogRotation(camera_from_world.rotation);
  const Eigen::Vector3d& t = camera_from_world.translation;
  const cv::Vec3d rvec(r.x(), r.y(), r.z()), tvec(t.x(), t.y(), t.z());
  const std::vector<cv::Point3d> points = {{p_in_world.x(), p_in_world.y(), p_in_world.z()}};
  std::vector<cv::Point2d> pixels;
  if (lens.model == LensModel::kFisheye) {
    cv::fisheye::projectPoints(points, pixels, rvec, tvec, CvMatrix(camera),
                               CvCoefficients(lens, 4));
  } else {
    cv::projectPoints(points, rvec, tvec, CvMatrix(camera), CvCoefficients(lens, 12), pixels);
  }
  return {pixels[0].x + 0.5, pixels[0].y + 0.5};
}

// A point that a pinhole in the camera's place sees at (u, v).
inline Eigen::Vector3d PointAt(const Camera& camera, const Eigen::Vector2d& uv) {
  const Ray ray = RayThrough(camera, uv);
  return ray.origin + 1.3 * ray.direction;
}

// Where a pinhole sees the dots of DrawDots.
inline std::vector<Eigen::Vector2d> DotPlaces(const Camera& camera) {
  std::vector<Eigen::Vector2d> places;
  for (double u = 40.3; u < camera.width - 30; u += 47) {
    for (double v = 35.6; v < camera.height - 30; v += 43) places.emplace_back(u, v);
  }
  return places;
}

// Soft white dots on black, drawn where OpenCV says that the lens shows them.
inline Image DrawDots(const Camera& camera, const Lens& lens) {
  Image image(camera.width, camera.height);
  for (const Eigen::Vector2d& place : DotPlaces(camera)) {
    const Eigen::Vector2d centre = CvProject(camera, lens, PointAt(camera, place));
    for (int row = 0; row < image.height; ++row) {
      for (int column = 0; column < image.width; ++column) {
        const double distance2 = (Eigen::Vector2d(column + 0.5, row + 0.5) - centre).squaredNorm();
        const double value = 255 * std::exp(-distance2 / (2 * 2.5 * 2.5));
        uint8_t* pixel = &image.rgb[3 * static_cast<size_t>(row * image.width + column)];
        for (size_t c = 0; c < 3; ++c) pixel[c] = std::max(pixel[c], static_cast<uint8_t>(value));
      }
    }
  }
  return image;
}

// The centre of mass of what is bright within 9 pixels, in edge coordinates.
inline Eigen::Vector2d DotNear(const Image& image, const Eigen::Vector2d& place) {
  Eigen::Vector2d sum(0, 0);
  double mass = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const Eigen::Vector2d centre(column + 0.5, row + 0.5);
      if ((centre - place).norm() > 9) continue;
      const double value = image.rgb[3 * static_cast<size_t>(row * image.width + column)];
      sum += value * centre;
      mass += value;
    }
  }
  return sum / mass;
}

// "a, b, c" with every digit.
inline std::string NumberList(const std::vector<double>& numbers) {
  std::ostringstream out;
  out.precision(17);
  for (size_t i = 0; i < numbers.size(); ++i) out << (i == 0 ? "" : ", ") << numbers[i];
  return out.str();
}

inline std::vector<double> CoefficientsOf(const Lens& lens, size_t count) {
  return {lens.coefficients.begin(),
          lens.coefficients.begin() + static_cast<std::ptrdiff_t>(count)};
}

inline std::vector<double> RowMajor(const Eigen::Matrix4d& matrix, int rows) {
  std::vector<double> numbers;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < 4; ++column) numbers.push_back(matrix(row, column));
  }
  return numbers;
}

// One file of cv::FileStorage; the extension chooses YAML, XML or JSON.
inline void WriteCvFile(const std::filesystem::path& path, const Camera& camera, const Lens& lens,
                        bool with_pose) {
  cv::FileStorage file(path.string(), cv::FileStorage::WRITE);
  file << "calibration_time"
       << "Thu 26 Nov 2026"
       << "image_width" << camera.width << "image_height" << camera.height;
  file << "camera_matrix" << CvMatrix(camera);
  const bool is_fisheye = lens.model == LensModel::kFisheye;
  file << "distortion_coefficients" << CvCoefficients(lens, is_fisheye ? 4 : 5).t();
  file << "avg_reprojection_error" << 0.24;
  if (!with_pose) return;
  const Rigid3d camera_from_world = Inverse(camera.world_from_camera);
  const Eigen::Vector3d r = LogRotation(camera_from_world.rotation);
  const Eigen::Vector3d& t = camera_from_world.translation;
  file << "rvec" << cv::Mat(cv::Vec3d(r.x(), r.y(), r.z())) << "tvec"
       << cv::Mat(cv::Vec3d(t.x(), t.y(), t.z()));
}

// As camera_calibration writes it.
inline std::string RosFile(const std::string& name, const Camera& camera, const Lens& lens) {
  const bool is_fisheye = lens.model == LensModel::kFisheye;
  const size_t count = is_fisheye ? 4 : 5;
  const std::string k =
      NumberList({camera.fx, 0, camera.cx - 0.5, 0, camera.fy, camera.cy - 0.5, 0, 0, 1});
  return "image_width: " + std::to_string(camera.width) +
         "\nimage_height: " + std::to_string(camera.height) + "\ncamera_name: " + name +
         "\ncamera_matrix:\n  rows: 3\n  cols: 3\n  data: [" + k +
         "]\ndistortion_model: " + (is_fisheye ? "equidistant" : "plumb_bob") +
         "\ndistortion_coefficients:\n  rows: 1\n  cols: " + std::to_string(count) + "\n  data: [" +
         NumberList(CoefficientsOf(lens, count)) +
         "]\nrectification_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n"
         "projection_matrix:\n  rows: 3\n  cols: 4\n  data: [1., 0., 2., 0., 0., 1., 2., 0., 0., "
         "0., 1., 0.]\n";
}

// As `ros2 topic echo --once` prints it.
inline std::string RosTopic(const Camera& camera, const Lens& lens) {
  const auto list = [](const std::vector<double>& numbers) {
    std::string text;
    for (const double number : numbers) text += "\n- " + NumberList({number});
    return text + "\n";
  };
  return "header:\n  stamp:\n    sec: 1700000000\n    nanosec: 5\n  frame_id: camera_optical\n"
         "height: " +
         std::to_string(camera.height) + "\nwidth: " + std::to_string(camera.width) +
         "\ndistortion_model: rational_polynomial\nd:" + list(CoefficientsOf(lens, 8)) +
         "k:" + list({camera.fx, 0, camera.cx - 0.5, 0, camera.fy, camera.cy - 0.5, 0, 0, 1}) +
         "r:" + list({1, 0, 0, 0, 1, 0, 0, 0, 1}) +
         "p:" + list({1, 0, 2, 0, 0, 1, 2, 0, 0, 0, 1, 0}) +
         "binning_x: 0\nbinning_y: 0\nroi:\n  x_offset: 0\n  y_offset: 0\n  height: 0\n  width: 0\n"
         "  do_rectify: false\n---\n";
}

inline std::string KalibrFile(const ForeignRig& rig) {
  const bool is_fisheye = rig.lens.model == LensModel::kFisheye;
  std::string text;
  for (size_t i = 0; i < rig.cameras.size(); ++i) {
    const Camera& camera = rig.cameras[i];
    text += "cam" + std::to_string(i) + ":\n  cam_overlaps: [1]\n  camera_model: pinhole\n" +
            "  distortion_coeffs: [" + NumberList(CoefficientsOf(rig.lens, 4)) +
            "]\n  distortion_model: " + (is_fisheye ? "equidistant" : "radtan") +
            "\n  intrinsics: [" +
            NumberList({camera.fx, camera.fy, camera.cx - 0.5, camera.cy - 0.5}) +
            "]\n  resolution: [320, 240]\n  rostopic: /cam/image_raw\n";
    if (i == 0) continue;
    text += "  T_cn_cnm1:\n";
    const Eigen::Matrix4d this_from_last =
        ToMatrix(Inverse(camera.world_from_camera) * rig.cameras[i - 1].world_from_camera);
    for (int row = 0; row < 4; ++row) {
      const std::vector<double> all = RowMajor(this_from_last, 4);
      const auto begin = all.begin() + 4 * row;
      text += "  - [" + NumberList({begin, begin + 4}) + "]\n";
    }
  }
  return text;
}

// COLMAP's OPENCV, or OPENCV_FISHEYE.
inline std::vector<double> ColmapParams(const Camera& camera, const Lens& lens) {
  std::vector<double> params = {camera.fx, camera.fy, camera.cx, camera.cy};
  const std::vector<double> coefficients = CoefficientsOf(lens, 4);
  params.insert(params.end(), coefficients.begin(), coefficients.end());
  return params;
}

// qw qx qy qz tx ty tz.
inline std::vector<double> ColmapPose(const Camera& camera) {
  const Rigid3d p = Inverse(camera.world_from_camera);
  return {p.rotation.w(),    p.rotation.x(),    p.rotation.y(),   p.rotation.z(),
          p.translation.x(), p.translation.y(), p.translation.z()};
}

inline void WriteColmapText(const std::filesystem::path& folder, const ForeignRig& rig) {
  const bool is_fisheye = rig.lens.model == LensModel::kFisheye;
  std::string cameras = "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL\n";
  std::string images = "# Image list with two lines of data per image:\n";
  const auto spaced = [](const std::vector<double>& numbers) {
    std::string text = NumberList(numbers);
    std::erase(text, ',');
    return text;
  };
  for (size_t i = 0; i < rig.cameras.size(); ++i) {
    const std::string number = std::to_string(i + 3);
    cameras += number + (is_fisheye ? " OPENCV_FISHEYE" : " OPENCV") + " 320 240 " +
               spaced(ColmapParams(rig.cameras[i], rig.lens)) + "\n";
    images += std::to_string(10 - i) + " " + spaced(ColmapPose(rig.cameras[i])) + " " + number +
              " " + rig.names[i] + "\n" + (i == 0 ? "12.5 80.25 -1 100 50 7" : "") + "\n";
  }
  WriteFileAtomic(folder / "cameras.txt", cameras);
  WriteFileAtomic(folder / "images.txt", images);
}

inline std::string DoubleBytes(const std::vector<double>& numbers) {
  std::string bytes;
  for (const double number : numbers) bytes += Number(std::bit_cast<uint64_t>(number));
  return bytes;
}

inline std::string ColmapCameraBytes(const ForeignRig& rig) {
  const bool is_fisheye = rig.lens.model == LensModel::kFisheye;
  std::string bytes = Number(static_cast<uint64_t>(rig.cameras.size()));
  for (size_t i = 0; i < rig.cameras.size(); ++i) {
    bytes += Number(static_cast<uint32_t>(i + 3)) + Number(uint32_t{is_fisheye ? 5U : 4U}) +
             Number(uint64_t{320}) + Number(uint64_t{240}) +
             DoubleBytes(ColmapParams(rig.cameras[i], rig.lens));
  }
  return bytes;
}

inline std::string ColmapImageBytes(const ForeignRig& rig) {
  std::string bytes = Number(static_cast<uint64_t>(rig.cameras.size()));
  for (size_t i = 0; i < rig.cameras.size(); ++i) {
    bytes += Number(static_cast<uint32_t>(10 - i)) + DoubleBytes(ColmapPose(rig.cameras[i])) +
             Number(static_cast<uint32_t>(i + 3)) + rig.names[i] + std::string(1, '\0') +
             Number(uint64_t{2});
    for (int point = 0; point < 2; ++point)
      bytes += DoubleBytes({12.5, 80.25}) + Number(~uint64_t{0});
  }
  return bytes;
}

inline void WriteColmapBinary(const std::filesystem::path& folder, const ForeignRig& rig) {
  WriteFileAtomic(folder / "cameras.bin", ColmapCameraBytes(rig));
  WriteFileAtomic(folder / "images.bin", ColmapImageBytes(rig));
}

// VGGT's arrays, [1, V, 3, 4] and [1, V, 3, 3], for pictures of 518 pixels' width.
struct VggtFiles {
  std::vector<int64_t> extrinsic_shape, intrinsic_shape;
  std::vector<double> extrinsics, intrinsics;
};
inline VggtFiles MakeVggtFiles(const ForeignRig& rig) {
  const auto count = static_cast<int64_t>(rig.cameras.size());
  VggtFiles files{{1, count, 3, 4}, {1, count, 3, 3}, {}, {}};
  for (const Camera& camera : rig.cameras) {
    const std::vector<double> rows = RowMajor(ToMatrix(Inverse(camera.world_from_camera)), 3);
    files.extrinsics.insert(files.extrinsics.end(), rows.begin(), rows.end());
    const double scale = 518.0 / camera.width;
    files.intrinsics.insert(files.intrinsics.end(),
                            {scale * camera.fx, 0, 259, 0, scale * camera.fy, 194.25, 0, 0, 1});
  }
  return files;
}

}  // namespace aim::testing
