#pragma once
#include <optional>
#include <span>
#include <string_view>

namespace heddle {

// The candidate nearest to `word`, when it is near enough to be what was meant; the first of
// several. Words and candidates beyond 126 bytes are near nothing.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

}  // namespace heddle
