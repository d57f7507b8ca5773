#include <iostream>

#include "aim/train/run_train.h"
#include "tools/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app{"Train a model on videos with action images by masked latent training.",
               "aim-train"};
  app.footer(
      "Example: aim-train --config configs/train/tiny.toml --data data/demos --out runs/tiny");
  aim::TrainRunOptions options;
  aim::cli::AddFlags(app, options);
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    std::cout << aim::RunTrain(options, run) << '\n';
  });
}
