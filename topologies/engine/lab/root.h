#pragma once

// Inside this folder only.
namespace heddle::lab {

// In a root directory of labs: its parent was made with it.
inline constexpr const char* kMadeParent = ".made-parent";

}  // namespace heddle::lab
