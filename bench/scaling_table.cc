// Prints the tables of docs/scaling.md.
//
//   build/release/bin/scaling_table configs/model/action_images_5b.toml
#include <iostream>

#include "aim/base/options.h"
#include "aim/bundle/bundle.h"
#include "scaling.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "scaling_table MODEL.toml\n";
    return 2;
  }
  aim::BundleConfig config;
  aim::ApplyOptions(config, aim::ReadToml(argv[1]), argv[1]);
  std::cout << aim::ScalingTables(config.dit, {});
}
