# Writes OUTPUT, a C++ file with the text of every FILES (joined by |):
#   cmake -DOUTPUT=... -DFILES=a.mustache|b.mustache -P AimEmbedTemplates.cmake
cmake_minimum_required(VERSION 3.22)
string(REPLACE "|" ";" files "${FILES}")
set(entries "")
foreach(file ${files})
  get_filename_component(name "${file}" NAME_WE)
  file(READ "${file}" text)
  string(APPEND entries "    {\"${name}\", R\"aim_template(${text})aim_template\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Written by cmake/AimEmbedTemplates.cmake.
#include \"report/embedded_templates.h\"

namespace aim {

std::span<const EmbeddedTemplate> EmbeddedTemplates() {
  static constexpr EmbeddedTemplate kTemplates[] = {
${entries}  };
  return kTemplates;
}

}  // namespace aim
")
