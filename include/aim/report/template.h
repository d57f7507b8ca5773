// Pages and parts of pages, made of the Mustache templates in assets/report. They lie inside the
// library: an installed tool needs no file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace aim {

// The template called `name` (as its file, without ".mustache") filled with `values`, an object.
// {{name}} shows text and numbers escaped; {{{name}}} shows HTML, which by custom has a name in
// "_html"; sections take true, false, null, an object or a list; {{> other}} is another template.
// Throws InternalError for a name that `values` lacks: a page has no holes.
std::string RenderTemplate(const std::string& name, const nlohmann::json& values);

// Text as HTML shows it, also inside an attribute in double or single quotes.
std::string EscapeHtml(std::string_view text);

}  // namespace aim
