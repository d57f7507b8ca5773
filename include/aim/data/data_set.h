// Episodes in any layout, read one way.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/data/episode.h"
#include "aim/data/layout.h"
#include "aim/data/skipped.h"

namespace aim {

// A listed data set. Copies share what was opened; const methods are thread-safe.
class DataSet {
 public:
  DataSet(const Layout& layout, const std::filesystem::path& root);

  // The same, of whose episodes these views alone are read, in this order (OpenEpisode::KeepViews);
  // without names all are.
  DataSet WithViews(std::vector<std::string> names) const;

  const Layout& layout() const;
  const std::filesystem::path& root() const;
  const std::vector<EpisodeRef>& episodes() const&;
  std::vector<EpisodeRef> episodes() && { return static_cast<const DataSet&>(*this).episodes(); }

  // The episode of that name, or null.
  const EpisodeRef* Find(const std::string& name) const&;
  const EpisodeRef* Find(const std::string& name) const&& = delete;

  // EpisodeSource's (data/layout.h), and whether the cameras can be those of the poses
  // (codec/rig_check.h): a view that never shows the tool is a warning, once, none that does
  // InputError.
  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const;

  // The same without that look at the cameras.
  std::unique_ptr<OpenEpisode> OpenAsIs(const EpisodeRef& ref) const;

  EpisodeShape Shape(const EpisodeRef& ref) const { return Open(ref)->shape(); }

  // The frames of `range`, all views: equal to the cut of the whole, but neither decoded nor held
  // in memory beside it. Throws what Open does, and InputError for a range that begins past the
  // end or a view without calibration (Open such an episode and read its pictures there).
  Episode Read(const EpisodeRef& ref, const FrameRange& range = {}) const;

  // The same, or nothing for a damaged episode, which is logged and appended to `skipped`.
  std::optional<Episode> TryRead(const EpisodeRef& ref, std::vector<Skipped>& skipped,
                                 const FrameRange& range = {}) const;

  std::string Stamp(const EpisodeRef& ref) const;  // EpisodeSource's

  // Where the episode's pictures lie, with an absolute path: this data set, or the one that was
  // labelled.
  EpisodeOrigin Origin(const EpisodeRef& ref) const;

 private:
  struct Contents;
  std::shared_ptr<const Contents> contents_;
  std::vector<std::string> views_;
};

// The data set at `root`; "auto" finds its layout. Throws InputError if `root` is missing, if no
// layout fits (it says which are known and why each does not) or if several do.
DataSet OpenDataSet(const std::filesystem::path& root, std::string_view layout = "auto");

}  // namespace aim
