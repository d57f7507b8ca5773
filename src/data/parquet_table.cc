// Rows of a Parquet file, once they are read.
#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/overloaded.h"
#include "aim/base/text.h"
#include "data/fail_input.h"
#include "data/parquet.h"

namespace aim {
int64_t ParquetColumn::num_rows() const {
  if (is_list) return static_cast<int64_t>(row_ends.size());
  return std::visit([](const auto& all) { return static_cast<int64_t>(all.size()); }, values);
}

bool ParquetTable::Has(const std::string& name) const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [&](const ParquetColumn& column) { return column.name == name; });
}

const ParquetColumn& ParquetTable::At(const std::string& name) const {
  for (const ParquetColumn& column : columns_) {
    if (column.name == name) return column;
  }
  FailInput(Where(name), "missing", "a column of that name");
}

const std::vector<int64_t>& ParquetTable::Ints(const std::string& name) const {
  const ParquetColumn& column = At(name);
  const auto* values = std::get_if<std::vector<int64_t>>(&column.values);
  if (values == nullptr || column.is_list) FailInput(Where(name), "no whole number a row", "one");
  return *values;
}

const std::vector<std::string>& ParquetTable::Texts(const std::string& name) const {
  const ParquetColumn& column = At(name);
  const auto* values = std::get_if<std::vector<std::string>>(&column.values);
  if (values == nullptr || column.is_list) FailInput(Where(name), "no text a row", "one");
  return *values;
}

std::vector<std::vector<std::string>> ParquetTable::TextLists(const std::string& name) const {
  const ParquetColumn& column = At(name);
  const auto* values = std::get_if<std::vector<std::string>>(&column.values);
  if (values == nullptr || !column.is_list) FailInput(Where(name), "no list of texts a row", "one");
  std::vector<std::vector<std::string>> lists;
  auto begin = values->begin();
  for (const int64_t row_end : column.row_ends) {
    const auto end = values->begin() + row_end;
    lists.emplace_back(begin, end);
    begin = end;
  }
  return lists;
}

std::vector<double> ParquetTable::Numbers(const std::string& name, size_t width) const {
  const ParquetColumn& column = At(name);
  std::vector<double> numbers = std::visit(
      Overloaded{
          [&](const std::vector<std::string>&) -> std::vector<double> {
            FailInput(Where(name), "texts", "numbers");
          },
          [](const auto& values) { return std::vector<double>(values.begin(), values.end()); }},
      column.values);
  int64_t begin = 0;
  for (const int64_t end : column.row_ends) {
    if (static_cast<size_t>(end - begin) != width) {
      FailInput(Where(name), "of " + CountText(end - begin, "number") + " in a row",
                std::to_string(width) + " in each");
    }
    begin = end;
  }
  if (!column.is_list && width != 1) {
    FailInput(Where(name), "of one number a row", std::to_string(width) + " in each");
  }
  const auto bad = std::find_if(numbers.begin(), numbers.end(),
                                [](double value) { return !std::isfinite(value); });
  if (bad != numbers.end()) {
    FailInput(Where(name),
              "not a finite number in row " +
                  std::to_string(static_cast<size_t>(bad - numbers.begin()) / width),
              "finite numbers");
  }
  return numbers;
}

}  // namespace aim
