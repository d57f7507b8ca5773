// aim-generate: what a model makes of first frames, videos or actions.
#include <iostream>

#include "aim/policy/generate_clip.h"
#include "tools/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app{"Generate videos and actions of one clip with a model.", "aim-generate"};
  app.footer(
      "Example: aim-generate --model assets/tiny --mode i2va --view v0.png --view v1.png "
      "--cameras cameras.json --prompt \"push the red button\" "
      "--first-pose \"0.4 0 0.4 1 0 0 0 1\" --out out/clip");
  aim::GenerateClipOptions options;
  aim::cli::AddFlags(app, options);
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    std::cout << aim::RunGenerate(options, run).dump() << '\n';
  });
}
