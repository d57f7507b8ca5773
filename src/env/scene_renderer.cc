#include "env/scene_renderer.h"

#include <algorithm>

#include "aim/base/error.h"

namespace aim {

SceneRenderer::SceneRenderer(const mjModel* model, Look look, GlContext& context)
    : model_(model), context_(context), buffer_size_(model->vis.global.offwidth) {
  const DrawingTurn turn = context_.MakeCurrent();
  mjv_defaultScene(&scene_);
  mjv_makeScene(model, &scene_, 200);
  mjr_defaultContext(&gl_);
  mjr_makeContext(model, &gl_, mjFONTSCALE_100);
  mjv_defaultOption(&option_);
  std::fill(std::begin(option_.geomgroup), std::end(option_.geomgroup), mjtByte{0});
  std::fill(std::begin(option_.sitegroup), std::end(option_.sitegroup), mjtByte{0});
  option_.geomgroup[kSceneGroup] = 1;
  option_.geomgroup[look == Look::kFull ? kRobotVisualGroup : kRobotCollisionGroup] = 1;
  scene_.flags[mjRND_SHADOW] = look == Look::kFull;
  scene_.flags[mjRND_REFLECTION] = 0;
  scene_.flags[mjRND_SKYBOX] = 0;
  scene_.flags[mjRND_HAZE] = 0;
}

SceneRenderer::~SceneRenderer() {
  const DrawingTurn turn = context_.MakeCurrent();
  mjr_freeContext(&gl_);
  mjv_freeScene(&scene_);
}

void SceneRenderer::RenderInto(const mjData* data, int view, int size, std::span<uint8_t> rgb) {
  const size_t row_bytes = static_cast<size_t>(size) * 3;
  AIM_CHECK(rgb.size() == row_bytes * static_cast<size_t>(size));
  const DrawingTurn turn = context_.MakeCurrent();
  if (size > buffer_size_) {
    mjr_resizeOffscreen(size, size, &gl_);
    buffer_size_ = size;
  }
  // Renderers share the OpenGL context: another one's buffer may be bound.
  mjr_setBuffer(mjFB_OFFSCREEN, &gl_);
  mjvCamera camera;
  mjv_defaultCamera(&camera);
  camera.type = mjCAMERA_FIXED;
  camera.fixedcamid = FindId(model_, mjOBJ_CAMERA, "view" + std::to_string(view));
  // The scene is built from the state; MuJoCo asks for a mutable pointer but only reads poses.
  mjv_updateScene(model_, const_cast<mjData*>(data), &option_, nullptr, &camera, mjCAT_ALL,
                  &scene_);
  const mjrRect viewport = {0, 0, size, size};
  mjr_render(viewport, &scene_, &gl_);
  mjr_readPixels(rgb.data(), nullptr, viewport, &gl_);
  // OpenGL's rows come bottom first.
  for (int row = 0; row < size / 2; ++row) {
    uint8_t* upper = rgb.data() + static_cast<size_t>(row) * row_bytes;
    uint8_t* lower = rgb.data() + static_cast<size_t>(size - 1 - row) * row_bytes;
    std::swap_ranges(upper, upper + row_bytes, lower);
  }
}

Camera CameraOfView(const mjModel* model, const mjData* data, int view, int size) {
  const int id = FindId(model, mjOBJ_CAMERA, "view" + std::to_string(view));
  mjtNum quaternion[4];
  mju_mat2Quat(quaternion, data->cam_xmat + 9 * id);
  return CameraFromMujoco(RigidFromMujoco(data->cam_xpos + 3 * id, quaternion),
                          model->cam_fovy[id] * mjPI / 180.0, size, size);
}

}  // namespace aim
