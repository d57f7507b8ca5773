// Writing the layout of the released ActionImages-RLBench data set, an episode at a time and from
// many threads. Reading it goes through data/data_set.h like that of any layout.
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

#include <filesystem>
#include <string>

#include "aim/data/layout.h"

namespace aim {

// Name of an episode's folder under `root`.
std::filesystem::path EpisodeFolder(const std::filesystem::path& root, const std::string& task,
                                    int variation, int index);

// Writes an episode at one action a frame; the folder is whole or absent. Every view must have
// clip.poses.size() frames. Does not write variation_descriptions.json.
void WriteEpisode(const std::filesystem::path& path, const Episode& episode,
                  const LayoutWriteOptions& options = {});

// Writes variation_descriptions.json of every variation under `root`: the sorted set of its
// episodes' prompts.
void WriteVariationDescriptions(const std::filesystem::path& root);

}  // namespace aim
