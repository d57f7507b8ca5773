#include "serve/planner.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"
#include "aim/media/resize.h"

namespace aim {
namespace {

const SentPicture* FindPicture(const PolicyRequest& request, const std::string& name) {
  const auto found = std::ranges::find(request.pictures, name, &SentPicture::name);
  return found == request.pictures.end() ? nullptr : &*found;
}

std::string NamesOf(const PolicyRequest& request) {
  std::vector<std::string> names;
  for (const SentPicture& picture : request.pictures) names.push_back(picture.name);
  return names.empty() ? "no pictures" : "pictures called " + Join(names);
}

[[noreturn]] void RefusePictures(const std::string& got, const std::string& expected,
                                 const std::string& fix) {
  throw InputError({.where = "observation", .got = got, .expected = expected, .fix = fix});
}

std::vector<const SentPicture*> ChosenViews(const PolicyRequest& request,
                                            const ViewOptions& options) {
  std::vector<const SentPicture*> views;
  for (const std::string& name : options.views) {
    views.push_back(FindPicture(request, name));
    if (views.back() != nullptr) continue;
    RefusePictures(NamesOf(request), "one called " + Excerpt(name),
                   "the server asks for its views by name");
  }
  if (!views.empty()) return views;
  for (const SentPicture& picture : request.pictures) {
    if (picture.camera) views.push_back(&picture);
  }
  if (!views.empty()) return views;
  for (const CameraTrack& camera : options.cameras) {
    const SentPicture* picture = FindPicture(request, camera.name);
    if (picture != nullptr) views.push_back(picture);
  }
  if (!views.empty()) return views;
  RefusePictures(
      NamesOf(request) + " without calibration",
      "observation/image/NAME with camera/NAME/intrinsics and camera/NAME/extrinsics_c2w",
      "send them, or start the server with --cameras, whose views are called as the "
      "pictures");
}

// The camera of a picture, sent with it or known by its name.
Camera CameraFor(const SentPicture& picture, const ViewOptions& options) {
  if (picture.camera) return *picture.camera;
  const auto track = std::ranges::find(options.cameras, picture.name, &CameraTrack::name);
  const std::string where = "observation/image/" + picture.name;
  if (track == options.cameras.end()) {
    throw InputError({.where = where,
                      .got = "without calibration",
                      .expected = "camera/" + picture.name + "/intrinsics and extrinsics_c2w",
                      .fix = "send them, or name the camera in the server's --cameras"});
  }
  const Camera& camera = track->at(0);
  if (options.stretched) {
    return CropAndResize(camera, 0, 0, camera.width, camera.height, picture.width, picture.height);
  }
  if (const auto resized =
          ForResizedPictures(camera, camera.width, camera.height, picture.width, picture.height)) {
    return *resized;
  }
  throw InputError(
      {.where = where,
       .got = SizeText(picture.width, picture.height),
       .expected = "the shape of the server's camera, " + SizeText(camera.width, camera.height),
       .fix = "start the server with --stretched if the whole picture was squeezed"});
}

}  // namespace

Clip SeenClip(const PolicyRequest& request, const PolicyNeeds& needs, const ViewOptions& options) {
  if (!request.pose) {
    throw InputError({.where = "observation/gripper_pose",
                      .got = "missing",
                      .expected = "the tool's pose, x y z qx qy qz qw in the frame of the cameras, "
                                  "beside observation/gripper_open",
                      .fix = ""});
  }
  Clip clip;
  clip.prompt = request.prompt;
  clip.poses = {*request.pose};
  clip.fps = needs.frame_period_s > 0 ? 1 / needs.frame_period_s : 1;
  for (const SentPicture* picture : ChosenViews(request, options)) {
    Image image(picture->width, picture->height);
    image.rgb = picture->rgb;
    CameraImage seen{std::move(image), CameraFor(*picture, options)};
    const int size = needs.image_size;
    if (size > 0 && (seen.image.width != size || seen.image.height != size)) {
      seen = CropAndResizeImage(seen.image, seen.camera, size, size);
    }
    if (clip.views.empty()) {
      clip.width = seen.image.width;
      clip.height = seen.image.height;
    } else if (clip.width != seen.image.width || clip.height != seen.image.height) {
      RefusePictures("pictures of " + SizeText(clip.width, clip.height) + " and " +
                         SizeText(seen.image.width, seen.image.height),
                     "one size", "");
    }
    clip.views.push_back({.camera = {picture->name, {seen.camera}},
                          .num_frames = 1,
                          .rgb = std::move(seen.image.rgb)});
  }
  return clip;
}

Planner::Planner(std::unique_ptr<Policy> policy, ViewOptions views, double min_confidence)
    : policy_(std::move(policy)),
      needs_(policy_->Needs()),
      views_(std::move(views)),
      min_confidence_(min_confidence) {}

PolicyReply Planner::MakePlan(const PolicyRequest& request, const PlanRequest& plan_request) {
  const Clip seen = SeenClip(request, needs_, views_);
  PolicyReply reply;
  reply.plan = policy_->Act(seen, plan_request);
  reply.actions = ExecutionTargets(reply.plan, *request.pose, reply.plan.period_s,
                                   {.min_confidence = min_confidence_});
  return reply;
}

}  // namespace aim
