// aim-model evaluate and drift: what needs episodes and plans.
#include <iostream>

#include "aim/base/text.h"
#include "aim/pipeline/drift.h"
#include "aim/pipeline/evaluate_model.h"
#include "tools/commands.h"

namespace aim::cli {

void AddMeasurements(CLI::App& app, Commands& commands) {
  commands.push_back(AddCommand<EvaluateModelOptions>(
      app,
      {"evaluate",
       "Measure every mode on recorded episodes, with intervals.",
       "Example: aim-model evaluate --model assets/tiny --data data/demos --episodes 4 "
       "--out out/evaluation.json",
       {"model", "data"}},
      [](const EvaluateModelOptions& options, RunContext& run) {
        std::cout << EvaluationTable(RunEvaluateModel(options, run));
      }));
  commands.push_back(AddCommand<DriftOptions>(
      app,
      {"drift",
       "Generate the same under two settings and compare the decoded poses.",
       "Example: aim-model drift --model assets/tiny --data data/demos --episodes 2 "
       "--against steps=2 --out out/drift.json",
       {"model", "data", "against"}},
      [](const DriftOptions& options, RunContext& run) {
        std::cout << DumpJson(ToJson(RunDrift(options, run)), 1) << '\n';
      }));
}

}  // namespace aim::cli
