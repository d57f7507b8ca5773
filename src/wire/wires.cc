#include "wire/wires.h"

#include "aim/base/options.h"

namespace aim {

const std::vector<Wire>& AllWires() {
  static const std::vector<Wire> wires = {OpenpiWire(), RoboArenaWire(), VllmOmniWire()};
  return wires;
}

const Wire& FindWire(const std::string& name) {
  std::vector<std::string> known;
  for (const Wire& wire : AllWires()) {
    if (wire.name == name) return wire;
    known.push_back(wire.name);
  }
  ThrowUnknownWord(name, known, "wire");
}

}  // namespace aim
