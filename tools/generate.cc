// aim-generate: what a model makes of first frames, videos or actions.
#include <iostream>

#include "aim/base/text.h"
#include "aim/pipeline/generate_clip.h"
#include "tools/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app{"Generate videos and actions of one clip with a model.", "aim-generate"};
  app.footer(
      "Example: aim-generate --model assets/tiny --mode i2va --view assets/example/view0.png "
      "--view assets/example/view1.png --cameras assets/example/cameras.json "
      "--prompt \"grasp the red block and lift it\" --first-pose "
      "\"0.422 -0.086 0.2199 -0.975791 0.213675 0.018254 0.042907 1\" --out out/clip");
  aim::GenerateClipOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"model", "cameras", "out"});
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    std::cout << aim::DumpJson(ToJson(aim::RunGenerate(options, run))) << '\n';
  });
}
