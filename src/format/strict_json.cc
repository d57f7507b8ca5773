#include "aim/format/strict_json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 8;

// Reads a text for the keys of its objects alone. The parser's own callback would do, but walks
// through an object anew for each of its values.
class KeyWatch : public nlohmann::json_sax<json> {
 public:
  explicit KeyWatch(const std::string& where) : where_(where) {}

  bool start_object(size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      ThrowFormatError(where_ + ": key " + name, "named twice", "one entry a name");
    }
    return true;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  const std::string& where_;
  std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

json ParseJsonObject(std::string_view text, const std::string& where) {
  if (JsonDepth(text) > kMaxDepth)
    ThrowFormatError(where, "nested deeper than 8 levels", "a flat JSON object");
  KeyWatch watch(where);
  if (json::sax_parse(text, &watch)) {
    json object = json::parse(text, nullptr, false);
    if (object.is_object()) return object;
  }
  ThrowFormatError(where, "not a JSON object", "an object of names");
}

}  // namespace aim
