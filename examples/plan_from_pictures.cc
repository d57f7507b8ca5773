// Loads a model bundle and plans a robot's motion from one picture a camera:
//   plan_from_pictures BUNDLE SCENE "INSTRUCTION"
// SCENE holds view0.png and view1.png of the size the bundle was trained for, cameras.json (their
// calibration) and poses.csv, whose first row is where the gripper is.
#include <aim/base/error.h>
#include <aim/codec/pose_csv.h>
#include <aim/media/image.h>
#include <aim/policy/model_policy.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace {

// What the robot sees and knows before it moves.
aim::Clip ReadScene(const std::filesystem::path& folder, const std::string& instruction) {
  aim::Clip seen;
  for (const aim::CameraTrack& camera : aim::ReadCamerasJson(folder / "cameras.json")) {
    const std::string name = "view" + std::to_string(seen.views.size()) + ".png";
    aim::Image picture = aim::ReadImage(folder / name);
    seen.width = picture.width;
    seen.height = picture.height;
    seen.views.push_back({.camera = camera, .num_frames = 1, .rgb = std::move(picture.rgb)});
  }
  seen.poses = {aim::ReadPosesCsv(folder / "poses.csv").front().decoded.pose};
  seen.prompt = instruction;
  return seen;
}

void Print(const aim::Plan& plan) {
  std::puts("  time s    x mm    y mm    z mm  gripper  confidence");
  for (size_t frame = 0; frame < plan.frames.size(); ++frame) {
    const aim::DecodedPose& planned = plan.frames[frame];
    const Eigen::Vector3d tip_mm = 1000 * planned.pose.world_from_tool.translation;
    std::printf("%8.2f%8.0f%8.0f%8.0f  %7s  %10.2f\n", static_cast<double>(frame) * plan.period_s,
                tip_mm.x(), tip_mm.y(), tip_mm.z(),
                planned.pose.gripper_open > 0.5 ? "open" : "closed", planned.confidence);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("Usage: plan_from_pictures BUNDLE SCENE \"INSTRUCTION\"\n", stderr);
    return 2;
  }
  try {
    aim::ModelPolicyOptions options;
    options.model.model = argv[1];
    const auto policy = aim::MakeModelPolicy(options);
    const aim::Clip seen = ReadScene(argv[2], argv[3]);
    Print(policy->Act(seen, {.seed = 0}));
  } catch (const aim::Error& error) {  // one sentence: what, where, what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
