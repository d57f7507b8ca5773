// Things on the table that a task has nothing to do with. They are seen, not touched.
#pragma once

#include <vector>

#include "aim/geometry/tool_pose.h"
#include "env/scene_spec.h"

namespace aim {

inline constexpr int kMostDistractors = 4;

// Bodies "thing0" and so on: each looks like a part of some task.
void AddDistractors(mjsBody* world, int count);

// Puts some of `count` on the table, none to all, in other colours than `colour`; the others stay
// below the floor. They lie beside everything that the scene shows and beside the way of the tool
// where it is low. `data` must hold the scene without them, positions up to date.
void DrawDistractors(const mjModel* model, const mjData* data,
                     const std::vector<ToolPose>& commands, const NamedColour& colour, int count,
                     Rng& rng, SceneLayout& layout);

}  // namespace aim
