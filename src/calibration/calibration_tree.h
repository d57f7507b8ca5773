// Files that people calibrate with, as one kind of tree: YAML, JSON and OpenCV's XML.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "aim/format/json_reader.h"
#include "aim/geometry/rigid3.h"

namespace aim {

// YAML (the first document of several; OpenCV's "%YAML:1.0" as well), JSON or XML as OpenCV writes
// it, told by how the file begins. An object with typed values: of plain YAML words what reads as a
// number is one, .nan and .inf too. Throws InputError if the file is missing, FormatError naming it
// for anything else, more than 16 MiB, or a key that is there twice.
nlohmann::json ReadCalibrationTree(const std::filesystem::path& path);

// The same of a text. `where` names the file.
nlohmann::json ParseYamlTree(std::string_view text, const std::string& where);
nlohmann::json ParseXmlTree(std::string_view text, const std::string& where);

// The first of `keys` that is there and not null; empty if none is.
std::string FirstKey(const JsonReader& fields, const std::vector<std::string>& keys);

// The numbers of a list, of a list of rows, of a matrix {rows, cols, data} or a lone one, row by
// row; all finite. Throws InputError naming the key.
std::vector<double> NumbersAt(const JsonReader& fields, const std::string& key);

// The same, and that many of them.
std::vector<double> NumbersAt(const JsonReader& fields, const std::string& key, size_t count);

// A rigid motion of 16 numbers, or of 12 without its last row, row-major. Throws InputError.
Rigid3d RigidOfNumbers(const std::vector<double>& numbers, const std::string& where);

}  // namespace aim
