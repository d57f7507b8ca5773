#include "env/mujoco_handle.h"

#include <mutex>

#include "aim/base/error.h"
#include "aim/base/log.h"

namespace aim {
namespace {

[[noreturn]] void ThrowFault(const char* message) {
  throw IoError({.where = "MuJoCo",
                 .got = std::string("ended by a fault: ") + message,
                 .expected = "a simulation that runs",
                 .fix = ""});
}

}  // namespace

void CatchMujocoFaults() {
  static std::once_flag once;
  std::call_once(once, [] {
    mju_user_error = [](const char* message) { ThrowFault(message); };
    mju_user_warning = [](const char* message) { LogWarning(std::string("MuJoCo: ") + message); };
  });
}

int FindId(const mjModel* model, mjtObj type, const std::string& name) {
  const int id = mj_name2id(model, type, name.c_str());
  AIM_CHECK(id >= 0);
  return id;
}

Rigid3d RigidFromMujoco(const mjtNum* position, const mjtNum* quaternion_wxyz) {
  return {Eigen::Quaterniond(quaternion_wxyz[0], quaternion_wxyz[1], quaternion_wxyz[2],
                             quaternion_wxyz[3])
              .normalized(),
          Eigen::Vector3d(position[0], position[1], position[2])};
}

void ToMujoco(const Rigid3d& transform, mjtNum* position, mjtNum* quaternion_wxyz) {
  for (int i = 0; i < 3; ++i) position[i] = transform.translation[i];
  quaternion_wxyz[0] = transform.rotation.w();
  quaternion_wxyz[1] = transform.rotation.x();
  quaternion_wxyz[2] = transform.rotation.y();
  quaternion_wxyz[3] = transform.rotation.z();
}

double JointPosition(const mjModel* model, const mjData* data, const std::string& name) {
  return data->qpos[model->jnt_qposadr[FindId(model, mjOBJ_JOINT, name)]];
}

bool Touching(const mjModel* model, const mjData* data, const std::string& geom,
              const std::string& other) {
  const int a = FindId(model, mjOBJ_GEOM, geom);
  const int b = FindId(model, mjOBJ_GEOM, other);
  for (int i = 0; i < data->ncon; ++i) {
    const int* pair = data->contact[i].geom;
    if ((pair[0] == a && pair[1] == b) || (pair[0] == b && pair[1] == a)) return true;
  }
  return false;
}

Rigid3d WorldFromBody(const mjModel* model, const mjData* data, const std::string& name) {
  const int body = FindId(model, mjOBJ_BODY, name);
  return RigidFromMujoco(data->xpos + 3 * body, data->xquat + 4 * body);
}

}  // namespace aim
