// One function a wire, each in the file of its name.
#pragma once

#include "aim/wire/wire.h"

namespace aim {

Wire OpenpiWire();
Wire RoboArenaWire();
Wire VllmOmniWire();
Wire VlaEvalWire();

}  // namespace aim
