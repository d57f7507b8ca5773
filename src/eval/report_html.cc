#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/eval/report.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr const char* kStyle = R"css(
:root{--ink:#1c2430;--soft:#5d6b7c;--line:#dfe5ec;--paper:#fff;--ground:#f5f7fa;--good:#23805f;
--bad:#b8473a;--gate:#2f5d9b;--null:#9a7a1c;--bar:#a8d5c3}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:22px;margin:0 0 2px}h2{font-size:17px;margin:34px 0 10px}
p{margin:6px 0}.soft{color:var(--soft)}.small{font-size:13px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:18px 20px}
.head{display:flex;gap:44px;align-items:center;margin-top:16px}.head .facts{flex:1;display:grid;grid-template-columns:repeat(3,1fr);gap:16px 26px}
.big{font-size:54px;font-weight:650;line-height:1;color:var(--good);white-space:nowrap}
.big small{font-size:26px;font-weight:500}
.facts{display:flex;gap:26px;flex-wrap:wrap}.head>div:first-child{white-space:nowrap}.fact{max-width:210px}.fact b{display:block;font-size:21px;font-weight:600}
.fact span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 7px;text-align:right;border-bottom:1px solid var(--line)}td{white-space:nowrap}
th{font-weight:600;font-size:13px;color:var(--soft);vertical-align:bottom}
td:first-child,th:first-child{text-align:left}tr.mean td{font-weight:600;border-bottom:0}
.wide{overflow-x:auto}svg{display:block;width:100%;height:auto}
.warn{border-left:4px solid var(--null);background:#fdf8e8}
.strip{margin:0 0 16px;break-inside:avoid}.strip img{width:100%;display:block;border-radius:6px;
margin-top:8px}
.badge{display:inline-block;padding:1px 9px;border-radius:9px;color:#fff;font-size:12.5px;
font-weight:600;margin-right:8px}.good{background:var(--good)}.bad{background:var(--bad)}
details{margin-top:12px}summary{cursor:pointer;color:var(--soft)}
pre{background:var(--ground);padding:12px;border-radius:8px;overflow-x:auto;font-size:12px;
line-height:1.4}
a{color:var(--gate)}
@media print{body{background:#fff;font-size:12px}main{max-width:none;padding:0}
.card{border-color:#ccc}.wide{overflow:visible}th,td{padding:4px 5px}}
)css";

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// The same for a string inside the report.
std::string EscapeText(const json& text) { return Escape(text.get_ref<const std::string&>()); }

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63U];
    }
  }
  return text;
}

// A dash stands for what was not measured.
std::string Text(const json& value, int digits, double scale = 1) {
  if (!value.is_number()) return "&ndash;";
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, scale * value.get<double>());
  return text;
}

std::string Percent(const json& rate, int digits = 0) { return Text(rate, digits, 100); }

std::string IntervalText(const json& interval) {
  return Percent(interval[0]) + "&ndash;" + Percent(interval[1]);
}

