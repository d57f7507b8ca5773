// What server and client of this project's own extension of openpi's wire must agree on.
#pragma once

namespace aim {

inline constexpr const char* kProtocolName = "aim-policy";
inline constexpr int kProtocolMajor = 1;  // another one is refused
inline constexpr int kProtocolMinor = 0;  // any is taken
inline constexpr const char* kActionLayout = "xyz_quat_xyzw_open";

}  // namespace aim
