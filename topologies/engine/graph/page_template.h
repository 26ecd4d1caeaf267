#pragma once
#include <string_view>

// Inside this folder only.
namespace heddle::graph {

// page.html as it is; `@DATA@` stands where a lab's JSON goes.
extern const std::string_view kPageTemplate;

}  // namespace heddle::graph
