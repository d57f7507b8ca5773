// Checks the row kernels of the GPU against their formulas in float64, then times them, what they
// stand beside, and a whole block. scripts/gpu_check runs it.
//
//   bin/row_kernels_check [--device cuda] [--out FILE.json]
//
// Prints one JSON object, or writes it to FILE after every step, so that what is done is not lost.
// --device cpu runs everything at a toy size with the formulas in place of the kernels. Exit 1 if a
// kernel is wrong, 2 and one sentence for wrong arguments or without a usable GPU.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/device.h"
#include "row_kernels_cases.h"
#include "row_kernels_scaled.h"
#include "row_kernels_times.h"

namespace {

using nlohmann::json;

constexpr const char* kUsage = "row_kernels_check [--device cpu|cuda|cuda:N] [--out FILE.json]\n";

struct CheckOptions {
  std::string device = "cuda";
  std::string out;
};

CheckOptions ParseArguments(const std::vector<std::string>& words) {
  CheckOptions options;
  for (size_t i = 0; i < words.size(); i += 2) {
    const bool is_known = words[i] == "--device" || words[i] == "--out";
    if (!is_known || i + 1 == words.size())
      throw aim::ConfigError({"argument", words[i], "--device NAME or --out FILE", ""});
    (words[i] == "--device" ? options.device : options.out) = words[i + 1];
  }
  return options;
}

aim::RowKernelSizes SizesFor(c10::Device device) {
  if (!device.is_cpu()) return {};
  return {.tokens = 48,
          .width = 64,
          .num_heads = 2,
          .ffn_width = 128,
          .text_length = 7,
          .frames = 4,
          .num_layers = 2};
}

int Run(const CheckOptions& options) {
  const c10::Device device = aim::ParseDevice(options.device);
  const aim::RowKernelSizes sizes = SizesFor(device);
#ifdef AIM_ROW_KERNELS
  const bool has_kernels = true;
#else
  const bool has_kernels = false;
#endif
  json report{{"device", options.device}, {"kernels", has_kernels}};
  const auto add = [&](const char* name, const std::function<json()>& step) {
    std::cerr << "row_kernels_check: " << name << '\n';
    report[name] = step();
    if (!options.out.empty()) aim::WriteFileAtomic(options.out, report.dump(2) + "\n");
  };
  at::manual_seed(3);
  add("check", [&] { return aim::CheckRowKernels(device, std::cerr); });
  add("check_scaled", [&] { return aim::CheckScaledRows(device, std::cerr); });
  const bool passed = report["check"]["passed"] && report["check_scaled"]["passed"];
  std::cerr << "row_kernels_check: " << report["check"]["cases"] << " cases "
            << (passed ? "PASS" : "FAIL") << '\n'
            << report["check"]["largest"].dump(2) << '\n'
            << report["check_scaled"].dump(2) << '\n';
  const c10::InferenceMode no_gradients;
  add("times", [&] { return aim::TimeRowKernels(device, sizes); });
  add("scaled", [&] { return aim::TimeScaledRows(device, sizes); });
  add("building_blocks", [&] { return aim::TimeBuildingBlocks(device, sizes); });
  add("block", [&] { return aim::TimeBlock(device, sizes); });
  if (options.out.empty()) std::cout << report.dump(2) << '\n';
  return passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::cout << kUsage;
    return 0;
  }
  try {
    return Run(ParseArguments(words));
  } catch (const aim::Error& error) {
    std::cerr << "row_kernels_check: " << error.what() << '\n';
    return 2;
  }
}
