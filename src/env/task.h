// A task: its objects, what a seed draws, when it is solved, and how an expert solves it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aim/geometry/tool_pose.h"
#include "env/mujoco_handle.h"
#include "env/scene_layout.h"

namespace aim {

// Where the expert goes next, on a straight line.
struct Waypoint {
  Rigid3d world_from_tool;
  bool gripper_open = true;
  int wait_frames = 0;  // frames held after arrival
};

// The middle of the workspace on the table; the robot's base is the world's origin, z = 0 the
// table's top.
inline const Eigen::Vector3d kWorkspaceCentre{0.5, 0.0, 0.0};
inline constexpr double kFingerHalfDepth_m = 0.0085;  // of the closed fingers along tool x
inline constexpr int kCloseFrames = 2;                // waited for the fingers to close

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string Name() const = 0;
  // Phrasings with "{}" where the colour goes.
  virtual std::vector<std::string> Phrasings() const = 0;
  virtual void AddObjects(mjsBody* world) const = 0;
  virtual void Draw(const NamedColour& colour, const Rigid3d& world_from_start, Rng& rng,
                    SceneLayout& layout) const = 0;
  // The condition at this instant, from the simulator's state alone.
  virtual bool Satisfied(const mjModel* model, const mjData* data) const = 0;
  virtual std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                                     const Rigid3d& world_from_start) const = 0;
};

std::unique_ptr<Task> MakeReachTarget();
std::unique_ptr<Task> MakePushButton();
std::unique_ptr<Task> MakeCloseDrawer();
std::unique_ptr<Task> MakeSlideBlock();
std::unique_ptr<Task> MakePickAndLift();
std::unique_ptr<Task> MakeOpenDrawer();
std::unique_ptr<Task> MakeTurnTap();
std::unique_ptr<Task> MakeStackBlocks();

// World position of the tool's tip.
Eigen::Vector3d TipPosition(const mjModel* model, const mjData* data);

// Tool pointing straight down, its x axis turned by `yaw_rad` from the world's.
Rigid3d ToolDown(const Eigen::Vector3d& tip_in_world, double yaw_rad);

// The pose at `tip_in_world` that points straight down with the least turning from `rotation`.
Rigid3d ToolDownNear(const Eigen::Vector3d& tip_in_world, const Eigen::Quaterniond& rotation);

// A pose on the table: yaw about the world's z.
Rigid3d OnTable(double x, double y, double z, double yaw_rad);
double YawOf(const Eigen::Quaterniond& rotation);

// The angle in [-pi/4, pi/4) that differs from `yaw_rad` by a multiple of a quarter turn.
double QuarterTurnNearest(double yaw_rad);

}  // namespace aim