// Tasks are named in snake case; people read words.
std::string Words(const json& task) {
  std::string words = EscapeText(task);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string PValue(double p) {
  char text[32];
  std::snprintf(text, sizeof text, p < 1e-4 ? "%.0e" : "%.4f", p);
  return text;
}

std::string Fact(const std::string& value, const std::string& name) {
  return "<div class=fact><b>" + value + "</b><span>" + name + "</span></div>";
}

std::string Headline(const json& report) {
  std::ostringstream html;
  html << "<div class='card head'><div><div class=big>" << Percent(report["mean_success"])
       << "<small> %</small></div><div class='soft small'>mean success over "
       << report["tasks"].size() << (report["tasks"].size() == 1 ? " task" : " tasks")
       << "<br>95 % interval " << IntervalText(report["mean_success_interval"])
       << " %</div></div><div class=facts>";
  html << Fact(std::to_string(report["num_trials"].get<int>()), "trials");
  const json missing;
  const auto mean = [&](const char* key) -> const json& {
    return report.contains(key) ? report[key] : missing;
  };
  html << Fact(Percent(mean("mean_gate")) + " %", "gate: replayed demonstration");
  html << Fact(Percent(mean("mean_null")) + " %", "null: another scene's demonstration");
  html << Fact(Percent(mean("mean_still")) + " %", "standing still");
  const int replan = report["replan"].get<int>();
  html << Fact(replan == 0 ? "1 plan" : "every " + std::to_string(replan),
               replan == 0 ? "executed whole, no second look" : "frames a new look and plan");
  html << Fact(Text(report["plan_s"], 2) + " s", "for a plan") << "</div></div>";
  return html.str();
}

std::string BarLabel(double x, double y, const std::string& anchor, const std::string& text) {
  std::ostringstream svg;
  svg << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor << "'>" << text
      << "</text>";
  return svg.str();
}

// One horizontal bar a task with its interval; ticks mark the gate and the null policy.
std::string BarChart(const json& tasks) {
  constexpr double kLeft = 190;
  constexpr double kWidth = 800;
  constexpr double kRow = 34;
  const double bottom = kRow * static_cast<double>(tasks.size()) + 8;
  std::ostringstream svg;
  svg << "<svg viewBox='0 0 1070 " << bottom + 48 << "' role=img font-size=13 fill='#1c2430'>";
  for (int tick = 0; tick <= 100; tick += 20) {
    const double x = kLeft + kWidth * tick / 100;
    svg << "<line x1='" << x << "' x2='" << x << "' y1=0 y2='" << bottom << "' stroke='#dfe5ec'/>"
        << BarLabel(x, bottom + 17, "middle", std::to_string(tick));
  }
  svg << BarLabel(kLeft + kWidth / 2, bottom + 40, "middle",
                  "success, % &#8195; bar: policy with 95 % Wilson interval &#8195; "
                  "<tspan fill='#2f5d9b'>&#9670; gate</tspan> &#8195; "
                  "<tspan fill='#9a7a1c'>&#9679; null policy</tspan>");
  for (size_t i = 0; i < tasks.size(); ++i) {
    const json& task = tasks[i];
    const double y = kRow * static_cast<double>(i) + 8;
    const double middle = y + 11;
    const auto x = [&](const json& rate) { return kLeft + kWidth * rate.get<double>(); };
    svg << BarLabel(kLeft - 12, middle + 5, "end", Words(task["task"])) << "<rect x='" << kLeft
        << "' y='" << y << "' width='" << kWidth * task["rate"].get<double>()
        << "' height=22 rx=3 fill='#a8d5c3'/>";
    const double low = x(task["interval"][0]);
    const double high = x(task["interval"][1]);
    svg << "<path d='M" << low << " " << middle << "H" << high << "M" << low << " " << middle - 6
        << "v12M" << high << " " << middle - 6 << "v12' stroke-width=2 stroke='#23805f'/>";
    if (task.contains("gate")) {
      const double gate = x(task["gate"]["rate"]);
      svg << "<path d='M" << gate << " " << middle - 6 << "l6 6l-6 6l-6 -6z' fill='#2f5d9b'/>";
    }
    if (task.contains("null")) {
      svg << "<circle cx='" << x(task["null"]["rate"]) << "' cy='" << middle
          << "' r=5 fill='#9a7a1c'/>";
    }
    svg << BarLabel(kLeft + kWidth + 14, middle + 5, "start", Percent(task["rate"]) + " %");
  }
  return svg.str() + "</svg>";
}

std::string TaskRow(const json& task) {
  const auto reference = [&](const char* name) {
    return task.contains(name) ? Percent(task[name]["rate"]) : std::string("&ndash;");
  };
  const json& test = task.contains("versus_null") ? task["versus_null"] : json();
  std::ostringstream row;
  row << "<tr><td>" << Words(task["task"]) << (task.value("gate_ok", true) ? "" : " &#9888;")
      << "<td>" << task["n"] << "<td><b>" << Percent(task["rate"]) << " %</b><td>"
      << IntervalText(task["interval"]) << "<td>" << reference("gate") << "<td>"
      << reference("null") << "<td>" << reference("still") << "<td>"
      << (test.is_null() ? "&ndash;" : PValue(test["p_holm"])) << "<td>" << Text(task["replans"], 1)
      << "<td>" << task["ik_failures"] << "<td>" << task["terminations"].value("timeout", 0)
      << "<td>" << task["terminations"].value("invalid", 0) << "<td>" << Text(task["steps"], 0)
      << "<td>" << Text(task["to_expert"]["position_mm"], 1) << "<td>"
      << Text(task["confidence"], 2);
  return row.str();
}

std::string TaskTable(const json& report) {
  std::ostringstream html;
  html << "<div class='card wide'><table><tr><th>task<th>n<th>success<th>95 % interval<th>gate"
          "<th>null<th>still<th>p vs null<th>replans<th>IK fails<th>time outs<th>invalid"
          "<th>steps<th>to expert, mm<th>confi&shy;dence";
  for (const json& task : report["tasks"]) html << TaskRow(task);
  html << "<tr class=mean><td>mean over tasks<td>" << report["num_trials"] << "<td>"
       << Percent(report["mean_success"]) << " %<td>"
       << IntervalText(report["mean_success_interval"]);
  for (const char* key : {"mean_gate", "mean_null", "mean_still"}) {
    html << "<td>" << (report.contains(key) ? Percent(report[key]) : "&ndash;");
  }
  html << "<td><td><td><td><td><td><td>" << Text(report["to_expert"]["position_mm"], 1)
       << "<td></table>"
          "<p class='soft small'>Rates in percent. Gate: the scene's own demonstration through the "
          "same controller, budget and rules; &#9888; marks tasks where it stays below 90 %. Null: "
          "the demonstration of another scene. p: exact two-sided McNemar test against the null "
          "policy on the same seeds, Holm-corrected over tasks. Invalid trials were run twice and "
          "count as failures. To expert: median distance of the first plan from what the scripted "
          "expert did.</p></div>";
  return html.str();
}

// A picture from the rollout's folder, inside the page.
std::string EmbeddedImage(const std::filesystem::path& path, const std::string& description) {
  const bool png = path.extension() == ".png";
  return "<img alt=\"" + Escape(description) + "\" src=\"data:image/" + (png ? "png" : "jpeg") +
         ";base64," + Base64(ReadFile(path)) + "\">";
}

std::string FilmstripCard(const json& strip, const std::filesystem::path& folder) {
  std::ostringstream html;
  const bool success = strip["success"];
  html << "<div class='card strip'><span class='badge "
       << (success ? "good'>success" : "bad'>failure") << "</span><b>" << Words(strip["task"])
       << "</b> &ensp;&ldquo;" << EscapeText(strip["prompt"])
       << "&rdquo;<div class='soft small'>seed " << strip["seed"] << ", " << strip["steps"]
       << " steps, ";
  const int replans = strip["replans"];
  html << replans << (replans == 1 ? " replan" : " replans") << ", mean confidence "
       << Text(strip["confidence"], 2);
  if (!success) html << ", ended by " << Words(strip["termination"]);
  for (size_t i = 0; i < strip["videos"].size(); ++i) {
    html << " &middot; <a href=\"" << EscapeText(strip["videos"][i]) << "\">video " << i << "</a>";
  }
  const std::string file = strip["file"];
  html << "</div>" << EmbeddedImage(folder / file, file) << "</div>";
  return html.str();
}

std::string Filmstrips(const json& report, const std::filesystem::path& folder) {
  if (report["filmstrips"].empty()) return "";
  std::ostringstream html;
  html << "<h2>Episodes</h2><p class='soft small'>The first successes and failures of each task, "
          "from start (left) to end, one row a camera. Yellow: the path the plan asks for. Red, "
          "green and blue spots: the action image of the next planned pose (tip, tool x, tool "
          "z).</p>";
  for (const json& strip : report["filmstrips"]) html << FilmstripCard(strip, folder);
  return html.str();
}

std::string Diagnostics(const json& report) {
  std::ostringstream html;
  const json& controller = report["controller"];
  const json& expert = report["to_expert"];
  const json& confidence = report["confidence"];
  html << "<h2>Where errors come from</h2><div class='card facts'>"
       << Fact(Text(controller["tracking_mm"], 2) + " mm",
               "controller: reached from commanded tip, moving")
       << Fact(Text(controller["final_mm"], 2) + " mm",
               "the same at rest (p95 " + Text(controller["final_mm_p95"], 2) + ")")
       << Fact(
              Text(expert["position_mm"], 1) + " mm / " + Text(expert["rotation_deg"], 1) + "&deg;",
              "first plan from the expert, median")
       << Fact(Percent(expert["gripper"]) + " %", "planned frames with the expert's gripper")
       << Fact(Text(confidence["success_mean"], 2) + " / " + Text(confidence["failure_mean"], 2),
               "mean confidence: successes / failures")
       << Fact(Text(confidence["spearman_with_success"], 2),
               "rank correlation of confidence and success")
       << "</div>";
  return html.str();
}

std::string TestRow(const std::string& name, const json& test) {
  const json& difference = test["difference"];
  std::ostringstream row;
  row << "<tr><td>" << name << "<td>" << Text(difference["mean"], 1, 100) << "<td>"
      << Text(difference["interval"][0], 1, 100) << " to "
      << Text(difference["interval"][1], 1, 100) << "<td>" << test["only_first"] << " : "
      << test["only_second"] << "<td>" << PValue(test["p"])
      << (test["underpowered"].get<bool>() ? " (underpowered)" : "");
  return row.str();
}

std::string Comparisons(const json& report) {
  std::ostringstream rows;
  if (report.contains("versus_null")) rows << TestRow("null policy", report["versus_null"]);
  if (report.contains("compare")) {
    for (const json& other : report["compare"]) {
      rows << TestRow(EscapeText(other["where"]) + " (" + EscapeText(other["policy"]) + ")", other);
    }
  }
  if (rows.str().empty()) return "";
  return "<h2>Against others on the same seeds</h2><div class='card wide'><table><tr><th>other"
         "<th>difference of mean success, points<th>95 % interval<th>won alone<th>McNemar p" +
         rows.str() +
         "</table><p class='soft small'>Differences: this policy minus the other, paired bootstrap "
         "over tasks and trials. Won alone: scenes that only this policy : only the other solved. "
         "With fewer than six such scenes p cannot fall below 0.05.</p></div>";
}

std::string Invalid(const json& report) {
  if (report["invalid"].empty()) return "";
  std::ostringstream html;
  html << "<h2>Invalid trials</h2><div class='card warn'>";
  for (const json& trial : report["invalid"]) {
    html << "<p>" << Words(trial["task"]) << ", seed " << trial["seed"] << ": "
         << EscapeText(trial["error"]) << "</p>";
  }
  return html.str() + "</div>";
}

std::string Record(const json& report) {
  json record = report["run"];
  record["options"] = report["options"];
  return "<h2>Run</h2><div class=card><p class=small>" + EscapeText(report["title"]) +
         ". Every number of this page is in report.json, every trial in episodes.csv.</p>"
         "<details><summary>run record</summary><pre>" +
         Escape(std::string_view(record.dump(2, ' ', false, json::error_handler_t::replace))) +
         "</pre></details></div>";
}

}  // namespace

std::string ReportHtml(const json& report, const std::filesystem::path& folder) {
  const std::string title = "Rollout of " + EscapeText(report["title"]);
  std::string html =
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
      "content='width=device-width,initial-scale=1'><title>" +
      title + "</title><style>" + kStyle + "</style><main><h1>" + title +
      "</h1><p class=soft>Closed loop in simulation, scene seeds from " +
      report["options"]["first_seed"].dump() + "; policy: " + EscapeText(report["policy"]) +
      ".</p>";
  html += Headline(report);
  html += "<h2>Tasks</h2><div class=card>" + BarChart(report["tasks"]) + "</div><p></p>";
  html += TaskTable(report);
  html += Invalid(report);
  html += Filmstrips(report, folder);
  html += Diagnostics(report);
  html += Comparisons(report);
  html += Record(report);
  return html + "</main></html>\n";
}

}  // namespace aim
