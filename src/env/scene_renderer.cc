#include "env/scene_renderer.h"

#include <algorithm>

#include "aim/base/error.h"

namespace aim {

SceneRenderer::SceneRenderer(const mjModel* model, Look look, GlContext& context)
    : model_(model),
      context_(context),
      buffer_width_(model->vis.global.offwidth),
      buffer_height_(model->vis.global.offheight) {
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

void SceneRenderer::MakeRoom(int width, int height) {
  if (width <= buffer_width_ && height <= buffer_height_) return;
  buffer_width_ = std::max(width, buffer_width_);
  buffer_height_ = std::max(height, buffer_height_);
  mjr_resizeOffscreen(buffer_width_, buffer_height_, &gl_);
}

void SceneRenderer::RenderInto(const mjData* data, int size,
                               const std::vector<ViewPicture>& pictures) {
  const DrawingTurn turn = context_.MakeCurrent();
  const size_t at_once = context_.is_chosen_device() ? pictures.size() : 1;
  for (size_t first = 0; first < pictures.size(); first += at_once) {
    DrawSideBySide(data, size, std::span(pictures).subspan(first, at_once));
  }
}

void SceneRenderer::DrawSideBySide(const mjData* data, int size,
                                   std::span<const ViewPicture> pictures) {
  const size_t row_bytes = static_cast<size_t>(size) * 3;
  const int width = size * static_cast<int>(pictures.size());
  MakeRoom(width, size);
  // Renderers share the OpenGL context: another one's buffer may be bound.
  mjr_setBuffer(mjFB_OFFSCREEN, &gl_);
  int left = 0;
  for (const ViewPicture& picture : pictures) {
    AIM_CHECK(picture.rgb.size() == row_bytes * static_cast<size_t>(size));
    mjvCamera camera;
    mjv_defaultCamera(&camera);
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = FindId(model_, mjOBJ_CAMERA, "view" + std::to_string(picture.view));
    // The scene is built from the state; MuJoCo asks for a mutable pointer but only reads poses.
    mjv_updateScene(model_, const_cast<mjData*>(data), &option_, nullptr, &camera, mjCAT_ALL,
                    &scene_);
    mjr_render({left, 0, size, size}, &scene_, &gl_);
    left += size;
  }
  const size_t read_row_bytes = row_bytes * pictures.size();
  read_.resize(read_row_bytes * static_cast<size_t>(size));
  mjr_readPixels(read_.data(), nullptr, {0, 0, width, size}, &gl_);
  // OpenGL's rows come bottom first.
  for (int row = 0; row < size; ++row) {
    const uint8_t* from = read_.data() + static_cast<size_t>(size - 1 - row) * read_row_bytes;
    for (const ViewPicture& picture : pictures) {
      std::copy_n(from, row_bytes, picture.rgb.data() + static_cast<size_t>(row) * row_bytes);
      from += row_bytes;
    }
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
