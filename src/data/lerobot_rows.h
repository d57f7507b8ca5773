// The rows of an episode as LeRobot's data has them, a column after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aim/data/episode.h"
#include "data/parquet.h"

namespace aim {

// A column of the data, [frames, width].
struct LeRobotColumn {
  std::string name;
  std::string dtype;               // "float32", "int64", "bool"
  std::vector<std::string> names;  // of its numbers; empty if they have none
  size_t width = 1;
  std::vector<double> values = {};
  std::vector<double> counted = {};  // of which statistics are made; empty: all
};

// Where an episode stands in its data set, and what all of the data set's episodes have.
struct LeRobotRowFacts {
  std::vector<std::string> cameras;  // one a view
  double fps = 0;
  bool has_cameras = false;
  bool has_confidence = false;
  int64_t episode = 0;
  int64_t first_row = 0;
  int64_t task = 0;
};

std::vector<LeRobotColumn> LeRobotRows(const Episode& episode, const LeRobotRowFacts& facts);

ParquetColumn ToParquet(const LeRobotColumn& column);

// The sixteen numbers of a camera's matrix, row by row.
std::vector<double> MatrixNumbers(const Rigid3d& world_from_camera);

}  // namespace aim
