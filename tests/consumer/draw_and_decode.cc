// Draws one pose into two cameras as action images and reads it back. Knows nothing of LibTorch.
#include <aim/codec/action_image.h>
#include <aim/codec/decoder.h>

#include <iostream>
#include <vector>

namespace {

constexpr int kSizePx = 128;

aim::Camera CameraAt(const Eigen::Vector3d& eye, const Eigen::Vector3d& target) {
  const Eigen::Vector3d z = (target - eye).normalized();
  const Eigen::Vector3d x = z.cross(Eigen::Vector3d::UnitZ()).normalized();
  Eigen::Matrix3d rotation;
  rotation << x, z.cross(x), z;
  return {kSizePx, kSizePx, 160, 160, 64, 64, {Eigen::Quaterniond(rotation).normalized(), eye}};
}

}  // namespace

int main() {
  const Eigen::Vector3d target(0.3, 0.0, 1.0);
  const std::vector<aim::Camera> cameras = {CameraAt({1.4, 0.2, 1.6}, target),
                                            CameraAt({0.2, -1.1, 1.9}, target)};
  const aim::ToolPose pose{{Eigen::Quaterniond(0, 1, 0, 0), target}, 1.0};

  std::vector<std::vector<float>> pictures(2, std::vector<float>(3 * kSizePx * kSizePx));
  std::vector<std::span<const float>> views;
  for (size_t view = 0; view < cameras.size(); ++view) {
    aim::DrawActionImageInto(pose, cameras[view], {}, pictures[view]);
    views.emplace_back(pictures[view]);
  }
  const aim::DecodedPose decoded = aim::DecodeFrame(views, cameras);
  const double error_m = (decoded.pose.world_from_tool.translation - target).norm();
  std::cout << "decoded " << (decoded.decodable ? "yes" : "no") << ", error " << error_m * 1e3
            << " mm, confidence " << decoded.confidence << '\n';
  return decoded.decodable && error_m < 1e-3 ? 0 : 1;
}
