#include "serve/planner.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"
#include "aim/media/resize.h"
#include "aim/recipe/mode_inputs.h"

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
  for (const std::string& name : SplitNames(options.views)) {
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

// What `request` starts from, by its job; a plan starts from what is seen now.
ModeInputs InputsFor(const PolicyRequest& request) {
  return request.job.empty() ? ModeInputs{.first_pose = true} : InputsOf(FindMode(request.job));
}

void RequireFrames(const std::string& where, int64_t count, int64_t needed,
                   const std::string& job) {
  if (count == needed || needed == 0) return;
  const bool is_short = count < needed;
  throw InputError({.where = where,
                    .got = CountText(count, "frame") + " long",
                    .expected = std::to_string(needed) + (job.empty() ? "" : ", for job " + job),
                    .fix = needed == 1 ? "send the first picture alone"
                           : is_short  ? "repeat the last one, and drop the surplus of the reply"
                                       : "cut it to windows, or label it with aim-label"});
}

// The poses that the clip begins with or has throughout.
std::vector<ToolPose> GivenPoses(const PolicyRequest& request, const PolicyNeeds& needs) {
  const ModeInputs inputs = InputsFor(request);
  if (!inputs.all_poses && !request.poses.empty()) {
    throw InputError({.where = "poses",
                      .got = "sent",
                      .expected = request.job.empty()
                                      ? "job a2v, which starts from them"
                                      : "none: job " + request.job + " does not start from them",
                      .fix = ""});
  }
  if (inputs.all_poses) {
    RequireFrames("poses", std::ssize(request.poses), needs.num_frames, request.job);
    return request.poses;
  }
  if (inputs.first_pose && request.pose) return {*request.pose};
  if (!inputs.acts()) return {};
  throw InputError({.where = "observation/gripper_pose",
                    .got = "missing",
                    .expected = "the tool's pose, x y z qx qy qz qw in the frame of the cameras, "
                                "beside observation/gripper_open",
                    .fix = ""});
}

std::vector<uint8_t> RgbOf(const SentPicture& picture) {
  if (picture.encoded.empty()) return picture.rgb;
  const std::string where = "images/" + picture.name;
  Image image = DecodeImage(picture.encoded, where);
  if (image.width == picture.width && image.height == picture.height) return std::move(image.rgb);
  throw FormatError({.where = where,
                     .got = "a file that decodes to " + SizeText(image.width, image.height),
                     .expected = SizeText(picture.width, picture.height) + ", as its head says",
                     .fix = ""});
}

// The pictures of a view in the size that is needed (0 = as they are), and their camera.
ClipView ViewOf(const SentPicture& picture, const Camera& camera, int size) {
  std::vector<uint8_t> rgb = RgbOf(picture);
  ClipView view;
  view.num_frames = picture.num_frames;
  view.camera = {picture.name, {camera}};
  if (size == 0 || (picture.width == size && picture.height == size)) {
    view.rgb = std::move(rgb);
    return view;
  }
  const auto frame_bytes = static_cast<std::ptrdiff_t>(rgb.size()) / picture.num_frames;
  Image image(picture.width, picture.height);
  for (int frame = 0; frame < picture.num_frames; ++frame) {
    const auto begin = rgb.begin() + frame_bytes * frame;
    image.rgb.assign(begin, begin + frame_bytes);
    const CameraImage seen = CropAndResizeImage(image, camera, size, size);
    view.rgb.insert(view.rgb.end(), seen.image.rgb.begin(), seen.image.rgb.end());
    view.camera.frames = {seen.camera};
  }
  return view;
}

template <class Work>
std::exception_ptr ErrorOf(Work&& work) {
  try {
    work();
  } catch (const std::exception&) {
    return std::current_exception();
  }
  return nullptr;
}

// Pictures without calibration are no views: where some are missing, they may be those.
void RequireViews(const Clip& clip, const PolicyRequest& request, const PolicyNeeds& needs,
                  const ViewOptions& options) {
  if (needs.num_views == 0 || std::ssize(clip.views) == needs.num_views) return;
  std::vector<std::string> without;
  for (const SentPicture& picture : request.pictures) {
    if (!options.views.empty()) break;  // chosen by name
    const bool is_view = std::ranges::any_of(
        clip.views, [&](const ClipView& view) { return view.camera.name == picture.name; });
    if (!is_view) without.push_back(picture.name);
  }
  RefusePictures("of " + CountText(std::ssize(clip.views), "view"),
                 std::to_string(needs.num_views) + ", the number this model was trained for",
                 without.empty() ? ""
                                 : Join(without) +
                                       " came without calibration, and --cameras has "
                                       "no camera of that name");
}

}  // namespace

