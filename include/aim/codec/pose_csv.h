// poses.csv: timed tool poses as text. docs/reference/formats.md 9.1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aim/codec/plan.h"

namespace aim {

// One row. A file without confidence reads as `decodable` with confidence 1.
struct PoseRow {
  int64_t frame = 0;
  double time_s = 0;
  DecodedPose decoded;
};

// Header `frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open`, in what a decoder wrote also
// `confidence,residual_px,visible`. World frame, metres; quaternion xyzw, qw >= 0 when written;
// gripper_open in [0, 1], 1 = open; `visible` is one digit 0 or 1 per view and anchor: view 0 R, G,
// B, view 1 R, G, B, ...
//
// A row with confidence 0 is a frame that was not decoded. Its pose is interpolated between
// decoded neighbours if the temporal prior was on and there is one; otherwise it means nothing and
// is written as the origin with the identity rotation.
//
// Throws InputError naming file, line and field for a missing file, other columns, a number that
// is not finite, a quaternion whose length differs from 1 by more than 1e-3 (else it is
// normalised), openness outside [0, 1], frames that do not increase, times that fall, no row at
// all.
std::vector<PoseRow> ReadPosesCsv(const std::filesystem::path& path);
std::vector<PoseRow> ParsePosesCsv(std::string_view text, const std::string& where);

// Throws InputError naming the first row k whose frame is not k.
void RequireEveryFrame(std::span<const PoseRow> rows, const std::string& where);

// Just the poses, in order.
std::vector<ToolPose> ToolPoses(std::span<const PoseRow> rows);

// Poses that are known: ten columns, frame k at k * period_s. Atomic.
void WritePosesCsv(const std::filesystem::path& path, std::span<const ToolPose> poses,
                   double period_s);

// Poses that were decoded: thirteen columns, frame k at times_s[k] where times are given. Atomic.
void WritePosesCsv(const std::filesystem::path& path, const Plan& plan,
                   std::span<const double> times_s = {});

}  // namespace aim
