#include "aim/report/template.h"

#include <kainjow/mustache.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "aim/base/error.h"
#include "report/embedded_templates.h"

namespace aim {
namespace {

namespace mustache = kainjow::mustache;

std::string TemplateText(const std::string& name) {
  for (const EmbeddedTemplate& one : EmbeddedTemplates()) {
    if (one.name == name) return std::string(one.text);
  }
  throw InternalError("no template " + name + " in assets/report");
}

mustache::data DataOf(const nlohmann::json& value) {
  if (value.is_object()) {
    mustache::data object(mustache::data::type::object);
    for (const auto& [key, item] : value.items()) object[key] = DataOf(item);
    return object;
  }
  if (value.is_array()) {
    mustache::list list;
    for (const nlohmann::json& item : value) list.push_back(DataOf(item));
    return list;
  }
  if (value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Looks names up as Mustache does, from the innermost section outwards; remembers those that are
// nowhere, which Mustache would leave empty.
class Lookup : public mustache::context<std::string> {
 public:
  explicit Lookup(const mustache::data* values) : context(values) {}

  const mustache::data* get(const std::string& name) const override {
    const mustache::data* found = context::get(name);
    if (found == nullptr) missing_ = name;
    return found;
  }

  const mustache::data* get_partial(const std::string& name) const override {
    partials_.push_back(std::make_unique<mustache::data>(TemplateText(name)));
    return partials_.back().get();
  }

  const std::string& missing() const { return missing_; }

 private:
  mutable std::string missing_;
  mutable std::vector<std::unique_ptr<mustache::data>> partials_;
};

}  // namespace

std::string EscapeHtml(std::string_view text) {
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
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string RenderTemplate(const std::string& name, const nlohmann::json& values) {
  mustache::mustache page(TemplateText(name));
  page.set_custom_escape([](const std::string& text) { return EscapeHtml(text); });
  const mustache::data data = DataOf(values);
  Lookup lookup(&data);
  const std::string html = page.render(lookup);
  if (page.is_valid() && lookup.missing().empty()) return html;
  throw InternalError("the template " + name +
                      (page.is_valid() ? " asks for " + lookup.missing() + ", which it is not given"
                                       : " is damaged: " + page.error_message()));
}

}  // namespace aim