Clip SeenClip(const PolicyRequest& request, const PolicyNeeds& needs, const ViewOptions& options) {
  Clip clip;
  clip.prompt = request.prompt;
  clip.poses = GivenPoses(request, needs);
  clip.fps = needs.frame_period_s > 0 ? 1 / needs.frame_period_s : 1;
  const int num_frames = InputsFor(request).whole_video ? needs.num_frames : 1;
  for (const SentPicture* picture : ChosenViews(request, options)) {
    RequireFrames("observation/image/" + picture->name, picture->num_frames, num_frames,
                  request.job);
    clip.views.push_back(ViewOf(*picture, CameraFor(*picture, options), needs.image_size));
    const Camera& camera = clip.views.back().camera.at(0);
    if (clip.views.size() == 1) {
      clip.width = camera.width;
      clip.height = camera.height;
    } else if (clip.width != camera.width || clip.height != camera.height) {
      RefusePictures("pictures of " + SizeText(clip.width, clip.height) + " and " +
                         SizeText(camera.width, camera.height),
                     "one size", "");
    }
  }
  RequireViews(clip, request, needs, options);
  return clip;
}

Planner::Planner(ServedModel model, ViewOptions views, const ActionOptions& actions)
    : model_(std::move(model)),
      needs_(model_.policy->Needs()),
      jobs_(model_.jobs ? model_.jobs->Jobs() : std::vector<std::string>()),
      views_(std::move(views)),
      actions_(actions) {}

std::vector<PlanOutcome> Planner::MakePlans(const std::vector<PlanAsk>& asks) {
  std::vector<PlanOutcome> outcomes(asks.size());
  std::vector<size_t> planned;  // of asks
  std::vector<Clip> seen;
  std::vector<PlanRequest> requests;
  for (size_t i = 0; i < asks.size(); ++i) {
    const PlanAsk& ask = asks[i];
    outcomes[i].error = ErrorOf([&] {
      if (!ask.request->job.empty()) {
        outcomes[i].reply = RunJob(*ask.request, ask.plan_request);
        return;
      }
      seen.push_back(SeenClip(*ask.request, needs_, views_));
      requests.push_back(ask.plan_request);
      planned.push_back(i);
    });
  }
  std::vector<Plan> plans;
  const std::exception_ptr error = ErrorOf([&] {
    if (!seen.empty()) plans = model_.policy->ActTogether(seen, requests);
  });
  for (size_t k = 0; k < planned.size(); ++k) {
    PlanOutcome& outcome = outcomes[planned[k]];
    outcome.error = ErrorOf([&] {
      if (error && planned.size() == 1) std::rethrow_exception(error);
      Plan& plan = outcome.reply.plan;
      plan = error ? model_.policy->Act(seen[k], requests[k]) : std::move(plans[k]);
      outcome.reply.actions = ActionsOf(plan, *asks[planned[k]].request);
    });
  }
  return outcomes;
}

PolicyReply Planner::RunJob(const PolicyRequest& request, const PlanRequest& plan_request) {
  if (std::ranges::find(jobs_, request.job) == jobs_.end()) {
    throw InputError({.where = "job",
                      .got = Excerpt(request.job),
                      .expected = jobs_.empty() ? "none: this server plans, and no more"
                                                : "one of those of this model: " + Join(jobs_),
                      .fix = ""});
  }
  const Clip given = SeenClip(request, needs_, views_);
  MadeClip made = model_.jobs->Run(request.job, given, plan_request);
  PolicyReply reply;
  reply.job = request.job;
  for (size_t view = 0; view < made.videos.size(); ++view) {
    const CameraTrack& camera = given.views[view].camera;
    const size_t frame_bytes =
        3 * static_cast<size_t>(given.width) * static_cast<size_t>(given.height);
    const size_t num_frames = made.videos[view].size() / frame_bytes;
    reply.videos.push_back({.name = camera.name,
                            .width = given.width,
                            .height = given.height,
                            .num_frames = static_cast<int>(num_frames),
                            .rgb = std::move(made.videos[view]),
                            .camera = camera.at(0)});
  }
  reply.plan = std::move(made.plan);
  if (InputsFor(request).acts()) reply.actions = ActionsOf(reply.plan, request);
  return reply;
}

int Planner::NumUntimedActions() const {
  if (needs_.num_frames < 2) return 0;
  PolicyRequest request;
  request.pose = ToolPose{};
  request.is_untimed = true;
  const std::vector<ToolPose> poses(static_cast<size_t>(needs_.num_frames));
  return static_cast<int>(ActionsOf(PlanFromPoses(poses, needs_.frame_period_s), request).size());
}

std::vector<ToolPose> Planner::ActionsOf(const Plan& plan, const PolicyRequest& request) const {
  const bool has_rate = request.is_untimed && actions_.action_hz > 0;
  std::vector<ToolPose> targets =
      ExecutionTargets(plan, *request.pose, has_rate ? 1 / actions_.action_hz : plan.period_s,
                       {.min_confidence = actions_.min_confidence});
  const auto most = static_cast<size_t>(actions_.chunk);
  if (request.is_untimed && most > 0 && targets.size() > most) targets.resize(most);
  return targets;
}

}  // namespace aim
