// Scripted demonstrations of an environment, collected into a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/control/camera_wish.h"
#include "aim/control/env.h"
#include "aim/env/simulator.h"

namespace aim {

struct DemoCollectionOptions {
  SimulatorOptions simulator = {};
  std::vector<std::string> task = {};
  int episodes = 100;
  uint64_t first_seed = 0;
  std::vector<std::string> variations = {};
  int image_size = 64;
  double frame_period_s = 0.12;
  double camera_raise_deg = 0;
  std::string cameras = kUsualCameras;
  bool previews = true;
  int num_workers = 0;
  bool cache = false;
  std::string model = {};
  int per_episode = 4;
  bool pixels = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    SimulatorOptions::ForEachField(self.simulator, visit);
    visit("task", self.task, Any{},
          "task to demonstrate, repeatable or with commas; none = all that have a scripted expert; "
          "of "
          "tabletop the five that the shipped model was trained for");
    visit("episodes", self.episodes, Range{1, 10000000}, "episodes a task");
    visit("first_seed", self.first_seed, Any{}, "episode K of a task has seed first_seed + K");
    visit("variations", self.variations, Any{},
          "variation numbers to go through in turn, also with commas; none = all of the task");
    visit("image_size", self.image_size, Range{16, 2048}, "side of the square pictures, pixels");
    visit("frame_period_s", self.frame_period_s, Range{0.01, 2}, "time between frames, seconds");
    visit("camera_raise_deg", self.camera_raise_deg, Range{-25, 25},
          "degrees by which the cameras look down more steeply than usual");
    visit("cameras", self.cameras, Any{}, kCameraWishHelp);
    visit("previews", self.previews, Any{},
          "beside each lossless video a copy of large pixels that every player shows");
    visit("num_workers", self.num_workers, Range{0, 1024},
          "threads, each with its own simulator; 0 = one a core");
    visit("cache", self.cache, Any{},
          "encode with --model and write a latent cache (aim-train --set clips.dir=OUT), no video");
    visit("model", self.model, Any{},
          "bundle whose autoencoder and text encoder make the cache; it must fit image_size and "
          "frame_period_s");
    visit("per_episode", self.per_episode, Range{1, 1000},
          "clips of an episode in the cache, as clips.per_episode of aim-train");
    visit("pixels", self.pixels, Any{}, "keep the frames in the cache, too");
  }
  void Validate() const;  // throws ConfigError
};

// How an environment is made; each worker thread makes its own.
using EnvFactory = std::function<std::unique_ptr<Env>(const EnvOptions&)>;

struct DemoReport {
  struct Counts {
    int64_t written = 0;
    int64_t existing = 0;   // made by an earlier start or another process
    int64_t elsewhere = 0;  // being made by another process
    int64_t retried = 0;    // attempts that failed before one succeeded, or all of them
  };
  struct Failed {
    std::string episode;
    int attempts = 0;
  };
  struct Cache {
    int64_t num_clips = 0;
    int64_t num_shards = 0;
    int64_t size_bytes = 0;
  };
  Counts all;
  std::map<std::string, Counts> tasks;
  std::vector<Failed> failed;  // every attempt was no success
  std::optional<Cache> cache;  // only where one was asked for
};
// {"episodes": in the folder now, "written", "existing", "in_progress_elsewhere", "retried",
// "failed": [{"episode", "attempts"}], "tasks": {name: {...}}, "cache": {"clips", "shards",
// "size_bytes"}}
nlohmann::json ToJson(const DemoReport& report);

// Writes `episodes` demonstrations of each task to run.out() in the ActionImages layout
// (data/action_images.h). Episode K of a task has seed first_seed + K and the variation
// variations[K % count]. Only successful ones are kept: if the script fails, up to nine further
// seeds, derived from the first by a hash, are tried (meta.json holds the one that was used).
//
// Resumable after any kill: whole episodes stay, missing ones are made. Several processes may fill
// one folder at once (give all of them --resume): an episode is claimed through a locked file
// which the system frees when its process dies, so nothing is made twice. Which process or thread
// makes an episode changes nothing in it.
//
// With options.cache the same demonstrations go into a latent cache (cache/latent_cache.h) at
// run.out() instead: simulated, cut into clips, encoded with the encoders of options.model, which
// are put into its folder `model`. The options then include the number of episodes; a process that
// has nothing left to do waits until the others are done, so that the cache is finished when any of
// them ends.
//
// A simulator that is lost (a child process that ends or hangs) is started again, and its episode
// made with the same seed; lost twice by one seed, it gets the next. A simulator that no seed of an
// episode keeps alive ends the collection with IoError.
//
// Throws ConfigError for unknown tasks and variations, tasks without a scripted expert, cameras
// that cannot be, if the folder was begun with other options,
// for a size or frame period that is not the model's, and, in a core build, without options.cache.
DemoReport RunDemoCollection(const DemoCollectionOptions& options, const EnvFactory& make_env,
                             RunContext& run);

}  // namespace aim
