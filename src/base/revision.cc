// Apart, because it is compiled again after every commit.
#include "base/revision.h"

#include "aim/base/run_context.h"

namespace aim {

std::string Version() { return AIM_VERSION; }

std::string Revision() { return AIM_REVISION; }

}  // namespace aim
