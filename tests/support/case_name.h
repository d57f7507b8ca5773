// Names the cases of a table by their field `name`: INSTANTIATE_TEST_SUITE_P(..., CaseName()).
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace aim::testing {

struct CaseName {
  template <class Case>
  std::string operator()(const ::testing::TestParamInfo<Case>& test_case) const {
    return test_case.param.name;
  }
};

}  // namespace aim::testing
