// Which of the numbers of an episode is wrong, for who tells kinds of errors apart (aim-data
// validate).
#pragma once

#include "aim/base/error.h"

namespace aim {

// Not finite, no unit quaternion, openness outside [0, 1].
class PoseError : public InputError {
 public:
  using InputError::InputError;
};

// Poses of a number that fits neither the frames nor the first alone.
class PoseCountError : public InputError {
 public:
  using InputError::InputError;
};

// Not finite, no positive focal length, a principal point of another picture.
class CameraError : public InputError {
 public:
  using InputError::InputError;
};

}  // namespace aim
