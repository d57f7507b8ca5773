#include "aim/serve/serve_report.h"

#include <nlohmann/json.hpp>

#include "aim/base/options.h"

namespace aim {
namespace {

std::string MetricLines(const std::string& name, const std::string& type, const std::string& help,
                        const std::string& value) {
  const std::string full = "aim_serve_" + name;
  return "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n" + full + " " +
         value + "\n";
}

}  // namespace

nlohmann::json ToJson(const ServeReport& report) {
  nlohmann::json faults = nlohmann::json::object();
  for (const auto& word : WordsOf(FaultCode())) {
    faults[word.text] = report.faults.at(static_cast<size_t>(word.value));
  }
  return {{"clients", report.clients},   {"requests", report.requests},
          {"plans", report.plans},       {"batches", report.batches},
          {"repeated", report.repeated}, {"faults", std::move(faults)},
          {"plan_s", report.plan_s},     {"longest_plan_s", report.longest_plan_s}};
}

std::string MetricsText(const ServeReport& report) {
  std::string text;
  const auto add = [&](const char* name, const char* type, const char* help, double value) {
    text += MetricLines(name, type, help, ToText(value));
  };
  const auto count = [](int64_t number) { return static_cast<double>(number); };
  add("clients_total", "counter", "Clients that connected.", count(report.clients));
  add("clients", "gauge", "Clients that are connected.", count(report.open_clients));
  add("requests_total", "counter", "Plans that were asked for.", count(report.requests));
  add("plans_total", "counter", "Plans that were sent.", count(report.plans));
  add("batches_total", "counter", "Times that plans were made, several together or one.",
      count(report.batches));
  add("repeated_total", "counter", "Requests answered from the store.", count(report.repeated));
  add("waiting", "gauge", "Requests that wait for their plan.", count(report.waiting));
  add("plan_seconds_total", "counter", "Time spent planning.", report.plan_s);
  add("longest_plan_seconds", "gauge", "The longest a plan took.", report.longest_plan_s);
  text += "# HELP aim_serve_faults_total Requests refused, by reason.\n";
  text += "# TYPE aim_serve_faults_total counter\n";
  for (const auto& word : WordsOf(FaultCode())) {
    text += "aim_serve_faults_total{code=\"" + std::string(word.text) + "\"} " +
            std::to_string(report.faults.at(static_cast<size_t>(word.value))) + "\n";
  }
  return text;
}

}  // namespace aim
