// The Python environment of tests that compare with Python packages.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/run_command.h"
#include "support/source_dir.h"

namespace aim::testing {

// A Python that can import `modules` ("torch, safetensors.torch"): AIM_TEST_PYTHON, or that of an
// environment in the repository: .venv-NAME of requirements-NAME.txt. Empty if there is none.
inline std::string PythonWith(const std::string& modules,
                              const std::string& environment = ".venv-dev") {
  const char* chosen = std::getenv("AIM_TEST_PYTHON");
  const std::string python =
      chosen != nullptr ? chosen : (SourceDir() / environment / "bin/python").string();
  if (!std::filesystem::exists(python)) return "";
  return RunCommand({python, "-c", "import " + modules}).exit_code == 0 ? python : "";
}

}  // namespace aim::testing
