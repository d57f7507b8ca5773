#include "wire/wires.h"

#include "aim/base/options.h"

namespace aim {

const std::vector<Wire>& AllWires() {
  static const std::vector<Wire> wires = {OpenpiWire(), RoboArenaWire(), VllmOmniWire(),
                                          VlaEvalWire()};
  return wires;
}

std::vector<std::string> WireNames() {
  std::vector<std::string> names;
  for (const Wire& wire : AllWires()) names.push_back(wire.name);
  return names;
}

const Wire& FindWire(const std::string& name) {
  for (const Wire& wire : AllWires()) {
    if (wire.name == name) return wire;
  }
  ThrowUnknownWord(name, WireNames(), "wire");
}

}  // namespace aim
