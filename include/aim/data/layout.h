// A way in which episodes lie on disk. One file a layout; src/data/layouts.cc is the table of all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/base/file_stamp.h"
#include "aim/data/episode.h"
#include "aim/data/open_episode.h"

namespace aim {

// What a layout can hold beside videos. What it cannot is lost when a data set is written in it,
// and empty when one is read from it.
struct LayoutLimits {
  bool cameras = false;     // calibration of each view
  bool poses = false;       // one a frame
  bool first_pose = false;  // the pose of frame 0 alone
  bool no_poses = false;    // videos without any
  bool measured = false;    // measured poses beside the commanded ones
  bool confidence = false;  // of each pose
  bool prompt = false;
  bool task = false;  // task and variation
  bool seed = false;
  bool many_sizes = false;    // episodes of different picture sizes side by side
  bool many_rates = false;    // of different frame rates
  bool rlbench_axes = false;  // cameras are stored as RLBench has them: x left, y up
  bool apart = false;  // an episode is files of its own: several processes may write episodes, and
                       // what was begun can be gone on with
};

// Where the pictures of an episode lie.
struct EpisodeOrigin {
  std::filesystem::path data;  // root of the data set
  std::string layout;
  std::string episode;  // its name there
};

// One data set, opened for reading: what its reader needs for every episode (an index, a table) is
// read once. Thread-safe.
class EpisodeSource {
 public:
  virtual ~EpisodeSource() = default;

  // All episodes, in a fixed order, by names and indexes alone; damaged ones too.
  virtual std::vector<EpisodeRef> List() const = 0;

  // Everything but the pictures. Throws InputError that names the file and the field: something is
  // missing, a value is wrong, views, cameras and poses contradict each other; FormatError for
  // damaged bytes, except for damage to pictures that are not read.
  virtual std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const = 0;

  // The same for who doubts the calibration (calibration/doctor.h): cameras come with the numbers
  // of their files, focal lengths of any sign and principal points anywhere, and with the size that
  // they say they are for. To be looked into, not to be used.
  virtual std::unique_ptr<OpenEpisode> OpenSuspect(const EpisodeRef& ref) const {
    return Open(ref);
  }

  // Changes when what the episode holds is recorded, captioned or labelled again, wherever its
  // files lie (base/file_stamp.h). Damaged episodes have one too.
  virtual std::string Stamp(const EpisodeRef& ref) const { return FileStamp(ref.path); }

  // Nothing where the pictures are this data set's own.
  virtual std::optional<EpisodeOrigin> Origin(const EpisodeRef&) const { return std::nullopt; }
};

struct LayoutWriteOptions {
  bool lossless = true;   // bit-exact video; otherwise yuv420p at crf 18
  bool previews = false;  // beside a lossless video a copy for people (media/preview.h)
};

// One data set, being written.
class EpisodeSink {
 public:
  virtual ~EpisodeSink() = default;

  // What it calls the episode, which no other may be called then.
  virtual std::string NameOf(const EpisodeRef& ref) const = 0;

  // The episode is whole or absent. What the layout cannot hold is left out. Throws InputError if
  // it cannot hold the episode at all.
  virtual void Write(const EpisodeRef& ref, const Episode& episode) = 0;

  // Whether it was written, now or by an earlier process, where episodes are apart.
  virtual bool Holds(const EpisodeRef&) const { return false; }

  // What belongs to the data set as a whole. Call it last.
  virtual void Finish() {}
};

class Layout {
 public:
  virtual ~Layout() = default;
  virtual std::string_view Name() const = 0;  // as --layout takes it: "action-images"

  // Empty if `root` is a data set of this layout, or a part of one (a task, an episode); else what
  // is missing, as in "no view0.mp4 in it or in a folder of it". By names and sizes alone.
  virtual std::string WhyNot(const std::filesystem::path& root) const = 0;
  bool Recognises(const std::filesystem::path& root) const { return WhyNot(root).empty(); }

  virtual LayoutLimits Limits() const = 0;
  virtual std::unique_ptr<EpisodeSource> Open(const std::filesystem::path& root) const = 0;

  // Create gives null if not.
  virtual bool CanBeWritten() const { return false; }
  virtual std::unique_ptr<EpisodeSink> Create(const std::filesystem::path& /*root*/,
                                              const LayoutWriteOptions& /*options*/) const {
    return nullptr;
  }
};

// All that are known.
const std::vector<const Layout*>& Layouts();

// Throws ConfigError that names those known.
const Layout& FindLayout(std::string_view name);

}  // namespace aim
