// Owners of MuJoCo's objects, its state by name, and poses in its number layout (quaternions w
// first).
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>

#include "aim/geometry/rigid3.h"

namespace aim {

struct MujocoDelete {
  void operator()(mjModel* model) const { mj_deleteModel(model); }
  void operator()(mjData* data) const { mj_deleteData(data); }
  void operator()(mjSpec* spec) const { mj_deleteSpec(spec); }
};
using ModelPtr = std::unique_ptr<mjModel, MujocoDelete>;
using DataPtr = std::unique_ptr<mjData, MujocoDelete>;
using SpecPtr = std::unique_ptr<mjSpec, MujocoDelete>;

// From then on MuJoCo's fatal errors are thrown as IoError and its warnings are logged; by itself
// it prints them, writes MUJOCO_LOG.TXT into the current folder and ends the process.
void CatchMujocoFaults();

// Index of a named object. A name that is not there is our bug.
int FindId(const mjModel* model, mjtObj type, const std::string& name);

Rigid3d RigidFromMujoco(const mjtNum* position, const mjtNum* quaternion_wxyz);
void ToMujoco(const Rigid3d& transform, mjtNum* position, mjtNum* quaternion_wxyz);

// Of a named hinge or slide joint, rad or m.
double JointPosition(const mjModel* model, const mjData* data, const std::string& name);

// Do two named geoms touch at this instant?
bool Touching(const mjModel* model, const mjData* data, const std::string& geom,
              const std::string& other);

Rigid3d WorldFromBody(const mjModel* model, const mjData* data, const std::string& name);

}  // namespace aim
