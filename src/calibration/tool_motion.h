// Whether the pictures move where, and as, the tool should: what tells a right calibration from a
// wrong one when nobody says what the pictures show.
//
// A point fixed to the tool is projected into two frames some way apart; the optical flow of the
// picture at its place says where that point of the picture went. Right cameras, poses and times
// agree with it at the hand and the fingers, and less so beyond their ends.
#pragma once

#include <span>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/media/optical_flow.h"

namespace aim {

// Which pairs of frames are looked at: `frame` and `frame` + stride.
struct MotionPlan {
  int stride = 1;
  std::vector<int> frames;
};

// Pairs between which the tool moves by about a thirtieth of the room it uses, at most 120 of them,
// evenly over the first `num_frames` frames. No pairs if the tool does not move, or in too few
// frames.
MotionPlan PlanMotion(std::span<const ToolPose> poses, int num_frames);

// Pairs of the plan for which there are poses so many rows later.
int CountPairs(const MotionPlan& plan, size_t num_poses, int lag_frames);

// The motion in the pictures of one view, one field a pair of the plan.
using ViewMotion = std::vector<FlowField>;

// One way to understand a clip's numbers, for one view.
struct ToolSight {
  const CameraTrack& camera;
  std::span<const ToolPose> poses;
  int lag_frames = 0;  // frame k shows poses[k + lag_frames]: by so much the poses are late
};

// How far the picture's motion agrees with that of the hand: at most 1, about 0 by chance, negative
// where it contradicts. Points out of the picture count as seen by chance. NaN where fewer than 4
// pairs remain.
double MotionAgreement(const ToolSight& sight, const MotionPlan& plan, const ViewMotion& motion);

// By how much the motion at the hand agrees better than that left and right of it in the picture:
// a hand is wider than a camera is often off, and its middle alone does not tell.
double MotionContrast(const ToolSight& sight, const MotionPlan& plan, const ViewMotion& motion);

// By how much motion beside the fingers and at the hand's sides agrees better along the tool's y
// axis than along its x axis: a hand is wide where it opens.
double OpeningAxisEvidence(const ToolSight& sight, const MotionPlan& plan,
                           const ViewMotion& motion);

}  // namespace aim
