// What is wrong in one episode by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "aim/data/open_episode.h"
#include "aim/data/validate.h"

namespace aim {

// Poses that change faster than these are not a robot's: fast arms reach 4 m/s and 12 rad/s at the
// tool. Smaller steps are not looked at, whatever the rate.
inline constexpr double kFastestTipMps = 5;
inline constexpr double kFastestTurnRadps = 20;
inline constexpr double kLeastJumpM = 0.05;
inline constexpr double kLeastJumpRad = 0.5;

// Findings without `data` and `episode` in all that is known without pictures. `facts` has
// `num_frames` times.
std::vector<Finding> CheckFacts(const Episode& facts, int num_frames);

// Looks at the pictures of one view, as they are decoded, for those that show the same as the one
// before although tool or camera move in them: for a second or longer, or in one frame of three.
// Pictures are the same if no value differs by more than 8 of 255. What has no poses is taken for
// moving.
class StillPictures {
 public:
  StillPictures(const Episode& facts, size_t view);
  void Add(int frame, std::span<const uint8_t> rgb);
  std::vector<Finding> Findings() const;

 private:
  bool ToolMoves(int from, int to) const;

  const Episode& facts_;
  size_t view_;
  std::vector<uint8_t> last_;
  int frame_ = -1;         // the last one
  int begin_ = 0;          // of the stretch of one picture that it ends
  int longest_begin_ = 0;  // of the longest stretch in which the tool moves
  int longest_end_ = 0;    // its last frame
  int num_repeated_ = 0;   // frames like the one before, the tool moving
  int num_moving_ = 0;     // frames before which the tool moved
};

}  // namespace aim
