// The table of all layouts: a new one is its file and a row here.
#include "aim/base/error.h"
#include "aim/data/layout.h"

namespace aim {

const Layout& ActionImagesLayout();  // layout_action_images.cc
const Layout& BridgeLayout();        // layout_bridge.cc
const Layout& BridgeRawLayout();     // layout_bridge_raw.cc
const Layout& ClipFolderLayout();    // layout_clip_folder.cc
const Layout& DroidLayout();         // layout_droid.cc
const Layout& DroidRawLayout();      // layout_droid_raw.cc
const Layout& LabelsLayout();        // layout_labels.cc
const Layout& LeRobotLayout();       // layout_lerobot.cc
const Layout& RlbenchLayout();       // layout_rlbench.cc

const std::vector<const Layout*>& Layouts() {
  static const std::vector<const Layout*> kTable = {
      &ActionImagesLayout(), &ClipFolderLayout(), &LabelsLayout(),
      &RlbenchLayout(),      &LeRobotLayout(),    &BridgeLayout(),
      &DroidLayout(),        &BridgeRawLayout(),  &DroidRawLayout()};
  return kTable;
}

const Layout& FindLayout(std::string_view name) {
  std::string names;
  for (const Layout* layout : Layouts()) {
    if (layout->Name() == name) return *layout;
    names += "|" + std::string(layout->Name());
  }
  throw ConfigError({.where = "--layout",
                     .got = '"' + std::string(name) + '"',
                     .expected = "auto" + names,
                     .fix = ""});
}

}  // namespace aim
