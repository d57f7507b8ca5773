// Uses modules from both ends of the library: the record of the build, options, a model's
// configuration, a tensor, and the simulator.
#include <ATen/ops/ones.h>
#include <aim/base/run_context.h>
#include <aim/bundle/bundle.h>
#include <aim/env/tabletop.h>

#include <iostream>

int main() {
  const aim::BundleConfig config;
  config.Validate();
  const double sum = at::ones({config.num_views, config.num_frames}).sum().item<double>();
  std::cout << "aim " << aim::Version() << ", preset " << config.preset << ", " << sum
            << " frames, " << aim::OptionKeys(config).size() << " options, "
            << aim::MakeTabletop({})->Tasks().size() << " tasks\n";
  return sum == config.num_views * config.num_frames ? 0 : 1;
}
