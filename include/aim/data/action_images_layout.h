// The layout of the released ActionImages-RLBench data set. data-and-sim.md 2.1.
//
//   <root>/<task>/variation<N>/variation_descriptions.json     list of the variation's instructions
//   <root>/<task>/variation<N>/episodes/episode<K>/
//     actions.npy             [N, 8] commanded x y z (m, world), quaternion xyzw, openness
//     measured.npy            [N, 8] the same, measured               (ours only)
//     meta.json               seed, task, variation, prompt, fps, ... (ours only)
//     view<J>/rgb/video.mp4   T frames
//     view<J>/camera_params.json
//         {"0000": {"intrinsics": 3x3, "extrinsics": 4x4}, ...}  RLBench's convention: negative
//         focal lengths, camera-to-world with x left, y up. One key a video frame, padded or not;
//         a frame without a key has the camera of the largest key present.
//
// The released files hold several actions a frame (20 Hz against 5 Hz); ours hold one (N = T). The
// stride is derived from N and T. Released instructions are a pickle, which is not read here: write
// the list as variation_descriptions.json (or .txt, one a line) beside it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

// Name of an episode's folder under `root`.
std::filesystem::path EpisodeFolder(const std::filesystem::path& root, const std::string& task,
                                    int variation, int index);

// Every episode under `root` (a data set, a task's or variation's folder, or one episode), sorted
// by task, variation and number. Folders of other names are not entered. Throws InputError if
// `root` is missing or holds no episode.
std::vector<EpisodePath> ListEpisodes(const std::filesystem::path& root);

// Reads one episode. Throws InputError naming the file and the
// field: a missing file, NaN, a quaternion that is not a unit one (beyond 1e-3), openness outside
// [0, 1], views of different sizes or lengths, actions that no whole stride matches to the frames,
// a camera that breaks RLBench's convention; FormatError for damaged bytes.
Episode ReadEpisode(const EpisodePath& episode);
Episode ReadEpisode(const std::filesystem::path& path);  // task and variation from its path

struct EpisodeWriteOptions {
  bool lossless = true;  // bit-exact video; otherwise yuv420p at crf 18
};

// Writes an episode at one action a frame; the folder is whole or absent. Every view must have
// clip.poses.size() frames. Does not write variation_descriptions.json.
void WriteEpisode(const std::filesystem::path& path, const Episode& episode,
                  const EpisodeWriteOptions& options = {});

// Writes variation_descriptions.json of every variation under `root`: the sorted set of its
// episodes' prompts.
void WriteVariationDescriptions(const std::filesystem::path& root);

// Actions a frame so that action k * stride belongs to frame k: the s >= 1 nearest to
// (num_actions - 1) / (num_frames - 1) with |ceil(num_actions / s) - num_frames| <= 1, or 0 if
// there is none.
int ActionStride(size_t num_actions, size_t num_frames);

// The camera's part of camera_params.json: one key for each of the track's cameras.
void WriteCameraParams(const std::filesystem::path& path, const CameraTrack& camera);

// Cameras of the first `num_frames` frames of a video of the given size (one if all are the same).
CameraTrack ReadCameraParams(const std::filesystem::path& path, int num_frames, int width,
                             int height);

// A pose as a row x y z qx qy qz qw openness (quaternion with qw >= 0), and back; reading checks
// every number and throws InputError naming `where`.
inline constexpr size_t kActionColumns = 8;
std::vector<double> ActionRows(const std::vector<ToolPose>& poses);
std::vector<ToolPose> ReadActions(const std::filesystem::path& path);

}  // namespace aim
