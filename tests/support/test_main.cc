// main of every test program. A word after the program's name is a file of it: its tests alone run.
#include <gmock/gmock.h>

#include <filesystem>
#include <iostream>
#include <string>

namespace {

// GoogleTest's filter for the tests of `file`; empty if there are none.
std::string FilterOf(const std::string& file) {
  std::string filter;
  const ::testing::UnitTest& program = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < program.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *program.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const ::testing::TestInfo& test = *suite.GetTestInfo(j);
      if (std::filesystem::path(test.file()).stem() != file) continue;
      filter += (filter.empty() ? "" : ":") + std::string(suite.name()) + "." + test.name();
    }
  }
  return filter;
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  if (argc > 2 || (argc == 2 && ::testing::GTEST_FLAG(filter) != "*")) {
    std::cerr << "give one file of tests, or --gtest_filter\n";
    return 2;
  }
  if (argc == 2) {
    const std::string filter = FilterOf(argv[1]);
    if (filter.empty()) {
      std::cerr << "no test in a file named " << argv[1] << "\n";
      return 2;
    }
    ::testing::GTEST_FLAG(filter) = filter;
  }
  return RUN_ALL_TESTS();
}
