// How often values of a quantity occur, as a part of a page.
#pragma once

#include <span>
#include <string>

namespace aim {

// Bars over equal intervals from the smallest to the largest value, which there must be; those that
// are not finite are left out. The words, which name the quantity with its unit and what is
// counted, are text.
std::string HistogramHtml(std::span<const double> values, const std::string& title,
                          const std::string& x_name);

}  // namespace aim
