#include "env/scene_layout.h"

#include "env/scene_cameras.h"

namespace aim {
namespace {

void SetBodyPose(const SceneLayout::Body& body, mjModel* model, mjData* data) {
  const int id = FindId(model, mjOBJ_BODY, body.name);
  const int joint = model->body_jntadr[id];
  if (joint >= 0 && model->jnt_type[joint] == mjJNT_FREE) {
    mjtNum* qpos = data->qpos + model->jnt_qposadr[joint];
    ToMujoco(body.world_from_body, qpos, qpos + 3);
  } else {
    ToMujoco(body.world_from_body, model->body_pos + 3 * id, model->body_quat + 4 * id);
  }
}

}  // namespace

void DrawSurroundings(double camera_raise_deg, Rng& rng, SceneLayout& layout) {
  layout.world_from_gl_camera[0] = DrawUsualCamera(-40, 38 + camera_raise_deg, rng);
  layout.world_from_gl_camera[1] = DrawUsualCamera(45, 48 + camera_raise_deg, rng);
  layout.light_direction =
      Eigen::Vector3d(rng.Uniform(-0.5, 0.1), rng.Uniform(-0.35, 0.35), -1.0).normalized();
  const float brightness = static_cast<float>(rng.Uniform(-0.05, 0.05));
  const float warmth = static_cast<float>(rng.Uniform(-0.03, 0.03));
  layout.colours.push_back(
      {"table", {0.62f + brightness + warmth, 0.60f + brightness, 0.57f + brightness - warmth}});
}

void ApplyLayout(const SceneLayout& layout, mjModel* model, mjData* data) {
  for (const SceneLayout::Body& body : layout.bodies) SetBodyPose(body, model, data);
  for (const SceneLayout::Joint& joint : layout.joints) {
    data->qpos[model->jnt_qposadr[FindId(model, mjOBJ_JOINT, joint.name)]] = joint.value;
  }
  for (const SceneLayout::Colour& colour : layout.colours) {
    float* rgba = model->geom_rgba + 4 * FindId(model, mjOBJ_GEOM, colour.geom);
    rgba[0] = colour.rgb.r;
    rgba[1] = colour.rgb.g;
    rgba[2] = colour.rgb.b;
  }
  for (int view = 0; view < kNumViews; ++view) {
    const int camera = FindId(model, mjOBJ_CAMERA, "view" + std::to_string(view));
    ToMujoco(layout.world_from_gl_camera[static_cast<size_t>(view)], model->cam_pos + 3 * camera,
             model->cam_quat + 4 * camera);
    model->cam_fovy[camera] = layout.fovy_deg[static_cast<size_t>(view)];
  }
  const int light = FindId(model, mjOBJ_LIGHT, "sun");
  // Shadows are cast around the light's position.
  const Eigen::Vector3d position = Eigen::Vector3d(0.4, 0, 0) - 2.0 * layout.light_direction;
  for (int i = 0; i < 3; ++i) {
    model->light_dir[3 * light + i] = layout.light_direction[i];
    model->light_pos[3 * light + i] = position[i];
  }
}

}  // namespace aim
