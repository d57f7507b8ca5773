// Builds the scene: Panda, table, cameras, light and the objects of a task.
#pragma once

#include <filesystem>
#include <string>

#include "env/mujoco_handle.h"
#include "env/scene_layout.h"

namespace aim {

// kFast draws collision shapes only (observations), kFull the visual meshes (report videos).
enum class Look { kFast, kFull };

// Who may touch what. Robot links above the hand touch nothing.
enum class Touch {
  kNothing,
  kGripper,  // part of the gripper
  kFixture,  // touched by the gripper
  kMovable   // touched by the gripper, the table and other movables
};

// How the geoms of a scene are grouped for drawing.
inline constexpr int kSceneGroup = 0;
inline constexpr int kRobotVisualGroup = 2;
inline constexpr int kRobotCollisionGroup = 3;
inline constexpr int kHiddenGroup = 4;

struct GeomSpec {
  std::string name;
  mjtGeom type = mjGEOM_BOX;
  Eigen::Vector3d position = Eigen::Vector3d::Zero();  // in the body
  Eigen::Vector3d size = Eigen::Vector3d::Zero();      // half sizes; radius, half height
  Rgb colour = {};
  Touch touch = Touch::kNothing;
  double mass_kg = 0;
};

struct JointSpec {
  std::string name;
  mjtJoint type = mjJNT_SLIDE;
  Eigen::Vector3d axis = Eigen::Vector3d::UnitZ();  // in the body
  double lowest = 0, highest = 0;                   // m or rad
  double stiffness = 0;                             // towards 0
  double damping = 0;
  double friction_loss = 0;
  double armature = 0;
};

mjsBody* AddBody(mjsBody* parent, const std::string& name);
mjsGeom* AddGeom(mjsBody* body, const GeomSpec& geom);
// A body on its own, free to move, and its geom of the same name.
mjsGeom* AddBlock(mjsBody* world, GeomSpec geom);
void AddJoint(mjsBody* body, const JointSpec& joint);

class Task;

// Reads the Panda's MJCF from `panda_dir` and adds everything else, the pictures of all views side
// by side in the buffer that is drawn into. Throws ConfigError if the folder does not hold the
// Panda or MuJoCo refuses it.
ModelPtr BuildModel(const Task& task, const std::filesystem::path& panda_dir, Look look,
                    int image_size, int num_distractors = 0);

}  // namespace aim
