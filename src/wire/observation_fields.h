// The parts of an observation that several wires have in common.
#pragma once

#include <string>
#include <string_view>

#include "aim/format/msgpack.h"
#include "aim/wire/policy_message.h"

namespace aim {

// The prefix of a picture's key: "observation/exterior_image_1_left", "observation/image/front".
inline constexpr std::string_view kObservationPrefix = "observation/";
inline constexpr std::string_view kImagePrefix = "image/";
inline constexpr size_t kMaxPictures = 16;  // of a message

// A message as a map. Throws FormatError.
MsgpackValue ParseMessageMap(std::string_view message);

// The text under `key`; empty if it is not there. Throws InputError if it is no text or longer than
// a name or a sentence is.
std::string OptionalText(const MsgpackValue& map, const std::string& key);

// The value under `key`. Throws InputError that says what it is to be.
const MsgpackValue& Required(const MsgpackValue& map, const std::string& key,
                             const std::string& expected);

// Throws InputError for a key that is too long to come back in messages, or not printable.
void RequirePictureName(const std::string& key);

// A picture, uint8 [H, W, 3], or a video, uint8 [T, H, W, 3]. Throws InputError naming `where`.
SentPicture RgbPictureOf(const MsgpackValue& value, const std::string& where, std::string name);

// Everything under observation/ that is a picture (uint8 [H, W, 3]), called by the rest of its key.
// What stands under observation/image/ must be one, or a video (uint8 [T, H, W, 3]).
void ReadPictures(const MsgpackValue& map, PolicyRequest& request);

// camera/<name>/intrinsics [3, 3] and camera/<name>/extrinsics_c2w [4, 4] of the pictures read,
// both or none, in the axes that camera_convention says: "opencv" if it says nothing, or "rlbench".
void ReadCalibration(const MsgpackValue& map, PolicyRequest& request);

// observation/gripper_pose [7] (x y z qx qy qz qw) with observation/gripper_open [1], or
// observation/cartesian_position [6] (x y z and extrinsic xyz angles) with
// observation/gripper_position [1] (1 = closed), if there.
void ReadPose(const MsgpackValue& map, PolicyRequest& request);

// poses [T, 8] (x y z qx qy qz qw open), if there.
void ReadPoses(const MsgpackValue& map, PolicyRequest& request);

// request_id, episode_id (or session_id), seed, step.
void ReadIdentity(const MsgpackValue& map, PolicyRequest& request);

}  // namespace aim
